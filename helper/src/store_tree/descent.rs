//! The open directories from the top of a tree down to one of it. A tree may be
//! deeper than a process may have files open.

use std::mem;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use nix::errno::Errno;
use nix::sys::stat::fstat;

use super::opened;

/// How many directories stay open; a store is some twenty deep.
const MOST_OPEN: usize = 32;

/// What tells a directory from every other that exists at the same time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Identity {
    device: u64,
    inode: u64,
}

impl Identity {
    pub(super) fn of(directory: impl AsFd) -> nix::Result<Self> {
        let stat = fstat(directory)?;
        Ok(Self {
            device: stat.st_dev,
            inode: stat.st_ino,
        })
    }
}

/// A way down that has come to `current`.
#[derive(Debug)]
pub(super) struct Descent {
    current: OwnedFd,
    identity: Identity,
    above: Vec<Level>,
}

#[derive(Debug)]
struct Level {
    directory: Option<OwnedFd>,
    identity: Identity,
}

impl Descent {
    pub(super) fn from(top: OwnedFd) -> nix::Result<Self> {
        Ok(Self {
            identity: Identity::of(&top)?,
            current: top,
            above: Vec::new(),
        })
    }

    pub(super) fn current(&self) -> BorrowedFd<'_> {
        self.current.as_fd()
    }

    /// Goes into a directory of the current one.
    pub(super) fn down(&mut self, directory: OwnedFd) -> nix::Result<()> {
        let identity = Identity::of(&directory)?;
        let above = mem::replace(&mut self.current, directory);
        self.above.push(Level {
            directory: (self.above.len() < MOST_OPEN).then_some(above),
            identity: mem::replace(&mut self.identity, identity),
        });
        Ok(())
    }

    /// Goes back to the directory above; `false` at the top.
    ///
    /// Where that is not open any more, `..` is asked, which leads elsewhere if
    /// somebody has moved the current directory: then it is [`Errno::ESTALE`].
    pub(super) fn up(&mut self) -> nix::Result<bool> {
        let Some(level) = self.above.pop() else {
            return Ok(false);
        };
        let above = match level.directory {
            Some(directory) => directory,
            None => opened::directory(&self.current, "..".as_ref())?,
        };
        if Identity::of(&above)? != level.identity {
            return Err(Errno::ESTALE);
        }
        self.current = above;
        self.identity = level.identity;
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::{Path, PathBuf};

    use super::*;

    const DEPTH: usize = 2 * MOST_OPEN;

    /// A new directory, a way down from it, and the path of where that ends.
    fn deep(name: &str) -> (PathBuf, Descent, PathBuf) {
        let top = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/descent");
        let top = top.join(name);
        let _ = fs::remove_dir_all(&top);
        fs::create_dir_all(&top).unwrap();
        let open = |path: &Path| OwnedFd::from(fs::File::open(path).unwrap());
        let mut descent = Descent::from(open(&top)).unwrap();
        let mut path = top.clone();
        for _ in 0..DEPTH {
            path.push("deeper");
            fs::create_dir(&path).unwrap();
            let directory = opened::directory(descent.current(), "deeper".as_ref());
            descent.down(directory.unwrap()).unwrap();
        }
        (top, descent, path)
    }

    #[test]
    fn leads_back_by_the_way_it_came() {
        let (top, mut descent, _) = deep("back");
        for _ in 0..DEPTH {
            assert_eq!(descent.up(), Ok(true));
        }
        let top = Identity::of(fs::File::open(top).unwrap());
        assert_eq!(Identity::of(descent.current()), top);
        assert_eq!(descent.up(), Ok(false));
    }

    #[test]
    fn does_not_go_up_where_somebody_has_moved_it() {
        let (top, mut descent, end) = deep("moved");
        fs::create_dir(top.join("precious")).unwrap();
        fs::rename(end, top.join("precious/moved")).unwrap();
        assert_eq!(descent.up(), Err(Errno::ESTALE));
    }
}
