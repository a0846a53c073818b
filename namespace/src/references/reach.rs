//! The way to a file, link by link, as from the root of a system.
//!
//! However many links lead to it, one that comes by `/nix` is found, whether it
//! is broken now or not: what it leads to is the user's as soon as that user has
//! a `/nix`. And a file that only may matter is not looked for where somebody
//! else than root can put one: root would read what a user chose, for as long as
//! that user likes.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::path::{Component, Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{OFlag, open, openat, readlinkat};
use nix::sys::stat::{FileStat, Mode, SFlag, fstat};
use rustix::fs::{OFlags, ResolveFlags, openat2};

use crate::binds::LOCAL;
use crate::kernel::{Files, Linux, Mounts};
use crate::mount_table::Mount;

/// As many links as the kernel follows (path_resolution(7)).
pub(super) const MOST_LINKS: usize = 40;

/// Largest file that is read, in bytes: `ld.so.cache` has some 100 kB.
pub(super) const LARGEST: u64 = 16 << 20;

/// Whose files are looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Whose {
    /// Whoever's it is: something privileged obeys it, so who can change it needs
    /// no `/nix`.
    Anybodys,
    /// Root's alone, on all the way there, on a disk of this host: it may be
    /// obeyed, or be data.
    Roots,
}

/// What is at a path.
#[derive(Debug)]
pub(super) enum There {
    Nothing,
    File(Regular),
    Directory,
    /// A device, a FIFO, a socket: nothing that is read for its text.
    Special,
    /// This is how the way goes on to `/nix`.
    OnNix(PathBuf),
    /// Somebody else than root can change what is there, or has mounted it: not
    /// looked at, in the second case not even by a call that asks its server.
    Foreign(Option<FileStat>),
}

/// What is at a path, and whether anybody but root can change that.
#[derive(Debug)]
pub(super) struct Reached {
    pub(super) there: There,
    pub(super) is_foreign: bool,
}

/// A regular file that was there.
#[derive(Debug)]
pub(super) struct Regular {
    directory: OwnedFd,
    name: OsString,
    pub(super) stat: FileStat,
}

/// A system below a directory: `/`, but for tests.
#[derive(Debug)]
pub(super) struct System {
    root: OwnedFd,
    /// Root, but for tests that somebody else runs.
    owner: u32,
    /// The mount that the root is on.
    mount: u64,
}

impl System {
    pub(super) fn below(root: &Path) -> io::Result<Self> {
        let root = open(root, FOR_REFERENCE | OFlag::O_DIRECTORY, Mode::empty())?;
        let owner = fstat(&root)?.st_uid;
        let mount = mount_of(&root)?;
        Ok(Self { root, owner, mount })
    }

    /// Goes to an absolute path of the system.
    ///
    /// # Errors
    /// If that is neither there nor known not to be: it may be anything.
    pub(super) fn reach(&self, path: &Path, whose: Whose) -> io::Result<Reached> {
        let mut way = Way {
            system: self,
            directory: None,
            here: PathBuf::from("/"),
            rest: Vec::new(),
            is_foreign: false,
        };
        way.go_on_by(path);
        let there = way.go(whose)?;
        Ok(Reached {
            there,
            is_foreign: way.is_foreign,
        })
    }

    /// Whether this host's own disks answer for what is there: a user may have
    /// mounted another file system on a directory of theirs.
    fn answers_for(&self, opened: &OwnedFd) -> io::Result<bool> {
        let mount = match mount_of(opened) {
            Ok(mount) if mount == self.mount => return Ok(true),
            Ok(mount) => mount,
            // One that admits nobody but who mounted it.
            Err(error) if error.kind() == ErrorKind::PermissionDenied => return Ok(false),
            Err(error) => return Err(error),
        };
        let Ok(table) = Linux.mount_table() else {
            return Ok(false);
        };
        let mount = Mount::find(&table, mount);
        Ok(mount.is_some_and(|it| LOCAL.contains(&it.file_system.as_str())))
    }

    /// What is at a path to which no link leads; `None` if one does, or it cannot
    /// be told so cheaply.
    pub(super) fn glance(&self, path: &Path) -> Option<Option<FileStat>> {
        let path = path.strip_prefix("/").ok()?;
        let resolve = ResolveFlags::NO_SYMLINKS | ResolveFlags::BENEATH;
        let flags = OFlags::PATH | OFlags::CLOEXEC;
        match openat2(&self.root, path, flags, rustix::fs::Mode::empty(), resolve) {
            Ok(opened) => fstat(&opened).ok().map(Some),
            Err(rustix::io::Errno::NOENT) => Some(None),
            Err(_) => None,
        }
    }
}

