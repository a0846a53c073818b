//! What is mounted, and whether that is what was asked for: every mount is
//! looked for afterwards in the kernel's own table.

use std::collections::HashMap;
use std::fs;
use std::os::fd::{AsFd, AsRawFd};
use std::path::{Path, PathBuf};

use config::printable_path;
use namespace::kernel::{Files, MountFlags, Mounts, Walk};
use namespace::mount_table::{Mount, MountTable};
use namespace::{CheckedStore, Linux, NIX};
use nix::mount::{MsFlags, mount};

use super::error::failed;
use super::nix_here::NixHere;
use super::{Error, Isolation, Wish, mount_table};

/// Kinds of file system that show another namespace's processes or message
/// queues wherever they are mounted, not only in the usual place.
const OF_A_NAMESPACE: [&str; 2] = ["proc", "mqueue"];
/// A user has control groups of their own; whoever can write one can kill
/// everything in it, outside as well (`cgroup.kill`).
const CONTROL_GROUPS: [&str; 2] = ["cgroup", "cgroup2"];
/// What programs share by name. Shared memory of POSIX is a directory, and so in
/// no IPC namespace.
const SHARED_MEMORY: &str = "/dev/shm";
/// What everybody can write.
const TEMPORARY: [&str; 2] = ["/tmp", "/var/tmp"];

const NEW_FILE_SYSTEM: MountFlags = MountFlags::STORE;
const OF_KERNEL: MountFlags = MountFlags {
    no_exec: true,
    ..MountFlags::STORE
};

/// What to mount in a mount namespace of the caller's own.
pub(super) struct Furnishing<'a> {
    pub(super) store: &'a CheckedStore,
    pub(super) nix: NixHere,
    pub(super) wish: Wish,
    /// The mounts outside.
    pub(super) before: &'a MountTable,
}

/// A mount that was made here: what has to be found at its place.
struct Made {
    point: PathBuf,
    kind: &'static str,
    flags: MountFlags,
}

impl Furnishing<'_> {
    /// Mounts everything, and verifies it.
    pub(super) fn furnish(&self) -> Result<(), Error> {
        if self.nix != NixHere::Own {
            mount_store(self.store)?;
        }
        restrict_nix(self.nix_flags())?;
        let other_paths = if self.wish.read_only {
            self.other_paths()?
        } else {
            Vec::new()
        };
        for path in &other_paths {
            mount_nix(path)?;
        }
        let table = mount_table()?;
        check_nix(&table, self.store, self.nix_flags())?;
        for path in &other_paths {
            check_read_only(&table, path)?;
        }
        let made = self.isolate()?;
        let table = mount_table()?;
        for made in &made {
            check_made(&table, made)?;
        }
        self.check_nothing_lost(&table)?;
        if self.wish.isolation.is_more_than_none() {
            check_all_covered(&table, &made)?;
            check_control_groups(&table)?;
        }
        Ok(())
    }

    fn nix_flags(&self) -> MountFlags {
        MountFlags {
            read_only: self.wish.read_only,
            ..MountFlags::STORE
        }
    }

    /// The store directory by its own path, and by those of other mounts of the
    /// same file system: a read-only /nix is of no use beside a writable one.
    fn other_paths(&self) -> Result<Vec<PathBuf>, Error> {
        let directory = self.store.directory();
        let checked = Linux.remembered_of(directory)?;
        let mount = self.before.by_id(Linux.mount_number(directory)?);
        let root = mount.and_then(|mount| mount.root_of(self.store.path()));
        let root = root.ok_or_else(|| Error::Exchanged(self.store.path().to_owned()))?;
        let mounts = self.before.mounts().iter();
        let paths = mounts.filter_map(|mount| {
            let rest = root.strip_prefix(&mount.root).ok()?;
            Some(mount.point.components().chain(rest.components()).collect())
        });
        let mut paths: Vec<PathBuf> = paths
            .filter(|path: &PathBuf| !path.starts_with(NIX))
            .filter(|path| Linux.remembered(path).is_ok_and(|it| it.is(&checked)))
            .collect();
        paths.sort();
        paths.dedup();
        Ok(paths)
    }

    fn isolate(&self) -> Result<Vec<Made>, Error> {
        let mut made = Vec::new();
        if self.wish.isolation >= Isolation::Hardened {
            for kind in OF_A_NAMESPACE {
                for point in reachable(self.before, kind) {
                    made.push(file_system(kind, &point, OF_KERNEL, None)?);
                }
            }
            made.extend(memory(Path::new(SHARED_MEMORY), "mode=1777")?);
            restrict_control_groups()?;
        }
        if self.wish.isolation == Isolation::Lockdown {
            for place in TEMPORARY {
                made.extend(memory(Path::new(place), "mode=1777")?);
            }
            // The sockets in it lead to the user's service manager, which starts
            // programs outside of all this.
            let runtime = format!("/run/user/{}", nix::unistd::getuid());
            made.extend(memory(Path::new(&runtime), "mode=0700")?);
        }
        Ok(made)
    }

    /// The kernel locks flags that come from outside; if it had a hole there,
    /// this would find it.
    fn check_nothing_lost(&self, now: &MountTable) -> Result<(), Error> {
        // By place: hosts with ten thousand mounts exist.
        let mut outside: HashMap<&Path, Vec<&Mount>> = HashMap::new();
        for mount in self.before.mounts() {
            outside.entry(&mount.point).or_default().push(mount);
        }
        for mount in now.mounts() {
            let place = self.place_outside(&mount.point);
            let above = place.ancestors().filter_map(|it| outside.get(it)).flatten();
            let mut same = above
                .filter(|it| {
                    it.file_system == mount.file_system
                        && it.root_of(&place).as_deref() == Some(&mount.root)
                })
                .peekable();
            // One that is new: made here, or by the system a moment ago.
            let is_new = same.peek().is_none();
            if !is_new && !same.any(|it| mount.flags.include(it.flags)) {
                return Err(Error::Lost(mount.point.clone()));
            }
        }
        Ok(())
    }

    /// Where outside is what is here at a place.
    fn place_outside(&self, point: &Path) -> PathBuf {
        match point.strip_prefix(NIX) {
            Ok(rest) if self.nix != NixHere::Own => self
                .store
                .path()
                .components()
                .chain(rest.components())
                .collect(),
            _ => point.to_owned(),
        }
    }
}

