//! Accounts in `/etc/passwd`, where the name service switch asks that file first.
//!
//! What it answers there, the switch answers, see nsswitch.conf(5): so `getent` need
//! not be started for most people of most systems. Everything that is not plain is
//! left to it.

use std::fs::File;
use std::io::{self, Read};
use std::path::PathBuf;

use config::Account;

use super::{number, parse_account};

const SWITCH: &str = "/etc/nsswitch.conf";
const ACCOUNTS: &str = "/etc/passwd";
/// Longer files take longer to read than `getent` takes to start. Bytes.
const LONGEST: u64 = 256 * 1024;

/// The account with this uid, and its shell; `None` where only `getent` can tell.
pub(super) fn find(uid: u32) -> Option<(Account, PathBuf)> {
    if !asks_files_first(&read(SWITCH).ok()?) {
        return None;
    }
    account_in(&read(ACCOUNTS).ok()?, uid)
}

fn read(file: &str) -> io::Result<Vec<u8>> {
    let mut text = Vec::new();
    File::open(file)?.take(LONGEST + 1).read_to_end(&mut text)?;
    if text.len() as u64 > LONGEST {
        return Err(io::ErrorKind::FileTooLarge.into());
    }
    Ok(text)
}

/// Whether an account in the file is the one that counts: the file is the first
/// source, and no action in brackets says what comes of its answer.
fn asks_files_first(switch: &[u8]) -> bool {
    let mut lines = switch
        .split(|byte| *byte == b'\n')
        .filter_map(|line| line.trim_ascii_start().strip_prefix(b"passwd:"));
    let (Some(line), None) = (lines.next(), lines.next()) else {
        return false;
    };
    let mut sources = line
        .split(u8::is_ascii_whitespace)
        .filter(|word| !word.is_empty());
    sources.next() == Some(b"files") && sources.next().is_none_or(|next| !next.starts_with(b"["))
}

/// What the first entry with this uid says, as the C library takes it: no comment, and
/// none of the old kind (`+`, `-`), which include others. Of one that cannot be
/// used, `getent` says what it makes of it.
fn account_in(entries: &[u8], uid: u32) -> Option<(Account, PathBuf)> {
    let has_uid = |entry: &&[u8]| {
        let field = entry.split(|byte| *byte == b':').nth(2);
        field.and_then(number) == Some(uid)
    };
    entries
        .split(|byte| *byte == b'\n')
        .map(<[u8]>::trim_ascii_start)
        .filter(|entry| !matches!(entry.first(), Some(b'#' | b'+' | b'-')))
        .find(has_uid)
        .and_then(parse_account)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn the_file_is_asked_where_the_switch_asks_it_first() {
        for first in [
            &b"passwd: files"[..],
            b"group: sss\npasswd:\t files systemd\nshadow: files",
            b"# passwd: sss\n  passwd:files sss [NOTFOUND=return]\n",
        ] {
            assert!(asks_files_first(first), "{}", first.escape_ascii());
        }
        for other in [
            &b""[..],
            b"passwd:",
            b"passwd: sss files",
            b"passwd: compat",
            b"passwd: files[success=continue] sss",
            b"passwd: files [SUCCESS=merge] sss",
            b"passwd: files\npasswd: sss",
            b"passwd files",
            b"#passwd: files",
            b"PASSWD: files",
        ] {
            assert!(!asks_files_first(other), "{}", other.escape_ascii());
        }
    }

    #[test]
    fn the_first_entry_counts() {
        let entries = b"root:x:0:0::/root:/bin/sh\n\
            \n\
            #eve:x:1000:1000::/home/eve:/bin/sh\n\
            +eve:x:1000:1000::/home/eve:/bin/sh\n\
            -eve:x:1000:1000::/home/eve:/bin/sh\n\
            eve:x:+1000:1000::/home/eve:/bin/sh\n  \
            alice:x:1000:100::/home/alice:/bin/zsh\n\
            mallory:x:1000:1000::/home/mallory:/bin/sh\n\
            broken:x:1001:1001::home/broken:/bin/sh\n\
            mallory:x:1001:1001::/home/mallory:/bin/sh";
        let (alice, shell) = account_in(entries, 1000).unwrap();
        assert_eq!((alice.name.as_str(), alice.gid), ("alice", 100));
        assert_eq!(shell, Path::new("/bin/zsh"));
        assert!(account_in(entries, 1001).is_none());
        assert!(account_in(entries, 100).is_none());
        assert!(account_in(b"", 0).is_none());
    }
}
