//! `nix-ns enter`: a program on one's own `/nix`, where no login brought it.

use std::ffi::{OsStr, OsString};
use std::io::{self, IsTerminal, Write};
use std::os::unix::process::CommandExt;
use std::process::Command;

use nix::unistd::Uid;

use super::Error;
use crate::account_database;
use crate::user_namespace::{self, Isolation, Wish};

/// Start a program, or your shell, on your own /nix
///
/// Its exit status is the program's; 125 is a failure to enter, 126 and 127 say
/// that the program cannot be run or is not there. Isolation is for programs
/// that are careless, not for hostile ones: whatever you can write, they can.
#[derive(Debug, clap::Args)]
pub struct Enter {
    /// How much to keep apart from the rest of the system
    #[arg(long, value_enum, default_value_t)]
    isolation: Isolation,
    /// Make /nix read-only
    #[arg(long)]
    read_only: bool,
    /// Have your ranges of subordinate ids (/etc/subuid), too
    #[arg(long)]
    id_ranges: bool,
    /// Program and arguments; without, your shell
    #[arg(trailing_var_arg = true, value_name = "COMMAND")]
    command: Vec<OsString>,
}

impl Enter {
    /// Enters, and becomes the program; returns only if that cannot be.
    pub(super) fn run(&self) -> Error {
        match self.enter() {
            Ok(mut program) => Error::NotStarted {
                source: program.exec(),
                program: program.get_program().to_owned(),
            },
            Err(error) => error,
        }
    }

    fn enter(&self) -> Result<Command, Error> {
        let account = account_database::account(Uid::current().as_raw())
            .map_err(user_namespace::Error::from)?;
        let program = self.program(account.uid)?;
        let wish = Wish {
            isolation: self.isolation,
            read_only: self.read_only,
            id_ranges: self.id_ranges,
        };
        user_namespace::enter(&account, wish, notices().as_mut())?;
        Ok(program)
    }

    /// As `su` does without an option: the shell, and not as a login shell, as
    /// whoever calls this has logged in already.
    fn program(&self, uid: u32) -> Result<Command, Error> {
        let mut program = match self.command.split_first() {
            Some((program, arguments)) => {
                let mut command = Command::new(program);
                command.args(arguments);
                command
            }
            None => {
                let shell =
                    account_database::login_shell(uid).map_err(user_namespace::Error::from)?;
                let mut command = Command::new(&shell);
                command.arg0(shell.file_name().unwrap_or(OsStr::new("sh")));
                command
            }
        };
        program.env("NIX_NS", "1");
        Ok(program)
    }
}

/// For people alone: what reads the standard error of a program expects none but
/// the program's.
fn notices() -> Box<dyn Write> {
    if io::stderr().is_terminal() {
        Box::new(io::stderr())
    } else {
        Box::new(io::sink())
    }
}
