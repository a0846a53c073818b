//! What can keep a caller from a `/nix` by a user namespace.

use std::io;
use std::path::{Path, PathBuf};

use config::{Participation, printable_path};
use namespace::confinement;
use namespace::kernel::CallFailed;
use nix::errno::Errno;

use super::id_ranges;
use super::obstacle::Obstacle;
use crate::account_database;

/// Why there is no `/nix`, or not all that was wished with it.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A configuration is wrong.
    #[error(transparent)]
    Configuration(#[from] config::Error),
    /// The caller's account cannot be found out.
    #[error(transparent)]
    AccountDatabase(#[from] account_database::Error),
    /// The site leaves the caller out.
    #[error("there is no /nix for this account: {0}")]
    NotSelected(Participation),
    /// The caller has not asked for a `/nix`.
    #[error("there is no /nix for this account: users opt in, by `nix-ns init`")]
    NotOptedIn,
    /// The caller has switched it off.
    #[error("there is no /nix for this account: its configuration says enable = false")]
    DisabledByUser,
    /// The caller's configuration or directory is wrong.
    #[error("{0}")]
    Refused(String),
    /// The host or the directory is not as it has to be.
    #[error(transparent)]
    Namespace(#[from] namespace::Error),
    /// There is another thread.
    #[error("a process with threads cannot enter a user namespace")]
    Threads,
    /// The program was installed setuid.
    #[error("nix-ns must not be installed setuid or setgid: chmod ug-s it")]
    Setuid,
    /// No user namespace.
    #[error("no user namespace can be made: {0}")]
    UserNamespace(Obstacle),
    /// A user namespace, and no right in it.
    #[error("a user namespace was made, and nothing is allowed in it: {0}")]
    Namespaces(Obstacle),
    /// The map of ids is not the one that was written.
    #[error("the kernel does not show the map of ids that was written ({0})")]
    Map(&'static str),
    /// The ranges of subordinate ids cannot be used.
    #[error(transparent)]
    IdRanges(#[from] id_ranges::Error),
    /// `newuidmap` or `newgidmap` did not do it.
    #[error("{program} could not map the ranges of ids: {why}")]
    Mapper {
        /// Which of the two.
        program: &'static str,
        /// What it said.
        why: String,
    },
    /// The child that maps them failed, and said why.
    #[error("{0}")]
    Mapped(String),
    /// A file system was not mounted.
    #[error("{kind} cannot be mounted on {}: {errno}{}", printable_path(point), hint(kind, *errno))]
    NotMounted {
        /// Its kind.
        kind: &'static str,
        /// Where.
        point: PathBuf,
        /// Why.
        errno: Errno,
    },
    /// A file or a directory cannot be used.
    #[error("{}: {source}", printable_path(path))]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The store directory is another one than a moment ago.
    #[error("{} was exchanged for another directory meanwhile: try again", printable_path(.0))]
    Exchanged(PathBuf),
    /// The mount table does not show what was mounted.
    #[error("the kernel does not show on {} what was mounted there", printable_path(.0))]
    Unverified(PathBuf),
    /// A mount has fewer flags than outside.
    #[error("the mount on {} has lost flags that it has outside", printable_path(.0))]
    Lost(PathBuf),
    /// A file system shows what is outside.
    #[error("what is mounted on {0} shows processes or message queues outside")]
    Uncovered(String),
    /// Control groups can be written.
    #[error("what is mounted on {} is not read-only: by it, processes outside could be ended", printable_path(.0))]
    ControlGroups(PathBuf),
    /// The loopback interface is down.
    #[error("the loopback interface cannot be brought up: {0}")]
    Loopback(io::Error),
    /// Capabilities are not as they should be.
    #[error("capabilities: {0}")]
    Capabilities(#[from] caps::errors::CapsError),
    /// Another system call failed.
    #[error("{0}")]
    Call(#[from] CallFailed),
}

impl Error {
    /// What may have denied it: a security module's policy, if there is one.
    #[must_use]
    pub fn hint(&self) -> String {
        let is_denied = match self {
            Self::Call(failed) => matches!(failed.errno, Errno::EPERM | Errno::EACCES),
            Self::Namespace(error) => error.is_denied(),
            _ => false,
        };
        is_denied.then(confinement::hint).unwrap_or_default()
    }
}

/// A container hides parts of these, and the kernel then allows no new one that
/// would show them (`mount_too_revealing`, fs/namespace.c).
fn hint(kind: &str, errno: Errno) -> &'static str {
    match (kind, errno) {
        ("proc", Errno::EPERM) => {
            " (a container that hides parts of its own? Its manager can unmask /proc)"
        }
        _ => "",
    }
}

pub(super) fn failed(call: &'static str) -> impl Fn(Errno) -> Error {
    move |errno| CallFailed { call, errno }.into()
}

pub(super) fn at(path: &Path) -> impl Fn(io::Error) -> Error {
    move |source| Error::File {
        path: path.to_owned(),
        source,
    }
}
