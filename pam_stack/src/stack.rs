//! The session lines of a service (`libpam/pam_handlers.c`): `include`,
//! `substack`, Debian's `@include`.

use std::collections::BTreeSet;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use crate::control::Control;
use crate::files::open;
use crate::text::{Release, doubts, lines};

/// `PAM_SUBSTACK_MAX_LEVEL`.
const DEEPEST: usize = 16;
/// More lines than any service has.
const MOST_LINES: usize = 10_000;

/// A module's line in the session stack of a service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// Where it stands.
    pub place: Place,
    /// `None`: nothing libpam understands, so it always fails.
    pub control: Option<Control>,
    /// The module's file name, without directory and without `.so`.
    pub module: String,
    /// What follows the module.
    pub arguments: Vec<String>,
    /// How many substacks it is in.
    pub level: usize,
}

/// A file and a line in it, from 1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// As it is called on that system.
    pub file: PathBuf,
    /// The first, of a line that goes on.
    pub line: usize,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file.display(), self.line)
    }
}

/// The session lines of a service, includes replaced by what they include.
#[derive(Debug, Default)]
pub struct Stack {
    /// In the order in which they are worked off.
    pub lines: Vec<Line>,
    /// What libpam would complain of.
    pub problems: Vec<(Place, String)>,
    /// What releases of libpam read differently.
    pub doubts: Vec<(Place, &'static str)>,
    /// Files that are there and could not be read, and why: they may say anything.
    pub unread: Vec<(PathBuf, String)>,
    /// The names by which other files are included.
    pub included: BTreeSet<String>,
}

impl Stack {
    /// Reads the session stack of a service on the system below `root`; `None`
    /// if the service has no file.
    #[must_use]
    pub fn read(root: &Path, service: &str) -> Option<Self> {
        let mut stack = Self::default();
        let (file, text) = open(root, service)?;
        stack.add_file(root, &file, text, Depth::default());
        Some(stack)
    }

    fn add_file(&mut self, root: &Path, file: &Path, text: io::Result<String>, depth: Depth) {
        let text = match text {
            Ok(text) => text,
            Err(error) => return self.unread.push((file.to_owned(), error.to_string())),
        };
        let place = |line| Place {
            file: file.to_owned(),
            line,
        };
        let doubts = doubts(&text).into_iter();
        self.doubts
            .extend(doubts.map(|(number, why)| (place(number), why)));
        for (number, words) in lines(&text, Release::Newer) {
            self.add_line(root, place(number), words, depth);
        }
    }

    fn add_line(&mut self, root: &Path, place: Place, words: Vec<String>, depth: Depth) {
        let mut words = words.into_iter();
        let Some(kind) = words.next().map(|word| kind(&word)) else {
            return;
        };
        // Debian's own: every type of the other file.
        if kind == "@include" {
            return self.include(root, place, words.next(), depth.included());
        }
        match kind.as_str() {
            "session" => {}
            "auth" | "account" | "password" => return,
            _ => {
                let problem = format!("is of a type that libpam does not know: {kind}");
                return self.problems.push((place, problem));
            }
        }
        let Some(control) = words.next() else {
            return self
                .problems
                .push((place, "has no control field".to_owned()));
        };
        match control.to_ascii_lowercase().as_str() {
            "include" => return self.include(root, place, words.next(), depth.included()),
            "substack" => return self.include(root, place, words.next(), depth.stacked()),
            _ => {}
        }
        let Some(module) = words.next() else {
            return self.problems.push((place, "names no module".to_owned()));
        };
        let parsed = Control::parse(&control);
        if parsed.is_none() {
            let problem = format!("has a control field that libpam does not understand: {control}");
            self.problems.push((place.clone(), problem));
        }
        self.lines.push(Line {
            place,
            control: parsed,
            module: module_name(&module),
            arguments: words.collect(),
            level: depth.stacks,
        });
    }

    fn include(&mut self, root: &Path, place: Place, name: Option<String>, depth: Depth) {
        let Some(name) = name else {
            return self.problems.push((place, "includes nothing".to_owned()));
        };
        // Files that include each other twice would otherwise fill the memory.
        let many = self.lines.len().saturating_add(self.problems.len()) > MOST_LINES;
        if depth.files >= DEEPEST || many {
            return self
                .problems
                .push((place, "includes too deeply".to_owned()));
        }
        self.included.insert(name.clone());
        match open(root, &name) {
            Some((file, text)) => self.add_file(root, &file, text, depth),
            None => {
                let problem = format!("includes {name}, which is not there");
                self.problems.push((place, problem));
            }
        }
    }

    /// The lines that a jump of so many from the line at `index` skips: a
    /// substack counts as one (`libpam/pam_dispatch.c`).
    #[must_use]
    pub fn skipped(&self, index: usize, jump: usize) -> std::ops::Range<usize> {
        let start = index.saturating_add(1);
        let level = self.lines.get(index).map_or(0, |line| line.level);
        let mut end = start;
        for _ in 0..jump {
            if self.lines.get(end).is_none_or(|line| line.level < level) {
                break;
            }
            end = end.saturating_add(1);
            while self.lines.get(end).is_some_and(|line| line.level > level) {
                end = end.saturating_add(1);
            }
        }
        start..end
    }
}

/// How deep a file is included.
#[derive(Debug, Clone, Copy, Default)]
struct Depth {
    files: usize,
    stacks: usize,
}

impl Depth {
    fn included(self) -> Self {
        Self {
            files: self.files.saturating_add(1),
            ..self
        }
    }

    fn stacked(self) -> Self {
        Self {
            stacks: self.stacks.saturating_add(1),
            ..self.included()
        }
    }
}

/// The type of a line; a module that is missing is no error with a `-`.
fn kind(word: &str) -> String {
    word.strip_prefix('-').unwrap_or(word).to_ascii_lowercase()
}

fn module_name(module: &str) -> String {
    let file = module.rsplit('/').next().unwrap_or(module);
    file.strip_suffix(".so").unwrap_or(file).to_owned()
}

#[cfg(test)]
mod tests;
