//! What stops work on a tree.

use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};

use config::printable_path;
use nix::errno::Errno;

use super::in_use::{Process, listed};
use crate::progress::{Bytes, Number};

/// What stops work on a tree; nothing is lost by it.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The kernel says no.
    #[error("{} cannot be {what}: {errno}{}", printable_path(path), mend(*errno))]
    Denied {
        /// The file.
        path: PathBuf,
        /// What was tried: "opened".
        what: &'static str,
        /// What the kernel said.
        errno: Errno,
    },
    /// Somebody works on the same tree.
    #[error("{} changed meanwhile: end what works on it, and run the same command again", printable_path(.0))]
    Changed(PathBuf),
    /// Another file system, or the same one again.
    #[error("something is mounted on {}: unmount it first, it is no part of the store", printable_path(.0))]
    Mounted(PathBuf),
    /// Nothing to work on.
    #[error("{}: there is no such directory", printable_path(.0))]
    NoDirectory(PathBuf),
    /// A link leads somewhere else than it is.
    #[error("{} is a symbolic link: name the directory it leads to", printable_path(.0))]
    Link(PathBuf),
    /// Somebody else's directory.
    #[error(
        "{} belongs to uid {owner}: only its owner may do this",
        printable_path(path)
    )]
    NotOwned {
        /// The directory.
        path: PathBuf,
        /// Whose it is.
        owner: u32,
    },
    /// A home is no store, whatever is in it.
    #[error("{} is your home directory or above it: name the directory that holds store/ and var/", printable_path(.0))]
    Home(PathBuf),
    /// Nothing that Nix made.
    #[error("{} does not look like a store: name a directory that holds the store/ and var/ of a Nix{}", printable_path(path), below.as_ref().map(|below| format!("; there is one in {}", printable_path(below))).unwrap_or_default())]
    NotAStore {
        /// The directory.
        path: PathBuf,
        /// A directory in it that does.
        below: Option<PathBuf>,
    },
    /// Somebody could put other programs into the store.
    #[error(
        "others can write {} (mode {mode:04o}): `chmod go-w {}`",
        printable_path(path),
        printable_path(path)
    )]
    WritableByOthers {
        /// The directory.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// A Nix runs.
    #[error("a Nix has the store {} open: wait until it is done, or end it (`fuser -v {}/var/nix/db/big-lock` shows it, if it runs on this host)", printable_path(.0), printable_path(.0))]
    NixRuns(PathBuf),
    /// A session or another tool has it.
    #[error(
        "{} is the /nix of {}: end them first (for a session without it, write enable = false into ~/.config/nix-ns/config.toml, log out everywhere, and in again)",
        printable_path(path),
        listed(processes)
    )]
    InUse {
        /// The directory.
        path: PathBuf,
        /// Whose `/nix` it is.
        processes: Vec<Process>,
    },
    /// Two stores cannot be one.
    #[error(
        "{} has {} already, and two stores cannot become one: choose another source_path, or remove it first (`nix-ns purge {}`)",
        printable_path(path),
        printable_path(Path::new(name)),
        printable_path(path)
    )]
    Occupied {
        /// The directory to move into.
        path: PathBuf,
        /// What is in its way.
        name: std::ffi::OsString,
    },
    /// A copy of another store was begun.
    #[error(
        "{} holds the interrupted copy of {}: go on with that one, or remove it (`nix-ns purge {}`)",
        printable_path(path),
        printable_path(from),
        printable_path(path)
    )]
    OtherCopy {
        /// The unfinished copy.
        path: PathBuf,
        /// What it is a copy of.
        from: PathBuf,
    },
    /// A store would have to hold itself.
    #[error(
        "{} lies in {}, which cannot be moved into itself: choose another source_path",
        printable_path(inner),
        printable_path(outer)
    )]
    Inside {
        /// The store directory.
        inner: PathBuf,
        /// The store to take over.
        outer: PathBuf,
    },
    /// The file system is too small.
    #[error(
        "{} has no room: the store needs {bytes} and {files} files more, and {free_bytes} and {free_files} files are free; make room, or choose another source_path",
        printable_path(path)
    )]
    NoRoom {
        /// The store directory.
        path: PathBuf,
        /// What is missing of the store.
        bytes: Bytes,
        /// What is missing of the store.
        files: Number,
        /// What a user may still use.
        free_bytes: Bytes,
        /// What a user may still make.
        free_files: Number,
    },
    /// The kernel could not write down what it had accepted.
    #[error(
        "the copy in {} did not reach the disk ({errno}) and cannot be trusted: remove it (`nix-ns purge {}`), and run the same command again",
        printable_path(path),
        printable_path(path)
    )]
    NotSynced {
        /// The copy.
        path: PathBuf,
        /// What the kernel said.
        errno: Errno,
    },
    /// A file of the kernel's.
    #[error("{file}: {source}")]
    Proc {
        /// The file.
        file: String,
        /// What the kernel said.
        source: io::Error,
    },
    /// Nobody sees the progress.
    #[error("the progress cannot be written: {0}")]
    Output(#[from] io::Error),
}

impl Error {
    pub(super) fn denied(directory: &Path, name: &OsStr, what: &'static str, errno: Errno) -> Self {
        // Without the slash that joining an empty name would add.
        let path = if name.is_empty() {
            directory.to_owned()
        } else {
            directory.join(name)
        };
        match errno {
            Errno::EXDEV => Error::Mounted(path),
            Errno::ESTALE => Error::Changed(path),
            _ => Error::Denied { path, what, errno },
        }
    }
}

fn mend(errno: Errno) -> &'static str {
    match errno {
        Errno::ENOSPC | Errno::EDQUOT => {
            "; make room and run the same command again, it goes on from here"
        }
        Errno::EIO => "; if the disk is sound, run the same command again, it goes on from here",
        _ => "",
    }
}
