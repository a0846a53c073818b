//! What can go wrong in a subcommand.

use std::ffi::OsString;
use std::io;
use std::path::PathBuf;

use config::printable;

use crate::{account_database, user_namespace};

/// What went wrong in a subcommand.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A configuration is wrong.
    #[error(transparent)]
    Configuration(#[from] config::Error),
    /// The caller's account cannot be found out.
    #[error(transparent)]
    AccountDatabase(#[from] account_database::Error),
    /// What a configuration amounts to is wrong, though every line of it is right.
    #[error("{}: {problem}", printable(&file.to_string_lossy()))]
    Answer {
        /// The configuration.
        file: PathBuf,
        /// What is wrong.
        problem: config::Error,
    },
    /// The file to check is not there.
    #[error("{}: there is no such file", printable(&.0.to_string_lossy()))]
    NoFile(PathBuf),
    /// The host's name cannot be found out.
    #[error("/proc/sys/kernel/hostname: {0}")]
    HostName(io::Error),
    /// There is no `/nix` to enter.
    #[error("nix-ns enter: {0}")]
    Enter(#[from] user_namespace::Error),
    /// The program to start is not there, or not one.
    #[error("nix-ns enter: {}: {source}", printable(&program.to_string_lossy()))]
    NotStarted {
        /// The program.
        program: OsString,
        /// Why.
        source: io::Error,
    },
    /// Nobody reads the result.
    #[error("the result cannot be written: {0}")]
    Output(#[from] io::Error),
}

impl Error {
    /// The exit status that says so: those of `env(1)` where a program was to be
    /// started, so that its own can be told from them.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match self {
            Error::Enter(_) => 125,
            Error::NotStarted { source, .. } if source.kind() == io::ErrorKind::NotFound => 127,
            Error::NotStarted { .. } => 126,
            _ => 1,
        }
    }
}
