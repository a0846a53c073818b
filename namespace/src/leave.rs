//! Leaving a user's `/nix`: back to the host's namespace, or, where that
//! cannot or must not be done, taking the mounts off in a copy of this one.

use std::os::fd::AsFd;
use std::path::Path;

use crate::NIX;
use crate::error::{Error, Gravity, nix};
use crate::kernel::{FileIdentity, Kernel, Propagation, Task};
use crate::place::{Place, marker, nix_is_covered, sees_a_marker};
use crate::record::{FileId, Record};
use crate::way_back::{WayBack, WorkingDirectory};

/// More mounts than this on `/nix` are nobody's honest doing.
const MOST_LAYERS: usize = 64;

/// How a caller left, if there was anything to leave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Left {
    /// It was on nobody's `/nix`.
    Nothing,
    /// It is in the host's namespace.
    ToHost,
    /// It is in a copy of the namespace it was in, without what was ours; why not
    /// in the host's, where that is where it should be.
    Detached(Option<String>),
}

impl Left {
    /// The words for it; none if nothing was left.
    #[must_use]
    pub fn how(&self) -> Option<String> {
        match self {
            Self::Nothing => None,
            Self::ToHost => Some("left a user's /nix for the host's".to_owned()),
            Self::Detached(why) => {
                let why = why.as_ref().map(|why| format!(" ({why})"));
                let why = why.unwrap_or_default();
                Some(format!(
                    "took a user's /nix off in a copy of its namespace{why}"
                ))
            }
        }
    }
}

/// Takes the calling thread off whatever user's `/nix` it is on. The working
/// directory is kept where `identity` may keep it.
///
/// # Errors
/// [`Error::CannotLeave`]: the session must not start.
pub(crate) fn leave(
    kernel: &dyn Kernel,
    place: &Place,
    identity: FileIdentity,
) -> Result<Left, Error> {
    match place {
        Place::Host => Ok(Left::Nothing),
        Place::Nix(record) => match to_host(kernel, record, identity) {
            Ok(()) => Ok(Left::ToHost),
            Err(error @ Error::NoWayBack(_)) => Err(error),
            // /proc/1/ns/mnt may be unreadable even for root.
            Err(to_host) => detach(kernel, Some(record.host_nix), identity)
                .map(|()| Left::Detached(Some(to_host.to_string())))
                .map_err(|why| Error::cannot_leave(Some(record.uid), format!("{to_host}; {why}"))),
        },
        // Another tool's namespace (firejail, pam_namespace) is never undone.
        Place::Derived(record) => {
            let uid = record.as_ref().map(|record| record.uid);
            detach(
                kernel,
                record.as_ref().map(|record| record.host_nix),
                identity,
            )
            .map(|()| Left::Detached(None))
            .map_err(|why| Error::cannot_leave(uid, why))
        }
        Place::Private { host_nix } if is_foreign(kernel, *host_nix) => {
            detach(kernel, *host_nix, identity)
                .map(|()| Left::Detached(None))
                .map_err(|why| Error::cannot_leave(None, why))
        }
        Place::Private { .. } => Ok(Left::Nothing),
    }
}

/// Whether something is mounted on `/nix` that is not the host's own.
fn is_foreign(kernel: &dyn Kernel, host_nix: Option<FileId>) -> bool {
    let nix = kernel
        .remembered(Path::new(NIX))
        .ok()
        .map(|nix| FileId::from(&nix));
    nix_is_covered(kernel) && (nix.is_none() || nix != host_nix)
}

/// `setns` to the namespace of the first process, if that is where this one was
/// made from.
fn to_host(kernel: &dyn Kernel, record: &Record, identity: FileIdentity) -> Result<(), Error> {
    let host = kernel.open_namespace(Task::Init)?;
    if kernel.namespace_id(host.as_fd())? != record.origin {
        return Err(Error::Unverified(
            "the namespace this one was made in as the first process's",
        ));
    }
    let directory = WorkingDirectory::remember(kernel)?;
    kernel.unshare_directories()?;
    kernel.enter_namespace(host.as_fd())?;
    if sees_a_marker(kernel) {
        return Err(Error::Unverified("a host without our marker"));
    }
    // The caller has left. Where its directory cannot be found again it is in /,
    // where setns has put it.
    match directory.follow(kernel, identity) {
        Err(error) if error.gravity() != Gravity::Harmless => Err(error),
        _ => Ok(()),
    }
}

/// Needs no descriptor of a namespace and no /proc.
fn detach(
    kernel: &dyn Kernel,
    host_nix: Option<FileId>,
    identity: FileIdentity,
) -> Result<(), Error> {
    let directory = WorkingDirectory::remember(kernel)?;
    kernel.unshare_mounts()?;
    // Or the unmounting would reach every session that shares the namespace.
    kernel.set_propagation(Propagation::Slave)?;
    for point in [nix(), marker()] {
        for _ in 0..MOST_LAYERS {
            if !is_layer(kernel, &point, host_nix) {
                break;
            }
            kernel.detach(&point)?;
        }
    }
    if is_foreign(kernel, host_nix) || sees_a_marker(kernel) {
        return Err(Error::Unverified("the host's /nix"));
    }
    // A working directory below the mount would keep the caller on it.
    if directory.is_below(Path::new(NIX)) {
        directory.follow(kernel, identity)?;
    }
    Ok(())
}

fn is_layer(kernel: &dyn Kernel, point: &Path, host_nix: Option<FileId>) -> bool {
    if point == Path::new(NIX) {
        return is_foreign(kernel, host_nix);
    }
    kernel
        .remembered(point)
        .is_ok_and(|marker| marker.mount_root)
}

/// Leaves a namespace just entered that turned out to be the wrong one.
pub(crate) fn turn_back(kernel: &dyn Kernel, way_back: &WayBack) -> Result<(), Error> {
    way_back.return_there(kernel).map_err(Error::NoWayBack)
}

#[cfg(test)]
mod tests;
