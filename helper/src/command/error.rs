//! What can go wrong in a subcommand.

use std::io;
use std::path::PathBuf;

use config::printable;

use crate::account_database;

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
    /// Only root may.
    #[error("only root may {0}; `sudo nix-ns ...`")]
    NotRoot(&'static str),
    /// The kernel does not say.
    #[error("{0}")]
    Kernel(#[from] namespace::kernel::CallFailed),
    /// The result cannot be written as JSON.
    #[error("the result cannot be written as JSON: {0}")]
    Json(#[from] serde_json::Error),
    /// Nobody reads the result.
    #[error("the result cannot be written: {0}")]
    Output(#[from] io::Error),
}
