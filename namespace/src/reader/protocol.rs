//! What the module and its reader say to each other: one request, one reply.

use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::PathBuf;

use config::{Account, Fingerprint, SourcePath};
use serde::{Deserialize, Serialize};

use crate::profile::Profile;
use crate::record::{fingerprint_to_text, parse_fingerprint};

/// Longest reply that is listened to, in bytes.
pub const LONGEST_REPLY: usize = 8192;

/// What the module asks. From root, so its form is the convenient one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// Whether a user without a configuration of their own is left out.
    pub opt_in: bool,
    /// Where the site puts a store directory.
    pub source_path: SourcePath,
    /// Directories the site allows, expanded.
    pub roots: Vec<PathBuf>,
    /// Name of this host.
    pub host: String,
    /// Who asks; the groups are left out.
    pub account: Account,
}

/// What the reader answers; with [`Finding::Store`] comes a descriptor of the
/// directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// The user configuration that was read, if there was one.
    pub user: Option<Fingerprint>,
    /// The Nix profile that the user has.
    pub profile: Option<Profile>,
    /// What it amounts to.
    pub finding: Finding,
}

/// What the user's configuration and the site's amount to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Finding {
    /// The directory that came along is to be `/nix`.
    Store {
        /// The path it was opened by.
        path: PathBuf,
        /// Whether the user lets sessions find what the Nix profile holds.
        environment: bool,
    },
    /// The user has no configuration, and the site wants one.
    NotOptedIn,
    /// The user has switched it off.
    Disabled,
    /// Something of the user's is wrong; what, and what to do.
    Refused(String),
}

/// A store directory, for sessions whose environment stays as it is.
const BARE: &str = "bare-store";

impl Reply {
    /// As sent.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let (kind, rest): (&str, &[u8]) = match &self.finding {
            Finding::Store { path, environment } => {
                let kind = if *environment { "store" } else { BARE };
                (kind, path.as_os_str().as_bytes())
            }
            Finding::NotOptedIn => ("not-opted-in", b""),
            Finding::Disabled => ("disabled", b""),
            Finding::Refused(why) => ("refused", why.as_bytes()),
        };
        let user = fingerprint_to_text(self.user);
        let profile = Profile::to_text(self.profile);
        let mut bytes = format!("{kind} {user} {profile}\n").into_bytes();
        bytes.extend_from_slice(rest);
        bytes.truncate(LONGEST_REPLY);
        bytes
    }

    /// Reads what a process of the user's sent.
    #[must_use]
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let split = bytes.iter().position(|byte| *byte == b'\n')?;
        let (head, rest) = bytes.split_at_checked(split)?;
        let rest = rest.strip_prefix(b"\n")?;
        let mut words = std::str::from_utf8(head).ok()?.split(' ');
        let kind = words.next()?;
        let user = parse_fingerprint(words.next()?)?;
        let profile = Profile::parse(words.next()?)?;
        if words.next().is_some() {
            return None;
        }
        let finding = match kind {
            "store" | BARE => Finding::Store {
                path: PathBuf::from(std::ffi::OsString::from_vec(rest.to_vec())),
                environment: kind != BARE,
            },
            "not-opted-in" if rest.is_empty() => Finding::NotOptedIn,
            "disabled" if rest.is_empty() => Finding::Disabled,
            "refused" => {
                let why = String::from_utf8_lossy(rest);
                Finding::Refused(config::printable_message(&why))
            }
            _ => return None,
        };
        Some(Self {
            user,
            profile,
            finding,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sent_is_understood() {
        let user = Some(Fingerprint {
            device: 1,
            inode: 2,
            size: 3,
            ctime_seconds: 4,
            ctime_nanoseconds: 5,
        });
        for finding in [
            Finding::Store {
                path: "/home/a\nb".into(),
                environment: true,
            },
            Finding::Store {
                path: "/home/a".into(),
                environment: false,
            },
            Finding::NotOptedIn,
            Finding::Disabled,
            Finding::Refused("why".to_owned()),
        ] {
            for user in [user, None] {
                for profile in [None, Some(Profile::Home), Some(Profile::State)] {
                    let reply = Reply {
                        user,
                        profile,
                        finding: finding.clone(),
                    };
                    assert_eq!(Reply::parse(&reply.to_bytes()), Some(reply));
                }
            }
        }
    }

    #[test]
    fn what_a_hostile_reader_sends_is_nothing_or_printable() {
        for bytes in [
            &b""[..],
            b"\n",
            b"store",
            b"store -",
            b"store x none\n/",
            b"store -\n/",
            b"store - other\n/",
            b"store - home state\n/",
            b"disabled - none\nmore",
            b"not-opted-in - none\nmore",
            b"disabled - none",
            b"refused\nwhy",
            b"root - none\n",
            b"\xff - none\n",
        ] {
            assert_eq!(Reply::parse(bytes), None, "{bytes:?}");
        }
        let reply =
            Reply::parse(b"refused - none\nline\nMay 1 sshd: root logged in \x1b[2J").unwrap();
        let Finding::Refused(why) = reply.finding else {
            panic!("{reply:?}")
        };
        assert!(!why.contains(['\n', '\u{1b}']), "{why}");
    }

    #[test]
    fn a_refusal_arrives_whole_and_a_flood_does_not() {
        let refused = |why: &str| {
            let sent = Reply {
                user: None,
                profile: None,
                finding: Finding::Refused(why.to_owned()),
            };
            let reply = Reply::parse(&sent.to_bytes()).unwrap();
            let Finding::Refused(why) = reply.finding else {
                panic!("{reply:?}")
            };
            why
        };
        // As long as parts are ever shown, in the longest characters.
        let part = config::printable(&"\u{1f600}".repeat(5_000));
        let why = format!("{part}: {part} leads to {part}; remove it");
        assert_eq!(refused(&why), why);
        assert_eq!(refused(&"\n".repeat(100_000)).chars().count(), 2048);
    }
}
