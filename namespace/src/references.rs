//! Files of the host through which something privileged would run what is on
//! `/nix`.
//!
//! A user who has `/nix` must gain nothing by it, and that is so only where
//! nothing privileged trusts it. An *uninstalled* Nix is enough: the hook it
//! leaves in `/etc/profile.d` runs `/nix/var/.../nix-daemon.sh` in every login
//! shell of root's. So these files are read, not assumed; and read again only
//! when one of them has changed.

mod cache;
mod mention;
mod places;
mod reach;

use std::collections::BTreeSet;
use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use config::{printable, printable_path};
use nix::sys::stat::FileStat;

pub(crate) use cache::first_reference;
use mention::{Mention, Named, mentions, named_files};
use places::{Found, Kind, advisory_places, places};
pub use reach::Whose;
use reach::{Reached, System, There};

/// Most files that one file may lead to, and so on.
const MOST_FILES: usize = 4096;

/// A privileged file that names `/nix`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reference {
    /// Which file.
    pub file: PathBuf,
    /// Which line, from 1; 0 in a file without lines.
    pub line: usize,
    /// What stands there.
    pub text: String,
}

/// What was read, and what it said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scan {
    /// Every reference, in the order of the files.
    pub references: Vec<Reference>,
    /// What the files were when they were read: see [`Scan::state`]. `None` if
    /// they changed meanwhile.
    pub state: Option<u64>,
    /// What was found by reading others: includes, scripts.
    pub found: Vec<Lead>,
}

/// What a file leads to: a file, a directory of them, or a pattern.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Lead {
    /// Whose files count there.
    pub whose: Whose,
    /// As it is named.
    pub path: PathBuf,
}

/// Files that name programs or rights of the system's own services.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Advisory {
    /// The units of the system's service manager.
    SystemdUnits,
    /// Rules by which programs are confined, or freed, by their path.
    AppArmorProfiles,
}

/// The privileged files of a system; in the unit tests, of none.
pub trait PrivilegedFiles {
    /// Reads them all.
    fn scan(&self) -> Scan;
    /// What they are now: see [`Scan::state`].
    fn state(&self, found: &[Lead]) -> u64;
}

/// Those of the running system.
#[derive(Debug, Clone, Copy, Default)]
pub struct HostFiles;

impl PrivilegedFiles for HostFiles {
    fn scan(&self) -> Scan {
        Scan::read(Path::new("/"))
    }

    fn state(&self, found: &[Lead]) -> u64 {
        Scan::state(Path::new("/"), found)
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let file = printable_path(&self.file);
        match self.line {
            0 => write!(f, "{file} {}", printable(&self.text)),
            line => write!(f, "{file}:{line}: {}", printable(&self.text)),
        }
    }
}

impl Scan {
    /// Reads every file on the system below `root` (`/`, but for tests).
    #[must_use]
    pub fn read(root: &Path) -> Self {
        // Twice: what was read between two equal states is what is there now.
        let first = Reading::of(root, places(root));
        let before = Self::state(root, &first.found);
        let second = Reading::of(root, places(root));
        let after = Self::state(root, &second.found);
        let is_same = first.references == second.references && first.found == second.found;
        let settled = before == after && is_same && second.is_roots;
        Self {
            // What was seen once may be there again.
            references: if second.references.is_empty() {
                first.references
            } else {
                second.references
            },
            state: settled.then_some(after),
            found: second.found,
        }
    }

    /// Reads the files of the system below `root` that something privileged
    /// reads outside of any session: an administrator should know what they
    /// say of `/nix`, and no login waits for it.
    #[must_use]
    pub fn read_advisory(root: &Path, of: Advisory) -> Self {
        let reading = Reading::of(root, advisory_places(root, of));
        Self {
            references: reading.references,
            state: None,
            found: reading.found,
        }
    }

    /// A number for what all these files are now, without reading one. `found`
    /// are those that reading had led to.
    #[must_use]
    pub fn state(root: &Path, found: &[Lead]) -> u64 {
        let mut hasher = DefaultHasher::new();
        let Ok(system) = System::below(root) else {
            return hasher.finish();
        };
        // Another release may find more in the same files.
        env!("CARGO_PKG_VERSION").hash(&mut hasher);
        for (place, kind) in places(root) {
            (&place.path, kind).hash(&mut hasher);
            match system.glance(&place.path) {
                Some(stat) => stat.as_ref().map(version).hash(&mut hasher),
                None => hash_what_is_there(&system, &place.path, Whose::Anybodys, &mut hasher),
            }
        }
        for lead in found {
            lead.hash(&mut hasher);
            for file in lead.files(root) {
                file.path.hash(&mut hasher);
                hash_what_is_there(&system, &file.path, lead.whose, &mut hasher);
            }
        }
        hasher.finish()
    }
}

impl Lead {
    /// The files that are there now: of a directory only where it is obeyed.
    fn files(&self, root: &Path) -> Vec<Found> {
        match self.whose {
            Whose::Anybodys => places::expand(root, &self.path),
            Whose::Roots => vec![Found::listed(self.path.clone())],
        }
    }
}

