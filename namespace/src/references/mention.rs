//! What counts as a mention of `/nix`, and what a file leads to.

use std::path::{Path, PathBuf};

use pam_stack::Release;

use super::places::Kind;
use super::reach::Whose;

/// A line that names `/nix`.
pub(super) struct Mention {
    pub(super) line: usize,
    pub(super) text: String,
}

/// All lines of a file that name `/nix`.
pub(super) fn mentions(bytes: &[u8], kind: Kind) -> Vec<Mention> {
    // A program that a stack has run may be one without lines.
    let is_binary = kind == Kind::Binary || (kind == Kind::Text && bytes.contains(&0));
    if is_binary {
        let mention = names_nix(bytes).then(|| Mention {
            line: 0,
            text: "holds a path in /nix".to_owned(),
        });
        return mention.into_iter().collect();
    }
    lines(bytes)
        .filter(|(number, line)| counts(line, kind) || is_interpreter(*number, line, kind))
        .map(|(line, text)| Mention {
            line,
            text: text.trim().to_owned(),
        })
        .collect()
}

/// A file that another one leads to.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Named {
    pub(super) path: PathBuf,
    pub(super) kind: Kind,
    /// Who may have made what is there, to be read at all.
    pub(super) whose: Whose,
}

impl Named {
    /// What is obeyed, whoever wrote it.
    fn obeyed(path: PathBuf, kind: Kind) -> Self {
        let whose = Whose::Anybodys;
        Self { path, kind, whose }
    }
}

/// The files that a file in `directory` includes, or runs, or has read.
pub(super) fn named_files(bytes: &[u8], kind: Kind, directory: &Path) -> Vec<Named> {
    if kind == Kind::Pam {
        let text = String::from_utf8_lossy(bytes);
        // Which release it is that obeys them nobody says.
        let mut lines = pam_stack::lines(&text, Release::Older);
        lines.extend(pam_stack::lines(&text, Release::Newer));
        lines.sort_unstable();
        lines.dedup();
        let words = lines.iter().map(|(_, words)| words);
        return words.flat_map(|words| named_in_stack(words)).collect();
    }
    let text = String::from_utf8_lossy(bytes);
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    if kind == Kind::Sudoers {
        // A comment at its end goes on as little as one that is all of it, and
        // whether that is one only sudo knows: so either way.
        lines.extend(whole_lines(&text));
    }
    let mut named = Vec::new();
    for line in lines {
        let words = words(&line);
        let rest = words.iter().skip(1);
        match (kind, words.first().map(String::as_str)) {
            (Kind::Sudoers, Some(first)) if is_include(first) => {
                // The host's name.
                let obeyed = |file: &String| directory.join(file.replace("%h", "*"));
                named.extend(rest.take(1).map(|file| Named::obeyed(obeyed(file), kind)));
            }
            (Kind::Linker, Some("include")) => {
                named.extend(rest.map(|file| Named::obeyed(directory.join(file), kind)));
            }
            _ => {}
        }
    }
    named.dedup();
    named
}

/// Modules that run their first argument.
const RUNNERS: [&str; 3] = ["pam_exec", "pam_perl", "pam_python"];
/// Modules that obey no file they are given, and have them in places where users
/// write, or full of what the system says of itself.
const READERS_OF_DATA: [&str; 15] = [
    "pam_access",
    "pam_echo",
    "pam_faillock",
    "pam_issue",
    "pam_lastlog",
    "pam_lastlog2",
    "pam_limits",
    "pam_listfile",
    "pam_mail",
    "pam_motd",
    "pam_pwhistory",
    "pam_sepermit",
    "pam_tally2",
    "pam_time",
    "pam_userdb",
];

