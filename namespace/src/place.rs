//! Where the caller is. The marker says whose namespace it is, and nothing
//! else does: never the owner of `/nix`, nor anything else that a user can
//! mount over, change or make hang. The setuid `fusermount` mounts on any
//! directory the user owns, `/nix` included, and a FUSE server answers any
//! owner it likes; `/run/nix-ns` is root's, so it mounts nothing there.

use std::os::fd::AsFd;
use std::path::{Path, PathBuf};

use nix::errno::Errno;

use crate::kernel::{Called, Kernel, Task};
use crate::record::{FileId, Record};

/// The directory that the marker is mounted on.
pub const MARKER: &str = "/run/nix-ns/self";
/// The link in it that says whose namespace this is.
const MARKER_LINK: &str = "/run/nix-ns/self/namespace";

/// Where a thread is, before it is moved or left alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// The mount namespace of the system's first process.
    Host,
    /// The very nix namespace that its marker names.
    Nix(Box<Record>),
    /// A namespace that another tool made from a nix namespace: its marker is a
    /// copy. `None` when the marker cannot be read.
    Derived(Option<Box<Record>>),
    /// A private namespace that has nothing of ours. With the directory that
    /// the host has at `/nix`, as far as it can be known.
    Private {
        /// The host's `/nix`.
        host_nix: Option<FileId>,
    },
}

impl Place {
    /// Whether there is surely nothing to leave, which is so in most sessions
    /// and takes no look at any configuration.
    #[must_use]
    pub fn is_surely_host(kernel: &dyn Kernel) -> bool {
        Self::find(kernel) == Ok(Self::Host)
    }

    /// Finds out where the calling thread is.
    ///
    /// # Errors
    /// When the kernel does not say which namespace the thread is in.
    pub fn find(kernel: &dyn Kernel) -> Called<Self> {
        Self::of(kernel, read_marker(kernel))
    }

    /// The same, by a marker that was read.
    pub(crate) fn of(kernel: &dyn Kernel, marker: Option<Option<Record>>) -> Called<Self> {
        if let Some(marker) = marker {
            return Ok(match marker {
                Some(record) if is_current(kernel, &record)? => Self::Nix(Box::new(record)),
                record => Self::Derived(record.map(Box::new)),
            });
        }
        if !is_host(kernel)? {
            let init_nix = kernel.remembered(Path::new("/proc/1/root/nix"));
            return Ok(Self::Private {
                host_nix: init_nix.ok().map(|nix| FileId::from(&nix)),
            });
        }
        // A first process that is not the system's is a container's, or that of a
        // sandbox with a PID namespace and a /proc of its own, in which a user
        // has hidden the marker. Something on /nix is taken for a user's then: a
        // container with a Nix of its own has no use for this program.
        if kernel.pid_namespace()? != INITIAL_PID_NAMESPACE && nix_is_covered(kernel) {
            return Ok(Self::Private { host_nix: None });
        }
        Ok(Self::Host)
    }
}

/// `PROC_PID_INIT_INO` of `include/linux/proc_ns.h`: the same on every kernel.
const INITIAL_PID_NAMESPACE: u64 = 0xEFFF_FFFC;

/// Whether anything is mounted on `/nix`, as far as can be seen.
pub(crate) fn nix_is_covered(kernel: &dyn Kernel) -> bool {
    match kernel.remembered(Path::new(crate::NIX)) {
        Ok(nix) => nix.mount_root,
        // It is there and will not be looked at: FUSE answers others EACCES.
        Err(failed) => !is_absence(failed.errno) && can_look(kernel),
    }
}

fn is_absence(errno: Errno) -> bool {
    matches!(errno, Errno::ENOENT | Errno::ENOTDIR)
}

/// Whether anything can be looked at. A container's filter may have no `statx`:
/// then nothing of ours was ever built in it, and to see something of a user's
/// everywhere would lock everybody out. `/` is nobody's to answer for.
fn can_look(kernel: &dyn Kernel) -> bool {
    kernel.remembered(Path::new("/")).is_ok()
}

/// The marker's record; outer `None` is "no marker", inner "not readable".
#[expect(
    clippy::option_option,
    reason = "an unreadable marker is still a marker"
)]
pub(crate) fn read_marker(kernel: &dyn Kernel) -> Option<Option<Record>> {
    match kernel.remembered(Path::new(MARKER)) {
        // The host's own directory, in which only root could put a link. One call,
        // twice a login and twice a logout.
        Ok(bare) if !bare.mount_root => None,
        Ok(_) => Some(marked(kernel)),
        Err(failed) if is_absence(failed.errno) => None,
        Err(_) => match kernel.link_text_at(Path::new(MARKER_LINK)) {
            Ok(text) => Some(Record::parse(&text)),
            // Something is there that is not to be read: not the host's.
            Err(failed) if !is_absence(failed.errno) => Some(None),
            Err(_) => can_look(kernel).then_some(None),
        },
    }
}

/// What the link says that a marker has in it, if it is one of ours.
pub(crate) fn marked(kernel: &dyn Kernel) -> Option<Record> {
    let text = kernel.link_text_at(Path::new(MARKER_LINK)).ok()?;
    Record::parse(&text)
}

/// Whether anything of a marker is to be seen: who has left must see none, not
/// even a link that is in no mount.
pub(crate) fn sees_a_marker(kernel: &dyn Kernel) -> bool {
    let link = kernel.link_text_at(Path::new(MARKER_LINK));
    !link.is_err_and(|failed| is_absence(failed.errno)) || read_marker(kernel).is_some()
}

fn is_current(kernel: &dyn Kernel, record: &Record) -> Called<bool> {
    let namespace = kernel.open_namespace(Task::Caller)?;
    Ok(kernel.namespace_id(namespace.as_fd())? == record.namespace)
}

/// Both namespaces are alive now, so their inode numbers tell them apart. Where
/// the first process may not be looked at (SELinux, a lesser container root),
/// its mount table still may: no two living mounts have the same number.
fn is_host(kernel: &dyn Kernel) -> Called<bool> {
    let callers = kernel.namespace_inode(Task::Caller)?;
    match kernel.namespace_inode(Task::Init) {
        Ok(hosts) => Ok(callers == hosts),
        Err(_) => Ok(kernel.first_mount(Task::Caller)? == kernel.first_mount(Task::Init)?),
    }
}

/// Whether the caller's root directory is the system's. A caller that was
/// chrooted is left alone: `setns` would lift it out of its root. The mount has
/// to be the same, too: `mount --bind / /jail` makes a root directory of the very
/// same file, in which others may be hidden. A private namespace of another
/// tool's has mounts with numbers that nobody wrote down.
pub(crate) fn has_the_systems_root(kernel: &dyn Kernel, place: &Place) -> Called<bool> {
    let own = kernel.remembered(Path::new("/"))?;
    let init = kernel.remembered(Path::new("/proc/1/root/"));
    let is_expected_mount = match (place, &init) {
        (Place::Nix(record), _) => own.mount == record.root,
        (Place::Host, Ok(init)) => own.mount == init.mount,
        _ => true,
    };
    Ok(is_expected_mount && init.map_or(own.mount_root, |init| own.is(&init)))
}

/// The link below [`MARKER`], by its name alone.
pub(crate) fn marker_link_name() -> &'static str {
    "namespace"
}

/// [`MARKER`] as a path.
pub(crate) fn marker() -> PathBuf {
    PathBuf::from(MARKER)
}

#[cfg(test)]
mod tests;