fn hash_what_is_there(system: &System, file: &Path, whose: Whose, hasher: &mut DefaultHasher) {
    match system.reach(file, whose).map(|reached| reached.there) {
        Ok(There::File(file)) => version(&file.stat).hash(hasher),
        // Not when it was last changed: that is not root's to say.
        Ok(There::Foreign(stat)) => stat
            .map(|it| (it.st_ino, it.st_uid, it.st_gid, it.st_mode))
            .hash(hasher),
        Ok(There::OnNix(place)) => place.hash(hasher),
        Ok(There::Nothing) => 0.hash(hasher),
        Ok(There::Directory) => 1.hash(hasher),
        Ok(There::Special) => 2.hash(hasher),
        Err(error) => error.raw_os_error().hash(hasher),
    }
}

/// What changes with a file.
fn version(stat: &FileStat) -> (u64, u64, i64, i64, i64) {
    (
        stat.st_dev,
        stat.st_ino,
        stat.st_size,
        stat.st_ctime,
        stat.st_ctime_nsec,
    )
}

/// One reading of files and of all that they lead to.
struct Reading<'a> {
    root: &'a Path,
    references: Vec<Reference>,
    found: Vec<Lead>,
    seen: BTreeSet<(PathBuf, Kind, Whose)>,
    /// Whether nobody but root can change what reading led to: what somebody else
    /// changes is not seen by [`Scan::state`].
    is_roots: bool,
}

impl<'a> Reading<'a> {
    fn of(root: &'a Path, places: Vec<(Found, Kind)>) -> Self {
        let mut reading = Self {
            root,
            references: Vec::new(),
            found: Vec::new(),
            seen: BTreeSet::new(),
            is_roots: true,
        };
        match System::below(root) {
            Ok(system) => {
                for (file, kind) in places {
                    reading.read_file(&system, &file, kind, Whose::Anybodys, false);
                }
            }
            Err(error) => reading.refer(Path::new("/"), 0, unknown(&error)),
        }
        reading
    }

    fn read_file(
        &mut self,
        system: &System,
        place: &Found,
        kind: Kind,
        whose: Whose,
        by_reading: bool,
    ) {
        let file = place.path.as_path();
        if !self.seen.insert((file.to_owned(), kind, whose)) {
            return;
        }
        if self.seen.len() > MOST_FILES {
            let why = format!("is file {} of those that others lead to", self.seen.len());
            return self.refer(file, 0, why);
        }
        if let Some(error) = &place.unlisted {
            return self.refer(file, 0, unknown(error));
        }
        let (there, is_foreign) = match system.reach(file, whose) {
            Ok(Reached { there, is_foreign }) => (there, is_foreign),
            // There is nothing by that name.
            Err(error) if whose == Whose::Roots && error.kind() == ErrorKind::NotADirectory => {
                return;
            }
            Err(error) => return self.refer(file, 0, unknown(&error)),
        };
        if by_reading && is_foreign && whose == Whose::Anybodys {
            self.is_roots = false;
        }
        match there {
            There::OnNix(target) => {
                self.refer(file, 0, format!("-> {}", target.display()));
            }
            There::File(_) if kind == Kind::Module => {}
            There::File(regular) => match regular.read() {
                Ok(bytes) => self.read_content(system, file, kind, &bytes),
                // Nobody obeys a text of that size.
                Err(error) if whose == Whose::Roots && is_too_large(&error) => {}
                Err(error) => self.refer(file, 0, unknown(&error)),
            },
            // It was none when places were listed; a stack may name one.
            There::Directory if whose == Whose::Anybodys => {
                self.refer(file, 0, unknown(&ErrorKind::IsADirectory.into()));
            }
            There::Nothing | There::Directory | There::Special | There::Foreign(_) => {}
        }
    }

    fn read_content(&mut self, system: &System, file: &Path, kind: Kind, bytes: &[u8]) {
        let mentions = mentions(bytes, kind);
        for Mention { line, text } in &mentions {
            self.refer(file, *line, text.clone());
        }
        let is_mentioned = |path: &Path| {
            let path = path.to_string_lossy();
            mentions.iter().any(|it| it.text.contains(&*path))
        };
        let directory = file.parent().unwrap_or(file);
        for Named { path, kind, whose } in named_files(bytes, kind, directory) {
            if path.starts_with(crate::NIX) && is_mentioned(&path) {
                continue;
            }
            let lead = Lead { whose, path };
            for file in lead.files(self.root) {
                self.read_file(system, &file, kind, whose, true);
            }
            if !self.found.contains(&lead) {
                self.found.push(lead);
            }
        }
    }

    fn refer(&mut self, file: &Path, line: usize, text: String) {
        let file = file.to_owned();
        let reference = Reference { file, line, text };
        if !self.references.contains(&reference) {
            self.references.push(reference);
        }
    }
}

fn is_too_large(error: &io::Error) -> bool {
    error.kind() == ErrorKind::FileTooLarge
}

/// What cannot be read may say anything.
fn unknown(error: &io::Error) -> String {
    format!("cannot be read: {error}")
}

/// An absolute path of the system, on the system below `root`.
fn below(root: &Path, path: &Path) -> PathBuf {
    root.join(path.strip_prefix("/").unwrap_or(path))
}

#[cfg(test)]
mod tests;
