//! What is in one directory moved into another, one rename for each name. Not the
//! directory itself: the other one may be the `/nix` of sessions, which see the
//! store appear in it.

use std::ffi::{OsStr, OsString};
use std::os::fd::AsFd;

use nix::errno::Errno;
use nix::fcntl::{AtFlags, OFlag, RenameFlags, renameat, renameat2};
use nix::sys::stat::fstatat;

use super::Error;
use super::found::Found;
use super::opened;
use super::walk::names;

/// What makes a directory a store; it moves last into a place, and first out.
const STORE: &str = "store";

/// How moving ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Moved {
    All,
    /// Nothing was moved: the two are on different file systems.
    OtherFileSystem,
}

/// Moves everything, `store` last: a kill in between leaves no directory that
/// looks like a whole store, and the next run goes on.
pub(super) fn move_all(from: &Found, to: &Found) -> Result<Moved, Error> {
    let mut names = names(from.directory.as_fd(), &from.path)?;
    names.sort_by_key(|name| name == STORE);
    for name in &names {
        must_be_free(to, name)?;
        must_be_movable(from, name)?;
    }
    let mut moved: Vec<&OsString> = Vec::new();
    for name in &names {
        let Err(errno) = rename(from, name, to, name) else {
            moved.push(name);
            continue;
        };
        if errno == Errno::EXDEV && moved.is_empty() {
            return Ok(Moved::OtherFileSystem);
        }
        for name in moved.iter().rev() {
            // What cannot be moved back is moved on by the next run.
            let _ = rename(to, name, from, name);
        }
        return Err(Error::denied(&from.path, name, "moved", errno));
    }
    Ok(Moved::All)
}

fn must_be_free(to: &Found, name: &OsStr) -> Result<(), Error> {
    match fstatat(&to.directory, name, AtFlags::AT_SYMLINK_NOFOLLOW) {
        Err(Errno::ENOENT) => Ok(()),
        _ => Err(Error::Occupied {
            path: to.path.clone(),
            name: name.to_owned(),
        }),
    }
}

/// A mount does not move; one that is found only after `var` was moved would
/// leave half a store in each place.
fn must_be_movable(from: &Found, name: &OsStr) -> Result<(), Error> {
    match opened::open(&from.directory, name, OFlag::O_PATH) {
        // A link moves as it is.
        Ok(_) | Err(Errno::ELOOP) => Ok(()),
        Err(errno) => Err(Error::denied(&from.path, name, "moved", errno)),
    }
}

pub(super) fn rename(from: &Found, name: &OsStr, to: &Found, new: &OsStr) -> nix::Result<()> {
    let (old, to) = (&from.directory, &to.directory);
    match renameat2(old, name, to, new, RenameFlags::RENAME_NOREPLACE) {
        // The file system cannot (NFS). Even so nothing but an empty directory
        // can be replaced by a directory, and a name was found free just now.
        Err(Errno::EINVAL) => renameat(old, name, to, new),
        answer => answer,
    }
}
