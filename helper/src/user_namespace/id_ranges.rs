//! The ranges of ids that the administrator gave to an account
//! (`/etc/subuid`, `/etc/subgid`; subuid(5)). `newuidmap` sees to it that they
//! are the account's. What it does not look at is whose they are besides: with a
//! careless line it maps root, or a neighbour.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use config::{Account, printable, printable_path};

/// Lowest id of a range: below, systems have accounts, those of people and
/// services, of systemd (61184 to 65519) and nobody (65534).
const LOWEST: u32 = 65_536;
/// Most ids that are mapped: as many as a system of its own has.
const MOST: u32 = 65_536;

/// Consecutive ids, mapped to themselves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct IdRange {
    pub(super) first: u32,
    pub(super) count: u32,
}

/// What is wrong with a file of ranges.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It cannot be read.
    #[error("{}: {source}", printable_path(file))]
    Unreadable {
        /// Which.
        file: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The account has no line.
    #[error(
        "{}: no range of ids for {}; the administrator gives one: usermod --add-subuids and --add-subgids 100000-165535 {}",
        printable_path(file),
        printable(name),
        printable(name)
    )]
    None {
        /// Where it should be.
        file: PathBuf,
        /// Whose.
        name: String,
    },
    /// A line cannot be used.
    #[error("{}:{line}: {why}", printable_path(file))]
    Line {
        /// Which.
        file: PathBuf,
        /// Which, from 1.
        line: usize,
        /// What is wrong with it, and what to do.
        why: String,
    },
}

impl IdRange {
    /// Inside, outside, how many.
    pub(super) fn identity(&self) -> [u32; 3] {
        [self.first, self.first, self.count]
    }

    /// The same, as the kernel reads it.
    pub(super) fn line(&self) -> String {
        let [inside, outside, count] = self.identity();
        format!("{inside} {outside} {count}\n")
    }

    /// The id after the last one.
    fn end(self) -> u64 {
        u64::from(self.first).saturating_add(u64::from(self.count))
    }

    fn overlaps(self, other: Self) -> bool {
        u64::from(self.first) < other.end() && u64::from(other.first) < self.end()
    }
}

/// The ranges of an account, at most [`MOST`] ids in all.
///
/// # Errors
///
/// If there is none, or one that must not be mapped.
pub(super) fn id_ranges(file: &Path, account: &Account) -> Result<Vec<IdRange>, Error> {
    let text = fs::read_to_string(file).map_err(|source| Error::Unreadable {
        file: file.to_owned(),
        source,
    })?;
    let ranges = parse(&text, account).map_err(|(line, why)| Error::Line {
        file: file.to_owned(),
        line,
        why,
    })?;
    if ranges.is_empty() {
        return Err(Error::None {
            file: file.to_owned(),
            name: account.name.clone(),
        });
    }
    Ok(capped(ranges))
}

/// A line's number, from 1, and what is wrong with it.
type Wrong = (usize, String);

fn parse(text: &str, account: &Account) -> Result<Vec<IdRange>, Wrong> {
    let number = account.uid.to_string();
    let is_own = |owner: &str| owner == account.name || owner == number;
    let mut own: Vec<(usize, IdRange)> = Vec::new();
    let mut others = Vec::new();
    for (line, fields) in (1..).zip(text.lines().map(|line| line.split(':').collect())) {
        let fields: Vec<&str> = fields;
        match fields.as_slice() {
            [owner, first, count] if is_own(owner) => {
                let range = range(first, count).map_err(|why| (line, why))?;
                if let Some((other, _)) = own.iter().find(|(_, it)| it.overlaps(range)) {
                    return Err((line, format!("overlaps line {other}: remove one of them")));
                }
                own.push((line, range));
            }
            [_, first, count] => {
                if let (Ok(first), Ok(count)) = (first.parse(), count.parse()) {
                    others.push((line, IdRange { first, count }));
                }
            }
            [owner, ..] if is_own(owner) => {
                return Err((line, "has to be NAME:FIRST:COUNT".to_owned()));
            }
            _ => {}
        }
    }
    for (line, range) in &own {
        if let Some((other, _)) = others.iter().find(|(_, it)| it.overlaps(*range)) {
            let why =
                format!("overlaps line {other}, which is somebody else's: change one of them");
            return Err((*line, why));
        }
    }
    Ok(own.into_iter().map(|(_, range)| range).collect())
}

