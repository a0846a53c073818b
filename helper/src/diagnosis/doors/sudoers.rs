//! Rules of sudoers by which sudo opens no session.

use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use super::{Finding, Scene, below, names, read, unquoted};

pub(in crate::diagnosis) fn check(_: &Scene) -> Vec<Finding> {
    vec![sudoers(Path::new("/"))]
}

fn sudoers(root: &Path) -> Finding {
    const NAME: &str = "doors.sudoers";
    let mut found = Found::default();
    read_sudoers(root, Path::new("/etc/sudoers"), &mut found);
    if !found.lines.is_empty() {
        return Finding::warning(
            NAME,
            format!("sudo opens no session by {}", found.lines.join(", ")),
            "take `!pam_session` out: what runs by it, as root, runs on the /nix of whoever calls sudo",
        );
    }
    match found.unread {
        Some(why) => Finding::unknown(NAME, why),
        None => Finding::ok(NAME, "no rule of sudoers has !pam_session"),
    }
}

#[derive(Default)]
struct Found {
    lines: Vec<String>,
    unread: Option<String>,
    seen: BTreeSet<PathBuf>,
}

fn read_sudoers(root: &Path, file: &Path, found: &mut Found) {
    if !found.seen.insert(file.to_owned()) || found.seen.len() > 1000 {
        return;
    }
    let text = match read(&below(root, file)) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => return,
        Err(error) => {
            found.unread = Some(format!("{}: {error}", file.display()));
            return;
        }
    };
    for (number, line) in continued_lines(&text) {
        let mut words = line.split_whitespace();
        let directory = file.parent().unwrap_or(Path::new("/"));
        match (words.next(), words.next()) {
            (Some("@include" | "#include"), Some(named)) => {
                read_sudoers(root, &directory.join(unquoted(named)), found);
            }
            (Some("@includedir" | "#includedir"), Some(named)) => {
                let directory = directory.join(unquoted(named));
                for name in names(&below(root, &directory)) {
                    // As sudo does with those of editors and packages.
                    if !name.ends_with('~') && !name.contains('.') {
                        read_sudoers(root, &directory.join(name), found);
                    }
                }
            }
            (Some(first), _) if first.starts_with("Defaults") && opens_none(&line) => {
                found.lines.push(format!("{}:{number}", file.display()));
            }
            _ => {}
        }
    }
}

/// Lines that end in a backslash and what they go on with, by the first's number.
fn continued_lines(text: &str) -> Vec<(usize, String)> {
    let mut lines: Vec<(usize, String)> = Vec::new();
    let mut goes_on = false;
    for (number, line) in (1..).zip(text.lines()) {
        let (line, next) = match line.strip_suffix('\\') {
            Some(line) => (line, true),
            None => (line, false),
        };
        match lines.last_mut().filter(|_| goes_on) {
            Some((_, whole)) => whole.extend([" ", line]),
            None => lines.push((number, line.to_owned())),
        }
        goes_on = next;
    }
    lines
}

fn opens_none(line: &str) -> bool {
    let line = line.split('#').next().unwrap_or_default();
    let joined = line.replace("! ", "!");
    joined
        .split(|it: char| it.is_whitespace() || it == ',')
        .any(|word| word == "!pam_session")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnosis::Outcome;
    use crate::diagnosis::doors::tests::system;

    #[test]
    fn a_rule_without_a_session_is_found_in_any_form() {
        for line in [
            "Defaults !pam_session",
            "Defaults:alice env_reset, !pam_session",
            "Defaults>root ! pam_session",
        ] {
            assert!(opens_none(line), "{line}");
        }
        for line in ["Defaults pam_session", "Defaults env_reset # !pam_session"] {
            assert!(!opens_none(line), "{line}");
        }
    }

    #[test]
    fn included_files_are_read_as_sudo_reads_them() {
        let root = system(&[
            ("etc/sudoers", "@includedir /etc/sudoers.d\n@include more\n"),
            ("etc/sudoers.d/a.dpkg-old", "Defaults !pam_session\n"),
            ("etc/more", "x \\\n y\nDefaults \\\n !pam_session\n"),
        ]);
        let found = sudoers(&root);
        std::fs::remove_dir_all(&root).unwrap();
        assert_eq!(found.outcome, Outcome::Warning);
        assert_eq!(found.found, "sudo opens no session by /etc/more:3");
    }
}
