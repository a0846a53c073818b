//! A tree copied, and gone on with after a kill: what is whole already is found
//! by comparing, what is not is made anew. The source is only read.
//!
//! Files with many names are found again as files in a directory beside the
//! copy, not in memory: a store has hundreds of thousands of them, and what is
//! in memory is gone after a kill.

use std::ffi::{OsStr, OsString};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use config::printable_path;
use nix::errno::Errno;
use nix::fcntl::{AtFlags, OFlag, openat, readlinkat};
use nix::sys::stat::{
    FileStat, Mode, SFlag, UtimensatFlags, fchmod, fstat, fstatat, mkdirat, utimensat,
};
use nix::sys::time::TimeSpec;
use nix::unistd::{UnlinkatFlags, close, linkat, mkfifoat, symlinkat, unlinkat};

use super::Error;
use super::contents::{self, Attribute};
use super::count::bytes;
use super::descent::Descent;
use super::opened::{self, kind, permissions};
use super::remove::remove;
use super::walk::{Next, Place, Visit, names, walk};
use crate::progress::Progress;

/// Permissions that are kept. Not setuid and setgid: the copy has another owner
/// than its source may have, and would lend that owner's rights to everybody.
const KEPT: u32 = 0o1777;

/// Where a copy goes.
pub(super) struct Destination<'a> {
    /// The copy itself.
    pub(super) tree: OwnedFd,
    /// Files with several names, under the one that [`key`] gives.
    pub(super) links: BorrowedFd<'a>,
    /// For messages.
    pub(super) path: &'a Path,
}

/// Copies all that is in a directory, and tells what cannot be copied by its
/// nature.
pub(super) fn copy(
    source: OwnedFd,
    path: &Path,
    destination: Destination,
    progress: &mut Progress,
) -> Result<Vec<String>, Error> {
    let looked = |errno| Error::denied(destination.path, "".as_ref(), "looked at", errno);
    let mut copier = Copier {
        copy: Descent::from(destination.tree).map_err(looked)?,
        links: destination.links,
        path: destination.path,
        entered: Vec::new(),
        left_out: Vec::new(),
        progress,
    };
    remove_surplus(source.as_fd(), copier.copy.current(), destination.path)?;
    walk(source, path, &mut copier)?;
    Ok(copier.left_out)
}

struct Copier<'a, 'b> {
    copy: Descent,
    links: BorrowedFd<'a>,
    path: &'a Path,
    /// What the directories above the current place get when all is in them.
    entered: Vec<(FileStat, Vec<Attribute>)>,
    left_out: Vec<String>,
    progress: &'a mut Progress<'b>,
}

impl Visit for Copier<'_, '_> {
    fn enter(
        &mut self,
        at: Place,
        name: &OsStr,
        _stat: &FileStat,
    ) -> Result<Option<OwnedFd>, Error> {
        let unread = |errno| at.denied(name, "read", swapped(errno));
        let source = opened::directory(at.directory, name).map_err(unread)?;
        let stat = fstat(&source).map_err(unread)?;
        let attributes = contents::attributes(&source).map_err(|error| unread(errno(&error)))?;
        let copy = self.directory(name)?;
        let (copy, was_there) = copy.map_err(|errno| at.denied(name, "copied", errno))?;
        if was_there {
            remove_surplus(source.as_fd(), copy.as_fd(), &self.path.join(name))?;
        }
        let down = self.copy.down(copy);
        down.map_err(|errno| at.denied(name, "looked at", errno))?;
        self.entered.push((stat, attributes));
        self.progress.add(bytes(&stat))?;
        Ok(Some(source))
    }

    fn file(&mut self, at: Place, name: &OsStr, stat: &FileStat) -> Result<(), Error> {
        if stat.st_nlink > 1 {
            self.hard_link(at, name, stat)?;
        } else {
            self.make(self.copy.current(), name, at, name, stat)
                .map_err(|failed| failed.at(at, name))?;
        }
        if !is_copied(stat) {
            let path = printable_path(at.path.join(name));
            self.left_out.push(path);
        }
        Ok(self.progress.add(bytes(stat))?)
    }

    fn leave(&mut self, at: Place, name: &OsStr) -> Result<Next, Error> {
        if let Some((stat, attributes)) = self.entered.pop() {
            finish(self.copy.current(), &stat, &attributes)
                .map_err(|errno| at.denied(name, "copied", errno))?;
        }
        let up = self.copy.up();
        up.map_err(|errno| at.denied(name, "gone back from", errno))?;
        Ok(Next::GoOn)
    }

    fn unseen(&mut self, error: Error) -> Result<(), Error> {
        Err(error)
    }
}

