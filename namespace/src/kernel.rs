//! The seam between this crate and the kernel: every system call that enters,
//! leaves, builds or inspects a namespace, and nothing else.
//!
//! [`Linux`] makes the calls. The unit tests put a recorder in its place, so
//! that the order of calls, and what happens when one fails, is tested without
//! privilege.

mod linux;
#[cfg(test)]
pub(crate) mod recorder;

use std::ffi::OsStr;
use std::ffi::OsString;
use std::fmt;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use rustix::thread::CapabilitySet;

pub use linux::Linux;

/// A system call that failed: which one, and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{call}: {errno}{}", if *errno == Errno::ENOSYS { " (nix-ns needs Linux 5.10 or later)" } else { "" })]
pub struct CallFailed {
    /// The call's name as in section 2 of the manual, with its object if that
    /// is not plain.
    pub call: &'static str,
    /// What it answered.
    pub errno: Errno,
}

/// Short for the result of one system call.
pub type Called<T> = Result<T, CallFailed>;

/// A task whose mount namespace is looked at. Everything goes by thread, not
/// by process: `unshare` and `setns` move the calling thread alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Task {
    /// The calling thread.
    Caller,
    /// The first process of the system (or of the container).
    Init,
    /// A thread by its number; procfs finds threads by number, too.
    Thread(i32),
}

/// Which mount namespace, as far as this kernel can say.
///
/// Inode numbers are handed out again as soon as a namespace is gone; the
/// 64-bit number (`NS_GET_MNTNS_ID`, Linux 6.11) never is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum NamespaceId {
    /// Never given to another namespace until the next boot.
    Unique(u64),
    /// Inode number: tells two living namespaces apart, no more.
    Inode(u64),
}

/// Which mount. The 64-bit form (`STATX_MNT_ID_UNIQUE`, Linux 6.8) is never
/// used again, the older one is reused like a descriptor number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum MountId {
    /// Never given to another mount until the next boot.
    Unique(u64),
    /// As in the first column of `/proc/self/mountinfo`.
    Reused(u64),
}

/// What the kernel remembers of a file, without asking the file system behind
/// it (`AT_STATX_DONT_SYNC`): a FUSE or NFS server that never answers cannot
/// hold the caller up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Remembered {
    /// Device of the file system, as `makedev` packs it.
    pub device: u64,
    /// Inode number.
    pub inode: u64,
    /// `st_mode`: type and permissions.
    pub mode: u32,
    /// Owner.
    pub uid: u32,
    /// Links; zero once the last name is gone.
    pub links: u32,
    /// Size in bytes.
    pub size: u64,
    /// Time of the last change of the inode: seconds since 1970, nanoseconds.
    pub changed: (i64, u32),
    /// The mount it was reached through.
    pub mount: MountId,
    /// Whether it is the root of that mount.
    pub mount_root: bool,
}

impl Remembered {
    /// Whether both are the same file of the same file system.
    #[must_use]
    pub fn is(&self, other: &Self) -> bool {
        (self.device, self.inode) == (other.device, other.inode)
    }
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

/// How a path is walked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Walk {
    /// As the kernel always does, symbolic links included.
    Any,
    /// No symbolic link anywhere.
    NoLinks,
    /// Only what the kernel has in its caches and need not revalidate
    /// (`RESOLVE_CACHED`, Linux 5.12): never waits for a disk or a server.
    Cached,
    /// The same, and the last link is not followed.
    CachedLink,
    /// The same, tried but once: for who can do without the answer. Of what is not
    /// there, memory file systems never have one.
    GlimpsedLink,
    /// The same, and no symbolic link anywhere.
    CachedNoLinks,
}

/// The file-system identity of the calling thread and what changing it loses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileIdentity {
    /// User that files are opened as.
    pub uid: u32,
    /// Group that files are opened as.
    pub gid: u32,
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

/// The system calls of this crate. One method is one call, or one call and the
/// closing of its descriptor; the names are the field's.
pub trait Kernel {
    /// `capget`: whether the caller has `CAP_SYS_ADMIN` and `CAP_SYS_CHROOT`,
    /// the two that `unshare` and `setns` ask for; names what is missing.
    fn missing_capabilities(&self) -> Called<Vec<&'static str>>;
    /// Number of threads of the calling process.
    fn threads(&self) -> Called<u32>;
    /// Number of the calling thread, in its PID namespace.
    fn thread(&self) -> i32;
    /// When a thread began, in clock ticks since boot (`/proc/PID/stat`, 22).
    fn began(&self, thread: i32) -> Called<u64>;
    /// Inode number of the caller's PID namespace.
    fn pid_namespace(&self) -> Called<u64>;
    /// Numbers of all processes (`/proc`).
    fn processes(&self) -> Called<Vec<i32>>;

