//! `setfsuid(2)`, and what the kernel takes away with it.

use nix::errno::Errno;
use nix::unistd::{self, Gid, Uid};
use rustix::thread::CapabilitySets;

use super::{Linux, capabilities, failed, failed_by_rustix};
use crate::kernel::{CallFailed, Called, FileIdentity, Identity, LostWithIdentity};

impl Identity for Linux {
    fn assume(&self, identity: FileIdentity) -> Called<(FileIdentity, LostWithIdentity)> {
        let lost = LostWithIdentity {
            parent_death_signal: parent_death_signal()?,
            dumpable: dumpable()?,
            effective: capabilities()?.effective,
        };
        let (uid, gid) = (Uid::from_raw(identity.uid), Gid::from_raw(identity.gid));
        let before = FileIdentity {
            gid: unistd::setfsgid(gid).as_raw(),
            uid: unistd::setfsuid(uid).as_raw(),
        };
        Ok((before, lost))
    }

    fn has_assumed(&self, identity: FileIdentity) -> bool {
        // The calls answer the identity before them and never fail: only a
        // second one tells whether the first was obeyed (setfsuid(2), "BUGS").
        let (uid, gid) = (Uid::from_raw(identity.uid), Gid::from_raw(identity.gid));
        unistd::setfsuid(uid) == uid && unistd::setfsgid(gid) == gid
    }

    fn resume(&self, identity: FileIdentity, lost: LostWithIdentity) -> Called<()> {
        let (uid, gid) = (Uid::from_raw(identity.uid), Gid::from_raw(identity.gid));
        unistd::setfsuid(uid);
        unistd::setfsgid(gid);
        if !self.has_assumed(identity) {
            return Err(CallFailed {
                call: "setfsuid back",
                errno: Errno::EPERM,
            });
        }
        let now = capabilities()?;
        if now.effective != lost.effective {
            let effective = lost.effective;
            let before = CapabilitySets { effective, ..now };
            rustix::thread::set_capabilities(None, before).map_err(failed_by_rustix("capset"))?;
        }
        // No signal is what the kernel has left.
        if lost.parent_death_signal != 0 {
            set_parent_death_signal(lost.parent_death_signal)?;
        }
        set_dumpable(lost.dumpable)
    }
}

fn parent_death_signal() -> Called<i32> {
    let mut signal: libc::c_int = 0;
    // SAFETY: the option writes one int to the pointer, which is valid for it.
    let answer = unsafe { libc::prctl(libc::PR_GET_PDEATHSIG, &raw mut signal) };
    Errno::result(answer)
        .map(|_| signal)
        .map_err(failed("prctl PR_GET_PDEATHSIG"))
}

fn set_parent_death_signal(signal: i32) -> Called<()> {
    // SAFETY: the option takes a number.
    let answer = unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, signal) };
    Errno::result(answer)
        .map(drop)
        .map_err(failed("prctl PR_SET_PDEATHSIG"))
}

fn dumpable() -> Called<i32> {
    // SAFETY: the option takes no argument.
    let answer = unsafe { libc::prctl(libc::PR_GET_DUMPABLE) };
    Errno::result(answer).map_err(failed("prctl PR_GET_DUMPABLE"))
}

fn set_dumpable(dumpable: i32) -> Called<()> {
    // 2 (readable by root only) can only come from sysctl fs.suid_dumpable and
    // cannot be set by hand; the same sysctl has just set it again.
    if dumpable == 2 {
        return Ok(());
    }
    // SAFETY: the option takes a number.
    let answer = unsafe { libc::prctl(libc::PR_SET_DUMPABLE, dumpable) };
    Errno::result(answer)
        .map(drop)
        .map_err(failed("prctl PR_SET_DUMPABLE"))
}
