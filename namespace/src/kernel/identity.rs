//! As whom the calling thread opens files.

use rustix::thread::CapabilitySet;

use super::Called;

/// A file-system identity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileIdentity {
    /// User that files are opened as.
    pub uid: u32,
    /// Group that files are opened as.
    pub gid: u32,
}

impl FileIdentity {
    /// What the process has unless somebody changed it (`credentials(7)`).
    #[must_use]
    pub fn of_process() -> Self {
        Self {
            uid: nix::unistd::geteuid().as_raw(),
            gid: nix::unistd::getegid().as_raw(),
        }
    }
}

/// What has to be put back after the file-system identity was changed:
/// `commit_creds` (kernel/cred.c) clears the first two whenever it changes, and
/// going back to user 0 raises the rights over files that a caller had dropped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LostWithIdentity {
    /// `PR_GET_PDEATHSIG`.
    pub parent_death_signal: i32,
    /// `PR_GET_DUMPABLE`.
    pub dumpable: i32,
    /// Effective capabilities.
    pub effective: CapabilitySet,
}

/// Another identity for a while.
pub trait Identity {
    /// Opens files as somebody else from now on, with none of root's rights
    /// over files (`setfsuid(2)`, "effect on capabilities"). Answers what it was
    /// before; [`Identity::has_assumed`] tells whether the kernel obeyed.
    fn assume(&self, identity: FileIdentity) -> Called<(FileIdentity, LostWithIdentity)>;
    /// Whether files are opened as this user and group now.
    fn has_assumed(&self, identity: FileIdentity) -> bool;
    /// Puts the identity back, and what changing it lost.
    fn resume(&self, identity: FileIdentity, lost: LostWithIdentity) -> Called<()>;
}
