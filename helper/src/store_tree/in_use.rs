//! The caller's processes that have a directory as their `/nix`: in sessions, and
//! in the containers of other tools. Only the kernel's mount tables are asked,
//! never a file system, whose server may be dead.

use std::collections::BTreeMap;
use std::fs;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use config::printable;
use namespace::NIX;
use namespace::mount_table::MountTable;
use nix::unistd::geteuid;

use super::Error;

/// Enough to find them all by.
const MOST_LISTED: usize = 10;

/// A process, for a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Process {
    /// Its number.
    pub id: u32,
    /// The name of its program.
    pub name: String,
}

/// The caller's processes whose `/nix` is this directory, as far as the caller
/// may look.
///
/// # Errors
/// If /proc does not say where the directory itself is.
pub fn processes_on(directory: &OwnedFd, path: &Path) -> Result<Vec<Process>, Error> {
    let wanted = place_of(directory, path)?;
    let mut known: BTreeMap<PathBuf, bool> = BTreeMap::new();
    let mut found = Vec::new();
    for id in own_processes()? {
        let process = Path::new("/proc").join(id.to_string());
        // One that has ended since, or that its user may not look into.
        let Ok(namespace) = fs::read_link(process.join("ns/mnt")) else {
            continue;
        };
        let has = *known
            .entry(namespace)
            .or_insert_with(|| nix_of(&process).as_ref() == Some(&wanted));
        if has {
            let name = fs::read(process.join("comm")).unwrap_or_default();
            let name = String::from_utf8_lossy(&name).trim_end().to_owned();
            found.push(Process { id, name });
        }
    }
    Ok(found)
}

/// Where a directory is, whatever is mounted where: its device, and its path on
/// that.
type Whereabouts = (String, PathBuf);

fn place_of(directory: &OwnedFd, path: &Path) -> Result<Whereabouts, Error> {
    let descriptor = directory.as_raw_fd();
    let info = read(&format!("/proc/self/fdinfo/{descriptor}"))?;
    let info = String::from_utf8_lossy(&info);
    let mount = info.lines().find_map(|line| line.strip_prefix("mnt_id:"));
    let mount = mount.and_then(|id| id.trim().parse().ok());
    let table = MountTable::parse(&read("/proc/self/mountinfo")?);
    let mount = mount.and_then(|id| table.by_id(id));
    let place = mount.and_then(|mount| Some((mount.device.clone(), mount.root_of(path)?)));
    place.ok_or_else(|| Error::Changed(path.to_owned()))
}

fn nix_of(process: &Path) -> Option<Whereabouts> {
    let table = fs::read(process.join("mountinfo")).ok()?;
    let table = MountTable::parse(&table);
    let nix = table.at(Path::new(NIX))?;
    Some((nix.device.clone(), nix.root.clone()))
}

fn own_processes() -> Result<Vec<u32>, Error> {
    let failed = |source| Error::Proc {
        file: "/proc".to_owned(),
        source,
    };
    let me = geteuid().as_raw();
    let entries = fs::read_dir("/proc").map_err(failed)?;
    let own = entries.filter_map(|entry| {
        let entry = entry.ok()?;
        let id = entry.file_name().to_str()?.parse().ok()?;
        (entry.metadata().ok()?.uid() == me).then_some(id)
    });
    Ok(own.collect())
}

fn read(file: &str) -> Result<Vec<u8>, Error> {
    fs::read(file).map_err(|source| Error::Proc {
        file: file.to_owned(),
        source,
    })
}

/// Processes in a message.
pub(super) fn listed(processes: &[Process]) -> String {
    let mut listed: Vec<String> = processes
        .iter()
        .take(MOST_LISTED)
        .map(|process| format!("{} ({})", process.id, printable(&process.name)))
        .collect();
    let more = processes.len().saturating_sub(listed.len());
    if more > 0 {
        listed.push(format!("{more} more"));
    }
    let noun = if processes.len() == 1 {
        "process"
    } else {
        "processes"
    };
    format!("{noun} {}", listed.join(", "))
}
