//! What is written down about a nix namespace, in the marker inside it and in
//! the registry outside: one line, the text of a symbolic link.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::PathBuf;

use config::Fingerprint;

use crate::kernel::{MountId, NamespaceId, Remembered, parse_decimal};
use crate::profile::Profile;

/// Version of the text. Another version is nobody's namespace: it is neither
/// joined nor removed.
const VERSION: &str = "nix-ns/1";

/// Longest path of a store directory that is accepted: a link holds 4,095
/// bytes, and everything else in it takes less than 600.
pub const LONGEST_PATH: usize = 3072;

/// Which file: enough to know it again, not to open it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileId {
    /// Device of its file system.
    pub device: u64,
    /// Inode number.
    pub inode: u64,
}

/// Facts about one nix namespace, none of which changes while it lives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Whose it is.
    pub uid: u32,
    /// The namespace.
    pub namespace: NamespaceId,
    /// Its inode number, to find it among living ones without opening them.
    pub inode: u64,
    /// The namespace it was made in: the way out.
    pub origin: NamespaceId,
    /// The mount on `/`: a root directory on another was made inside.
    pub root: MountId,
    /// The mount on `/nix`.
    pub nix: MountId,
    /// The store directory.
    pub store: FileId,
    /// The host's `/nix`, under the mount.
    pub host_nix: FileId,
    /// The site configuration it was made by; none if there was no file.
    pub site: Option<Fingerprint>,
    /// The user configuration it was made by; none if there was no file.
    pub user: Option<Fingerprint>,
    /// Whether that one lets sessions find what the Nix profile holds.
    pub environment: bool,
    /// The profile that the user had then.
    pub profile: Option<Profile>,
    /// Which binds of the site's it was to have.
    pub binds: u64,
    /// Path of the store directory when the namespace was made.
    pub path: PathBuf,
}

impl From<&Remembered> for FileId {
    fn from(file: &Remembered) -> Self {
        Self {
            device: file.device,
            inode: file.inode,
        }
    }
}

impl Record {
    /// The line.
    #[must_use]
    pub fn to_text(&self) -> OsString {
        let mut text = OsString::from(format!(
            "{VERSION} uid={} namespace={} inode={} origin={} root={} nix={} store={} host={} site={} user={} environment={} profile={} binds={} path=",
            self.uid,
            self.namespace,
            self.inode,
            self.origin,
            self.root,
            self.nix,
            file_to_text(self.store),
            file_to_text(self.host_nix),
            fingerprint_to_text(self.site),
            fingerprint_to_text(self.user),
            self.environment,
            Profile::to_text(self.profile),
            self.binds,
        ));
        text.push(&self.path);
        text
    }

    /// Reads what [`Record::to_text`] wrote, and nothing else.
    #[must_use]
    pub fn parse(text: &OsStr) -> Option<Self> {
        // The path comes last: it may hold any byte.
        let split = find(text.as_bytes(), b" path=")?;
        let (facts, path) = text.as_bytes().split_at_checked(split)?;
        let path = path.strip_prefix(b" path=")?;
        let mut facts = std::str::from_utf8(facts).ok()?.split(' ');
        if facts.next()? != VERSION || path.is_empty() || path.len() > LONGEST_PATH {
            return None;
        }
        let mut fact = |key: &str| facts.next()?.strip_prefix(key)?.strip_prefix('=');
        let record = Self {
            uid: fact("uid").and_then(parse_decimal)?.try_into().ok()?,
            namespace: NamespaceId::parse(fact("namespace")?)?,
            inode: fact("inode").and_then(parse_decimal)?,
            origin: NamespaceId::parse(fact("origin")?)?,
            root: MountId::parse(fact("root")?)?,
            nix: MountId::parse(fact("nix")?)?,
            store: parse_file(fact("store")?)?,
            host_nix: parse_file(fact("host")?)?,
            site: parse_fingerprint(fact("site")?)?,
            user: parse_fingerprint(fact("user")?)?,
            environment: fact("environment")?.parse().ok()?,
            profile: Profile::parse(fact("profile")?)?,
            binds: fact("binds").and_then(parse_decimal)?,
            path: PathBuf::from(OsString::from_vec(path.to_vec())),
        };
        facts.next().is_none().then_some(record)
    }
}

fn find(text: &[u8], pattern: &[u8]) -> Option<usize> {
    text.windows(pattern.len())
        .position(|window| window == pattern)
}

fn file_to_text(file: FileId) -> String {
    format!("{}:{}", file.device, file.inode)
}

fn parse_file(text: &str) -> Option<FileId> {
    let (device, inode) = text.split_once(':')?;
    Some(FileId {
        device: parse_decimal(device)?,
        inode: parse_decimal(inode)?,
    })
}

pub(crate) fn fingerprint_to_text(fingerprint: Option<Fingerprint>) -> String {
    fingerprint.map_or_else(
        || "-".to_owned(),
        |f| {
            format!(
                "{}:{}:{}:{}:{}",
                f.device, f.inode, f.size, f.ctime_seconds, f.ctime_nanoseconds
            )
        },
    )
}

