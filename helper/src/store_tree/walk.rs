//! Every file of a tree, once. However large the tree is, what is kept of it is
//! the names of directories still to go into, beside the way down to the current
//! one.

use std::ffi::{OsStr, OsString};
use std::os::fd::{BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use nix::errno::Errno;
use nix::fcntl::AtFlags;
use nix::sys::stat::{FileStat, fstatat};

use super::Error;
use super::descent::Descent;
use super::opened;

/// A directory that the walk has come to.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place<'a> {
    pub(super) directory: BorrowedFd<'a>,
    /// For messages.
    pub(super) path: &'a Path,
}

impl Place<'_> {
    pub(super) fn denied(&self, name: &OsStr, what: &'static str, errno: Errno) -> Error {
        Error::denied(self.path, name, what, errno)
    }
}

/// What to do after a directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    GoOn,
    /// There was more in it than was listed.
    Again,
}

/// Whom a walk shows what it finds.
pub(super) trait Visit {
    /// Opens a directory to go into, or leaves it out.
    fn enter(&mut self, at: Place, name: &OsStr, stat: &FileStat)
    -> Result<Option<OwnedFd>, Error>;
    /// Anything but a directory.
    fn file(&mut self, at: Place, name: &OsStr, stat: &FileStat) -> Result<(), Error>;
    /// After all that is in a directory that was entered.
    fn leave(&mut self, at: Place, name: &OsStr) -> Result<Next, Error>;
    /// Something that cannot be looked at: an error to end the walk with, or not.
    fn unseen(&mut self, error: Error) -> Result<(), Error>;
}

/// Walks through all that is in a directory, which itself is not shown.
pub(super) fn walk(top: OwnedFd, path: &Path, visitor: &mut dyn Visit) -> Result<(), Error> {
    let mut path = path.to_owned();
    let stale = |path: &Path, errno| Error::denied(path, "".as_ref(), "gone back to", errno);
    let mut descent = Descent::from(top).map_err(|errno| stale(&path, errno))?;
    let mut to_go = vec![show_files(&descent, &path, visitor)?];
    let mut names: Vec<OsString> = Vec::new();
    while let Some(directories) = to_go.last_mut() {
        if let Some(name) = directories.pop() {
            if enter(&mut descent, &path, &name, visitor)? {
                path.push(&name);
                to_go.push(show_files(&descent, &path, visitor)?);
                names.push(name);
            }
            continue;
        }
        to_go.pop();
        let Some(name) = names.pop() else { break };
        descent.up().map_err(|errno| stale(&path, errno))?;
        path.pop();
        let place = Place {
            directory: descent.current(),
            path: &path,
        };
        if visitor.leave(place, &name)? == Next::Again {
            if let Some(directories) = to_go.last_mut() {
                directories.push(name);
            }
        }
    }
    Ok(())
}

fn enter(
    descent: &mut Descent,
    path: &Path,
    name: &OsStr,
    visitor: &mut dyn Visit,
) -> Result<bool, Error> {
    let place = Place {
        directory: descent.current(),
        path,
    };
    let Some(stat) = look(place, name, visitor)? else {
        return Ok(false);
    };
    if !opened::is_directory(&stat) {
        let changed = Error::Changed(path.join(name));
        return visitor.unseen(changed).map(|()| false);
    }
    let Some(directory) = visitor.enter(place, name, &stat)? else {
        return Ok(false);
    };
    let entered = descent.down(directory);
    entered.map_err(|errno| Error::denied(path, name, "looked at", errno))?;
    Ok(true)
}

/// Shows the files of a directory, and returns the names of the directories.
fn show_files(
    descent: &Descent,
    path: &Path,
    visitor: &mut dyn Visit,
) -> Result<Vec<OsString>, Error> {
    let place = Place {
        directory: descent.current(),
        path,
    };
    let mut directories = Vec::new();
    let unlisted = |errno| place.denied("".as_ref(), "listed", errno);
    let listing = match opened::listing(place.directory) {
        Ok(listing) => listing,
        Err(errno) => return visitor.unseen(unlisted(errno)).map(|()| directories),
    };
    for entry in listing {
        let entry = match entry {
            Ok(entry) => entry,
            Err(errno) => return visitor.unseen(unlisted(errno)).map(|()| directories),
        };
        let name = OsStr::from_bytes(entry.file_name().to_bytes());
        if name == "." || name == ".." {
            continue;
        }
        match look(place, name, visitor)? {
            Some(stat) if opened::is_directory(&stat) => directories.push(name.to_owned()),
            Some(stat) => visitor.file(place, name, &stat)?,
            None => {}
        }
    }
    Ok(directories)
}

fn look(place: Place, name: &OsStr, visitor: &mut dyn Visit) -> Result<Option<FileStat>, Error> {
    match fstatat(place.directory, name, AtFlags::AT_SYMLINK_NOFOLLOW) {
        Ok(stat) => Ok(Some(stat)),
        Err(Errno::ENOENT) => Ok(None),
        Err(errno) => visitor
            .unseen(place.denied(name, "looked at", errno))
            .map(|()| None),
    }
}

/// The names in one directory.
pub(super) fn names(directory: BorrowedFd, path: &Path) -> Result<Vec<OsString>, Error> {
    let unlisted = |errno| Error::denied(path, "".as_ref(), "listed", errno);
    let mut names = Vec::new();
    for entry in opened::listing(directory).map_err(unlisted)? {
        let entry = entry.map_err(unlisted)?;
        let name = OsStr::from_bytes(entry.file_name().to_bytes());
        if name != "." && name != ".." {
            names.push(name.to_owned());
        }
    }
    Ok(names)
}
