//! Accounts and groups, asked of `getent` where a file of the system's does not say.
//!
//! Static glibc cannot load the plug-ins of the name service switch that
//! `getpwuid` and its kin need; a static program that calls them crashes. So the
//! dynamic program of the system is asked, at its absolute path and with no
//! environment, because a caller could otherwise choose what it answers.

use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Output, Stdio};

use config::{Account, printable};
use nix::unistd::Uid;

use crate::kernel;

mod local;

const GETENT: &str = "/usr/bin/getent";

/// What an entry without a shell stands for, see passwd(5).
pub const DEFAULT_SHELL: &str = "/bin/sh";

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
    /// No such account.
    #[error("there is no account named \"{}\"", printable(.0))]
    NoAccountNamed(String),
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
    account_alone(uid).and_then(with_groups)
}

/// The account with this uid, without groups: to ask for these takes another
/// process, and most sites name none.
///
/// # Errors
///
/// As [`account`].
pub fn account_alone(uid: u32) -> Result<Account, Error> {
    passwd(uid).map(|(account, _shell)| account)
}

/// An account with the groups that the account database says it has.
///
/// # Errors
///
/// If the account database gives no usable answer.
pub fn with_groups(account: Account) -> Result<Account, Error> {
    let groups = groups(&account.name)?;
    Ok(Account { groups, ..account })
}

/// The account with this uid, and its shell.
///
/// # Errors
///
/// As [`account`].
pub fn account_with_shell(uid: u32) -> Result<(Account, PathBuf), Error> {
    let (account, shell) = passwd(uid)?;
    Ok((with_groups(account)?, shell))
}

/// The shell of the account with this uid.
///
/// # Errors
///
/// As [`account`].
pub fn login_shell(uid: u32) -> Result<PathBuf, Error> {
    passwd(uid).map(|(_account, shell)| shell)
}

/// The account with this name.
///
/// # Errors
///
/// If there is none, or the account database gives no usable answer.
pub fn account_named(name: &str) -> Result<Account, Error> {
    let nobody = || Error::NoAccountNamed(name.to_owned());
    let entry = entry("passwd", name)?.ok_or_else(nobody)?;
    let (account, _shell) = parse_account(&entry).ok_or_else(|| malformed("passwd", &entry))?;
    // `getent` takes a name of digits for a number, and finds somebody else.
    if account.name != name {
        return Err(nobody());
    }
    with_groups(account)
}

/// Every account that the account database lists, without groups; a directory
/// service may list none.
///
/// # Errors
///
/// If the account database gives no usable answer.
pub fn accounts() -> Result<Vec<Account>, Error> {
    let (status, stdout, stderr) = ask(&["passwd"])?;
    if !status.success() {
        return Err(failed("passwd", &stderr));
    }
    let lines = stdout.split(|byte| *byte == b'\n');
    let accounts = lines.filter_map(parse_account);
    Ok(accounts.map(|(account, _shell)| account).collect())
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

fn passwd(uid: u32) -> Result<(Account, PathBuf), Error> {
    if let Some(found) = local::find(uid) {
        return Ok(found);
    }
    let entry = entry("passwd", &uid.to_string())?.ok_or(Error::NoAccount(uid))?;
    parse_account(&entry)
        .filter(|(account, _)| account.uid == uid)
        .ok_or_else(|| malformed("passwd", &entry))
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
    let (status, stdout, stderr) = ask(&[database, "--", key])?;
    if status.code() == Some(NOT_FOUND) {
        return Ok(None);
    }
    if !status.success() {
        return Err(failed(database, &stderr));
    }
    match stdout.strip_suffix(b"\n") {
        Some(line) if !line.contains(&b'\n') => Ok(Some(line.to_owned())),
        _ => Err(malformed(database, &stdout)),
    }
}

fn ask(arguments: &[&str]) -> Result<(ExitStatus, Vec<u8>, Vec<u8>), Error> {
    let mut command = Command::new(GETENT);
    command
        .args(arguments)
        .env_clear()
        .current_dir("/")
        .stdin(Stdio::null());
    // A user can trace a process of theirs, and answer in its place.
    if Uid::effective().is_root() {
        kernel::run_as_nobody(&mut command);
    }
    let Output {
        status,
        stdout,
        stderr,
    } = command.output()?;
    Ok((status, stdout, stderr))
}

fn failed(database: &'static str, stderr: &[u8]) -> Error {
    let message = String::from_utf8_lossy(stderr).trim().to_owned();
    Error::Failed { database, message }
}

fn malformed(database: &'static str, entry: &[u8]) -> Error {
    Error::Malformed {
        database,
        entry: String::from_utf8_lossy(entry).into_owned(),
    }
}

/// `name:password:uid:gid:comment:home:shell`, see passwd(5).
fn parse_account(entry: &[u8]) -> Option<(Account, PathBuf)> {
    let fields: Vec<&[u8]> = entry.split(|byte| *byte == b':').collect();
    let [name, _password, uid, gid, _comment, home, shell] = fields.as_slice() else {
        return None;
    };
    let home = Path::new(OsStr::from_bytes(home));
    let usable = !name.is_empty() && home.is_absolute();
    let shell = match *shell {
        b"" => Path::new(DEFAULT_SHELL),
        shell => Path::new(OsStr::from_bytes(shell)),
    };
    let account = Account {
        name: std::str::from_utf8(name).ok()?.to_owned(),
        uid: number(uid)?,
        gid: number(gid)?,
        groups: Vec::new(),
        home: home.to_owned(),
    };
    usable.then(|| (account, shell.to_owned()))
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
    fn files_and_getent_say_the_same() {
        let of_files = local::find(0).unwrap();
        let entry = entry("passwd", "0").unwrap().unwrap();
        assert_eq!(of_files, parse_account(&entry).unwrap());
    }

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
    fn accounts_are_found_by_their_whole_name() {
        assert_eq!(account_named("root").unwrap().uid, 0);
        for nobody in ["0", "", "-x", "no such account"] {
            let found = account_named(nobody);
            assert!(found.is_err(), "{nobody}: {found:?}");
        }
        assert!(accounts().unwrap().iter().any(|it| it.uid == 0));
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
        let parsed = parse_account(b"alice:x:1000:100:A, B:/home/alice:/bin/zsh");
        let (alice, shell) = parsed.unwrap();
        assert_eq!(
            (alice.name.as_str(), alice.uid, alice.gid, alice.home),
            ("alice", 1000, 100, PathBuf::from("/home/alice"))
        );
        assert_eq!(shell, Path::new("/bin/zsh"));
        let (_, shell) = parse_account(b"alice:x:1000:100::/home/alice:").unwrap();
        assert_eq!(shell, Path::new("/bin/sh"));
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
