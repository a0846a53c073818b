//! Accounts and groups, asked of `getent`.
//!
//! Static glibc cannot load the plug-ins of the name service switch that
//! `getpwuid` and its kin need; a static program that calls them crashes. So the
//! dynamic program of the system is asked, at its absolute path and with no
//! environment, because a caller could otherwise choose what it answers.

use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use config::{Account, printable};

const GETENT: &str = "/usr/bin/getent";

/// `getent`'s exit status for "no such entry".
const NOT_FOUND: i32 = 2;

/// Why the account database gave no answer.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no `getent`, or it cannot be run.
    #[error(
        "{GETENT} cannot be run: {0}; it is part of the system's C library (libc-bin, glibc-common)"
    )]
    NotRun(#[from] io::Error),
    /// It gave up.
    #[error("`{GETENT} {database}` failed: {}", printable(message))]
    Failed {
        /// What it was asked about.
        database: &'static str,
        /// What it said.
        message: String,
    },
    /// No such account.
    #[error("there is no account with uid {0}; `getent passwd {0}` should show it")]
    NoAccount(u32),
    /// An entry unlike any the manual describes.
    #[error(
        "`{GETENT} {database}` gave an entry that cannot be used: \"{}\"",
        printable(entry)
    )]
    Malformed {
        /// What it was asked about.
        database: &'static str,
        /// The entry.
        entry: String,
    },
}

/// The account with this uid.
///
/// # Errors
///
/// If there is none, or the account database gives no usable answer.
pub fn account(uid: u32) -> Result<Account, Error> {
    let entry = entry("passwd", &uid.to_string())?.ok_or(Error::NoAccount(uid))?;
    let account = parse_account(&entry).filter(|account| account.uid == uid);
    let account = account.ok_or_else(|| malformed("passwd", &entry))?;
    let groups = groups(&account.name)?;
    Ok(Account { groups, ..account })
}

/// The shell of the account with this uid; passwd(5): an empty one is `/bin/sh`.
///
/// # Errors
///
/// If there is no such account, or the account database gives no usable answer.
pub fn login_shell(uid: u32) -> Result<PathBuf, Error> {
    let entry = entry("passwd", &uid.to_string())?.ok_or(Error::NoAccount(uid))?;
    parse_shell(&entry).ok_or_else(|| malformed("passwd", &entry))
}

/// Whether the account is a member of the group with this name; a group that
/// does not exist has no members.
///
/// # Errors
///
/// If the account database gives no usable answer.
pub fn is_member(account: &Account, group: &str) -> Result<bool, Error> {
    let gid = group_id(group)?;
    Ok(gid.is_some_and(|gid| account.gid == gid || account.groups.contains(&gid)))
}

fn group_id(name: &str) -> Result<Option<u32>, Error> {
    let Some(entry) = entry("group", name)? else {
        return Ok(None);
    };
    let (found, gid) = parse_group(&entry).ok_or_else(|| malformed("group", &entry))?;
    // `getent` takes a name of digits for a number, and finds another group.
    Ok((found == name).then_some(gid))
}

fn groups(name: &str) -> Result<Vec<u32>, Error> {
    let entry = entry("initgroups", name)?.unwrap_or_default();
    parse_groups(&entry, name).ok_or_else(|| malformed("initgroups", &entry))
}

/// The one line `getent` gives for a key, without its end.
fn entry(database: &'static str, key: &str) -> Result<Option<Vec<u8>>, Error> {
    let Output {
        status,
        stdout,
        stderr,
    } = Command::new(GETENT)
        .args([database, "--", key])
        .env_clear()
        .current_dir("/")
        .stdin(Stdio::null())
        .output()?;
    if status.code() == Some(NOT_FOUND) {
        return Ok(None);
    }
    if !status.success() {
        let message = String::from_utf8_lossy(&stderr).trim().to_owned();
        return Err(Error::Failed { database, message });
    }
    match stdout.strip_suffix(b"\n") {
        Some(line) if !line.contains(&b'\n') => Ok(Some(line.to_owned())),
        _ => Err(malformed(database, &stdout)),
    }
}

fn malformed(database: &'static str, entry: &[u8]) -> Error {
    Error::Malformed {
        database,
        entry: String::from_utf8_lossy(entry).into_owned(),
    }
}

