//! PAM's configuration as libpam reads it (`pam.conf(5)`, `libpam/pam_handlers.c`
//! and `pam_line.c`): comments, continued lines, brackets, `include`,
//! `substack`, Debian's `@include`, vendors' directories.

use std::collections::BTreeSet;
use std::fmt;
use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use crate::control::Control;

/// Where stacks are, in libpam's order: the first that has a file of the
/// service's name is read. The last two are where distributions have libpam look
/// for a vendor's.
pub const DIRECTORIES: [&str; 4] = [
    "/etc/pam.d",
    "/usr/lib/pam.d",
    "/usr/etc/pam.d",
    "/usr/share/pam.d",
];

/// `PAM_SUBSTACK_MAX_LEVEL`.
const DEEPEST: usize = 16;
/// More lines than any service has.
const MOST_LINES: usize = 10_000;
/// No stack is larger.
const LARGEST: u64 = 1 << 20;

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
    /// Files that are there and could not be read, and why: they may say anything.
    pub unread: Vec<(PathBuf, String)>,
    /// The names by which other files are included.
    pub included: BTreeSet<String>,
}

/// Names of all services with a file of their own on the system below `root`.
#[must_use]
pub fn services(root: &Path) -> BTreeSet<String> {
    DIRECTORIES
        .iter()
        .filter_map(|directory| fs::read_dir(below(root, directory)).ok())
        .flatten()
        .flatten()
        .filter_map(|entry| entry.file_name().into_string().ok())
        .collect()
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
        for (number, words) in lines(&text) {
            let place = Place {
                file: file.to_owned(),
                line: number,
            };
            self.add_line(root, place, words, depth);
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
        if kind != "session" {
            return;
        }
        let Some(control) = words.next() else {
            return self
                .problems
                .push((place, "has no control field".to_owned()));
        };
        match bare(&control).to_ascii_lowercase().as_str() {
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
            module: module_name(bare(&module)),
            arguments: words.map(|word| bare(&word).to_owned()).collect(),
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
        let name = bare(&name).to_owned();
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

/// The file of this name that libpam would read, and what is in it.
fn open(root: &Path, name: &str) -> Option<(PathBuf, io::Result<String>)> {
    if name.starts_with('/') {
        return read(&below(root, name)).map(|text| (PathBuf::from(name), text));
    }
    DIRECTORIES.iter().find_map(|directory| {
        let file = Path::new(directory).join(name);
        let text = read(&below(root, &file))?;
        Some((file, text))
    })
}

/// `None` if there is no such file. What is there and cannot be read must not
/// pass for absent: another file would be taken for the stack.
fn read(file: &Path) -> Option<io::Result<String>> {
    let metadata = match fs::metadata(file) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == ErrorKind::NotFound => return None,
        Err(error) => return Some(Err(error)),
    };
    if !metadata.is_file() {
        return Some(Err(io::Error::other("it is no regular file")));
    }
    if metadata.len() > LARGEST {
        return Some(Err(io::Error::from(ErrorKind::FileTooLarge)));
    }
    // libpam knows bytes, of whatever encoding.
    let bytes = fs::read(file);
    Some(bytes.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()))
}

fn below(root: &Path, path: impl AsRef<Path>) -> PathBuf {
    let path = path.as_ref();
    root.join(path.strip_prefix("/").unwrap_or(path))
}

/// The words of each line of a stack, and the number of its first: comments left
/// out, continued lines put together, what is in brackets one word.
#[must_use]
pub fn lines(text: &str) -> Vec<(usize, Vec<String>)> {
    let lines = logical_lines(text).into_iter();
    lines.map(|(number, line)| (number, words(&line))).collect()
}

/// Lines without comments, continued ones put together, with the number of the
/// first. A comment ends its line, whatever stands before it or at its end; one
/// that has a line to itself does not end what it stands in
/// (`_pam_assemble_line`).
fn logical_lines(text: &str) -> Vec<(usize, String)> {
    let mut lines = Vec::new();
    let mut pending: Option<(usize, String)> = None;
    for (number, line) in (1..).zip(text.lines()) {
        let (line, comment) = match line.split_once('#') {
            Some((line, _)) => (line.trim(), true),
            None => (line.trim(), false),
        };
        if line.is_empty() && comment && pending.is_some() {
            continue;
        }
        let (line, goes_on) = match line.strip_suffix('\\') {
            Some(line) => (line, !comment),
            None => (line, false),
        };
        let (first, mut whole) = pending.take().unwrap_or((number, String::new()));
        whole.push_str(line);
        if goes_on {
            whole.push(' ');
            pending = Some((first, whole));
        } else {
            lines.push((first, whole));
        }
    }
    lines.extend(pending);
    lines
}

/// Words between blanks; one that begins with a bracket goes on to the closing
/// one, and `\]` is a bracket in it.
fn words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut characters = line.chars().peekable();
    loop {
        while characters.next_if(|it| it.is_whitespace()).is_some() {}
        let Some(first) = characters.next() else {
            return words;
        };
        let bracketed = first == '[';
        let mut word = String::from(first);
        while let Some(character) = characters.next_if(|it| bracketed || !it.is_whitespace()) {
            match character {
                '\\' if bracketed => word.extend(characters.next()),
                ']' if bracketed => {
                    word.push(']');
                    break;
                }
                character => word.push(character),
            }
        }
        words.push(word);
    }
}

