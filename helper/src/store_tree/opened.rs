//! One directory opened in another. Whatever a process of the user's puts in its
//! place at a bad moment: no link is followed, and no mount entered, be it one of
//! the same file system (`openat2(2)`, Linux 5.6).

use std::ffi::OsStr;
use std::fs::{Permissions, set_permissions};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::fs::PermissionsExt;

use nix::errno::Errno;
use nix::fcntl::{OFlag, OpenHow, ResolveFlag, openat, openat2};
use nix::sys::stat::{FileStat, Mode, SFlag, fchmod, fstat};
use nix::unistd::geteuid;
use rustix::fs::{Dir, DirEntry};

const OWNERS: u32 = 0o700;

/// Opens something in a directory, or the directory above it by `..`; never
/// waits, whatever it is.
pub(super) fn open(at: impl AsFd, name: &OsStr, flags: OFlag) -> nix::Result<OwnedFd> {
    let mut never = OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    // Not waited for is what is not opened but for reference; the kernel refuses
    // flags that mean nothing.
    if !flags.contains(OFlag::O_PATH) {
        never |= OFlag::O_NOCTTY | OFlag::O_NONBLOCK;
    }
    let how = OpenHow::new()
        .flags(flags | never)
        .resolve(ResolveFlag::RESOLVE_NO_SYMLINKS | ResolveFlag::RESOLVE_NO_XDEV);
    openat2(at, name, how)
}

/// Opens a directory to list it.
pub(super) fn directory(at: impl AsFd, name: &OsStr) -> nix::Result<OwnedFd> {
    open(at, name, OFlag::O_RDONLY | OFlag::O_DIRECTORY)
}

/// Opens a directory of the caller's to change what is in it; Nix takes its
/// owner's right to that away (mode 0555).
pub(super) fn own_directory(at: impl AsFd, name: &OsStr) -> nix::Result<OwnedFd> {
    let directory = match directory(&at, name) {
        Err(Errno::EACCES) => permit_reading(at, name)?,
        answer => answer?,
    };
    let stat = fstat(&directory)?;
    if stat.st_uid != geteuid().as_raw() {
        return Err(Errno::EPERM);
    }
    if stat.st_mode & OWNERS != OWNERS {
        fchmod(&directory, permissions(stat.st_mode | OWNERS))?;
    }
    Ok(directory)
}

/// For what its owner may not even open. A change by name could hit what a link
/// of that name leads to; the descriptor's name in /proc is the descriptor's.
fn permit_reading(at: impl AsFd, name: &OsStr) -> nix::Result<OwnedFd> {
    let reference = open(at, name, OFlag::O_PATH | OFlag::O_DIRECTORY)?;
    let stat = fstat(&reference)?;
    if stat.st_uid != geteuid().as_raw() {
        return Err(Errno::EACCES);
    }
    let by_descriptor = format!("/proc/self/fd/{}", reference.as_raw_fd());
    set_permissions(by_descriptor, Permissions::from_mode(stat.st_mode | OWNERS))
        .map_err(|error| error.raw_os_error().map_or(Errno::EIO, Errno::from_raw))?;
    directory(&reference, ".".as_ref())
}

/// The names in a directory, read anew whatever was read from it before.
pub(super) fn listing(directory: impl AsFd) -> nix::Result<Listing> {
    let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
    let opened = openat(directory, ".", flags, Mode::empty())?;
    Dir::new(opened).map(Listing).map_err(errno)
}

/// Not nix's, which leaves the directory open where it has no memory to list it.
pub(super) struct Listing(Dir);

impl Iterator for Listing {
    type Item = nix::Result<DirEntry>;

    fn next(&mut self) -> Option<Self::Item> {
        Some(self.0.next()?.map_err(errno))
    }
}

fn errno(error: rustix::io::Errno) -> Errno {
    Errno::from_raw(error.raw_os_error())
}

pub(super) fn permissions(mode: u32) -> Mode {
    Mode::from_bits_truncate(mode)
}

pub(super) fn kind(stat: &FileStat) -> SFlag {
    SFlag::from_bits_truncate(stat.st_mode & SFlag::S_IFMT.bits())
}

pub(super) fn is_directory(stat: &FileStat) -> bool {
    kind(stat) == SFlag::S_IFDIR
}
