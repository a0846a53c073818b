//! Mounts of the namespace that the caller is in.

use std::fmt;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::path::Path;

use super::{Called, Task, parse_decimal};

/// Which mount. The 64-bit form (`STATX_MNT_ID_UNIQUE`, Linux 6.8) is never
/// used again, the older one is reused like a descriptor number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum MountId {
    /// Never given to another mount until the next boot.
    Unique(u64),
    /// As in the first column of `/proc/self/mountinfo`.
    Reused(u64),
}

/// How mounts and unmounts travel between copies of a mount
/// (`mount_namespaces(7)`, "Shared subtrees").
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Propagation {
    /// Receives what happens in the original, sends nothing back.
    Slave,
    /// Sends to and receives from every later copy of itself.
    Shared,
}

/// Flags of one mount (`mount(2)`, "per-mount-point").
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct MountFlags {
    /// `ro`
    pub read_only: bool,
    /// `nosuid`
    pub no_suid: bool,
    /// `nodev`
    pub no_dev: bool,
    /// `noexec`
    pub no_exec: bool,
    /// `noatime`
    pub no_atime: bool,
    /// `nodiratime`
    pub no_diratime: bool,
    /// `relatime`
    pub relatime: bool,
    /// `nosymfollow`
    pub no_symfollow: bool,
}

impl MountFlags {
    /// What a user's directory gets on `/nix`, besides what it has.
    pub const STORE: Self = Self {
        no_suid: true,
        no_dev: true,
        ..Self::NONE
    };
    /// What a directory of the site's gets.
    pub const BIND: Self = Self {
        read_only: true,
        ..Self::STORE
    };
    /// What the marker gets.
    pub const MARKER: Self = Self {
        read_only: true,
        no_exec: true,
        ..Self::STORE
    };
    const NONE: Self = Self {
        read_only: false,
        no_suid: false,
        no_dev: false,
        no_exec: false,
        no_atime: false,
        no_diratime: false,
        relatime: false,
        no_symfollow: false,
    };

    /// Every flag that either has.
    #[must_use]
    pub fn and(self, more: Self) -> Self {
        Self {
            read_only: self.read_only || more.read_only,
            no_suid: self.no_suid || more.no_suid,
            no_dev: self.no_dev || more.no_dev,
            no_exec: self.no_exec || more.no_exec,
            no_atime: self.no_atime || more.no_atime,
            no_diratime: self.no_diratime || more.no_diratime,
            relatime: self.relatime || more.relatime,
            no_symfollow: self.no_symfollow || more.no_symfollow,
        }
    }

    /// Whether every flag of the other is here, too.
    #[must_use]
    pub fn include(self, other: Self) -> bool {
        self.and(other) == self
    }
}

/// What is done with mounts.
pub trait Mounts {
    /// Propagation of every mount below `/`.
    fn set_propagation(&self, propagation: Propagation) -> Called<()>;
    /// A private, unattached copy of the one mount a directory is on, rooted
    /// at the directory (`open_tree`, Linux 5.2).
    fn clone_tree(&self, directory: BorrowedFd) -> Called<OwnedFd>;
    /// A new, empty, unattached file system in memory, writable until
    /// restricted (`fsopen`, `fsmount`, Linux 5.2).
    fn new_memory_tree(&self) -> Called<OwnedFd>;
    /// Adds flags to an unattached tree and cuts its propagation in one step
    /// (`mount_setattr`; `ENOSYS` before Linux 5.12).
    fn restrict(&self, tree: BorrowedFd, more: MountFlags) -> Called<()>;
    /// Makes these the flags of an attached mount, and its propagation
    /// private: the way of kernels before 5.12, which *replaces* all flags.
    fn remount(&self, path: &Path, flags: MountFlags) -> Called<()>;
    /// Attaches a tree at a path, on top of what is there (`move_mount`).
    fn attach(&self, tree: BorrowedFd, path: &Path) -> Called<()>;
    /// Takes the topmost mount off a path (`umount2`, lazily, no link followed).
    fn detach(&self, path: &Path) -> Called<()>;
    /// The caller's mount table, as the kernel prints it.
    fn mount_table(&self) -> Called<Vec<u8>>;
    /// The first mount id in a task's mount table: no living mount of another
    /// namespace has it, and reading it needs no right to trace the task.
    fn first_mount(&self, task: Task) -> Called<u64>;
}

impl fmt::Display for MountId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unique(id) => write!(f, "u{id}"),
            Self::Reused(id) => write!(f, "r{id}"),
        }
    }
}

impl MountId {
    /// Reads what `Display` printed.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (kind, id) = text.split_at_checked(1)?;
        let id = parse_decimal(id)?;
        match kind {
            "u" => Some(Self::Unique(id)),
            "r" => Some(Self::Reused(id)),
            _ => None,
        }
    }
}