    /// Opens the mount namespace a task is in.
    fn open_namespace(&self, task: Task) -> Called<OwnedFd>;
    /// Inode number of the mount namespace a task is in.
    fn namespace_inode(&self, task: Task) -> Called<u64>;
    /// The number of an open mount namespace; fails on anything else.
    fn namespace_id(&self, namespace: BorrowedFd) -> Called<NamespaceId>;
    /// Inode number of the user namespace that owns an open namespace, and of
    /// the caller's own.
    fn owned_by_callers_user_namespace(&self, namespace: BorrowedFd) -> Called<bool>;
    /// `unshare(CLONE_FS)`: `setns` refuses a thread that shares its root and
    /// working directory with another.
    fn unshare_directories(&self) -> Called<()>;
    /// `unshare(CLONE_NEWNS)`.
    fn unshare_mounts(&self) -> Called<()>;
    /// `setns(CLONE_NEWNS)`.
    fn enter_namespace(&self, namespace: BorrowedFd) -> Called<()>;

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

    /// What the kernel remembers of a path; the last link is not followed.
    fn remembered(&self, path: &Path) -> Called<Remembered>;
    /// What a path is now, by its file system's word; the last link is not
    /// followed. For root's own files alone: a server that does not answer holds the
    /// caller up.
    fn current(&self, path: &Path) -> Called<Remembered>;
    /// What the kernel remembers of an open file.
    fn remembered_of(&self, file: BorrowedFd) -> Called<Remembered>;
    /// The id of the mount an open file is on, as the mount table has it.
    fn mount_number(&self, file: BorrowedFd) -> Called<u64>;
    /// The path the kernel knows an open file by (`/proc/self/fd`); asks no
    /// file system.
    fn known_path(&self, file: BorrowedFd) -> Called<PathBuf>;
    /// Opens for reference only (`O_PATH`).
    fn refer(&self, path: &Path, walk: Walk) -> Called<OwnedFd>;

    /// Opens the working directory for reference, which takes no right to it.
    fn refer_to_working_directory(&self) -> Called<OwnedFd>;

    /// Opens a directory for its entries; the last link is not followed.
    fn open_directory(&self, path: &Path) -> Called<OwnedFd>;
    /// Names in a directory that was just opened.
    fn entries(&self, directory: BorrowedFd) -> Called<Vec<OsString>>;
    /// Names in a directory, from the first on, however often it was read.
    fn entries_again(&self, directory: BorrowedFd) -> Called<Vec<OsString>>;
    /// Makes a directory with exactly this mode, root's, whatever the umask
    /// and group of the caller; one that exists is left as it is.
    fn make_directory(&self, path: &Path, mode: u32) -> Called<()>;
    /// Creates a symbolic link in a directory. No size limit of the caller
    /// applies to it, and it is there whole or not at all.
    fn link(&self, text: &OsStr, directory: BorrowedFd, name: &OsStr) -> Called<()>;
    /// Text of a symbolic link in a directory.
    fn link_text(&self, directory: BorrowedFd, name: &OsStr) -> Called<OsString>;
    /// Text of a symbolic link by path.
    fn link_text_at(&self, path: &Path) -> Called<OsString>;
    /// Renames within a directory, over what is there.
    fn rename(&self, directory: BorrowedFd, from: &OsStr, to: &OsStr) -> Called<()>;
    /// Removes a name from a directory.
    fn unlink(&self, directory: BorrowedFd, name: &OsStr) -> Called<()>;

    /// Path of the working directory, by the kernel's word alone: the C library
    /// would read every directory above one that has no path.
    fn working_directory(&self) -> Called<PathBuf>;
    /// Makes an open directory the working directory.
    fn change_directory(&self, directory: BorrowedFd) -> Called<()>;
    /// Opens files as somebody else from now on, with none of root's rights
    /// over files (`setfsuid(2)`, "effect on capabilities"). Answers what it was
    /// before; [`Kernel::has_assumed`] tells whether the kernel obeyed.
    fn assume(&self, identity: FileIdentity) -> Called<(FileIdentity, LostWithIdentity)>;
    /// Whether files are opened as this user and group now.
    fn has_assumed(&self, identity: FileIdentity) -> bool;
    /// Puts the identity back, and what changing it lost.
    fn resume(&self, identity: FileIdentity, lost: LostWithIdentity) -> Called<()>;
}

impl fmt::Display for NamespaceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unique(id) => write!(f, "u{id}"),
            Self::Inode(id) => write!(f, "i{id}"),
        }
    }
}

impl fmt::Display for MountId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unique(id) => write!(f, "u{id}"),
            Self::Reused(id) => write!(f, "r{id}"),
        }
    }
}

impl NamespaceId {
    /// Reads what `Display` printed.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (kind, id) = text.split_at_checked(1)?;
        let id = parse_decimal(id)?;
        match kind {
            "u" => Some(Self::Unique(id)),
            "i" => Some(Self::Inode(id)),
            _ => None,
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

/// A decimal number as this program prints one: no sign, no leading zero.
pub(crate) fn parse_decimal(text: &str) -> Option<u64> {
    let plain = text.bytes().all(|byte| byte.is_ascii_digit());
    let canonical = text == "0" || !text.starts_with('0');
    (plain && canonical).then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
mod tests;
