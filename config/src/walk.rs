//! Walking a path name by name, with the caller's rights, through directories
//! that nobody but root and one user can change: whoever can rename what is on
//! the way can put another thing at its end.

use std::collections::VecDeque;
use std::ffi::{OsStr, OsString};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{OFlag, open, openat, readlinkat};
use nix::sys::stat::{FileStat, Mode, SFlag, fstat, mkdirat};

use crate::is_root;

/// As many as the kernel follows in one path (`path_resolution(7)`).
pub const MOST_LINKS: usize = 40;

/// What a walk goes through.
#[derive(Debug, Clone, Copy)]
pub struct Rules {
    /// Whose directories it goes through, besides root's.
    pub owner: u32,
    /// Whether links of that user's are followed; those that only root can have
    /// made (`/home -> /gpfs/home`) always are.
    pub owners_links: bool,
    /// Whether a directory that is missing is made. One that a link leads to is
    /// not: a link that leads nowhere stays a link that leads nowhere.
    pub make_missing: bool,
}

/// Why a walk did not come to its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stopped {
    /// A link that is not to be followed.
    Link(PathBuf),
    /// More than [`MOST_LINKS`] links.
    ManyLinks(PathBuf),
    /// Something that is no directory, and the path goes on.
    NotDirectory(PathBuf),
    /// A directory or a link that somebody else can change.
    Foreign {
        /// Which.
        path: PathBuf,
        /// Whose it is.
        owner: u32,
        /// Its permission bits.
        mode: u32,
    },
    /// The kernel said no.
    Denied {
        /// To what.
        path: PathBuf,
        /// What was to be done with it.
        what: &'static str,
        /// What it said.
        errno: Errno,
    },
}

/// Walks from a directory, which is followed as it is, to what the last name
/// is: opened for reference only, and no link. What it is, and whose, is for the
/// caller to check.
///
/// # Errors
///
/// If that is not there, or not for the caller to reach under these rules.
pub fn walk<'a>(
    from: &Path,
    names: impl Iterator<Item = &'a OsStr>,
    rules: Rules,
) -> Result<OwnedFd, Stopped> {
    let rest = names.map(|name| Step {
        name: name.to_owned(),
        given: true,
    });
    let mut walk = Walk {
        at: open_directory(from)?,
        path: from.to_owned(),
        rest: rest.collect(),
        links: 0,
        rules,
    };
    while let Some(step) = walk.rest.pop_front() {
        walk.step(&step)?;
    }
    Ok(walk.at)
}

/// A walk that has come as far as `at`.
struct Walk {
    at: OwnedFd,
    /// For messages.
    path: PathBuf,
    rest: VecDeque<Step>,
    links: usize,
    rules: Rules,
}

struct Step {
    name: OsString,
    /// Whether the caller gave it, not a link.
    given: bool,
}

fn open_directory(path: &Path) -> Result<OwnedFd, Stopped> {
    let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
    open(path, flags, Mode::empty()).map_err(|errno| Stopped::Denied {
        path: path.to_owned(),
        what: "opened",
        errno,
    })
}

impl Walk {
    fn step(&mut self, step: &Step) -> Result<(), Stopped> {
        let entry = self.open(step)?;
        let file = fstat(&entry).map_err(|errno| self.denied(&step.name, "looked at", errno))?;
        let path = self.named(&step.name);
        match kind(&file) {
            SFlag::S_IFLNK if self.rules.owners_links || self.is_roots(&file)? => {
                self.check_owner(&path, &file)?;
                self.follow(&entry, path)
            }
            SFlag::S_IFLNK => Err(Stopped::Link(path)),
            SFlag::S_IFDIR => {
                self.check_directory(&path, &file)?;
                self.go_on_from(entry, path);
                Ok(())
            }
            _ if self.rest.is_empty() => {
                self.go_on_from(entry, path);
                Ok(())
            }
            _ => Err(Stopped::NotDirectory(path)),
        }
    }

