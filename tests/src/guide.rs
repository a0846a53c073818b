//! A Markdown file as something to follow: its blocks of commands, files and
//! output, and what a comment in the line before each says is done with it.
//!
//! | comment | |
//! |---|---|
//! | `<!-- tried: as alice -->` | run by alice, in a login of its own; must succeed |
//! | `<!-- tried: shows -->` | what the commands before printed; a line `...` is any lines |
//! | `<!-- tried: around FILE... -->` | put around what is in these files, at the line with `...` |
//! | `<!-- not tried: REASON -->` | |

use std::fs;

use crate::package::workspace;
use crate::{Machine, User};

/// Languages of blocks that a reader acts by.
const LANGUAGES: [&str; 4] = ["sh", "pam", "text", "toml"];

/// The Markdown files that people read, as paths in this project.
///
/// # Panics
///
/// When one cannot be found.
#[must_use]
pub fn pages() -> Vec<String> {
    let mut pages: Vec<String> = [
        "README.md",
        "SECURITY.md",
        "ARCHITECTURE.md",
        "CONTRIBUTING.md",
        "CHANGELOG.md",
    ]
    .map(str::to_owned)
    .into();
    for folder in ["docs", "docs/guides"] {
        for entry in fs::read_dir(workspace().join(folder)).unwrap() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            if name.ends_with(".md") {
                pages.push(format!("{folder}/{name}"));
            }
        }
    }
    pages
}

/// A block, and what is done with it.
#[derive(Debug, PartialEq, Eq)]
pub struct Step {
    /// Where it begins.
    pub line: usize,
    /// What is in it.
    pub text: String,
    /// What is done with it.
    pub how: How,
}

/// What is done with a block.
#[derive(Debug, PartialEq, Eq)]
pub enum How {
    /// Run by this user, in a login of its own.
    As(String),
    /// Compared with what the commands before printed.
    Shows,
    /// Put around what is in these files.
    Around(Vec<String>),
    /// Nothing, and why.
    NotTried(String),
}

/// The steps of a Markdown text.
///
/// # Errors
///
/// When a block says nothing of what is done with it, or something unknown.
pub fn steps(markdown: &str) -> Result<Vec<Step>, String> {
    let mut steps = Vec::new();
    let mut lines = (1..).zip(markdown.lines());
    let mut before = "";
    while let Some((line, text)) = lines.next() {
        if let Some(language) = text.strip_prefix("```") {
            let block: Vec<&str> = lines
                .by_ref()
                .map(|(_, text)| text)
                .take_while(|text| *text != "```")
                .collect();
            if LANGUAGES.contains(&language) {
                let how = how(before).ok_or_else(|| format!("line {line}: after {before:?}"))?;
                let text = block.join("\n");
                steps.push(Step { line, text, how });
            }
        }
        before = text;
    }
    Ok(steps)
}

fn how(comment: &str) -> Option<How> {
    let words = comment.strip_prefix("<!-- ")?.strip_suffix(" -->")?;
    if let Some(reason) = words.strip_prefix("not tried: ") {
        return Some(How::NotTried(reason.to_owned()));
    }
    let mut words = words.strip_prefix("tried: ")?.split(' ');
    match (words.next()?, words.map(str::to_owned).collect::<Vec<_>>()) {
        ("as", user) if user.len() == 1 => user.into_iter().next().map(How::As),
        ("shows", rest) if rest.is_empty() => Some(How::Shows),
        ("around", files) if !files.is_empty() => Some(How::Around(files)),
        _ => None,
    }
}

/// Whether a text is what a page says is shown: line by line, where `...` is any
/// number of lines, and spaces do not count.
#[must_use]
pub fn is_shown(text: &str, page: &str) -> bool {
    fn matches(text: &[String], page: &[String]) -> bool {
        match page.split_first() {
            None => text.is_empty(),
            Some((any, page)) if any == "..." => {
                (0..=text.len()).any(|n| matches(&text[n..], page))
            }
            Some((line, page)) => text.first() == Some(line) && matches(&text[1..], page),
        }
    }
    let lines = |text: &str| -> Vec<String> {
        let lines = text.lines().map(str::split_whitespace);
        let lines = lines.map(|words| words.collect::<Vec<_>>().join(" "));
        lines.filter(|line| !line.is_empty()).collect()
    };
    matches(&lines(text), &lines(page))
}

impl Machine {
    /// Does what a Markdown file of this project says, in its order.
    ///
    /// # Panics
    ///
    /// When something of it does not do what it says.
    #[track_caller]
    pub fn follow(&self, file: &str) {
        let markdown = fs::read_to_string(workspace().join(file)).expect("of this project");
        let steps = steps(&markdown).unwrap_or_else(|error| panic!("{file}, {error}"));
        let mut printed = String::new();
        for Step { line, text, how } in steps {
            match how {
                How::As(user) => {
                    let output = self.ssh(&user, &format!("set -e\n{text}"));
                    let ended = output.status == crate::Status::Exited(0);
                    assert!(ended, "{file}, line {line}: {output}");
                    printed = output.stdout;
                }
                How::Shows => assert!(
                    is_shown(&printed, &text),
                    "{file}, line {line}: it shows\n{printed}"
                ),
                How::Around(files) => files.iter().for_each(|it| self.put_around(it, &text)),
                How::NotTried(_) => {}
            }
        }
    }

    fn put_around(&self, file: &str, text: &str) {
        let there = self.read(file);
        let lines = text.lines().map(|line| {
            if line.contains("...") {
                there.as_str()
            } else {
                line
            }
        });
        let text: String = lines.flat_map(|line| [line, "\n"]).collect();
        self.write(file, text, 0o644, &User::root());
    }
}