/// Which side said no.
enum Failed {
    Source(Errno),
    Copy(Errno),
    Nested(Error),
}

impl Failed {
    fn at(self, at: Place, name: &OsStr) -> Error {
        match self {
            Failed::Source(errno) => at.denied(name, "read", swapped(errno)),
            Failed::Copy(errno) => at.denied(name, "copied", errno),
            Failed::Nested(error) => error,
        }
    }
}

impl Copier<'_, '_> {
    /// A directory of the copy, and whether it was there already.
    fn directory(&self, name: &OsStr) -> Result<nix::Result<(OwnedFd, bool)>, Error> {
        let at = self.copy.current();
        let there = fstatat(at, name, AtFlags::AT_SYMLINK_NOFOLLOW);
        let is_there = there.is_ok_and(|stat| opened::is_directory(&stat));
        if !is_there {
            clear(at, name, self.path)?;
            if let Err(errno) = mkdirat(at, name, Mode::S_IRWXU) {
                return Ok(Err(errno));
            }
        }
        Ok(opened::own_directory(at, name).map(|copy| (copy, is_there)))
    }

    /// Gives the file that stands for a file with several names one more.
    fn hard_link(&self, at: Place, name: &OsStr, stat: &FileStat) -> Result<(), Error> {
        let failed = |failed: Failed| failed.at(at, name);
        let key = key(stat);
        self.make(self.links, &key, at, name, stat)
            .map_err(failed)?;
        if !is_copied(stat) {
            return Ok(());
        }
        let copy = self.copy.current();
        if is_same(self.links, &key, copy, name) {
            return Ok(());
        }
        clear(copy, name, self.path)?;
        let link = || linkat(self.links, key.as_os_str(), copy, name, AtFlags::empty());
        match link() {
            // Full; as many names as fit stay together.
            Err(Errno::EMLINK) => {
                clear(self.links, &key, self.path)?;
                self.make(self.links, &key, at, name, stat)
                    .map_err(failed)?;
                link()
            }
            answer => answer,
        }
        .map_err(|errno| at.denied(name, "copied", errno))
    }

    /// Makes the copy of a file, unless it is there and whole.
    fn make(
        &self,
        to: BorrowedFd,
        new: &OsStr,
        at: Place,
        name: &OsStr,
        stat: &FileStat,
    ) -> Result<(), Failed> {
        if is_whole(to, new, at, name, stat) {
            return Ok(());
        }
        clear(to, new, self.path).map_err(Failed::Nested)?;
        match kind(stat) {
            SFlag::S_IFREG => {
                let made = make_file(to, new, at, name, stat);
                if made.is_err() {
                    // Or it would pass for whole, if it was its very end that failed.
                    let _ = unlinkat(to, new, UnlinkatFlags::NoRemoveDir);
                }
                made
            }
            SFlag::S_IFLNK => {
                let target = readlinkat(at.directory, name).map_err(Failed::Source)?;
                symlinkat(target.as_os_str(), to, new).map_err(Failed::Copy)?;
                set_time(to, new, stat)
            }
            SFlag::S_IFIFO => {
                mkfifoat(to, new, permissions(stat.st_mode & KEPT)).map_err(Failed::Copy)?;
                set_time(to, new, stat)
            }
            _ => Ok(()),
        }
    }
}

/// The name under which the copy of a file is found again. Every change of a file
/// changes its ctime, which nobody can set: a number given anew to another file,
/// or another content, is another key.
fn key(stat: &FileStat) -> OsString {
    OsString::from(format!(
        "{}-{}-{}.{}",
        stat.st_ino, stat.st_size, stat.st_ctime, stat.st_ctime_nsec
    ))
}

/// A socket is gone with its program, a device is not a user's to make.
fn is_copied(stat: &FileStat) -> bool {
    matches!(kind(stat), SFlag::S_IFREG | SFlag::S_IFLNK | SFlag::S_IFIFO)
}

/// Whether a copy is there, and all of it.
///
/// Every file of a store has the same time on it, so that alone says nothing of a
/// source that has changed since; its ctime does.
fn is_whole(to: BorrowedFd, new: &OsStr, at: Place, name: &OsStr, stat: &FileStat) -> bool {
    let Ok(copy) = fstatat(to, new, AtFlags::AT_SYMLINK_NOFOLLOW) else {
        return false;
    };
    let changed = |stat: &FileStat| TimeSpec::new(stat.st_ctime, stat.st_ctime_nsec);
    let is_link = kind(stat) == SFlag::S_IFLNK;
    kind(&copy) == kind(stat)
        && copy.st_size == stat.st_size
        && contents::time(&copy) == contents::time(stat)
        && (is_link || copy.st_mode & KEPT == stat.st_mode & KEPT)
        && changed(stat) <= changed(&copy)
        && (!is_link || readlinkat(to, new) == readlinkat(at.directory, name))
}