fn range(first: &str, count: &str) -> Result<IdRange, String> {
    let number = |text: &str| {
        let is_number = !text.is_empty() && text.bytes().all(|it| it.is_ascii_digit());
        let number = is_number.then(|| text.parse::<u32>().ok()).flatten();
        number.ok_or_else(|| format!("\"{}\" is not an id, nor a count", printable(text)))
    };
    let range = IdRange {
        first: number(first)?,
        count: number(count)?,
    };
    if range.count == 0 {
        return Err("a range of no ids: remove it".to_owned());
    }
    if range.first < LOWEST {
        return Err(format!(
            "begins at {}, where the accounts of the system are: let it begin at {LOWEST} or above",
            range.first
        ));
    }
    // The last number is nobody's id: calls take it for "leave as it is".
    if range.end() > u64::from(u32::MAX) {
        return Err("ends above the highest id there is".to_owned());
    }
    Ok(range)
}

fn capped(ranges: Vec<IdRange>) -> Vec<IdRange> {
    let mut left = MOST;
    let mut capped = Vec::new();
    for range in ranges {
        let count = range.count.min(left);
        left = left.saturating_sub(count);
        if count > 0 {
            capped.push(IdRange { count, ..range });
        }
    }
    capped
}

#[cfg(test)]
mod tests {
    use super::*;

    fn alice() -> Account {
        Account {
            name: "alice".to_owned(),
            uid: 1001,
            gid: 1001,
            groups: Vec::new(),
            home: "/home/alice".into(),
        }
    }

    fn ranges(text: &str) -> Result<Vec<(u32, u32)>, Wrong> {
        let ranges = parse(text, &alice())?;
        Ok(capped(ranges)
            .iter()
            .map(|it| (it.first, it.count))
            .collect())
    }

    #[test]
    fn ranges_by_name_and_by_number() {
        let text = "bob:100000:65536\nalice:165536:100\n1001:300000:5\n# note\n\n1001x:1:1\n";
        assert_eq!(ranges(text), Ok(vec![(165_536, 100), (300_000, 5)]));
        assert_eq!(ranges("bob:100000:65536\n"), Ok(Vec::new()));
    }

    #[test]
    fn no_more_than_a_system_has() {
        let text = "alice:100000:65000\nalice:200000:65000\nalice:300000:65000\n";
        assert_eq!(ranges(text), Ok(vec![(100_000, 65_000), (200_000, 536)]));
    }

    #[test]
    fn what_must_not_be_mapped_is_refused_with_its_line() {
        for (line, why) in [
            ("alice:100000:0", "no ids"),
            ("alice:0:65536", "accounts of the system"),
            ("alice:1000:10", "accounts of the system"),
            ("alice:65535:10", "accounts of the system"),
            ("1001:1:4294967295", "accounts of the system"),
            ("alice:4294967295:1", "highest id"),
            ("alice:4294901760:65536", "highest id"),
            ("alice:100000:4294967295", "highest id"),
            ("alice:4294967296:1", "not an id"),
            ("alice:100000:99999999999999999999", "not an id"),
            ("alice:+100000:1", "not an id"),
            ("alice:100000:-1", "not an id"),
            ("alice: 100000:1", "not an id"),
            ("alice::", "not an id"),
            ("alice:100000", "NAME:FIRST:COUNT"),
            ("alice:100000:1:1", "NAME:FIRST:COUNT"),
            ("alice", "NAME:FIRST:COUNT"),
        ] {
            let (number, found) = ranges(&format!("# first\n{line}\n")).unwrap_err();
            assert_eq!(number, 2, "{line}");
            assert!(found.contains(why), "{line}: {found}");
        }
        assert_eq!(
            ranges("alice:4294901759:65536\n"),
            Ok(vec![(4_294_901_759, 65_536)])
        );
    }

    #[test]
    fn ranges_that_are_somebody_elses_too_are_refused() {
        let (line, why) = ranges("alice:100000:65536\nbob:165535:10\n").unwrap_err();
        assert!(line == 1 && why.contains("line 2"), "{line} {why}");
        let (line, why) = ranges("alice:100000:10\nalice:100009:10\n").unwrap_err();
        assert!(line == 2 && why.contains("line 1"), "{line} {why}");
        assert!(ranges("alice:100000:10\nbob:100010:10\nbob:99990:10\n").is_ok());
    }
}
