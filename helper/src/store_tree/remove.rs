//! A tree removed. What cannot be, or is somebody else's, is left and said.

use std::ffi::OsStr;
use std::os::fd::OwnedFd;
use std::path::Path;

use config::printable_path;
use nix::errno::Errno;
use nix::sys::stat::FileStat;
use nix::unistd::{UnlinkatFlags, geteuid, unlinkat};

use super::Error;
use super::count::bytes;
use super::opened;
use super::walk::{Next, Place, Visit, walk};
use crate::progress::Progress;

/// Enough to see what is the matter.
const MOST_REASONS: usize = 20;

/// What was left of a tree.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Left {
    /// How many files are left for a reason of their own.
    pub files: u64,
    /// The first of them, and why.
    pub reasons: Vec<String>,
}

impl Left {
    fn note(&mut self, path: &Path, why: &str) {
        self.files = self.files.saturating_add(1);
        if self.reasons.len() < MOST_REASONS {
            self.reasons.push(format!("{} {why}", printable_path(path)));
        }
    }

    pub(super) fn not_removed(&mut self, path: &Path, errno: Errno) {
        let why = match errno {
            Errno::EXDEV | Errno::EBUSY => "has something mounted on it: unmount that".to_owned(),
            Errno::EISDIR | Errno::ENOTDIR | Errno::ELOOP => "changed meanwhile".to_owned(),
            _ => format!("cannot be removed: {errno}"),
        };
        self.note(path, &why);
    }

    pub(super) fn add(&mut self, more: Left) {
        self.files = self.files.saturating_add(more.files);
        self.reasons.extend(more.reasons);
    }
}

/// Removes all that is in a directory of the caller's.
///
/// A hard link from outside is none of the tree: its file keeps its other names.
pub(super) fn remove(
    directory: OwnedFd,
    path: &Path,
    progress: Option<&mut Progress>,
) -> Result<Left, Error> {
    let mut remover = Remover {
        left: Left::default(),
        removed: 0,
        entered: Vec::new(),
        me: geteuid().as_raw(),
        progress,
    };
    // As after any directory: the listing may have left out something.
    loop {
        let before = remover.state();
        let again = directory.try_clone()?;
        walk(again, path, &mut remover)?;
        if remover.state() == before || remover.left.files > 0 {
            return Ok(remover.left);
        }
    }
}

struct Remover<'a, 'b> {
    left: Left,
    removed: u64,
    /// The state at the entrance of each directory above the current place.
    entered: Vec<State>,
    me: u32,
    progress: Option<&'a mut Progress<'b>>,
}

/// Files removed, files left.
type State = (u64, u64);

impl Remover<'_, '_> {
    fn state(&self) -> State {
        (self.removed, self.left.files)
    }

    fn is_foreign(&mut self, at: Place, name: &OsStr, stat: &FileStat) -> bool {
        let foreign = stat.st_uid != self.me;
        if foreign {
            let why = format!("belongs to uid {}", stat.st_uid);
            self.left.note(&at.path.join(name), &why);
        }
        foreign
    }

    fn removed(&mut self, bytes: u64) -> Result<(), Error> {
        self.removed = self.removed.saturating_add(1);
        if let Some(progress) = &mut self.progress {
            progress.add(bytes)?;
        }
        Ok(())
    }

    fn not_removed(&mut self, at: Place, name: &OsStr, errno: Errno) {
        self.left.not_removed(&at.path.join(name), errno);
    }
}

impl Visit for Remover<'_, '_> {
    fn enter(
        &mut self,
        at: Place,
        name: &OsStr,
        stat: &FileStat,
    ) -> Result<Option<OwnedFd>, Error> {
        if self.is_foreign(at, name, stat) {
            return Ok(None);
        }
        match opened::own_directory(at.directory, name) {
            Ok(directory) => {
                self.entered.push(self.state());
                Ok(Some(directory))
            }
            Err(Errno::ENOENT) => Ok(None),
            Err(errno) => {
                self.not_removed(at, name, errno);
                Ok(None)
            }
        }
    }

    fn file(&mut self, at: Place, name: &OsStr, stat: &FileStat) -> Result<(), Error> {
        if self.is_foreign(at, name, stat) {
            return Ok(());
        }
        match unlinkat(at.directory, name, UnlinkatFlags::NoRemoveDir) {
            Ok(()) => self.removed(bytes(stat)),
            Err(Errno::ENOENT) => Ok(()),
            Err(errno) => {
                self.not_removed(at, name, errno);
                Ok(())
            }
        }
    }

    fn leave(&mut self, at: Place, name: &OsStr) -> Result<Next, Error> {
        let (removed_before, left_before) = self.entered.pop().unwrap_or_default();
        match unlinkat(at.directory, name, UnlinkatFlags::RemoveDir) {
            Ok(()) => self.removed(0)?,
            Err(Errno::ENOENT) => {}
            Err(Errno::ENOTEMPTY) if self.left.files > left_before => {}
            // Some file systems leave out names if others are removed while they
            // list them.
            Err(Errno::ENOTEMPTY) if self.removed > removed_before => return Ok(Next::Again),
            Err(errno) => self.not_removed(at, name, errno),
        }
        Ok(Next::GoOn)
    }

    fn unseen(&mut self, error: Error) -> Result<(), Error> {
        self.left.files = self.left.files.saturating_add(1);
        if self.left.reasons.len() < MOST_REASONS {
            self.left.reasons.push(error.to_string());
        }
        Ok(())
    }
}
