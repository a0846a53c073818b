//! What is on `/nix` for the caller now, and what is to be done about it.

use std::fs;
use std::os::fd::AsFd;
use std::path::Path;

use config::Account;
use namespace::kernel::{Files, Remembered};
use namespace::place::Place;
use namespace::{Linux, NIX, check_host};
use nix::errno::Errno;

use super::Error;
use super::own_store::OwnStore;

/// The whole of a map of ids that was never changed (`user_namespaces(7)`).
const INITIAL_MAP: [&str; 3] = ["0", "0", "4294967295"];

/// What is on `/nix`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NixHere {
    /// The caller's own store directory.
    Own,
    /// What may be covered.
    Other,
    /// The host has none: it takes another root directory.
    Missing,
}

impl NixHere {
    /// Looks, and refuses where a login would.
    pub(super) fn find(own: &OwnStore, account: &Account) -> Result<Self, Error> {
        let nix = match Linux.remembered(Path::new(NIX)) {
            Ok(nix) => nix,
            Err(failed) if failed.errno == Errno::ENOENT => return Ok(NixHere::Missing),
            Err(failed) => return Err(failed.into()),
        };
        let store = Linux.remembered_of(own.store.directory().as_fd())?;
        if nix.mount_root && nix.is(&store) {
            return Ok(NixHere::Own);
        }
        // Some user's: the host's was checked when that was put on it.
        if is_in_nix_namespace() || is_of_earlier_entering(&nix, account) {
            return Ok(NixHere::Other);
        }
        check_host(&Linux, &own.overridden)?;
        Ok(NixHere::Other)
    }
}

/// Without a marker, the kernel does not tell a user where PID 1 is: an error.
fn is_in_nix_namespace() -> bool {
    matches!(Place::find(&Linux), Ok(Place::Nix(_) | Place::Derived(_)))
}

/// A namespace made here has no marker: root would not trust one of a user's
/// making, and nothing needs it. There is no door to leave by where no setuid
/// program works.
fn is_of_earlier_entering(nix: &Remembered, account: &Account) -> bool {
    nix.mount_root && nix.uid == account.uid && !is_initial_user_namespace()
}

fn is_initial_user_namespace() -> bool {
    let map = fs::read_to_string("/proc/self/uid_map").unwrap_or_default();
    map.split_whitespace().eq(INITIAL_MAP)
}
