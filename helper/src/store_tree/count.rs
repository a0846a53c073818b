//! How much is in a tree. Nothing is changed: what its owner may not read is not
//! counted.

use std::ffi::OsStr;
use std::os::fd::OwnedFd;
use std::path::Path;

use nix::sys::stat::FileStat;

use super::Error;
use super::opened;
use super::walk::{Next, Place, Visit, walk};
use crate::progress::{Amount, Progress};

/// What `st_blocks` counts in, whatever the file system's blocks are (`stat(2)`).
const BLOCK: u64 = 512;
/// A file with several names is counted once, but no list of all inodes is kept:
/// each name adds its part of one. In fractions that many names can share.
const WHOLE: u64 = 1 << 32;

/// How much is in a tree.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Count {
    /// Names and bytes.
    pub amount: Amount,
    fractions: u128,
}

impl Count {
    /// How many files there are, each once however many names it has.
    pub(super) fn inodes(&self) -> u64 {
        let whole = self.fractions.div_ceil(WHOLE.into());
        u64::try_from(whole).unwrap_or(u64::MAX)
    }

    fn add(&mut self, stat: &FileStat) {
        let links = links(stat);
        let fraction = WHOLE.checked_div(links).unwrap_or(WHOLE);
        self.fractions = self.fractions.saturating_add(fraction.into());
        self.amount.files = self.amount.files.saturating_add(1);
        self.amount.bytes = self.amount.bytes.saturating_add(bytes(stat));
    }
}

/// The bytes that one name of a file stands for.
pub(super) fn bytes(stat: &FileStat) -> u64 {
    let blocks = u64::try_from(stat.st_blocks).unwrap_or_default();
    let all = blocks.saturating_mul(BLOCK);
    all.checked_div(links(stat)).unwrap_or(all)
}

/// A directory's links are its own.
fn links(stat: &FileStat) -> u64 {
    if opened::is_directory(stat) {
        1
    } else {
        // Not of the same size on every architecture.
        #[allow(clippy::useless_conversion, reason = "32 bits on aarch64")]
        u64::from(stat.st_nlink)
    }
}

/// Counts all that is in a directory.
///
/// # Errors
/// If the tree is moved meanwhile, or nobody reads the progress.
pub fn count(directory: OwnedFd, path: &Path, progress: Progress) -> Result<Count, Error> {
    let mut counter = Counter {
        count: Count::default(),
        progress,
    };
    walk(directory, path, &mut counter)?;
    counter.progress.finish()?;
    Ok(counter.count)
}

struct Counter<'a> {
    count: Count,
    progress: Progress<'a>,
}

impl Visit for Counter<'_> {
    fn enter(
        &mut self,
        at: Place,
        name: &OsStr,
        stat: &FileStat,
    ) -> Result<Option<OwnedFd>, Error> {
        self.file(at, name, stat)?;
        Ok(opened::directory(at.directory, name).ok())
    }

    fn file(&mut self, _at: Place, _name: &OsStr, stat: &FileStat) -> Result<(), Error> {
        self.count.add(stat);
        Ok(self.progress.add(bytes(stat))?)
    }

    fn leave(&mut self, _at: Place, _name: &OsStr) -> Result<Next, Error> {
        Ok(Next::GoOn)
    }

    fn unseen(&mut self, _error: Error) -> Result<(), Error> {
        Ok(())
    }
}
