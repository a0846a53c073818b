//! The control group that the system lives in, and may divide.

use std::fs::{self, File};
use std::io;
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};

use super::ground::CGROUPS;

const PREFIX: &str = "nix-ns-bed-";

/// A group of the host's, removed in the end.
pub struct Cgroup(PathBuf);

/// The processes of the host, which are not to be seen any more once the system
/// has a procfs of its own.
pub struct Host {
    processes: File,
    /// The number of this process there.
    own: PathBuf,
}

impl Host {
    /// To be asked for while `/proc` is the host's.
    pub fn look() -> io::Result<Self> {
        Ok(Self {
            processes: File::open("/proc")?,
            own: fs::read_link("/proc/self")?,
        })
    }

    fn has(&self, process: &str) -> bool {
        let host = format!("/proc/self/fd/{}/{process}", self.processes.as_raw_fd());
        Path::new(&host).exists()
    }
}

impl Cgroup {
    /// Makes the group, and removes those of beds that were killed before they
    /// could.
    pub fn make(host: &Host) -> io::Result<Self> {
        for entry in fs::read_dir(CGROUPS)? {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            if name.strip_prefix(PREFIX).is_some_and(|it| !host.has(it)) {
                remove(&entry.path());
            }
        }
        let path = Path::new(CGROUPS).join(format!("{PREFIX}{}", host.own.display()));
        fs::create_dir(&path)?;
        Ok(Self(path))
    }

    /// Where it is.
    pub fn path(&self) -> String {
        self.0.display().to_string()
    }

    /// Removes it and what the system made in it. Nothing of it is left to
    /// report to when that fails.
    pub fn remove(self) {
        remove(&self.0);
    }
}

fn remove(group: &Path) {
    let below = fs::read_dir(group).into_iter().flatten();
    for entry in below.filter_map(Result::ok) {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            remove(&entry.path());
        }
    }
    let _ = fs::remove_dir(group);
}