/// `name:password:uid:gid:comment:home:shell`, see passwd(5).
fn parse_account(entry: &[u8]) -> Option<Account> {
    let fields: Vec<&[u8]> = entry.split(|byte| *byte == b':').collect();
    let [name, _password, uid, gid, _comment, home, _shell] = fields.as_slice() else {
        return None;
    };
    let home = Path::new(OsStr::from_bytes(home));
    let usable = !name.is_empty() && home.is_absolute();
    Some(Account {
        name: std::str::from_utf8(name).ok()?.to_owned(),
        uid: number(uid)?,
        gid: number(gid)?,
        groups: Vec::new(),
        home: home.to_owned(),
    })
    .filter(|_| usable)
}

fn parse_shell(entry: &[u8]) -> Option<PathBuf> {
    let shell = entry.split(|byte| *byte == b':').nth(6)?;
    let shell = if shell.is_empty() { b"/bin/sh" } else { shell };
    let shell = Path::new(OsStr::from_bytes(shell));
    shell.is_absolute().then(|| shell.to_owned())
}

/// `name:password:gid:members`, see group(5).
fn parse_group(entry: &[u8]) -> Option<(&str, u32)> {
    let fields: Vec<&[u8]> = entry.split(|byte| *byte == b':').collect();
    let [name, _password, gid, _members] = fields.as_slice() else {
        return None;
    };
    Some((std::str::from_utf8(name).ok()?, number(gid)?))
}

/// The name, blanks, and the numbers of all supplementary groups.
fn parse_groups(entry: &[u8], name: &str) -> Option<Vec<u32>> {
    let numbers = entry.strip_prefix(name.as_bytes()).unwrap_or(entry);
    let numbers = numbers
        .split(|byte| *byte == b' ')
        .filter(|number| !number.is_empty());
    numbers.map(number).collect()
}

/// Digits only: `parse` alone would take a sign.
fn number(digits: &[u8]) -> Option<u32> {
    let are_digits = digits.iter().all(u8::is_ascii_digit);
    are_digits
        .then(|| std::str::from_utf8(digits).ok()?.parse().ok())
        .flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn root_is_in_every_account_database() {
        let root = account(0).unwrap();
        assert_eq!((root.name.as_str(), root.uid), ("root", 0));
        assert!(is_member(&root, "root").unwrap());
        assert!(!is_member(&root, "no such group").unwrap());
        assert!(!is_member(&root, "-x").unwrap());
        assert!(!is_member(&root, "0").unwrap());
        assert!(!is_member(&root, "").unwrap());
    }

    #[test]
    fn no_such_account() {
        assert!(matches!(
            account(4_000_000_001),
            Err(Error::NoAccount(4_000_000_001))
        ));
    }

    #[test]
    fn account_entries() {
        let alice = parse_account(b"alice:x:1000:100:A, B:/home/alice:/bin/sh").unwrap();
        assert_eq!(
            (alice.name.as_str(), alice.uid, alice.gid, alice.home),
            ("alice", 1000, 100, PathBuf::from("/home/alice"))
        );
        for malformed in [
            &b""[..],
            b":x:1000:100::/home/alice:/bin/sh",
            b"alice:x:+1000:100::/home/alice:/bin/sh",
            b"alice:x::100::/home/alice:/bin/sh",
            b"alice:x:4294967296:100::/home/alice:/bin/sh",
            b"alice:x:1000:100::home:/bin/sh",
            b"alice:x:1000:100::/home/alice",
            b"alice:x:1000:100:::/home/alice:/bin/sh",
            b"al\xffice:x:1000:100::/home/alice:/bin/sh",
        ] {
            assert_eq!(parse_account(malformed), None);
        }
    }

    #[test]
    fn shells() {
        let shell = |entry| parse_shell(entry).map(|it| it.to_string_lossy().into_owned());
        assert_eq!(shell(b"a:x:1:1::/:/bin/zsh").as_deref(), Some("/bin/zsh"));
        assert_eq!(shell(b"a:x:1:1::/:").as_deref(), Some("/bin/sh"));
        assert_eq!(shell(b"a:x:1:1::/:zsh"), None);
        assert_eq!(shell(b"a:x:1:1::/"), None);
    }

    #[test]
    fn group_entries() {
        assert_eq!(parse_group(b"staff:x:50:alice,bob"), Some(("staff", 50)));
        assert_eq!(parse_group(b"staff:x:50"), None);
        assert_eq!(parse_group(b"staff:x:-50:"), None);
        assert_eq!(
            parse_groups(b"alice                 4 27 100", "alice"),
            Some(vec![4, 27, 100])
        );
        assert_eq!(
            parse_groups(b"root                 ", "root"),
            Some(Vec::new())
        );
        assert_eq!(parse_groups(b"alice 4 x", "alice"), None);
    }
}
