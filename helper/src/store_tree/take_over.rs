//! A store moved into another directory, or copied there if that is on another
//! file system.
//!
//! A copy is made in `.nix-ns-copying` in the store directory: there it is on the
//! right file system, whoever may write the directory above, and without a
//! `store` beside it the store directory is no store. It holds
//!
//! | name | what |
//! |---|---|
//! | `from` | a symlink: what is copied |
//! | `links` | files with several names |
//! | `tree` | the copy, as far as it is |
//! | `ready` | the whole copy, of which every name is then moved out |
//!
//! When all is in its place, a symlink `.nix-ns-copied` says of what, until this
//! has been told. So a kill at any moment leaves something that the next run goes
//! on with.

use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{readlinkat, renameat};
use nix::sys::stat::{Mode, mkdirat};
use nix::unistd::{UnlinkatFlags, symlinkat, syncfs, unlinkat};

use super::Error;
use super::copy::{Destination, copy};
use super::count::{Count, count};
use super::descent::Identity;
use super::found::{Found, is};
use super::moving::{Moved, move_all};
use super::nix_lock;
use super::opened;
use super::remove::remove;
use super::room;
use super::walk::names;
use crate::progress::{Amount, Screen};

/// Where a store directory holds a copy that is not whole yet.
pub const COPYING: &str = ".nix-ns-copying";
/// Says in a store directory what was copied into it.
pub(super) const COPIED: &str = ".nix-ns-copied";
const FROM: &str = "from";
const LINKS: &str = "links";
const TREE: &str = "tree";
const READY: &str = "ready";

/// How a store was taken over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TakenOver {
    /// Nothing is left of it in its old place.
    Moved,
    /// It is still in its old place as well.
    Copied {
        /// How much it is, if that was not done by an earlier run.
        amount: Option<Amount>,
        /// What cannot be copied by its nature.
        left_out: Vec<String>,
    },
}

/// Moves or copies all that is in `source` into `store`.
///
/// # Errors
/// If the source is in use, the store directory has a store already, or the
/// kernel says no. Nothing is lost by any of these, nor by a kill.
pub fn take_over(source: &Found, store: &Found, screen: &mut Screen) -> Result<TakenOver, Error> {
    must_lie_outside(store, source)?;
    if was_copied(source, store)? {
        return Ok(TakenOver::Copied {
            amount: None,
            left_out: Vec::new(),
        });
    }
    if let Some(copying) = Copying::begun(source, store)? {
        let _nobody = nix_lock::take(source.directory.as_fd(), &source.path)?;
        return copying.go_on(source, store, screen);
    }
    if was_moved(source, store)? {
        return Ok(TakenOver::Moved);
    }
    source.must_be_store()?;
    remove_prepared(store);
    let _nobody = nix_lock::take(source.directory.as_fd(), &source.path)?;
    if move_all(source, store)? == Moved::All {
        remove_emptied(source);
        return Ok(TakenOver::Moved);
    }
    Copying::begin(source, store)?.go_on(source, store, screen)
}

/// Whether an earlier run has copied this source, and was killed then.
fn was_copied(source: &Found, store: &Found) -> Result<bool, Error> {
    match readlinkat(&store.directory, COPIED) {
        Ok(from) => Ok(Path::new(&from) == source.path),
        Err(Errno::ENOENT) => Ok(false),
        Err(errno) => Err(Error::denied(&store.path, COPIED.as_ref(), "read", errno)),
    }
}

/// Whether an earlier run has moved this source, and was killed then.
fn was_moved(source: &Found, store: &Found) -> Result<bool, Error> {
    let emptied = names(source.directory.as_fd(), &source.path)?.is_empty();
    let moved = emptied && store.is_store()?;
    if moved {
        remove_emptied(source);
    }
    Ok(moved)
}

/// Removes what is left of a copy that is in its place.
///
/// The last step: until it is done, the same command finds out that it was
/// successful.
///
/// # Errors
/// If it cannot be removed.
pub fn tidy_up(store: &Found, screen: &mut Screen) -> Result<(), Error> {
    if !store.has(COPIED) {
        return Ok(());
    }
    if let Ok(rest) = opened::own_directory(&store.directory, COPYING.as_ref()) {
        let mut progress = screen.progress("tidying up", None);
        remove(rest, &store.path.join(COPYING), Some(&mut progress))?;
        progress.finish()?;
        unlinkat(&store.directory, COPYING, UnlinkatFlags::RemoveDir)
            .map_err(|errno| Error::denied(&store.path, COPYING.as_ref(), "removed", errno))?;
    }
    unlinkat(&store.directory, COPIED, UnlinkatFlags::NoRemoveDir)
        .map_err(|errno| Error::denied(&store.path, COPIED.as_ref(), "removed", errno))
}

/// Before hours go into a copy that cannot be put in its place.
fn must_have_no_store(store: &Found) -> Result<(), Error> {
    let there = ["store", "var"].into_iter().find(|name| store.has(name));
    match there {
        None => Ok(()),
        Some(name) => Err(Error::Occupied {
            path: store.path.clone(),
            name: name.into(),
        }),
    }
}

/// A directory cannot be moved into itself, and its copy would not end.
fn must_lie_outside(store: &Found, source: &Found) -> Result<(), Error> {
    let looked = |errno| Error::denied(&source.path, "".as_ref(), "looked at", errno);
    let outer = Identity::of(&source.directory).map_err(looked)?;
    if store.path.ancestors().any(|above| is(outer, above)) {
        return Err(Error::Inside {
            inner: store.path.clone(),
            outer: source.path.clone(),
        });
    }
    Ok(())
}

/// What a login has made in an empty store directory, if nothing is in it yet.
fn remove_prepared(store: &Found) {
    for directory in ["var/nix", "var"] {
        let _ = unlinkat(&store.directory, directory, UnlinkatFlags::RemoveDir);
    }
}

