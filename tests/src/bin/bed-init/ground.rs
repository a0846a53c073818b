//! What `systemd-nspawn` needs around it, whatever the host is.

use std::error::Error;
use std::fs;
use std::path::Path;
use std::process::Command;

use nix::mount::{MntFlags, MsFlags, mount, umount2};

/// Where the system is put together, in memory. Any directory of the host would
/// do: the mounts on it are this namespace's alone.
const SCRATCH: &str = "/tmp";
/// The root directory of the system.
pub const ROOT: &str = "/tmp/root";
/// The only place where every version of systemd looks for cgroups.
pub const CGROUPS: &str = "/sys/fs/cgroup";

/// Makes the file systems, of trees as overlayfs takes them, and switches the network on.
pub fn lay(trees: &str) -> Result<(), Box<dyn Error>> {
    copy_on_write(trees)?;
    kernel_file_systems()?;
    // What of the host's systemd-nspawn is seen there would be used or removed.
    memory("/run")?;
    let up = Command::new("ip")
        .args(["link", "set", "lo", "up"])
        .status()?;
    up.success().then_some(()).ok_or("no loopback device")?;
    Ok(())
}

fn copy_on_write(trees: &str) -> Result<(), Box<dyn Error>> {
    memory(SCRATCH)?;
    for name in ["changes", "work", "root"] {
        fs::create_dir(Path::new(SCRATCH).join(name))?;
    }
    let layers = format!("lowerdir={trees},upperdir={SCRATCH}/changes,workdir={SCRATCH}/work");
    let flags = MsFlags::empty();
    mount(
        Some("overlay"),
        ROOT,
        Some("overlay"),
        flags,
        Some(layers.as_str()),
    )?;
    Ok(())
}

fn kernel_file_systems() -> nix::Result<()> {
    let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
    mount(Some("proc"), "/proc", Some("proc"), flags, None::<&str>)?;
    // Of its own network; and with it goes what the host has mounted below,
    // cgroups of the first version perhaps.
    umount2("/sys", MntFlags::MNT_DETACH)?;
    mount(Some("sysfs"), "/sys", Some("sysfs"), flags, None::<&str>)?;
    mount(
        Some("cgroup2"),
        CGROUPS,
        Some("cgroup2"),
        flags,
        None::<&str>,
    )
}

fn memory(place: &str) -> nix::Result<()> {
    mount(
        Some("tmpfs"),
        place,
        Some("tmpfs"),
        MsFlags::empty(),
        Some("mode=0755"),
    )
}
