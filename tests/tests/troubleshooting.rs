//! `docs/troubleshooting.md` and `docs/diagnosis.md` have an entry for everything
//! that the program can say is wrong.

use std::fs;
use std::path::{Path, PathBuf};

use config::Refusal;

/// Pieces of a message between what differs; shorter ones say nothing.
const TELLING: usize = 12;

fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("of a crate in it")
        .to_owned()
}

fn page(name: &str) -> String {
    fs::read_to_string(workspace().join("docs").join(name)).expect("of this project")
}

/// Every source file of the product, without its tests.
fn sources(below: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(below).expect("of this project") {
        let path = entry.expect("of this project").path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|it| it == "rs") && !path.ends_with("tests.rs") {
            found.push(path);
        }
    }
}

fn all_sources() -> Vec<PathBuf> {
    let mut found = Vec::new();
    for name in ["config", "namespace", "pam_nixns", "helper"] {
        sources(&workspace().join(name).join("src"), &mut found);
    }
    found
}

/// What stands between quotes after each `mark`.
fn strings_after(text: &str, mark: &str) -> Vec<String> {
    let mut found = Vec::new();
    for part in text.split(mark).skip(1) {
        let Some(quoted) = part.trim_start().strip_prefix('"') else {
            continue;
        };
        let mut string = String::new();
        let mut escaped = false;
        for character in quoted.chars() {
            match character {
                '\n' if escaped => {}
                _ if escaped => string.push(character),
                '\\' => {}
                '"' => break,
                _ => string.push(character),
            }
            escaped = character == '\\' && !escaped;
        }
        found.push(string);
    }
    found
}

/// The pieces of a message that are always there.
fn pieces(message: &str) -> Vec<String> {
    let mut pieces = vec![String::new()];
    let mut depth = 0_u32;
    for character in message.chars() {
        match character {
            '{' => {
                depth += 1;
                pieces.push(String::new());
            }
            '}' => depth -= 1,
            _ if depth == 0 => pieces.last_mut().expect("one").push(character),
            _ => {}
        }
    }
    // The page may set them in another way.
    let edge = |it: char| "`;:,() ".contains(it);
    let shown = pieces
        .iter()
        .map(|piece| words(piece).trim_matches(edge).to_owned());
    shown.filter(|piece| piece.len() >= TELLING).collect()
}

/// With single spaces: lines are broken anywhere.
fn words(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn every_error_has_its_entry() {
    let page = words(&page("troubleshooting.md"));
    let mut count = 0;
    let mut missing = Vec::new();
    for source in all_sources() {
        let text = fs::read_to_string(&source).expect("of this project");
        for message in strings_after(&text, "#[error(") {
            for piece in pieces(&message) {
                count += 1;
                if !page.contains(&piece) {
                    missing.push(format!("{}: {piece}", source.display()));
                }
            }
        }
    }
    assert!(missing.is_empty(), "no entry:\n{}", missing.join("\n"));
    assert!(count > 100, "only {count} pieces were found");
}

#[test]
fn every_refusal_has_its_entry() {
    let page = page("troubleshooting.md");
    for refusal in Refusal::ALL {
        let name = format!("| `{refusal}` |");
        assert!(page.contains(&name), "{name}");
    }
}

/// What the module says to the log by itself.
#[test]
fn every_line_of_the_module_has_its_entry() {
    let page = words(&page("troubleshooting.md"));
    let mut count = 0;
    for source in all_sources() {
        let module = source.to_string_lossy().contains("pam_nixns");
        // A page of the manual is no message.
        if !module || source.ends_with("manual.rs") {
            continue;
        }
        let text = fs::read_to_string(&source).expect("of this project");
        // The tests of a file come last in it.
        let text = text.split("#[cfg(test)]").next().unwrap_or_default();
        for mark in ["Priority::Error, ", "let text = format!(", "&format!("] {
            for message in strings_after(text, mark) {
                for piece in pieces(&message) {
                    // Known to everybody who reads the page: it begins with it.
                    if piece.starts_with("nix-ns: this session has") {
                        continue;
                    }
                    count += 1;
                    assert!(page.contains(&piece), "no entry: {piece}");
                }
            }
        }
    }
    assert!(count >= 5, "only {count} pieces were found");
}

#[test]
fn every_check_of_the_doctor_has_its_entry() {
    let page = page("diagnosis.md");
    let mut names = Vec::new();
    for source in all_sources() {
        if !source.to_string_lossy().contains("diagnosis") {
            continue;
        }
        let text = fs::read_to_string(&source).expect("of this project");
        for string in text.split('"').skip(1).step_by(2) {
            let is_name = string.split_once('.').is_some_and(|(group, check)| {
                GROUPS.contains(&group)
                    && !check.is_empty()
                    && check.chars().all(|it| it.is_ascii_lowercase() || it == '-')
            });
            if is_name {
                names.push(string.to_owned());
            }
        }
    }
    assert!(names.len() > 40, "only {} checks were found", names.len());
    let missing: Vec<_> = names
        .iter()
        .filter(|name| !page.contains(&format!("`{name}`")))
        .collect();
    assert!(missing.is_empty(), "no entry: {missing:?}");
}

/// What the names of the doctor's checks begin with.
const GROUPS: [&str; 13] = [
    "kernel",
    "module",
    "reader",
    "enter",
    "run",
    "pam",
    "host",
    "doors",
    "confinement",
    "config",
    "nix",
    "user",
    "session",
];
