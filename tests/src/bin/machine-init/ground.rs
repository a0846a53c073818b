//! The file systems of the machine: a copy-on-write view of the host's root,
//! with everything that is personal to a running system made anew.

use std::error::Error;
use std::fs;
use std::io;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::Command;

use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sys::stat::{Mode, SFlag, makedev, mknod};
use nix::unistd::{chdir, pivot_root, sethostname};

/// Where the new root is put together. Any directory of the host would do: the
/// mounts on it are this namespace's alone, and are not seen after the pivot.
const SCRATCH: &str = "/tmp";

/// Device nodes: name, major, minor. Made, not bound from the host: a chmod on
/// a bound node is a chmod on the host's, and some hosts keep theirs from users.
const DEVICES: [(&str, u64, u64); 7] = [
    ("null", 1, 3),
    ("zero", 1, 5),
    ("full", 1, 7),
    ("random", 1, 8),
    ("urandom", 1, 9),
    ("tty", 5, 0),
    ("fuse", 10, 229),
];

/// Directories that start out empty, and their permissions.
const FRESH: [(&str, u32); 5] = [
    ("run", 0o755),
    ("tmp", 0o1777),
    ("var/tmp", 0o1777),
    ("home", 0o755),
    ("root", 0o700),
];

/// Makes the machine's file systems and moves into them.
pub fn lay() -> Result<(), Box<dyn Error>> {
    copy_on_write()?;
    chdir(&Path::new(SCRATCH).join("root"))?;
    fresh_directories()?;
    devices()?;
    kernel_file_systems()?;
    become_root_directory()?;
    identity()?;
    Ok(())
}

fn copy_on_write() -> Result<(), Box<dyn Error>> {
    let scratch = Path::new(SCRATCH);
    memory(scratch, 0o755)?;
    for name in ["changes", "work", "root"] {
        fs::create_dir(scratch.join(name))?;
    }
    // A whiteout hides whatever the host keeps in /nix, so that the directory
    // made in its place is empty (overlayfs.rst, "whiteouts and opaque
    // directories").
    mknod(
        &scratch.join("changes/nix"),
        SFlag::S_IFCHR,
        Mode::empty(),
        makedev(0, 0),
    )?;
    let layers = format!("lowerdir=/,upperdir={SCRATCH}/changes,workdir={SCRATCH}/work");
    let root = scratch.join("root");
    mount(
        Some("overlay"),
        &root,
        Some("overlay"),
        MsFlags::empty(),
        Some(layers.as_str()),
    )?;
    directory(&root.join("nix"), 0o755)?;
    Ok(())
}

fn fresh_directories() -> Result<(), Box<dyn Error>> {
    for (name, permissions) in FRESH {
        memory(Path::new(name), permissions)?;
    }
    directory(Path::new("run/lock"), 0o1777)?;
    Ok(())
}

fn devices() -> Result<(), Box<dyn Error>> {
    let dev = Path::new("dev");
    memory(dev, 0o755)?;
    for (name, major, minor) in DEVICES {
        let node = dev.join(name);
        mknod(&node, SFlag::S_IFCHR, Mode::empty(), makedev(major, minor))?;
        permit(&node, 0o666)?;
    }
    for (name, text) in [
        ("ptmx", "pts/ptmx"),
        ("fd", "/proc/self/fd"),
        ("stdin", "fd/0"),
        ("stdout", "fd/1"),
        ("stderr", "fd/2"),
    ] {
        symlink(text, dev.join(name))?;
    }
    directory(&dev.join("shm"), 0o755)?;
    memory(&dev.join("shm"), 0o1777)?;
    directory(&dev.join("pts"), 0o755)?;
    // Group 5 is tty in every distribution's base system; grantpt(3) in older
    // C libraries relies on it.
    mount(
        Some("devpts"),
        &dev.join("pts"),
        Some("devpts"),
        MsFlags::MS_NOSUID | MsFlags::MS_NOEXEC,
        Some("newinstance,ptmxmode=0666,mode=0620,gid=5"),
    )?;
    Ok(())
}

fn kernel_file_systems() -> nix::Result<()> {
    let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
    // Both show the namespaces of whoever mounts them: this machine's
    // processes, this machine's network. No cgroups: those are the host's.
    for (kind, place) in [("proc", "proc"), ("sysfs", "sys")] {
        mount(Some(kind), place, Some(kind), flags, None::<&str>)?;
    }
    Ok(())
}

fn become_root_directory() -> nix::Result<()> {
    // With both arguments the same directory the old root ends up on top of the
    // new one (pivot_root(2), "pivot_root(".", ".")"), from where it is taken.
    pivot_root(".", ".")?;
    umount2(".", MntFlags::MNT_DETACH)?;
    chdir("/")?;
    // As systemd leaves it on every host it boots.
    mount(
        None::<&str>,
        "/",
        None::<&str>,
        MsFlags::MS_REC | MsFlags::MS_SHARED,
        None::<&str>,
    )
}

fn identity() -> Result<(), Box<dyn Error>> {
    sethostname("machine")?;
    // sudo complains about a host name it cannot resolve.
    fs::write("/etc/hosts", "127.0.0.1 localhost machine\n")?;
    let loopback = Command::new("ip")
        .args(["link", "set", "lo", "up"])
        .status()?;
    if !loopback.success() {
        return Err("ip link set lo up failed".into());
    }
    Ok(())
}

fn memory(place: &Path, permissions: u32) -> nix::Result<()> {
    let mode = format!("mode={permissions:o}");
    mount(
        Some("tmpfs"),
        place,
        Some("tmpfs"),
        MsFlags::empty(),
        Some(mode.as_str()),
    )
}

fn directory(path: &Path, permissions: u32) -> io::Result<()> {
    fs::create_dir(path)?;
    permit(path, permissions)
}

/// Sets permissions whatever the umask of the test run is.
fn permit(path: &Path, permissions: u32) -> io::Result<()> {
    fs::set_permissions(path, fs::Permissions::from_mode(permissions))
}