/// An empty directory that cannot be removed does no harm.
fn remove_emptied(source: &Found) {
    let _ = std::fs::remove_dir(&source.path);
}

/// A copy that is not whole, or not in its place.
struct Copying {
    directory: OwnedFd,
    path: PathBuf,
}

impl Copying {
    /// The copy that an earlier run has begun.
    fn begun(source: &Found, store: &Found) -> Result<Option<Self>, Error> {
        let copying = match opened::own_directory(&store.directory, COPYING.as_ref()) {
            Err(Errno::ENOENT) => return Ok(None),
            answer => Self::with(answer, store)?,
        };
        match copying.from()? {
            Some(from) if from == source.path => Ok(Some(copying)),
            Some(from) => Err(Error::OtherCopy {
                path: copying.path,
                from,
            }),
            // Killed before anything was copied.
            None => {
                copying.call_source(source)?;
                Ok(Some(copying))
            }
        }
    }

    fn begin(source: &Found, store: &Found) -> Result<Self, Error> {
        make_directory(&store.directory, COPYING, &store.path)?;
        let directory = opened::own_directory(&store.directory, COPYING.as_ref());
        let copying = Self::with(directory, store)?;
        copying.call_source(source)?;
        Ok(copying)
    }

    fn with(directory: nix::Result<OwnedFd>, store: &Found) -> Result<Self, Error> {
        let denied = |errno| Error::denied(&store.path, COPYING.as_ref(), "opened", errno);
        Ok(Self {
            directory: directory.map_err(denied)?,
            path: store.path.join(COPYING),
        })
    }

    /// What it is a copy of.
    fn from(&self) -> Result<Option<PathBuf>, Error> {
        match readlinkat(&self.directory, FROM) {
            Ok(from) => Ok(Some(PathBuf::from(from))),
            Err(Errno::ENOENT) => Ok(None),
            Err(errno) => Err(self.denied(FROM, "read", errno)),
        }
    }

    fn call_source(&self, source: &Found) -> Result<(), Error> {
        symlinkat(source.path.as_path(), &self.directory, FROM)
            .map_err(|errno| self.denied(FROM, "made", errno))
    }

    fn go_on(self, source: &Found, store: &Found, screen: &mut Screen) -> Result<TakenOver, Error> {
        let mut amount = None;
        let mut left_out = Vec::new();
        if !is_directory(&self.directory, READY) {
            source.must_be_store()?;
            must_have_no_store(store)?;
            let counted = self.make_room(source, store, screen)?;
            left_out = self.copy(source, counted.amount, screen)?;
            amount = Some(counted.amount);
            self.sync()?;
            renameat(&self.directory, TREE, &self.directory, READY)
                .map_err(|errno| self.denied(TREE, "moved", errno))?;
        }
        self.put_in_place(store)?;
        symlinkat(source.path.as_path(), &store.directory, COPIED)
            .map_err(|errno| Error::denied(&store.path, COPIED.as_ref(), "made", errno))?;
        Ok(TakenOver::Copied { amount, left_out })
    }

    fn make_room(
        &self,
        source: &Found,
        store: &Found,
        screen: &mut Screen,
    ) -> Result<Count, Error> {
        for name in [LINKS, TREE] {
            make_directory(&self.directory, name, &self.path)?;
        }
        let directory = source.directory.try_clone()?;
        let whole = count(directory, &source.path, screen.progress("counting", None))?;
        let directory = self.directory.try_clone()?;
        let progress = screen.progress("counting", None);
        let copied = count(directory, &self.path, progress)?;
        room::check(store, whole, copied)?;
        Ok(whole)
    }

    fn copy(
        &self,
        source: &Found,
        amount: Amount,
        screen: &mut Screen,
    ) -> Result<Vec<String>, Error> {
        let tree = self.open(TREE)?;
        let links = self.open(LINKS)?;
        let path = self.path.join(TREE);
        let destination = Destination {
            tree,
            links: links.as_fd(),
            path: &path,
        };
        let from = source.directory.try_clone()?;
        let mut progress = screen.progress("copying", Some(amount));
        let left_out = copy(from, &source.path, destination, &mut progress)?;
        progress.finish()?;
        Ok(left_out)
    }

    /// Nobody is told to remove the source before the copy is on the disk.
    fn sync(&self) -> Result<(), Error> {
        syncfs(&self.directory).map_err(|errno| Error::NotSynced {
            path: self.path.clone(),
            errno,
        })
    }

    fn put_in_place(&self, store: &Found) -> Result<(), Error> {
        let ready = Found {
            directory: self.open(READY)?,
            path: self.path.join(READY),
        };
        match move_all(&ready, store)? {
            Moved::All => Ok(()),
            Moved::OtherFileSystem => Err(Error::Mounted(self.path.clone())),
        }
    }

    fn open(&self, name: &'static str) -> Result<OwnedFd, Error> {
        opened::own_directory(&self.directory, name.as_ref())
            .map_err(|errno| self.denied(name, "opened", errno))
    }

    fn denied(&self, name: &'static str, what: &'static str, errno: Errno) -> Error {
        Error::denied(&self.path, name.as_ref(), what, errno)
    }
}

fn is_directory(at: &OwnedFd, name: &str) -> bool {
    opened::directory(at, name.as_ref()).is_ok()
}

fn make_directory(at: &OwnedFd, name: &'static str, path: &Path) -> Result<(), Error> {
    match mkdirat(at, name, Mode::S_IRWXU) {
        Ok(()) | Err(Errno::EEXIST) => Ok(()),
        Err(errno) => Err(Error::denied(path, name.as_ref(), "made", errno)),
    }
}