/// `-` is "there was no file"; the outer `None` is "this is no fingerprint".
#[expect(clippy::option_option, reason = "two different absences")]
pub(crate) fn parse_fingerprint(text: &str) -> Option<Option<Fingerprint>> {
    if text == "-" {
        return Some(None);
    }
    let mut numbers = text.split(':');
    let fingerprint = Fingerprint {
        device: numbers.next().and_then(parse_decimal)?,
        inode: numbers.next().and_then(parse_decimal)?,
        size: numbers.next().and_then(parse_decimal)?,
        ctime_seconds: numbers.next().and_then(parse_signed)?,
        ctime_nanoseconds: numbers.next().and_then(parse_signed)?,
    };
    numbers.next().is_none().then_some(Some(fingerprint))
}

/// As printed: no plus sign, no leading zero.
fn parse_signed(text: &str) -> Option<i64> {
    let number: i64 = text.parse().ok()?;
    (number.to_string() == text).then_some(number)
}

#[cfg(test)]
#[allow(clippy::arithmetic_side_effects, reason = "tests may panic")]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn record() -> Record {
        Record {
            uid: 1001,
            namespace: NamespaceId::Unique(77),
            inode: 4_026_532_000,
            origin: NamespaceId::Unique(1),
            root: MountId::Unique(899),
            nix: MountId::Unique(900),
            store: FileId {
                device: 65024,
                inode: 12,
            },
            host_nix: FileId {
                device: 65024,
                inode: 13,
            },
            site: None,
            user: Some(Fingerprint {
                device: 65024,
                inode: 14,
                size: 0,
                ctime_seconds: -1,
                ctime_nanoseconds: 999_999_999,
            }),
            environment: true,
            profile: Some(Profile::Home),
            binds: 0,
            path: "/home/al ice/nix path=x\n\u{1b}".into(),
        }
    }

    #[test]
    fn what_is_printed_is_read_back() {
        assert_eq!(Record::parse(&record().to_text()), Some(record()));
    }

    #[test]
    fn nothing_but_the_whole_line_is_a_record() {
        let text = record().to_text().into_vec();
        for end in 0..text.len() - record().path.as_os_str().len() {
            assert_eq!(Record::parse(OsStr::from_bytes(&text[..end])), None);
        }
        for (from, to) in [
            ("nix-ns/1", "nix-ns/2"),
            ("uid=1001", "uid=+1001"),
            ("u77", "x77"),
            ("store=65024:12", "store=65024:12:1"),
        ] {
            let text = String::from_utf8(text.clone())
                .unwrap()
                .replacen(from, to, 1);
            assert_eq!(Record::parse(OsStr::new(&text)), None, "{text}");
        }
    }

    /// Every change of one byte: left out, doubled, or any other instead.
    pub(crate) fn changes_of_one_byte(text: &[u8]) -> impl Iterator<Item = Vec<u8>> {
        (0..text.len()).flat_map(move |at| {
            let (before, after) = (&text[..at], &text[at + 1..]);
            let instead = (0..=u8::MAX).map(move |byte| [before, &[byte], after].concat());
            let without = [before, after].concat();
            let doubled = [before, &[text[at], text[at]], after].concat();
            instead.chain([without, doubled])
        })
    }

    #[test]
    fn a_changed_line_is_no_record_or_the_record_of_that_line() {
        let reused = Record {
            namespace: NamespaceId::Inode(10),
            root: MountId::Reused(1),
            nix: MountId::Reused(0),
            site: record().user,
            user: None,
            environment: false,
            profile: None,
            path: "/".into(),
            ..record()
        };
        for text in [record().to_text(), reused.to_text()] {
            let mut records = 0_u32;
            for changed in changes_of_one_byte(text.as_bytes()) {
                let Some(record) = Record::parse(OsStr::from_bytes(&changed)) else {
                    continue;
                };
                records += 1;
                let again = record.to_text();
                assert_eq!(Record::parse(&again), Some(record));
                let (again, changed) = (again.as_bytes(), &changed[..]);
                assert!(
                    again == changed,
                    "{} is not {}",
                    again.escape_ascii(),
                    changed.escape_ascii()
                );
            }
            assert!(records > 500, "{records} are too few to show anything");
        }
    }

    #[test]
    fn a_path_that_a_link_cannot_hold_is_in_no_record() {
        let of_length = |length: usize| Record {
            path: format!("/{}", "x".repeat(length - 1)).into(),
            ..record()
        };
        assert!(Record::parse(&of_length(LONGEST_PATH).to_text()).is_some());
        for length in [LONGEST_PATH + 1, 2 * LONGEST_PATH] {
            assert_eq!(Record::parse(&of_length(length).to_text()), None);
        }
    }

    #[test]
    fn the_longest_record_fits_into_a_link() {
        let fingerprint = Some(Fingerprint {
            device: u64::MAX,
            inode: u64::MAX,
            size: u64::MAX,
            ctime_seconds: i64::MIN,
            ctime_nanoseconds: i64::MIN,
        });
        let file = FileId {
            device: u64::MAX,
            inode: u64::MAX,
        };
        let longest = Record {
            uid: u32::MAX,
            namespace: NamespaceId::Unique(u64::MAX),
            inode: u64::MAX,
            origin: NamespaceId::Unique(u64::MAX),
            root: MountId::Unique(u64::MAX),
            nix: MountId::Unique(u64::MAX),
            store: file,
            host_nix: file,
            site: fingerprint,
            user: fingerprint,
            environment: false,
            profile: Some(Profile::State),
            binds: u64::MAX,
            path: format!("/{}", "x".repeat(LONGEST_PATH - 1)).into(),
        };
        let text = longest.to_text();
        assert!(text.len() <= 4095, "{}", text.len());
        assert_eq!(Record::parse(&text), Some(longest));
    }
}
