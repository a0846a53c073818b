//! A directory that may be taken over or removed.

use std::ffi::{OsStr, OsString};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{AtFlags, OFlag, open, readlink};
use nix::sys::stat::{FileStat, Mode, fstat, fstatat};
use nix::unistd::geteuid;

use super::Error;
use super::descent::Identity;
use super::opened;

/// Directories of Nix's making have these in them.
const STORE: &str = "store";
const STATE: &str = "var/nix";
const OPTIMISED: &str = ".links";
/// Length of the hash that begins the name of everything in a store.
const HASH: usize = 32;

/// A directory of the caller's, open.
#[derive(Debug)]
pub struct Found {
    /// To be listed and changed.
    pub directory: OwnedFd,
    /// Where it is, by the kernel's word.
    pub path: PathBuf,
}

impl Found {
    /// Opens a directory of the caller's; links on the way to it are followed, as
    /// whoever wrote the path has it, but it must not be one itself.
    ///
    /// # Errors
    /// If it is not there, somebody else's, or the home or above it.
    pub fn open(path: &Path, home: &Path) -> Result<Self, Error> {
        // A slash at the end would follow a link.
        let written: PathBuf = path.components().collect();
        let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        let reference = match open(&written, flags, Mode::empty()) {
            Err(Errno::ENOTDIR) if written.is_symlink() => return Err(Error::Link(written)),
            Err(Errno::ENOENT) => return Err(Error::NoDirectory(written)),
            answer => answer.map_err(|errno| denied(&written, "opened", errno))?,
        };
        Self::own(&reference, home)
    }

    /// The same for a directory that is open already, for reference only.
    ///
    /// # Errors
    /// As [`Found::open`].
    pub fn own(reference: &OwnedFd, home: &Path) -> Result<Self, Error> {
        let by_descriptor = format!("/proc/self/fd/{}", reference.as_raw_fd());
        let path = readlink(by_descriptor.as_str());
        let path = path.map_err(|errno| denied(Path::new(&by_descriptor), "read", errno))?;
        let path = PathBuf::from(path);
        let looked = |errno| denied(&path, "looked at", errno);
        let owner = fstat(reference).map_err(looked)?.st_uid;
        if is_home_or_above(Identity::of(reference).map_err(looked)?, home) {
            return Err(Error::Home(path));
        }
        if owner != geteuid().as_raw() {
            return Err(Error::NotOwned { path, owner });
        }
        let directory = opened::own_directory(reference, ".".as_ref());
        let directory = directory.map_err(|errno| denied(&path, "opened", errno))?;
        Ok(Self { directory, path })
    }

    /// Whether Nix, or one of the tools around it, has made this.
    ///
    /// # Errors
    /// If it cannot be listed.
    pub fn is_store(&self) -> Result<bool, Error> {
        let Ok(store) = opened::directory(&self.directory, STORE.as_ref()) else {
            return Ok(false);
        };
        Ok(self.has_directory(STATE) || has_path_of_nix(store.as_fd(), &self.path.join(STORE))?)
    }

    /// Whether there is something with this name in it.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.stat(name).is_some()
    }

    /// An error if it is not a store, with the directory that was meant.
    ///
    /// # Errors
    /// See above.
    pub fn must_be_store(&self) -> Result<(), Error> {
        if self.is_store()? {
            return Ok(());
        }
        // Other tools have it in a directory with this name.
        let below = self
            .has_directory("nix/store")
            .then(|| self.path.join("nix"));
        Err(Error::NotAStore {
            path: self.path.clone(),
            below,
        })
    }

    /// An error if somebody else could change what is in it.
    ///
    /// # Errors
    /// See above.
    pub fn must_be_closed(&self) -> Result<(), Error> {
        let stat = fstat(&self.directory);
        let stat = stat.map_err(|errno| denied(&self.path, "looked at", errno))?;
        let mode = stat.st_mode & 0o7777;
        if mode & 0o022 == 0 {
            return Ok(());
        }
        Err(Error::WritableByOthers {
            path: self.path.clone(),
            mode,
        })
    }

    fn has_directory(&self, name: &str) -> bool {
        self.stat(name)
            .is_some_and(|stat| opened::is_directory(&stat))
    }

    fn stat(&self, name: &str) -> Option<FileStat> {
        fstatat(&self.directory, name, AtFlags::AT_SYMLINK_NOFOLLOW).ok()
    }

    /// A package with Nix itself in the store.
    #[must_use]
    pub fn nix(&self) -> Option<OsString> {
        let store = opened::directory(&self.directory, STORE.as_ref()).ok()?;
        let listing = opened::listing(&store).ok()?;
        let mut nix = listing.filter_map(|entry| {
            let entry = entry.ok()?;
            let name = OsStr::from_bytes(entry.file_name().to_bytes());
            let package = name.as_bytes().split_at_checked(HASH)?.1;
            let version = package.strip_prefix(b"-nix-")?.first()?;
            let program = Path::new(name).join("bin/nix-env");
            let has_program = || fstatat(&store, &program, AtFlags::AT_SYMLINK_NOFOLLOW).is_ok();
            (version.is_ascii_digit() && has_program()).then(|| name.to_owned())
        });
        nix.next()
    }
}

/// Shops have a `store`, too; only Nix gives names like these.
fn has_path_of_nix(store: BorrowedFd, path: &Path) -> Result<bool, Error> {
    let mut listing = opened::listing(store)
        .map_err(|errno| denied(path, "listed", errno))?
        .flatten();
    Ok(listing.any(|entry| {
        let name = entry.file_name().to_bytes();
        name == OPTIMISED.as_bytes()
            || name.split_at_checked(HASH).is_some_and(|(hash, rest)| {
                let digit = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
                hash.iter().all(digit) && rest.starts_with(b"-")
            })
    }))
}

/// By what they are, not by what they are called: a home has many paths.
fn is_home_or_above(directory: Identity, home: &Path) -> bool {
    let home = home.canonicalize().unwrap_or_else(|_| home.to_owned());
    home.ancestors().any(|above| is(directory, above))
}

/// Whether a path leads to this very directory.
pub(super) fn is(directory: Identity, path: &Path) -> bool {
    let flags = OFlag::O_PATH | OFlag::O_CLOEXEC;
    let opened = open(path, flags, Mode::empty());
    opened.is_ok_and(|opened| Identity::of(opened) == Ok(directory))
}

fn denied(path: &Path, what: &'static str, errno: Errno) -> Error {
    Error::denied(path, "".as_ref(), what, errno)
}
