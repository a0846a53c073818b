//! What can go wrong in a subcommand.

use std::io;
use std::path::PathBuf;

use config::{Participation, printable, printable_path};

use super::enter;
use crate::progress::Number;
use crate::reader::OpenError;
use crate::{account_database, store_tree};

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
    #[error("{}: {problem}", printable_path(file))]
    Answer {
        /// The configuration.
        file: PathBuf,
        /// What is wrong.
        problem: config::Error,
    },
    /// The file to check is not there.
    #[error("{}: there is no such file", printable_path(.0))]
    NoFile(PathBuf),
    /// There is no way into the namespace.
    #[error(transparent)]
    Enter(#[from] enter::Error),
    /// Whoever is to have a `/nix` has to run it.
    #[error("not as root, who never gets a user's /nix: run it as the user who is to have it")]
    Root,
    /// The site gives this user no `/nix`.
    #[error(
        "{} gets no /nix: {reason}; ask whoever runs this machine",
        printable(name)
    )]
    NoPart {
        /// The user's name.
        name: String,
        /// Why.
        reason: Participation,
    },
    /// The user does not want one.
    #[error("{}: says enable = false; set it to true, or remove the line", printable_path(.0))]
    Disabled(PathBuf),
    /// The store directory cannot be opened or made.
    #[error(transparent)]
    StoreDirectory(#[from] OpenError),
    /// A store cannot be taken over or removed.
    #[error(transparent)]
    StoreTree(#[from] store_tree::Error),
    /// A configuration cannot be written.
    #[error("{}: cannot be made: {source}", printable_path(file))]
    NotMade {
        /// The configuration.
        file: PathBuf,
        /// What the kernel said.
        source: io::Error,
    },
    /// There is nothing to remove.
    #[error("{}: your store directory is not there; there is nothing to remove", printable_path(.0))]
    NoStore(PathBuf),
    /// Nothing is removed unasked.
    #[error("standard input is no terminal to ask on: say --yes")]
    NobodyToAsk,
    /// The answer was not yes.
    #[error("nothing was removed below {}", printable_path(.0))]
    NotConfirmed(PathBuf),
    /// One file that was not removed, and why.
    #[error("{0}")]
    Left(String),
    /// How many there are.
    #[error("{} files are left below {}", Number(*files), printable_path(path))]
    LeftInAll {
        /// The directory.
        path: PathBuf,
        /// How many files.
        files: u64,
    },
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

impl Error {
    /// What the program exits with.
    #[must_use]
    pub fn exit_status(&self) -> u8 {
        match self {
            Self::Enter(error) => error.exit_status(),
            _ => 1,
        }
    }
}
