//! A store set aside, then removed.
//!
//! Everything in the directory moves into `.nix-ns-purging` in it before anything
//! is removed, `store` first: what is half gone is never taken for a store, by
//! Nix or by this program, and the next run goes on with it.

use std::ffi::{OsStr, OsString};
use std::os::fd::{AsFd, OwnedFd};

use nix::errno::Errno;
use nix::sys::stat::{Mode, mkdirat};
use nix::unistd::{UnlinkatFlags, unlinkat};

use super::Error;
use super::count::{Count, count};
use super::descent::Identity;
use super::found::{Found, is};
use super::in_use::processes_on;
use super::moving::rename;
use super::nix_lock;
use super::opened;
use super::remove::{Left, remove};
use super::take_over::{COPIED, COPYING};
use super::walk::names;
use crate::progress::{Amount, Progress};

const PURGING: &str = ".nix-ns-purging";
const STORE: &str = "store";

/// A directory that may be removed.
#[derive(Debug)]
pub struct Purge(Found);

/// What was removed, and what not.
#[derive(Debug)]
pub struct Purged {
    /// What is gone.
    pub amount: Amount,
    /// What is still there.
    pub left: Left,
}

impl Purge {
    /// Checks that a directory is a store, or what is left of one, be it nothing,
    /// and that nobody uses it.
    ///
    /// # Errors
    /// If not.
    pub fn of(found: Found) -> Result<Self, Error> {
        let names = names(found.directory.as_fd(), &found.path)?;
        let begun = names.iter().any(|name| is_ours(name));
        let purge = Self(found);
        if !begun && !names.is_empty() && !purge.is_remainder() {
            purge.0.must_be_store()?;
        }
        purge.must_be_unused()?;
        Ok(purge)
    }

    /// The directory.
    #[must_use]
    pub fn found(&self) -> &Found {
        &self.0
    }

    /// How much there is to remove.
    ///
    /// # Errors
    /// If the tree is moved meanwhile.
    pub fn count(&self, progress: Progress) -> Result<Count, Error> {
        count(self.0.directory.try_clone()?, &self.0.path, progress)
    }

    /// Removes everything, and the directory itself.
    ///
    /// # Errors
    /// If it is in use by now, or cannot be set aside.
    pub fn run(self, mut progress: Progress) -> Result<Purged, Error> {
        // Somebody may have thought long about the answer.
        self.must_be_unused()?;
        let _nobody = nix_lock::take(self.0.directory.as_fd(), &self.0.path)?;
        let mut left = Left::default();
        let (doomed, path) = if self.is_remainder() {
            (self.0.directory.try_clone()?, self.0.path.clone())
        } else {
            (self.set_aside(&mut left)?, self.0.path.join(PURGING))
        };
        let removed = remove(doomed, &path, Some(&mut progress))?;
        left.add(removed);
        let amount = progress.finish()?;
        if left.files == 0 {
            self.remove_emptied();
        }
        Ok(Purged { amount, left })
    }

    /// Whether it was set aside already, or never was in its place.
    fn is_remainder(&self) -> bool {
        let name = self.0.path.file_name();
        name.is_some_and(is_ours)
    }

    fn must_be_unused(&self) -> Result<(), Error> {
        let processes = processes_on(&self.0.directory, &self.0.path)?;
        if processes.is_empty() {
            return Ok(());
        }
        Err(Error::InUse {
            path: self.0.path.clone(),
            processes,
        })
    }

    /// Moves everything into the directory for what is to be removed. Only that
    /// is removed: the next session may begin a new store beside it.
    fn set_aside(&self, left: &mut Left) -> Result<OwnedFd, Error> {
        let mut names = names(self.0.directory.as_fd(), &self.0.path)?;
        names.retain(|name| name != PURGING);
        names.sort_by_key(|name| name != STORE);
        let denied = |errno| Error::denied(&self.0.path, PURGING.as_ref(), "made", errno);
        match mkdirat(&self.0.directory, PURGING, Mode::S_IRWXU) {
            Ok(()) | Err(Errno::EEXIST) => {}
            Err(errno) => return Err(denied(errno)),
        }
        let doomed = opened::own_directory(&self.0.directory, PURGING.as_ref()).map_err(denied)?;
        if names.is_empty() {
            return Ok(doomed);
        }
        let aside = self.aside(&doomed)?;
        for name in &names {
            // A directory that gets another one above must be writable itself.
            let _ = opened::own_directory(&self.0.directory, name);
            if let Err(errno) = rename(&self.0, name, &aside, name) {
                left.not_removed(&self.0.path.join(name), errno);
            }
        }
        Ok(doomed)
    }

    /// A new directory in the one for what is to be removed: an earlier run may
    /// have set aside the same names.
    fn aside(&self, doomed: &OwnedFd) -> Result<Found, Error> {
        let denied = |errno| Error::denied(&self.0.path, PURGING.as_ref(), "made", errno);
        let mut number = 1_u64;
        loop {
            let name = OsString::from(number.to_string());
            match mkdirat(doomed, name.as_os_str(), Mode::S_IRWXU) {
                Ok(()) => {
                    let directory = opened::own_directory(doomed, &name).map_err(denied)?;
                    let path = self.0.path.join(PURGING).join(name);
                    return Ok(Found { directory, path });
                }
                Err(Errno::EEXIST) => number = number.saturating_add(1),
                Err(errno) => return Err(denied(errno)),
            }
        }
    }

    /// An empty directory that must stay, because the one above is not the
    /// caller's to change, does no harm.
    fn remove_emptied(&self) {
        let _ = unlinkat(&self.0.directory, PURGING, UnlinkatFlags::RemoveDir);
        let same = Identity::of(&self.0.directory).is_ok_and(|found| is(found, &self.0.path));
        if same {
            let _ = std::fs::remove_dir(&self.0.path);
        }
    }
}

/// Whether a name is one that only this program gives.
fn is_ours(name: &OsStr) -> bool {
    [PURGING, COPYING, COPIED]
        .iter()
        .any(|ours| name == OsStr::new(ours))
}