fn make_file(
    to: BorrowedFd,
    new: &OsStr,
    at: Place,
    name: &OsStr,
    stat: &FileStat,
) -> Result<(), Failed> {
    let source = opened::open(at.directory, name, OFlag::O_RDONLY).map_err(Failed::Source)?;
    let before = fstat(&source).map_err(Failed::Source)?;
    if !is_unchanged(&before, stat) {
        return Err(Failed::Source(Errno::ESTALE));
    }
    let attributes = contents::attributes(&source);
    let attributes = attributes.map_err(|error| Failed::Source(errno(&error)))?;
    let new_file = OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_CLOEXEC;
    let copy = openat(to, new, new_file, Mode::S_IRUSR | Mode::S_IWUSR).map_err(Failed::Copy)?;
    contents::copy(&source, &copy, stat).map_err(|error| Failed::Copy(errno(&error)))?;
    let after = fstat(&source).map_err(Failed::Source)?;
    if !is_unchanged(&after, stat) {
        return Err(Failed::Source(Errno::ESTALE));
    }
    finish(copy.as_fd(), stat, &attributes).map_err(Failed::Copy)?;
    // Where the server keeps the quota, it may say so only now (`close(2)`).
    close(copy).map_err(Failed::Copy)
}

fn is_unchanged(now: &FileStat, then: &FileStat) -> bool {
    let state = |stat: &FileStat| {
        let time = (stat.st_mtime, stat.st_mtime_nsec);
        (stat.st_dev, stat.st_ino, stat.st_mode, stat.st_size, time)
    };
    state(now) == state(then)
}

/// Attributes before permissions, which may forbid them; the time last of all.
fn finish(copy: BorrowedFd, stat: &FileStat, attributes: &[Attribute]) -> nix::Result<()> {
    contents::set_attributes(copy, attributes).map_err(|error| errno(&error))?;
    fchmod(copy, permissions(stat.st_mode & KEPT))?;
    contents::set_time(copy, stat)
}

fn set_time(to: BorrowedFd, new: &OsStr, stat: &FileStat) -> Result<(), Failed> {
    let time = contents::time(stat);
    utimensat(
        to,
        new,
        &TimeSpec::UTIME_OMIT,
        &time,
        UtimensatFlags::NoFollowSymlink,
    )
    .map_err(Failed::Copy)
}

fn is_same(left: BorrowedFd, name: &OsStr, right: BorrowedFd, other: &OsStr) -> bool {
    let inode = |at: BorrowedFd, name: &OsStr| {
        fstatat(at, name, AtFlags::AT_SYMLINK_NOFOLLOW).map(|stat| (stat.st_dev, stat.st_ino))
    };
    inode(left, name).is_ok_and(|found| inode(right, other) == Ok(found))
}

/// Removes from an earlier copy what the source has no more: the journal of a
/// database that is not the one it belongs to destroys that.
fn remove_surplus(source: BorrowedFd, copy: BorrowedFd, path: &Path) -> Result<(), Error> {
    for name in names(copy, path)? {
        let gone = fstatat(source, name.as_os_str(), AtFlags::AT_SYMLINK_NOFOLLOW);
        if gone.is_err_and(|errno| errno == Errno::ENOENT) {
            clear(copy, &name, path)?;
        }
    }
    Ok(())
}

/// Removes what is in the way of a copy, of an earlier copy.
fn clear(at: BorrowedFd, name: &OsStr, path: &Path) -> Result<(), Error> {
    let denied = |errno| Error::denied(path, name, "removed", errno);
    match unlinkat(at, name, UnlinkatFlags::NoRemoveDir) {
        Err(Errno::EISDIR) => {}
        Ok(()) | Err(Errno::ENOENT) => return Ok(()),
        Err(errno) => return Err(denied(errno)),
    }
    let directory = opened::own_directory(at, name).map_err(denied)?;
    remove(directory, &path.join(name), None)?;
    unlinkat(at, name, UnlinkatFlags::RemoveDir).map_err(denied)
}

fn swapped(errno: Errno) -> Errno {
    match errno {
        Errno::ELOOP | Errno::ENOTDIR | Errno::ENOENT => Errno::ESTALE,
        errno => errno,
    }
}

fn errno(error: &std::io::Error) -> Errno {
    error.raw_os_error().map_or(Errno::EIO, Errno::from_raw)
}
