//! Becoming a user for good.

use std::fs::File;

use nix::errno::Errno;
use nix::sys::prctl::{set_dumpable, set_no_new_privs, set_pdeathsig};
use nix::sys::signal::Signal;
use nix::unistd::{
    Gid, Pid, Uid, chdir, dup2_stderr, dup2_stdin, dup2_stdout, getppid, getresgid, getresuid,
    setgroups, setresgid, setresuid, setsid,
};

use super::Rights;

/// Takes these rights and dies with `parent`.
pub(super) fn assume(rights: Rights<'_>, parent: Pid) -> nix::Result<()> {
    if let Rights::Of(account) = rights {
        become_user(account)?;
    }
    // After the change of user, which clears it.
    set_pdeathsig(Signal::SIGKILL)?;
    if getppid() == parent {
        Ok(())
    } else {
        Err(Errno::ESRCH)
    }
}

/// Groups, group, user, and looked at again: whatever follows must be what the
/// user may do anyway.
fn become_user(account: &config::Account) -> nix::Result<()> {
    // Off root's terminal: what runs as the user must not read or type on it.
    setsid()?;
    let nothing = File::options().read(true).write(true).open("/dev/null");
    let nothing = nothing.map_err(|_| Errno::ENODEV)?;
    dup2_stdin(&nothing)?;
    dup2_stdout(&nothing)?;
    dup2_stderr(&nothing)?;
    let groups: Vec<Gid> = account.groups.iter().copied().map(Gid::from_raw).collect();
    let (uid, gid) = (Uid::from_raw(account.uid), Gid::from_raw(account.gid));
    setgroups(&groups)?;
    setresgid(gid, gid, gid)?;
    setresuid(uid, uid, uid)?;
    // The user's debugger could otherwise have it say anything; the kernel does
    // the same, unless `fs.suid_dumpable` is set.
    set_dumpable(false)?;
    set_no_new_privs()?;
    chdir("/")?;
    let (uids, gids) = (getresuid()?, getresgid()?);
    let all = [uids.real, uids.effective, uids.saved] == [uid; 3]
        && [gids.real, gids.effective, gids.saved] == [gid; 3];
    if all && !uid.is_root() {
        Ok(())
    } else {
        Err(Errno::EPERM)
    }
}
