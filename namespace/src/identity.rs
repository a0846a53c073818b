//! Doing something with a user's rights over files, and nothing else changed.

use nix::errno::Errno;

use crate::error::Error;
use crate::kernel::{CallFailed, FileIdentity, Kernel};

/// Runs `work` with the user's file-system identity.
///
/// # Errors
/// When the identity cannot be taken on, or, as [`Error::NoWayBack`], not put
/// back: gdm asserts that it is root's again, and so would anything that opens
/// a file next.
pub(crate) fn with_rights_of<T>(
    kernel: &dyn Kernel,
    identity: FileIdentity,
    work: impl FnOnce() -> T,
) -> Result<T, Error> {
    let (before, lost) = kernel.assume(identity)?;
    let outcome = kernel.has_assumed(identity).then(work);
    kernel.resume(before, lost).map_err(Error::NoWayBack)?;
    let refused = CallFailed {
        call: "setfsuid",
        errno: Errno::EPERM,
    };
    Ok(outcome.ok_or(refused)?)
}
