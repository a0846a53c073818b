//! Root's rights. They are a value: who has it not cannot pass it on, and who
//! gives it up has it no more.

use std::collections::HashSet;

use caps::{CapSet, Capability};
use nix::errno::Errno;
use nix::unistd::{Gid, Uid, getgroups, getresgid, getresuid, setresgid, setresuid};

use super::Error;
use crate::limits;

/// To ask the account database as nobody, whatever the caller's limits are.
const FOR_ACCOUNTS: [Capability; 3] = [
    Capability::CAP_SETGID,
    Capability::CAP_SETUID,
    Capability::CAP_SYS_RESOURCE,
];

/// What moving into a namespace takes, and becoming the user for the reader.
const FOR_NAMESPACES: [Capability; 8] = [
    Capability::CAP_SYS_ADMIN,
    // setns resets the root directory (setns(2)).
    Capability::CAP_SYS_CHROOT,
    // To open the namespace of another session, and the first process's.
    Capability::CAP_SYS_PTRACE,
    Capability::CAP_SETGID,
    Capability::CAP_SETUID,
    // Entries of the registry are root's, whatever group the caller has.
    Capability::CAP_CHOWN,
    Capability::CAP_FSETID,
    // A reader that does not answer is killed, and it is the user's.
    Capability::CAP_KILL,
];

/// As whom the program was called.
#[derive(Debug)]
pub(super) struct Caller {
    pub(super) uid: u32,
    pub(super) gid: u32,
    pub(super) groups: Vec<u32>,
}

/// The rights of a setuid program.
#[derive(Debug)]
pub(super) struct Privilege {
    caller: Caller,
}

impl Privilege {
    /// Those that the program was started with, less what it never needs.
    pub(super) fn take() -> Result<Self, Error> {
        let user = getresuid().map_err(|_| Error::NotPrivileged)?;
        let group = getresgid().map_err(|_| Error::NotPrivileged)?;
        if !user.effective.is_root() {
            return Err(Error::NotPrivileged);
        }
        if user.real.is_root() {
            return Err(Error::Root);
        }
        let held = caps::read(None, CapSet::Permitted)?;
        let may_lift = held.contains(&Capability::CAP_SYS_RESOURCE);
        if let Some(limit) = limits::narrowest().filter(|_| !may_lift) {
            return Err(Error::Limit(limit));
        }
        // Or the caller could stop and kill this program, and the children it waits
        // for, while it has rights (kill(2): the real user id counts).
        let root = Uid::from_raw(0);
        setresuid(root, root, root).map_err(|_| Error::NotPrivileged)?;
        let groups = getgroups().map_err(|_| Error::NotPrivileged)?;
        narrow_to(&[&FOR_ACCOUNTS[..], &FOR_NAMESPACES[..]].concat())?;
        Ok(Self {
            caller: Caller {
                uid: user.real.as_raw(),
                gid: group.real.as_raw(),
                groups: groups.into_iter().map(Gid::as_raw).collect(),
            },
        })
    }

    /// As whom the program was called.
    pub(super) const fn caller(&self) -> &Caller {
        &self.caller
    }

    /// Those that are left once the account is known.
    pub(super) fn narrow_to_namespaces(&self) -> Result<(), Error> {
        narrow_to(&FOR_NAMESPACES)
    }

    /// Gives them up, for good: nothing of them is left in any of the places
    /// where the kernel keeps such things, and the way back is shut.
    pub(super) fn drop_for_good(self) -> Result<Caller, Error> {
        let Caller { uid, gid, .. } = self.caller;
        let (user, group) = (Uid::from_raw(uid), Gid::from_raw(gid));
        let failed = |_| Error::NotDropped("the kernel refuses");
        setresgid(group, group, group).map_err(failed)?;
        setresuid(user, user, user).map_err(failed)?;
        // The kernel has done this already, unless a securebit told it not to
        // (SECBIT_NO_SETUID_FIXUP, capabilities(7)).
        for set in [CapSet::Ambient, CapSet::Effective, CapSet::Permitted] {
            caps::clear(None, set)?;
        }
        verify(user, group)?;
        Ok(self.caller)
    }
}

fn narrow_to(wanted: &[Capability]) -> Result<(), Error> {
    let held = caps::read(None, CapSet::Permitted)?;
    let kept: HashSet<_> = wanted
        .iter()
        .copied()
        .filter(|it| held.contains(it))
        .collect();
    caps::set(None, CapSet::Effective, &kept)?;
    caps::set(None, CapSet::Permitted, &kept)?;
    Ok(())
}

fn verify(user: Uid, group: Gid) -> Result<(), Error> {
    let users = getresuid().map_err(|_| Error::NotDropped("the kernel does not say"))?;
    let groups = getresgid().map_err(|_| Error::NotDropped("the kernel does not say"))?;
    if [users.real, users.effective, users.saved] != [user; 3] {
        return Err(Error::NotDropped("a user id is left"));
    }
    if [groups.real, groups.effective, groups.saved] != [group; 3] {
        return Err(Error::NotDropped("a group id is left"));
    }
    for set in [CapSet::Ambient, CapSet::Effective, CapSet::Permitted] {
        if !caps::read(None, set)?.is_empty() {
            return Err(Error::NotDropped("a capability is left"));
        }
    }
    let root = Uid::from_raw(0);
    match setresuid(root, root, root) {
        Err(Errno::EPERM) => Ok(()),
        _ => Err(Error::NotDropped("the way back is open")),
    }
}
