//! Directories and the links in them, and the caller's own: the working directory.

use std::ffi::{OsStr, OsString};
use std::os::fd::{BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use super::Called;

/// What is done with directories.
pub trait Directories {
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
    /// Opens the working directory for reference, which takes no right to it.
    fn refer_to_working_directory(&self) -> Called<OwnedFd>;
    /// Path of the working directory, by the kernel's word alone: the C library
    /// would read every directory above one that has no path.
    fn working_directory(&self) -> Called<PathBuf>;
    /// Makes an open directory the working directory.
    fn change_directory(&self, directory: BorrowedFd) -> Called<()>;
}
