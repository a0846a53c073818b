//! Why `nix-ns-enter` runs nothing.

use std::ffi::OsString;

use config::printable_path;
use namespace::{Gravity, WithoutNix};
use nix::errno::Errno;

use super::arguments::OPTIONS;
use crate::account_database;
use crate::program::NotRun;

/// Why nothing was run.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// An option that there is not.
    #[error(
        "{} is no option; usage: nix-ns-enter [{}] [--] [COMMAND [ARGUMENT]...]",
        printable_path(.0),
        OPTIONS.join("] [")
    )]
    UnknownOption(OsString),
    /// It was started without root's rights.
    #[error(
        "no rights to enter a namespace: {path} is not installed setuid root (`chmod 4711 {path}`), or was started where that has no effect (no_new_privs, a nosuid mount, a debugger, a user namespace)",
        path = super::PROGRAM
    )]
    NotPrivileged,
    /// Root called it.
    #[error("root has no /nix of its own; a user enters theirs with `nix-ns enter`")]
    Root,
    /// A limit of the caller's is too narrow to look an account up.
    #[error("the limit on {0} is too narrow to look your account up: raise it")]
    Limit(&'static str),
    /// The account database does not answer.
    #[error(transparent)]
    AccountDatabase(#[from] account_database::Error),
    /// Nothing is wrong, but there is no `/nix` for this user.
    #[error("no /nix: {0}")]
    WithoutNix(WithoutNix),
    /// There is none because something is wrong.
    #[error("no /nix: {0}")]
    Namespace(#[from] namespace::Error),
    /// A capability cannot be given up or taken.
    #[error("the capabilities of this process cannot be narrowed: {0}")]
    Capabilities(#[from] caps::errors::CapsError),
    /// The rights cannot be given up.
    #[error("root's rights cannot be given up ({0}): nothing was run")]
    NotDropped(&'static str),
    /// What was asked for cannot be had.
    #[error("no_new_privs cannot be set: {0}")]
    NoNewPrivileges(Errno),
    /// The command cannot be run.
    #[error(transparent)]
    NotRun(#[from] NotRun),
}

impl Error {
    /// Whether a command may run all the same: the caller is where it was, or on the
    /// host, and on nobody else's `/nix`.
    pub(super) fn is_harmless(&self) -> bool {
        match self {
            Self::Namespace(error) => error.gravity() == Gravity::Harmless,
            Self::WithoutNix(_) | Self::AccountDatabase(_) => true,
            _ => false,
        }
    }

    /// What the caller is told. Root's own files may be nobody else's to read,
    /// and the reason may be a line of one: that stands in the log alone.
    #[must_use]
    pub fn for_caller(&self) -> String {
        match self {
            Self::Namespace(namespace::Error::Host { remedy, .. }) => {
                format!("no /nix on this host: ask whoever runs it; the log says why ({remedy})")
            }
            Self::Namespace(namespace::Error::Site(_)) => {
                "no /nix: the site configuration cannot be used; the log says why".to_owned()
            }
            other => other.to_string(),
        }
    }

    /// 125 for this program's own, as of env(1) and chroot(1); the shell's for
    /// a command that cannot be run.
    #[must_use]
    pub fn exit_status(&self) -> u8 {
        match self {
            Self::NotRun(not_run) => not_run.exit_status(),
            _ => 125,
        }
    }
}