impl Regular {
    /// All that is in it.
    pub(super) fn read(&self) -> io::Result<Vec<u8>> {
        if u64::try_from(self.stat.st_size).is_ok_and(|size| size > LARGEST) {
            return Err(ErrorKind::FileTooLarge.into());
        }
        // Whatever it was exchanged for meanwhile holds nobody up.
        let flags = OFlag::O_RDONLY
            | OFlag::O_NOFOLLOW
            | OFlag::O_NONBLOCK
            | OFlag::O_NOCTTY
            | OFlag::O_CLOEXEC;
        let file = openat(&self.directory, self.name.as_os_str(), flags, Mode::empty())?;
        let file = File::from(file);
        let now = file.metadata()?;
        // A number is given again, to what is no file, too.
        let is_same = (now.dev(), now.ino()) == (self.stat.st_dev, self.stat.st_ino);
        if !(is_same && now.is_file()) {
            return Err(io::Error::other("it changes while it is read"));
        }
        let mut content = Vec::new();
        let most = LARGEST.saturating_add(1);
        file.take(most).read_to_end(&mut content)?;
        if u64::try_from(content.len()).is_ok_and(|length| length == most) {
            return Err(ErrorKind::FileTooLarge.into());
        }
        Ok(content)
    }
}

const FOR_REFERENCE: OFlag = OFlag::O_PATH
    .union(OFlag::O_NOFOLLOW)
    .union(OFlag::O_CLOEXEC);

/// How far one has come.
struct Way<'a> {
    system: &'a System,
    /// Where one is; `None` is the root.
    directory: Option<OwnedFd>,
    /// Its path, without links.
    here: PathBuf,
    /// What is still to be gone, the next last.
    rest: Vec<OsString>,
    is_foreign: bool,
}

impl Way<'_> {
    fn go(&mut self, whose: Whose) -> io::Result<There> {
        let mut links: usize = 0;
        while let Some(name) = self.rest.pop() {
            if name == ".." {
                self.go_up()?;
                continue;
            }
            let next = self.here.join(&name);
            if next == Path::new(crate::NIX) {
                return Ok(There::OnNix(self.whole(next)));
            }
            let directory = self.directory.as_ref().unwrap_or(&self.system.root);
            let opened = match openat(directory, name.as_os_str(), FOR_REFERENCE, Mode::empty()) {
                Ok(opened) => opened,
                Err(Errno::ENOENT) => return Ok(There::Nothing),
                Err(error) => return Err(error.into()),
            };
            if whose == Whose::Roots && !self.system.answers_for(&opened)? {
                return Ok(There::Foreign(None));
            }
            let stat = fstat(&opened)?;
            self.is_foreign |= self.is_foreign(&stat);
            if self.is_foreign && whose == Whose::Roots {
                return Ok(There::Foreign(Some(stat)));
            }
            match kind(&stat) {
                SFlag::S_IFLNK => {
                    links = links.saturating_add(1);
                    if links > MOST_LINKS {
                        return Err(Errno::ELOOP.into());
                    }
                    self.go_on_by(Path::new(&readlinkat(&opened, "")?));
                }
                SFlag::S_IFDIR => {
                    self.directory = Some(opened);
                    self.here = next;
                }
                _ if !self.rest.is_empty() => return Err(Errno::ENOTDIR.into()),
                SFlag::S_IFREG => {
                    let directory = match self.directory.take() {
                        Some(directory) => directory,
                        None => self.system.root.try_clone()?,
                    };
                    return Ok(There::File(Regular {
                        directory,
                        name,
                        stat,
                    }));
                }
                _ => return Ok(There::Special),
            }
        }
        Ok(There::Directory)
    }

    /// Above the root is the root.
    fn go_up(&mut self) -> io::Result<()> {
        self.here.pop();
        let up = FOR_REFERENCE | OFlag::O_DIRECTORY;
        self.directory = match &self.directory {
            Some(directory) if self.here != Path::new("/") => {
                Some(openat(directory, "..", up, Mode::empty())?)
            }
            _ => None,
        };
        Ok(())
    }

    fn go_on_by(&mut self, path: &Path) {
        if path.is_absolute() {
            self.directory = None;
            self.here = PathBuf::from("/");
        }
        let names = path.components().rev().filter_map(|it| match it {
            Component::Normal(name) => Some(name.to_owned()),
            Component::ParentDir => Some("..".into()),
            _ => None,
        });
        self.rest.extend(names);
    }

    fn whole(&self, mut path: PathBuf) -> PathBuf {
        path.extend(self.rest.iter().rev());
        path
    }

    /// Whether somebody else than root can exchange what is there, or what is in
    /// it.
    fn is_foreign(&self, stat: &FileStat) -> bool {
        let may = |mode: Mode| stat.st_mode & mode.bits() != 0;
        let of_others = stat.st_uid != 0 && stat.st_uid != self.system.owner;
        let for_others = may(Mode::S_IWOTH) || (may(Mode::S_IWGRP) && stat.st_gid != 0);
        of_others || (for_others && kind(stat) != SFlag::S_IFLNK)
    }
}

/// As it is known: no server is asked (`AT_STATX_DONT_SYNC`).
fn mount_of(opened: &OwnedFd) -> io::Result<u64> {
    let number = Linux.mount_number(opened.as_fd());
    number.map_err(|failed| failed.errno.into())
}

fn kind(stat: &FileStat) -> SFlag {
    SFlag::from_bits_truncate(stat.st_mode) & SFlag::S_IFMT
}
