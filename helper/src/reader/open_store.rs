//! Opening the store directory, component by component; what is missing of it
//! is made.

use std::collections::VecDeque;
use std::ffi::{OsStr, OsString};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use config::{StorePath, is_root, printable};
use nix::errno::Errno;
use nix::fcntl::{OFlag, open, openat, readlinkat};
use nix::sys::stat::{FileStat, Mode, SFlag, fstat, mkdirat};
use nix::unistd::geteuid;

/// As many as the kernel follows in one path (`path_resolution(7)`).
const MOST_LINKS: usize = 40;

/// Why a store directory could not be opened.
#[derive(Debug, thiserror::Error)]
pub(super) enum OpenError {
    #[error("{} is a symbolic link: set allow_symlinks = true, or source_path to where it leads", shown(.0))]
    Link(PathBuf),
    #[error("{} leads through more than {MOST_LINKS} symbolic links", shown(.0))]
    ManyLinks(PathBuf),
    #[error("{} is not a directory: remove it, or set source_path to another place", shown(.0))]
    NotDirectory(PathBuf),
    #[error("others can change {} (owner uid {owner}, mode {mode:04o}), and with it what lies below: set source_path to a place below directories of your own", shown(.path))]
    Foreign {
        path: PathBuf,
        owner: u32,
        mode: u32,
    },
    #[error("{} cannot be {what}: {errno}", shown(.path))]
    Denied {
        path: PathBuf,
        what: &'static str,
        errno: Errno,
    },
}

fn shown(path: &Path) -> String {
    printable(&path.to_string_lossy())
}

/// A walk that has come as far as `directory`.
struct Walk {
    directory: OwnedFd,
    /// For messages.
    path: PathBuf,
    rest: VecDeque<Step>,
    links: usize,
}

struct Step {
    name: OsString,
    /// Whether a configuration says it: only that is made if it is missing. A
    /// link that leads nowhere stays a link that leads nowhere.
    configured: bool,
}

/// Opens a directory that is allowed by its path, for reference only.
///
/// The root of the path is the site's and is followed as it is. Below it a link
/// is followed if it is root's in a directory of root's (`/home -> /gpfs/home`),
/// or if the user allows links.
pub(super) fn open_store(path: &StorePath, allow_symlinks: bool) -> Result<OwnedFd, OpenError> {
    let rest = path.components().map(|name| Step {
        name: name.to_owned(),
        configured: true,
    });
    let mut walk = Walk {
        directory: open_root(path.root())?,
        path: path.root().to_owned(),
        rest: rest.collect(),
        links: 0,
    };
    while let Some(step) = walk.rest.pop_front() {
        walk.step(&step, allow_symlinks)?;
    }
    Ok(walk.directory)
}

fn open_root(root: &Path) -> Result<OwnedFd, OpenError> {
    let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
    open(root, flags, Mode::empty()).map_err(|errno| OpenError::Denied {
        path: root.to_owned(),
        what: "opened",
        errno,
    })
}

impl Walk {
    fn step(&mut self, step: &Step, allow_symlinks: bool) -> Result<(), OpenError> {
        let entry = self.open(step)?;
        let file = fstat(&entry).map_err(|errno| self.denied(&step.name, "looked at", errno))?;
        let path = self.path.join(&step.name);
        match kind(&file) {
            SFlag::S_IFDIR => {
                self.check_directory(&path, &file)?;
                self.directory = entry;
                self.path = path;
                Ok(())
            }
            SFlag::S_IFLNK if allow_symlinks || self.is_roots(&file)? => self.follow(&entry, path),
            SFlag::S_IFLNK => Err(OpenError::Link(path)),
            _ => Err(OpenError::NotDirectory(path)),
        }
    }

    /// For reference only: nothing waits on a FIFO or starts a device
    /// (CVE-2024-22365 hung a login on a FIFO in the path).
    fn open(&self, step: &Step) -> Result<OwnedFd, OpenError> {
        let flags = OFlag::O_PATH | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        let name = step.name.as_os_str();
        match openat(&self.directory, name, flags, Mode::empty()) {
            Err(Errno::ENOENT) if step.configured => {
                match mkdirat(&self.directory, name, Mode::S_IRWXU) {
                    Ok(()) | Err(Errno::EEXIST) => {}
                    Err(errno) => return Err(self.denied(name, "made", errno)),
                }
                openat(&self.directory, name, flags, Mode::empty())
            }
            answer => answer,
        }
        .map_err(|errno| self.denied(name, "opened", errno))
    }

    /// The last directory is checked by whoever asked; one above it that somebody
    /// else can rename is another way to exchange it. In a sticky directory
    /// (`/scratch`, mode 1777) only owners rename.
    fn check_directory(&self, path: &Path, directory: &FileStat) -> Result<(), OpenError> {
        let (owner, mode) = (directory.st_uid, directory.st_mode & 0o7777);
        let trusted = is_root(owner) || owner == geteuid().as_raw();
        let closed = mode & 0o022 == 0 || mode & 0o1000 != 0;
        if self.rest.is_empty() || (trusted && closed) {
            return Ok(());
        }
        Err(OpenError::Foreign {
            path: path.to_owned(),
            owner,
            mode,
        })
    }

    /// Whether a link in the current directory can only be root's doing.
    fn is_roots(&self, link: &FileStat) -> Result<bool, OpenError> {
        let directory =
            fstat(&self.directory).map_err(|errno| self.denied("".as_ref(), "looked at", errno))?;
        Ok(is_root(link.st_uid) && is_root(directory.st_uid) && directory.st_mode & 0o022 == 0)
    }

    fn follow(&mut self, link: &OwnedFd, path: PathBuf) -> Result<(), OpenError> {
        self.links = self.links.saturating_add(1);
        if self.links > MOST_LINKS {
            return Err(OpenError::ManyLinks(path));
        }
        let target = readlinkat(link, "").map_err(|errno| OpenError::Denied {
            path,
            what: "read",
            errno,
        })?;
        let target = Path::new(&target);
        if target.is_absolute() {
            self.directory = open_root(Path::new("/"))?;
            self.path = PathBuf::from("/");
        }
        let names: Vec<&OsStr> = target.iter().filter(|name| *name != "/").collect();
        for name in names.into_iter().rev() {
            self.rest.push_front(Step {
                name: name.to_owned(),
                configured: false,
            });
        }
        Ok(())
    }

    fn denied(&self, name: &OsStr, what: &'static str, errno: Errno) -> OpenError {
        OpenError::Denied {
            path: self.path.join(name),
            what,
            errno,
        }
    }
}

fn kind(file: &FileStat) -> SFlag {
    SFlag::from_bits_truncate(file.st_mode & SFlag::S_IFMT.bits())
}
