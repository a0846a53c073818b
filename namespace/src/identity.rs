//! Doing something with a user's rights over files, and nothing else changed.

use nix::errno::Errno;

use crate::error::Error;
use crate::kernel::{CallFailed, Called, FileIdentity, Kernel, LostWithIdentity};

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
    let mut assumed = Assumed {
        kernel,
        before: Some((before, lost)),
    };
    let outcome = kernel.has_assumed(identity).then(work);
    assumed.put_back().map_err(Error::NoWayBack)?;
    let refused = CallFailed {
        call: "setfsuid",
        errno: Errno::EPERM,
    };
    Ok(outcome.ok_or(refused)?)
}

/// An identity that is not kept, not even by a bug in what was done with it.
struct Assumed<'a> {
    kernel: &'a dyn Kernel,
    before: Option<(FileIdentity, LostWithIdentity)>,
}

impl Assumed<'_> {
    fn put_back(&mut self) -> Called<()> {
        self.before
            .take()
            .map_or(Ok(()), |(before, lost)| self.kernel.resume(before, lost))
    }
}

impl Drop for Assumed<'_> {
    fn drop(&mut self) {
        // Whoever catches the panic finds out whether the kernel obeyed.
        let _ = self.put_back();
    }
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use super::*;
    use crate::kernel::Identity;
    use crate::kernel::recorder::Recorder;

    #[test]
    fn the_identity_is_put_back_whatever_happens() {
        let recorder = Recorder::new();
        let own = FileIdentity { uid: 0, gid: 0 };
        let users = FileIdentity { uid: 1, gid: 1 };
        let look = || assert!(recorder.has_assumed(users));
        with_rights_of(&recorder, users, look).unwrap();
        assert!(recorder.has_assumed(own));
        let bug = || with_rights_of(&recorder, users, || panic!("a bug"));
        assert!(catch_unwind(AssertUnwindSafe(bug)).is_err());
        assert!(recorder.has_assumed(own));
    }
}