/// Lets containers inside receive each other's mounts, as a login does; nothing
/// gets out, as everything is a slave already (`mount_namespaces(7)`).
pub(super) fn share() -> Result<(), Error> {
    let none = None::<&Path>;
    let flags = MsFlags::MS_REC | MsFlags::MS_SHARED;
    mount(none, "/", none, flags, none).map_err(failed("mount / as shared"))
}

/// The very directory that was checked, found again in this mount namespace.
fn mount_store(store: &CheckedStore) -> Result<(), Error> {
    let checked = Linux.remembered_of(store.directory())?;
    let here = Linux.refer(store.path(), Walk::NoLinks)?;
    if !Linux.remembered_of(here.as_fd())?.is(&checked) {
        return Err(Error::Exchanged(store.path().to_owned()));
    }
    let from = PathBuf::from(format!("/proc/self/fd/{}", here.as_raw_fd()));
    // Recursively: the mounts of a more privileged namespace do not come apart.
    let flags = MsFlags::MS_BIND | MsFlags::MS_REC;
    let none = None::<&Path>;
    mount(Some(&from), NIX, none, flags, none)
        .map_err(failed("mount of the store directory on /nix"))
}

fn restrict_control_groups() -> Result<(), Error> {
    let read_only = MountFlags {
        read_only: true,
        ..MountFlags::default()
    };
    for mount in control_groups(&mount_table()?) {
        Linux.remount(&mount.point, mount.flags.and(read_only))?;
    }
    Ok(())
}

fn control_groups(table: &MountTable) -> impl Iterator<Item = &Mount> {
    let mounts = table.mounts().iter();
    mounts.filter(|it| CONTROL_GROUPS.contains(&it.file_system.as_str()) && is_reachable(it))
}

/// What a path does not lead to needs no cover.
fn is_reachable(mount: &Mount) -> bool {
    Linux.remembered(&mount.point).is_ok()
}

/// What is on `/nix`, flags included, in a second place.
fn mount_nix(place: &Path) -> Result<(), Error> {
    let flags = MsFlags::MS_BIND | MsFlags::MS_REC;
    let none = None::<&Path>;
    mount(Some(NIX), place, none, flags, none).map_err(failed("mount of /nix on its own directory"))
}

/// Adds flags to every mount on and below `/nix`, and cuts their propagation.
fn restrict_nix(flags: MountFlags) -> Result<(), Error> {
    for mount in mounts_of_nix(&mount_table()?) {
        Linux.remount(&mount.point, mount.flags.and(flags))?;
    }
    Ok(())
}