/// What a line has PAM run or obey; and what it may, if a module that is not
/// known here does.
fn named_in_stack(words: &[String]) -> Vec<Named> {
    let mut all = words.iter().map(String::as_str);
    let module = all.find(|word| word.ends_with(".so"));
    let mut named: Vec<Named> = module
        .filter(|module| module.starts_with('/'))
        .map(|module| Named::obeyed(module.into(), Kind::Module))
        .into_iter()
        .collect();
    let module = module.map(module_name);
    if module.is_some_and(|it| READERS_OF_DATA.contains(&it)) {
        return named;
    }
    let includes = |word: &String| {
        let word = word.trim_start_matches('-').to_ascii_lowercase();
        ["include", "substack", "@include"].contains(&word.as_str())
    };
    let includes = module.is_none() && words.iter().take(3).any(includes);
    let mut has_program = false;
    for (key, path) in words.iter().filter_map(|word| argument(word)) {
        let is_obeyed = match (module, key) {
            (None, _) => includes,
            (Some("pam_env"), Some("envfile" | "conffile")) => true,
            (Some("pam_script"), Some("dir")) => true,
            (Some(module), None) if RUNNERS.contains(&module) => {
                !std::mem::replace(&mut has_program, true)
            }
            _ => false,
        };
        if is_obeyed {
            let kind = if includes { Kind::Pam } else { Kind::Text };
            named.push(Named::obeyed(path, kind));
        } else if !is_a_log(key, &path) {
            named.push(Named {
                path,
                kind: Kind::Text,
                whose: Whose::Roots,
            });
        }
    }
    named
}

fn module_name(word: &str) -> &str {
    let file = word.rsplit('/').next().unwrap_or_default();
    file.strip_suffix(".so").unwrap_or(file)
}

/// `/usr/sbin/hook` or `envfile=/etc/more`; a module is none.
fn argument(word: &str) -> Option<(Option<&str>, PathBuf)> {
    let (key, path) = match word.split_once('=') {
        Some((key, path)) if !key.starts_with('/') => (Some(key), path),
        _ => (None, word),
    };
    let is_file = path.starts_with('/') && !path.ends_with(".so");
    is_file.then(|| (key, PathBuf::from(path)))
}

/// What is written there is nobody's program, and may be what somebody who has not
/// even logged in made the system say.
fn is_a_log(key: Option<&str>, path: &Path) -> bool {
    let key = key.unwrap_or_default().to_ascii_lowercase();
    let places = [
        "/var/log", "/run", "/var/run", "/tmp", "/var/tmp", "/dev", "/proc", "/sys",
    ];
    key.contains("log") || key.contains("debug") || places.iter().any(|it| path.starts_with(it))
}

/// Lines as sudo reads them: a backslash at the end goes on, but not that of a
/// comment.
fn whole_lines(text: &str) -> Vec<String> {
    let mut whole = vec![String::new()];
    let mut goes_on = false;
    for line in text.lines() {
        let first = line.split_whitespace().next().unwrap_or_default();
        if is_comment(line) && !is_include(first) {
            goes_on = false;
            continue;
        }
        if !goes_on {
            whole.push(String::new());
        }
        goes_on = line.ends_with('\\');
        if let Some(last) = whole.last_mut() {
            last.push_str(line.strip_suffix('\\').unwrap_or(line));
            last.push(' ');
        }
    }
    whole
}

