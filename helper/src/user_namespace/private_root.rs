//! A root directory with a `/nix`, where the host's has none: in memory, with
//! everything that is in the host's mounted in its place.

use std::ffi::{OsStr, OsString};
use std::fs::{self, DirBuilder, File};
use std::os::unix::fs::{DirBuilderExt, symlink};
use std::path::Path;

use namespace::NIX;
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::unistd::{chdir, pivot_root};

use super::Error;
use super::error::{at, failed};

/// Where the new root is put together; every host has it, and nothing is lost
/// below, as the mount moves away from it.
const SCRATCH: &str = "/tmp";

/// Replaces the root directory of the caller's mount namespace.
pub(super) fn enter() -> Result<(), Error> {
    let names = names_in(Path::new("/"))?;
    // The name is in the host's root, or a directory could not be told from it.
    let host = free_name(&names);
    memory()?;
    chdir(SCRATCH).map_err(failed("chdir"))?;
    directory(Path::new(&host))?;
    pivot_root(".", host.as_os_str()).map_err(failed("pivot_root"))?;
    chdir("/").map_err(failed("chdir"))?;
    let host = Path::new("/").join(host);
    for name in &names {
        take_over(&host, name)?;
    }
    directory(Path::new(NIX))?;
    umount2(&host, MntFlags::MNT_DETACH).map_err(failed("umount2"))?;
    fs::remove_dir(&host).map_err(at(&host))?;
    close()
}

fn names_in(directory: &Path) -> Result<Vec<OsString>, Error> {
    let entries = fs::read_dir(directory).map_err(at(directory))?;
    entries
        .map(|entry| Ok(entry.map_err(at(directory))?.file_name()))
        .collect()
}

fn free_name(taken: &[OsString]) -> OsString {
    let mut name = OsString::from("host");
    while taken.contains(&name) {
        name.push("_");
    }
    name
}

fn memory() -> Result<(), Error> {
    let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV;
    mount(
        Some("nix-ns"),
        SCRATCH,
        Some("tmpfs"),
        flags,
        Some("mode=0755"),
    )
    .map_err(failed("mount tmpfs"))
}

/// Mounts what the host has by this name, or makes the same symbolic link.
fn take_over(host: &Path, name: &OsStr) -> Result<(), Error> {
    let (from, to) = (host.join(name), Path::new("/").join(name));
    let kind = fs::symlink_metadata(&from).map_err(at(&from))?.file_type();
    if kind.is_symlink() {
        let target = fs::read_link(&from).map_err(at(&from))?;
        return symlink(target, &to).map_err(at(&to));
    }
    if kind.is_dir() {
        directory(&to)?;
    } else {
        File::create(&to).map_err(at(&to))?;
    }
    // Recursively: the mounts of a more privileged namespace do not come apart.
    let flags = MsFlags::MS_BIND | MsFlags::MS_REC;
    let none = None::<&Path>;
    mount(Some(&from), &to, none, flags, none).map_err(failed("mount --rbind of a directory of /"))
}

fn directory(path: &Path) -> Result<(), Error> {
    let made = DirBuilder::new().mode(0o755).create(path);
    made.map_err(at(path))
}

/// As on the host, nobody but root can make anything in it.
fn close() -> Result<(), Error> {
    let flags = MsFlags::MS_REMOUNT
        | MsFlags::MS_BIND
        | MsFlags::MS_RDONLY
        | MsFlags::MS_NOSUID
        | MsFlags::MS_NODEV;
    let none = None::<&Path>;
    mount(none, "/", none, flags, none).map_err(failed("remount of / as read-only"))
}
