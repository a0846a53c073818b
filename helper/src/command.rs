//! The subcommands of `nix-ns`; none of them needs or keeps a privilege.

pub mod check;
pub mod doctor;
pub mod enter;
pub mod error;
pub mod init;
pub mod list;
pub mod purge;
pub mod status;

mod own_store;
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
    Enter(enter::Enter),
    Init(init::Init),
    Purge(purge::Purge),
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
            Command::Enter(enter) => {
                let Err(error) = enter.run();
                Err(vec![error.into()])
            }
            Command::Init(init) => init.run(output),
            Command::Purge(purge) => purge.run(output),
            Command::Doctor(doctor) => doctor.run(output),
            Command::List(list) => list.run(output),
            Command::Status(status) => status.run(output),
        }
    }
}