/// Words between blanks, but for blanks in double quotes or after a backslash.
fn words(line: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let (mut quoted, mut characters) = (false, line.chars());
    while let Some(character) = characters.next() {
        let character = match character {
            '"' => {
                quoted = !quoted;
                continue;
            }
            blank if blank.is_whitespace() && !quoted => {
                words.push(String::new());
                continue;
            }
            '\\' => match characters.next() {
                Some(character) => character,
                None => break,
            },
            character => character,
        };
        if let Some(word) = words.last_mut() {
            word.push(character);
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

fn lines(bytes: &[u8]) -> impl Iterator<Item = (usize, String)> {
    let lines = bytes
        .split(|byte| *byte == b'\n')
        .map(|line| String::from_utf8_lossy(line).into_owned());
    (1..).zip(lines)
}

fn counts(line: &str, kind: Kind) -> bool {
    match kind {
        Kind::Accounts => line
            .rsplit(':')
            .next()
            .is_some_and(|shell| names_nix(shell.as_bytes())),
        Kind::Sudoers
            if is_number(line) || line.split_ascii_whitespace().next().is_some_and(is_include) =>
        {
            names_nix(line.as_bytes())
        }
        _ => !is_comment(line) && names_nix(line.as_bytes()),
    }
}

/// What runs a script (execve(2), "Interpreter scripts").
fn is_interpreter(number: usize, line: &str, kind: Kind) -> bool {
    let is_first = number == 1 && line.starts_with("#!");
    is_first && kind == Kind::Text && names_nix(line.as_bytes())
}

/// A user or a group of sudoers by number.
fn is_number(line: &str) -> bool {
    let number = line.trim_start().strip_prefix('#').unwrap_or_default();
    let number = number.strip_prefix('-').unwrap_or(number);
    number.starts_with(|it: char| it.is_ascii_digit())
}

fn is_comment(line: &str) -> bool {
    line.trim_start().starts_with('#')
}

fn is_include(word: &str) -> bool {
    ["@include", "@includedir", "#include", "#includedir"].contains(&word)
}

/// Whether `/nix` stands there as a path of its own: `/nix`, `/nix/store`, but
/// not `/etc/nix-ns`, `/nixos`, `~/nix` or `$HOME/nix`.
fn names_nix(bytes: &[u8]) -> bool {
    let plain = without_dots(bytes);
    let ends = |at: usize| ends_name(plain.get(at.saturating_add(NIX.len())));
    let mut starts = plain
        .windows(NIX.len())
        .enumerate()
        .filter(|(_, window)| *window == NIX);
    starts.any(|(at, _)| begins_path(plain.get(..at).unwrap_or_default()) && ends(at))
}

const NIX: &[u8] = b"/nix";

/// `/./` is `/`.
fn without_dots(bytes: &[u8]) -> Vec<u8> {
    let mut plain = Vec::with_capacity(bytes.len());
    for byte in bytes {
        plain.push(*byte);
        while plain.ends_with(b"/./") {
            plain.truncate(plain.len().saturating_sub(2));
        }
    }
    plain
}

/// After nothing that a path goes on from, or after a way back to the root
/// (`/etc/../nix`). A `-` is what stands before a default (`${VARIABLE:-/nix}`), and
/// an option (`-L/nix`) is a letter behind one, of which the small ones may end a
/// name, too (`/srv/build-x/nix`).
fn begins_path(before: &[u8]) -> bool {
    let is_option = |rest: &[u8], letter: &u8| {
        let is_apart = rest
            .last()
            .is_none_or(|it| !is_of_a_name(*it) && *it != b'/');
        letter.is_ascii_uppercase() || (letter.is_ascii_lowercase() && is_apart)
    };
    match before {
        [.., b'/', b'.', b'.'] | [.., b'-'] | [] => true,
        [rest @ .., b'-', letter] if is_option(rest, letter) => true,
        [.., byte] => !(is_of_a_name(*byte) || *byte == b'~'),
    }
}

/// What may stand in a name before or after which there is no other one.
fn is_of_a_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"_-.".contains(&byte)
}

fn ends_name(after: Option<&u8>) -> bool {
    after.is_none_or(|byte| !is_of_a_name(*byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_nix_itself_is_nix() {
        for text in [
            "/nix",
            "/nix/store",
            ". /nix/x",
            "PATH=/nix/bin:/bin",
            "PATH=/bin:/nix",
            "\"/nix\"",
            "'/nix/x'",
            "${ROOT}/nix/x",
            "//nix",
            "x=/nix;",
            "\0/nix/store\0",
            "-L/nix/lib",
            "/./nix/x",
            "/etc/../nix/x",
            "/././nix",
            ". ${HOOK:-/nix/x}",
            "x=${HOOK-/nix/x}",
            "cc -l/nix/x",
            "-f/nix/x",
        ] {
            assert!(names_nix(text.as_bytes()), "{text}");
        }
        for text in [
            "/nixos",
            "/nix-ns",
            "/etc/nix-ns/config.toml",
            "~/nix",
            "$HOME/nix",
            "/srv/nix",
            "/srv/build-x/nix",
            "/srv/-x/nix",
            "$-0/nix",
            "./nix",
            "../nix",
            "/nix.sh",
            "nix",
            "",
        ] {
            assert!(!names_nix(text.as_bytes()), "{text}");
        }
    }

    #[test]
    fn a_comment_names_nothing_unless_sudo_obeys_it() {
        assert!(mentions(b"# see /nix\n  #/nix/x\n", Kind::Text).is_empty());
        assert!(mentions(b"# see /nix\n", Kind::Sudoers).is_empty());
        assert_eq!(
            mentions(b"\n#include /nix/sudoers\n", Kind::Sudoers)[0].line,
            2
        );
    }

    /// Whatever stands before and after, one byte each.
    #[test]
    fn only_what_could_be_part_of_a_name_makes_it_another_path() {
        for byte in 0..=u8::MAX {
            let part = byte.is_ascii_alphanumeric() || b"_-.".contains(&byte);
            let before = [&[byte][..], b"/nix/x"].concat();
            let goes_on = (part && byte != b'-') || byte == b'~';
            assert_eq!(names_nix(&before), !goes_on, "{byte}");
            let after = [b"/nix", &[byte][..], b"x"].concat();
            assert_eq!(names_nix(&after), !part, "{byte}");
        }
    }

    #[test]
    fn every_word_that_includes_is_obeyed_and_no_other() {
        for word in ["@include", "@includedir", "#include", "#includedir"] {
            let line = format!("{word} /etc/more\n");
            let named = named_files(line.as_bytes(), Kind::Sudoers, Path::new("/etc"));
            assert_eq!(named, [Named::obeyed("/etc/more".into(), Kind::Sudoers)]);
            assert!(named_files(line.as_bytes(), Kind::Text, Path::new("/etc")).is_empty());
        }
        for line in [
            "root /etc/more",
            "# include /etc/more",
            "@included /etc/more",
        ] {
            let named = named_files(line.as_bytes(), Kind::Sudoers, Path::new("/etc"));
            assert!(named.is_empty(), "{line}");
        }
    }

    #[test]
    fn blanks_in_quotes_or_after_a_backslash_divide_no_words() {
        assert_eq!(words(r#"a "b c"d  e\ f"#), ["a", "b cd", "e f"]);
        assert_eq!(
            words(r#"@include "/etc/more rules" "#),
            ["@include", "/etc/more rules"]
        );
        assert!(words("  ").is_empty());
    }

    #[test]
    fn a_linkers_include_names_files_and_nothing_else_does() {
        assert_eq!(
            named_files(b"include /etc/x/*.conf\n", Kind::Linker, Path::new("/etc")),
            [Named::obeyed("/etc/x/*.conf".into(), Kind::Linker)]
        );
        for line in ["/usr/lib /etc/x", "# include /etc/x", "included x"] {
            assert!(
                named_files(line.as_bytes(), Kind::Linker, Path::new("/etc")).is_empty(),
                "{line}"
            );
        }
    }

    #[test]
    fn only_what_pam_runs_is_a_script_of_its() {
        for line in [
            "session optional pam_exec.so quiet /usr/sbin/hook",
            "auth required /lib/security/pam_exec.so /usr/sbin/hook x",
        ] {
            let mut named = named_files(line.as_bytes(), Kind::Pam, Path::new("/etc"));
            named.retain(|it| it.kind != Kind::Module);
            let hook = Named::obeyed("/usr/sbin/hook".into(), Kind::Text);
            assert_eq!(named, [hook], "{line}");
        }
        for line in [
            "# session optional pam_exec.so /usr/sbin/hook",
            "session optional pam_exec.so key=hook",
            "session optional pam_exec.so hook",
        ] {
            assert!(
                named_files(line.as_bytes(), Kind::Pam, Path::new("/etc")).is_empty(),
                "{line}"
            );
        }
    }

    #[test]
    fn a_file_without_lines_is_mentioned_as_a_whole() {
        let mentions = mentions(b"# x\0/nix/lib\n/nix\n", Kind::Binary);
        assert_eq!(mentions.len(), 1);
        assert_eq!(mentions[0].line, 0);
    }
}
