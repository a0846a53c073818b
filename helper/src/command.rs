//! The subcommands of `nix-ns`; none of them needs or keeps a privilege.

pub mod check;
pub mod doctor;
pub mod error;
pub mod list;
pub mod status;

mod paint;

use std::io::Write;

pub use error::Error;

/// Gives each user a private /nix.
#[derive(Debug, clap::Parser)]
#[command(name = "nix-ns", version, arg_required_else_help = true)]
pub struct NixNs {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    Check(check::Check),
    Doctor(doctor::Doctor),
    List(list::List),
    Status(status::Status),
}

impl NixNs {
    /// Does what was asked, and writes the result to `output`.
    ///
    /// # Errors
    ///
    /// Everything that is wrong, not only the first thing; nothing, where the
    /// result has said it already.
    pub fn run(&self, output: &mut dyn Write) -> Result<(), Vec<Error>> {
        match &self.command {
            Command::Check(check) => check.run(output),
            Command::Doctor(doctor) => doctor.run(output),
            Command::List(list) => list.run(output),
            Command::Status(status) => status.run(output),
        }
    }
}
