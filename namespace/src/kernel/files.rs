//! Files, looked at but never read.

use std::os::fd::{BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use super::{Called, MountId};

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

/// What is asked of files.
pub trait Files {
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
}
