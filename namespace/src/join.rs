//! Joining a namespace that lives: in, look, and back out if it is not the one.

use std::os::fd::BorrowedFd;
use std::path::Path;

use crate::NIX;
use crate::error::Error;
use crate::kernel::{FileIdentity, Kernel};
use crate::leave::turn_back;
use crate::place::marked;
use crate::record::Record;
use crate::way_back::WayBack;

/// Puts the calling thread into an open namespace, if that is the recorded one
/// and its `/nix` is still what was mounted there. `None`: it is not, and the
/// caller is where it was.
///
/// # Errors
/// A failing call, after which the caller is where it was, or
/// [`Error::NoWayBack`].
pub(crate) fn join(
    kernel: &dyn Kernel,
    namespace: BorrowedFd,
    record: &Record,
    identity: FileIdentity,
) -> Result<Option<WayBack>, Error> {
    let way_back = WayBack::remember(kernel)?;
    kernel.unshare_directories()?;
    kernel.enter_namespace(namespace)?;
    match settle(kernel, record, identity, &way_back) {
        Ok(true) => Ok(Some(way_back)),
        Ok(false) => turn_back(kernel, &way_back).map(|()| None),
        Err(failed) => {
            turn_back(kernel, &way_back)?;
            Err(failed)
        }
    }
}

fn settle(
    kernel: &dyn Kernel,
    record: &Record,
    identity: FileIdentity,
    way_back: &WayBack,
) -> Result<bool, Error> {
    if !is_intact(kernel, record) {
        return Ok(false);
    }
    way_back.directory().follow(kernel, identity)?;
    Ok(true)
}

/// The marker names this namespace, and the topmost mount on `/nix` is the one
/// that was put there: not a FUSE of the user's on top of it, not nothing. The
/// directory must still exist, as far as the kernel remembers.
fn is_intact(kernel: &dyn Kernel, record: &Record) -> bool {
    marked(kernel).is_some_and(|marker| is_same(&marker, record))
        && kernel
            .remembered(Path::new(NIX))
            .is_ok_and(|nix| nix.mount == record.nix && nix.links > 0)
}

/// The same namespace: the configurations it was made by may have been touched
/// since without changing what they amount to.
fn is_same(marker: &Record, record: &Record) -> bool {
    (marker.uid, marker.namespace, marker.nix, marker.store)
        == (record.uid, record.namespace, record.nix, record.store)
}

#[cfg(test)]
mod tests;
