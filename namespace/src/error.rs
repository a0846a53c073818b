//! Everything that can keep a session from its `/nix`.

use std::path::PathBuf;
use std::time::Duration;

use config::{Refusal, printable_path};

use crate::kernel::CallFailed;

/// Why a session is not where it should be.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The host's own `/nix` or its files forbid it; the site's business.
    #[error("{reason}; {remedy}")]
    Host {
        /// The name by which a site may override it, where it may.
        refusal: Option<Refusal>,
        /// What was found.
        reason: String,
        /// What the administrator can do.
        remedy: &'static str,
    },
    /// The user's configuration or directory fails a check; the user's business.
    #[error("{reason}")]
    User {
        /// What was found, and what to do.
        reason: String,
    },
    /// The site configuration cannot be used.
    #[error("the site configuration cannot be used, so nobody gets /nix: {0}")]
    Site(String),
    /// A capability is missing.
    #[error("{} missing in this process, so no mount namespace can be made: a container, a hardened service or an AppArmor profile? give it the capability, or set `skip` for this service in the site configuration", .0.join(" and "))]
    MissingCapability(Vec<&'static str>),
    /// A caller with threads that is not known to start the session from the
    /// same one.
    #[error(
        "the calling process has {0} threads, and a mount namespace belongs to a thread: set `threaded` for this service in the site configuration if it starts the session from the thread that opens it"
    )]
    Threaded(u32),
    /// The caller is confined to another root directory.
    #[error("the calling process has another root directory than the system (chroot?): left alone")]
    OtherRoot,
    /// A user asks to be moved out of another tool's namespace.
    #[error(
        "this process is in a private mount namespace of another tool's (a sandbox, a container, a service with PrivateTmp=), which is not to be left this way; `nix-ns enter --user-namespace` goes on inside it"
    )]
    Sandboxed,
    /// The reader did not answer.
    #[error("the home or the store directory did not answer within {0:?} (a dead file server?)")]
    Silent(Duration),
    /// The reader could not be run, or answered nonsense.
    #[error("nix-ns-reader {0}: is it installed at {path}?", path = crate::reader::PROGRAM)]
    Reader(String),
    /// A system call failed.
    #[error("{0}")]
    Call(#[from] CallFailed),
    /// The kernel's mount table does not show what was asked for.
    #[error("the kernel does not show {0}")]
    Unverified(&'static str),
    /// The caller had to leave a user's `/nix`, and is still there.
    #[error("cannot leave the /nix of uid {uid}: {why}; the session must not start")]
    CannotLeave {
        /// Whose `/nix` it is; `None` when only the mount is known.
        uid: Uid,
        /// What failed.
        why: String,
    },
    /// The caller is in a namespace that it should not be in, and the way back
    /// is gone.
    #[error("cannot go back to where the session was before ({0}); the session must not start")]
    NoWayBack(CallFailed),
}

/// A user by number, or nobody known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Uid(pub Option<u32>);

impl std::fmt::Display for Uid {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0 {
            Some(uid) => write!(f, "{uid}"),
            None => f.write_str("an unknown user"),
        }
    }
}

/// Whether a session may start after an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gravity {
    /// The session is exactly where it was: it may start.
    Harmless,
    /// It is on a user's `/nix` that is not its own: it must not.
    OnForeignNix,
    /// Nobody can say where it is: it must not.
    Lost,
}

impl Error {
    /// Whether the session may start all the same.
    #[must_use]
    pub const fn gravity(&self) -> Gravity {
        match self {
            Self::CannotLeave { .. } => Gravity::OnForeignNix,
            Self::NoWayBack(_) => Gravity::Lost,
            _ => Gravity::Harmless,
        }
    }

    /// Whether the user can mend it, and so should be told.
    #[must_use]
    pub const fn is_the_users(&self) -> bool {
        matches!(self, Self::User { .. })
    }

    /// Whether the kernel denied what root may do, as it does by a policy.
    #[must_use]
    pub const fn is_denied(&self) -> bool {
        use nix::errno::Errno::{EACCES, EPERM};
        matches!(
            self,
            Self::Call(CallFailed {
                errno: EPERM | EACCES,
                ..
            })
        )
    }

    pub(crate) fn user(reason: impl Into<String>) -> Self {
        Self::User {
            reason: reason.into(),
        }
    }

    pub(crate) fn not_a_place_for_nix(path: &std::path::Path, why: &str) -> Self {
        Self::user(format!("{} {why}", printable_path(path)))
    }

    pub(crate) fn cannot_leave(uid: Option<u32>, why: impl std::fmt::Display) -> Self {
        Self::CannotLeave {
            uid: Uid(uid),
            why: why.to_string(),
        }
    }
}

/// The path of the host's mount point.
pub(crate) fn nix() -> PathBuf {
    PathBuf::from(crate::NIX)
}

#[cfg(test)]
mod tests {
    use nix::errno::Errno;

    use super::*;

    #[test]
    fn what_a_policy_may_have_denied_is_told_from_other_failures() {
        let failed = |errno| {
            let call = "move_mount";
            Error::from(CallFailed { call, errno }).is_denied()
        };
        assert!(failed(Errno::EPERM) && failed(Errno::EACCES));
        assert!(!failed(Errno::ENOSPC));
        assert!(!Error::user("not that").is_denied());
    }
}
