//! The program that comes next, in place of this one.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::ffi::{OsStr, OsString};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use config::printable_path;

use crate::account_database;
use crate::kernel;

/// Variables and their values.
pub type Environment = BTreeMap<OsString, OsString>;

/// What a user asked to run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Program {
    /// The shell of the account, as a login shell.
    LoginShell,
    /// A program, looked for in `PATH`, with its arguments.
    Command(OsString, Vec<OsString>),
}

/// Why it does not run.
#[derive(Debug, thiserror::Error)]
#[error("{}: {error}", printable_path(program))]
pub struct NotRun {
    program: OsString,
    error: io::Error,
}

impl NotRun {
    /// What a shell would exit with (POSIX, 2.8.2).
    #[must_use]
    pub fn exit_status(&self) -> u8 {
        match self.error.kind() {
            io::ErrorKind::NotFound => 127,
            _ => 126,
        }
    }
}

impl Program {
    /// From what stands on a command line.
    pub fn from_words(words: impl IntoIterator<Item = OsString>) -> Self {
        let mut words = words.into_iter();
        match words.next() {
            Some(program) => Self::Command(program, words.collect()),
            None => Self::LoginShell,
        }
    }

    /// Becomes it. Whoever calls this has no right that the user has not.
    ///
    /// # Errors
    ///
    /// If it cannot be run.
    pub fn exec(self, uid: u32, environment: Environment) -> Result<Infallible, NotRun> {
        let (program, mut command) = match self {
            Self::LoginShell => {
                let shell = account_database::login_shell(uid)
                    .unwrap_or_else(|_| PathBuf::from(account_database::DEFAULT_SHELL));
                (shell.clone().into(), login(&shell))
            }
            Self::Command(program, arguments) => {
                let mut command = Command::new(&program);
                command.args(arguments);
                (program, command)
            }
        };
        command.env_clear().envs(environment);
        kernel::exec_as_found(&mut command).map_err(|error| NotRun { program, error })
    }
}

/// With a dash before its name, by which a shell knows that it is one.
fn login(shell: &Path) -> Command {
    let name = shell.file_name().unwrap_or(shell.as_os_str());
    let dashed = [b"-", name.as_bytes()].concat();
    let mut command = Command::new(shell);
    command.arg0(OsStr::from_bytes(&dashed));
    command
}