fn mounts_of_nix(table: &MountTable) -> impl Iterator<Item = &Mount> {
    // Whatever was on /nix before is under the store now, and out of reach.
    let mounts = table.mounts();
    let top = mounts.iter().rposition(|it| it.point == Path::new(NIX));
    let from = top.unwrap_or(mounts.len());
    mounts
        .iter()
        .skip(from)
        .filter(|it| it.point.starts_with(NIX))
}

/// Places outside the usual one count, too: a chroot's `/proc`. What the caller
/// cannot reach needs no cover; what is mounted below another of the kind has it.
fn reachable(before: &MountTable, kind: &str) -> Vec<PathBuf> {
    let of_kind = before.mounts().iter().filter(|it| it.file_system == kind);
    let mut points: Vec<PathBuf> = of_kind
        .filter(|mount| is_reachable(mount))
        .map(|mount| mount.point.clone())
        .collect();
    points.sort();
    points.dedup_by(|below, above| below.starts_with(above));
    points
}

/// Memory of one's own at a place, if there is such a place.
fn memory(place: &Path, options: &str) -> Result<Option<Made>, Error> {
    match fs::canonicalize(place) {
        Ok(place) => file_system("tmpfs", &place, NEW_FILE_SYSTEM, Some(options)).map(Some),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(Error::File {
            path: place.to_owned(),
            source,
        }),
    }
}

fn file_system(
    kind: &'static str,
    point: &Path,
    flags: MountFlags,
    options: Option<&str>,
) -> Result<Made, Error> {
    let no_exec = if flags.no_exec {
        MsFlags::MS_NOEXEC
    } else {
        MsFlags::empty()
    };
    let all = MsFlags::MS_NOSUID | MsFlags::MS_NODEV | no_exec;
    mount(Some(kind), point, Some(kind), all, options).map_err(|errno| Error::NotMounted {
        kind,
        point: point.to_owned(),
        errno,
    })?;
    Ok(Made {
        point: point.to_owned(),
        kind,
        flags,
    })
}

fn check_nix(table: &MountTable, store: &CheckedStore, flags: MountFlags) -> Result<(), Error> {
    let nix = Linux.refer(Path::new(NIX), Walk::NoLinks)?;
    let checked = Linux.remembered_of(store.directory())?;
    let top = table.by_id(Linux.mount_number(nix.as_fd())?);
    if top.is_none() || !Linux.remembered_of(nix.as_fd())?.is(&checked) {
        return Err(Error::Unverified(PathBuf::from(NIX)));
    }
    match mounts_of_nix(table).find(|it| !it.flags.include(flags)) {
        Some(mount) => Err(Error::Unverified(mount.point.clone())),
        None => Ok(()),
    }
}

fn check_read_only(table: &MountTable, path: &Path) -> Result<(), Error> {
    let found = Linux.refer(path, Walk::NoLinks)?;
    let found = table.by_id(Linux.mount_number(found.as_fd())?);
    match found.is_some_and(|it| it.point == path && it.flags.read_only) {
        true => Ok(()),
        false => Err(Error::Unverified(path.to_owned())),
    }
}

/// What a path leads to is what was mounted.
fn check_made(table: &MountTable, made: &Made) -> Result<(), Error> {
    let found = Linux.refer(&made.point, Walk::NoLinks)?;
    let found = table.by_id(Linux.mount_number(found.as_fd())?);
    let is_right = found.is_some_and(|it| {
        it.point == made.point
            && it.root == Path::new("/")
            && it.file_system == made.kind
            && it.flags.include(made.flags)
    });
    if is_right {
        Ok(())
    } else {
        Err(Error::Unverified(made.point.clone()))
    }
}

/// Every mount of such a kind is one made here, or below one, or cannot be
/// reached.
fn check_all_covered(table: &MountTable, made: &[Made]) -> Result<(), Error> {
    let covered = |mount: &Mount| made.iter().any(|made| mount.point.starts_with(&made.point));
    let kinds = |mount: &&Mount| OF_A_NAMESPACE.contains(&mount.file_system.as_str());
    for mount in table.mounts().iter().filter(kinds) {
        if !covered(mount) && is_reachable(mount) {
            return Err(Error::Uncovered(printable_path(&mount.point)));
        }
    }
    Ok(())
}

fn check_control_groups(table: &MountTable) -> Result<(), Error> {
    match control_groups(table).find(|it| !it.flags.read_only) {
        Some(mount) => Err(Error::ControlGroups(mount.point.clone())),
        None => Ok(()),
    }
}