/// A word without its brackets, which libpam takes off any.
#[must_use]
pub fn bare(word: &str) -> &str {
    let within = word.strip_prefix('[').and_then(|it| it.strip_suffix(']'));
    within.unwrap_or(word)
}

/// The type of a line; a module that is missing is no error with a `-`.
fn kind(word: &str) -> String {
    let word = bare(word);
    word.strip_prefix('-').unwrap_or(word).to_ascii_lowercase()
}

fn module_name(module: &str) -> String {
    let file = module.rsplit('/').next().unwrap_or(module);
    file.strip_suffix(".so").unwrap_or(file).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn system(files: &[(&str, &str)]) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for (file, text) in files {
            let file = below(root.path(), file);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, text).unwrap();
        }
        root
    }

    fn stack(files: &[(&str, &str)]) -> Stack {
        Stack::read(system(files).path(), "sshd").unwrap()
    }

    fn modules(stack: &Stack) -> Vec<(&str, usize)> {
        let lines = stack.lines.iter();
        lines
            .map(|line| (line.module.as_str(), line.place.line))
            .collect()
    }

    #[test]
    fn lines_are_put_together_and_comments_left_out() {
        let stack = stack(&[(
            "/etc/pam.d/sshd",
            "#%PAM-1.0\n\nauth required pam_unix.so\n\
             session  required \\\n  pam_a.so x y # z\n\
             -session [success=ok \\\n default=ignore] /lib/security/pam_b.so [a b\\]c] d # e\n\
             SESSION optional pam_c.so",
        )]);
        assert_eq!(modules(&stack), [("pam_a", 4), ("pam_b", 6), ("pam_c", 8)]);
        assert_eq!(stack.lines[1].arguments, ["a b]c", "d"]);
        assert!(stack.problems.is_empty(), "{:?}", stack.problems);
    }

    #[test]
    fn included_files_are_where_they_are_included() {
        let stack = stack(&[
            (
                "/etc/pam.d/sshd",
                "session include one\nsession substack two\n@include three\nauth include four\n",
            ),
            (
                "/etc/pam.d/one",
                "session required pam_1.so\nauth required pam_x.so\n",
            ),
            (
                "/usr/lib/pam.d/two",
                "session required pam_2.so\nsession include one\n",
            ),
            ("/usr/share/pam.d/three", "session required pam_3.so\n"),
            ("/usr/share/pam.d/one", "session required pam_never.so\n"),
        ]);
        let lines: Vec<_> = stack
            .lines
            .iter()
            .map(|line| (line.module.as_str(), line.level))
            .collect();
        assert_eq!(
            lines,
            [("pam_1", 0), ("pam_2", 1), ("pam_1", 1), ("pam_3", 0)]
        );
    }

    #[test]
    fn what_libpam_complains_of_is_found() {
        let stack = stack(&[(
            "/etc/pam.d/sshd",
            "session include gone\nsession\nsession required\nsession requird pam_a.so\nsession include sshd\n",
        )]);
        let lines: BTreeSet<usize> = stack.problems.iter().map(|(place, _)| place.line).collect();
        assert_eq!(lines, BTreeSet::from([1, 2, 3, 4, 5]));
    }

    #[test]
    fn what_is_there_is_read_whatever_its_encoding() {
        let root = system(&[("/usr/lib/pam.d/sshd", "session required pam_never.so")]);
        fs::create_dir(root.path().join("etc")).unwrap();
        fs::create_dir(root.path().join("etc/pam.d")).unwrap();
        let file = root.path().join("etc/pam.d/sshd");
        fs::write(&file, b"# gr\xfc\xdfe\nsession required pam_a.so\n").unwrap();
        let stack = Stack::read(root.path(), "sshd").unwrap();
        assert_eq!(modules(&stack), [("pam_a", 2)]);
        assert!(stack.problems.is_empty() && stack.unread.is_empty());
    }

    #[test]
    fn what_is_there_and_cannot_be_read_does_not_pass_for_absent() {
        let root = system(&[("/usr/lib/pam.d/sshd", "session required pam_never.so")]);
        fs::create_dir_all(root.path().join("etc/pam.d/sshd")).unwrap();
        let stack = Stack::read(root.path(), "sshd").unwrap();
        assert!(stack.lines.is_empty());
        assert_eq!(stack.unread.len(), 1);
        let large = "#".repeat(usize::try_from(LARGEST).unwrap() + 1);
        let root = system(&[
            ("/etc/pam.d/sshd", &large),
            ("/usr/lib/pam.d/sshd", "session required pam_never.so"),
        ]);
        let stack = Stack::read(root.path(), "sshd").unwrap();
        assert!(stack.lines.is_empty());
        assert_eq!(stack.unread.len(), 1);
    }

    #[test]
    fn a_comment_does_not_go_on() {
        let stack = stack(&[(
            "/etc/pam.d/sshd",
            "# a comment \\\nsession required pam_a.so # another \\\nsession required pam_b.so\n\
             session required pam_c.so \\ # a third\nsession required pam_d.so \\# \\\n\
             session required \\\n# within\npam_e.so\n",
        )]);
        let lines = [
            ("pam_a", 2),
            ("pam_b", 3),
            ("pam_c", 4),
            ("pam_d", 5),
            ("pam_e", 6),
        ];
        assert_eq!(modules(&stack), lines);
    }

    #[test]
    fn a_bracket_or_a_backslash_within_a_word_is_a_character_of_it() {
        let stack = stack(&[(
            "/etc/pam.d/sshd",
            r"session optional pam_a.so a\b c]d e[f g] [h\]i j]",
        )]);
        assert_eq!(
            stack.lines[0].arguments,
            [r"a\b", "c]d", "e[f", "g]", "h]i j"]
        );
        assert_eq!(stack.lines[0].place.to_string(), "/etc/pam.d/sshd:1");
    }

    #[test]
    fn the_largest_file_is_read_and_what_is_no_directory_is_not_absent() {
        let line = "session required pam_a.so\n#";
        let room = usize::try_from(LARGEST).unwrap() - line.len();
        let largest = format!("{line}{}", "x".repeat(room));
        assert_eq!(
            modules(&stack(&[("/etc/pam.d/sshd", &largest)])),
            [("pam_a", 1)]
        );
        let root = system(&[("/usr/lib/pam.d/sshd", line)]);
        fs::write(root.path().join("etc"), "").unwrap();
        assert_eq!(Stack::read(root.path(), "sshd").unwrap().unread.len(), 1);
    }

    #[test]
    fn brackets_and_a_minus_may_be_anywhere() {
        let stack = stack(&[
            (
                "/etc/pam.d/sshd",
                "[session] optional [pam_a.so] [x y]\n-[session] optional pam_never.so\n\
                 [-session] optional pam_b.so\nsession [include] one\n-@include two\n[@include] [three]\n",
            ),
            ("/etc/pam.d/one", "session required pam_1.so\n"),
            ("/etc/pam.d/two", "session required pam_2.so\n"),
            ("/etc/pam.d/three", "session required pam_3.so\n"),
        ]);
        let names: Vec<_> = stack.lines.iter().map(|it| it.module.as_str()).collect();
        assert_eq!(names, ["pam_a", "pam_b", "pam_1", "pam_2", "pam_3"]);
        assert_eq!(stack.lines[0].arguments, ["x y"]);
    }

    #[test]
    fn a_jump_takes_a_substack_for_one_line() {
        let stack = stack(&[
            (
                "/etc/pam.d/sshd",
                "session [success=2 default=ignore] pam_0.so\nsession substack two\nsession required pam_3.so\nsession required pam_4.so\n",
            ),
            (
                "/etc/pam.d/two",
                "session required pam_1.so\nsession required pam_2.so\n",
            ),
        ]);
        assert_eq!(stack.skipped(0, 1), 1..3);
        assert_eq!(stack.skipped(0, 2), 1..4);
        assert_eq!(stack.skipped(0, 9), 1..5);
        assert_eq!(stack.skipped(1, 9), 2..3);
    }

    #[test]
    fn files_that_include_each_other_again_and_again_come_to_an_end() {
        let twice = "session include sshd\nsession include sshd\n".repeat(8);
        let stack = stack(&[("/etc/pam.d/sshd", &twice)]);
        assert!(stack.problems.len() < 2 * MOST_LINES);
    }

    #[test]
    fn every_service_is_known_once() {
        let root = system(&[
            ("/etc/pam.d/sshd", ""),
            ("/usr/lib/pam.d/sshd", ""),
            ("/usr/lib/pam.d/systemd-user", ""),
        ]);
        assert_eq!(services(root.path()).len(), 2);
    }
}
