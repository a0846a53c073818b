//! The subcommands of `nix-ns`; none of them needs or keeps a privilege.

pub mod check;
pub mod enter;
pub mod error;

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
}

impl NixNs {
    /// Does what was asked, and writes the result to `output`.
    ///
    /// # Errors
    ///
    /// Everything that is wrong, not only the first thing.
    pub fn run(&self, output: &mut dyn Write) -> Result<(), Vec<Error>> {
        match &self.command {
            Command::Check(check) => check.run(output),
            Command::Enter(enter) => Err(vec![enter.run()]),
        }
    }
}
