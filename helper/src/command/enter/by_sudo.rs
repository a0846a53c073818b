//! `sudo nix-ns enter`: root, on behalf of whoever called sudo. `nix-ns-enter`
//! then finds itself as if it were setuid and that user had called it.

use std::ffi::OsStr;

use config::Account;
use nix::unistd::{Gid, Uid, setgroups, setresgid, setresuid};

use super::Error;
use crate::account_database;
use crate::program::Environment;

/// Who called sudo: what it says (sudo(8)) has to agree with one entry of the
/// account database.
pub(super) fn find_caller(environment: &mut Environment) -> Result<Account, Error> {
    let mut said = |name: &str| environment.remove(OsStr::new(name));
    let (uid, gid, user) = (said("SUDO_UID"), said("SUDO_GID"), said("SUDO_USER"));
    // About root's own session, as sudo has made it.
    for name in ["SUDO_COMMAND", "MAIL"] {
        said(name);
    }
    let (Some(uid), Some(gid), Some(user)) = (uid, gid, user) else {
        return Err(Error::Root);
    };
    let uid = number(&uid).ok_or(Error::ForgedCaller)?;
    if uid == 0 {
        return Err(Error::Root);
    }
    let (account, shell) = account_database::account_with_shell(uid)?;
    if number(&gid) != Some(account.gid) || user != *account.name {
        return Err(Error::ForgedCaller);
    }
    for (name, value) in [
        ("HOME", account.home.as_os_str()),
        ("USER", account.name.as_ref()),
        ("LOGNAME", account.name.as_ref()),
        ("SHELL", shell.as_os_str()),
    ] {
        environment.insert(name.into(), value.into());
    }
    Ok(account)
}

fn number(text: &OsStr) -> Option<u32> {
    let text = text.to_str()?;
    let are_digits = text.bytes().all(|byte| byte.is_ascii_digit());
    are_digits.then(|| text.parse().ok()).flatten()
}

/// The real ids are the caller's, the effective user is root's still.
pub(super) fn become_caller(account: &Account) -> Result<(), Error> {
    let groups: Vec<Gid> = account.groups.iter().copied().map(Gid::from_raw).collect();
    let (gid, root) = (Gid::from_raw(account.gid), Uid::from_raw(0));
    setgroups(&groups)
        .and_then(|()| setresgid(gid, gid, gid))
        .and_then(|()| setresuid(Uid::from_raw(account.uid), root, root))
        .map_err(Error::NotTheCaller)
}