    /// For reference only: nothing waits on a FIFO or starts a device
    /// (CVE-2024-22365 hung a login on a FIFO in the path).
    fn open(&self, step: &Step) -> Result<OwnedFd, Stopped> {
        let flags = OFlag::O_PATH | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        let name = step.name.as_os_str();
        match openat(&self.at, name, flags, Mode::empty()) {
            Err(Errno::ENOENT) if step.given && self.rules.make_missing => {
                match mkdirat(&self.at, name, Mode::S_IRWXU) {
                    Ok(()) | Err(Errno::EEXIST) => {}
                    Err(errno) => return Err(self.denied(name, "made", errno)),
                }
                openat(&self.at, name, flags, Mode::empty())
            }
            answer => answer,
        }
        .map_err(|errno| self.denied(name, "opened", errno))
    }

    /// Whether a link in the current directory can only be root's doing.
    fn is_roots(&self, link: &FileStat) -> Result<bool, Stopped> {
        let directory =
            fstat(&self.at).map_err(|errno| self.denied("".as_ref(), "looked at", errno))?;
        Ok(is_root(link.st_uid) && is_root(directory.st_uid) && directory.st_mode & 0o022 == 0)
    }

    /// In a sticky directory (`/scratch`, mode 1777) anybody makes links, and
    /// only their owners exchange them.
    fn check_owner(&self, path: &Path, file: &FileStat) -> Result<(), Stopped> {
        let owner = file.st_uid;
        if is_root(owner) || owner == self.rules.owner {
            return Ok(());
        }
        Err(foreign(path, file))
    }

    /// The last one is the caller's to check. One above it in which somebody else
    /// can rename what is on the way is a way to exchange it. In a sticky one only
    /// owners rename.
    fn check_directory(&self, path: &Path, directory: &FileStat) -> Result<(), Stopped> {
        let mode = directory.st_mode;
        if self.rest.is_empty() {
            return Ok(());
        }
        if mode & 0o022 == 0 || mode & 0o1000 != 0 {
            return self.check_owner(path, directory);
        }
        Err(foreign(path, directory))
    }

    fn follow(&mut self, link: &OwnedFd, path: PathBuf) -> Result<(), Stopped> {
        self.links = self.links.saturating_add(1);
        if self.links > MOST_LINKS {
            return Err(Stopped::ManyLinks(path));
        }
        let target = readlinkat(link, "").map_err(|errno| Stopped::Denied {
            path,
            what: "read",
            errno,
        })?;
        let target = Path::new(&target);
        if target.is_absolute() {
            self.go_on_from(open_directory(Path::new("/"))?, PathBuf::from("/"));
        }
        let names: Vec<&OsStr> = target.iter().filter(|name| *name != "/").collect();
        for name in names.into_iter().rev() {
            self.rest.push_front(Step {
                name: name.to_owned(),
                given: false,
            });
        }
        Ok(())
    }

    fn go_on_from(&mut self, entry: OwnedFd, path: PathBuf) {
        self.at = entry;
        self.path = path;
    }

    /// For messages: `..` is left out, as no link is left in the path.
    fn named(&self, name: &OsStr) -> PathBuf {
        match (name.to_str(), self.path.parent()) {
            (Some(".."), above) => above.unwrap_or(&self.path).to_owned(),
            _ => self.path.join(name),
        }
    }

    fn denied(&self, name: &OsStr, what: &'static str, errno: Errno) -> Stopped {
        Stopped::Denied {
            path: self.named(name),
            what,
            errno,
        }
    }
}

fn foreign(path: &Path, file: &FileStat) -> Stopped {
    Stopped::Foreign {
        path: path.to_owned(),
        owner: file.st_uid,
        mode: file.st_mode & 0o7777,
    }
}

fn kind(file: &FileStat) -> SFlag {
    SFlag::from_bits_truncate(file.st_mode & SFlag::S_IFMT.bits())
}
