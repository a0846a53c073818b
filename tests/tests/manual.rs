//! The man pages: well formed, and held to what the programs say of themselves.
//! (The module's words and return codes are in its own tests: it can be asked
//! by no other crate.)

use std::collections::BTreeSet;
use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tests::guide;
use tests::package::workspace;

// ---- their form

#[test]
fn mandoc_has_nothing_to_complain_of() {
    let beside_them = workspace().join("packaging/pam/nix-ns-pam.8");
    for page in pages().into_iter().chain([beside_them]) {
        let output = run(Command::new("mandoc").args(["-T", "lint"]).arg(&page));
        // Which pages are installed on this machine says nothing about these.
        let elsewhere = ["referenced manual not found", "outdated mandoc.db"];
        let complaints: Vec<&str> = text(&output)
            .lines()
            .filter(|line| !elsewhere.iter().any(|words| line.contains(words)))
            .map(|line| line.trim())
            .collect();
        assert_eq!(complaints, [""; 0], "{}", page.display());
    }
}

/// A page of ours that another one names is there.
#[test]
fn no_page_leads_nowhere() {
    for page in pages() {
        for line in read(&page).lines() {
            let Some(reference) = line.strip_prefix(".Xr ") else {
                continue;
            };
            let mut words = reference.split(' ');
            let (name, section) = (words.next().unwrap(), words.next().unwrap());
            if name.starts_with("nix-ns") || name == "pam_nixns" {
                let named = directory().join(format!("{name}.{section}"));
                assert!(named.is_file(), "{} in {}", line, page.display());
            }
        }
    }
}

// ---- what they say

/// A list of names that the program has and a page explains.
struct Names {
    page: &'static str,
    /// What the list begins after; it ends at the next heading.
    heading: &'static str,
    /// What an item begins with.
    item: &'static str,
    program: BTreeSet<String>,
}

#[test]
fn every_key_of_the_site_configuration_is_explained() {
    for (heading, section) in [
        (".Sh SITE CONFIGURATION", ""),
        (".Ss \\&[users]\\&", "[users]\n"),
        (".Ss \\&[services.sshd]\\&", "[services.sshd]\n"),
    ] {
        let mut keys = choices("--site", &format!("{section}unknown = 1\n"));
        let sections = sections("nix-ns-config.5");
        if section.is_empty() {
            assert!(sections.is_subset(&keys), "{sections:?} of {keys:?}");
            keys.retain(|key| !sections.contains(key));
        }
        names("nix-ns-config.5", heading, ".It Ic ", keys).agree();
    }
}

#[test]
fn every_key_of_the_user_configuration_is_explained() {
    let keys = choices("", "unknown = 1\n");
    names("nix-ns-config.5", ".Sh USER CONFIGURATION", ".It Ic ", keys).agree();
}

#[test]
fn every_refusal_is_explained() {
    let refusals = choices("--site", "override_refusals = ['unknown']\n");
    names("nix-ns-config.5", ".Sh REFUSALS", ".It Dv ", refusals).agree();
}

#[test]
fn every_option_and_choice_of_the_command_is_explained() {
    let subcommands = subcommands();
    for subcommand in &subcommands {
        let page: &'static str = format!("nix-ns-{subcommand}.1").leak();
        let help = run(Command::new(built("nix-ns")).args([subcommand, "--help"]));
        let (heading, help) = (".Sh DESCRIPTION", text(&help));
        names(page, heading, ".It Fl ", options(help)).agree();
        let choices = help.lines().filter_map(|line| {
            let (choice, _) = line.trim().strip_prefix("- ")?.split_once(':')?;
            Some(choice.to_owned())
        });
        names(page, heading, ".It Cm ", choices.collect()).agree();
    }
    names("nix-ns.1", ".Sh COMMANDS", ".It Ic ", subcommands).agree();
}

/// `nix-ns ...` in the middle of a sentence, in any page of Markdown.
#[test]
fn every_command_that_a_page_names_is_there() {
    let known = subcommands();
    let mut seen = 0;
    for page in guide::pages() {
        let markdown = fs::read_to_string(workspace().join(&page)).expect("of this project");
        for command in commands(&markdown) {
            let (subcommand, options) = command.split_first().expect("one word at least");
            assert!(known.contains(subcommand), "{command:?} in {page}");
            let help = run(Command::new(built("nix-ns")).args([subcommand, "--help"]));
            let there = self::options(text(&help));
            let wrong = options.iter().find(|option| !there.contains(*option));
            assert_eq!(wrong, None, "{command:?} in {page}");
            seen += 1;
        }
    }
    assert!(seen > 30, "{seen}");
    let stale = "as `sudo nix-ns fix --all-users` and `nix-ns` do";
    assert_eq!(commands(stale), [["fix", "--all-users"]]);
}

/// The subcommand and the options of each.
fn commands(markdown: &str) -> Vec<Vec<String>> {
    // Blocks are run, not read.
    let prose = markdown.split("```").step_by(2);
    let spans = prose.flat_map(|text| text.split('`').skip(1).step_by(2));
    let commands = spans.filter_map(|span| {
        let words = span.strip_prefix("sudo ").unwrap_or(span);
        let words: Vec<&str> = words.strip_prefix("nix-ns ")?.split_whitespace().collect();
        let (subcommand, rest) = words.split_first()?;
        let options = rest.iter().filter(|word| word.starts_with("--"));
        subcommand.starts_with(char::is_alphabetic).then(|| {
            let all = [subcommand].into_iter().chain(options);
            all.map(|word| (*word).to_owned()).collect()
        })
    });
    commands.collect()
}

/// What `nix-ns --help` lists.
fn subcommands() -> BTreeSet<String> {
    let help = run(Command::new(built("nix-ns")).arg("--help"));
    let (_, list) = text(&help).split_once("Commands:\n").unwrap();
    list.lines()
        .map_while(|line| line.strip_prefix("  "))
        .filter_map(|line| line.split_whitespace().next())
        .filter(|name| *name != "help")
        .map(str::to_owned)
        .collect()
}

#[test]
fn every_option_of_the_setuid_program_is_explained() {
    let usage = run(Command::new(built("nix-ns-enter")).arg("--unknown"));
    let usage = String::from_utf8_lossy(&usage.stderr).into_owned();
    let (_, usage) = usage.split_once("usage: ").expect("it tells");
    let options = usage.split(['[', ']']).filter(|word| {
        let name = word.strip_prefix("--").unwrap_or_default();
        !name.is_empty()
    });
    let options = options.map(str::to_owned).collect();
    names("nix-ns-enter.8", ".Sh DESCRIPTION", ".It Fl ", options).agree();
}

fn names(
    page: &'static str,
    heading: &'static str,
    item: &'static str,
    program: BTreeSet<String>,
) -> Names {
    Names {
        page,
        heading,
        item,
        program,
    }
}

impl Names {
    /// Page and program have the same names; and a page without one of them, or
    /// with one more, would be caught.
    #[track_caller]
    fn agree(&self) {
        let page = read(&directory().join(self.page));
        assert_eq!(self.on(&page), self.program, "{}", self.page);
        for name in &self.program {
            let without = page
                .lines()
                .filter(|line| self.item_of(line) != Some(name.clone()));
            let without: String = without.flat_map(|line| [line, "\n"]).collect();
            assert_ne!(self.on(&without), self.program, "without {name}");
        }
        let (heading, item) = (self.heading, self.item);
        let more = page.replace(&format!("{heading}\n"), &format!("{heading}\n{item}\\-x\n"));
        assert_ne!(self.on(&more), self.program, "with one more: {heading}");
    }

    fn on(&self, page: &str) -> BTreeSet<String> {
        let lines = page
            .lines()
            .skip_while(|line| *line != self.heading)
            .skip(1);
        let part = lines.take_while(|line| ![".Sh ", ".Ss "].iter().any(|it| line.starts_with(it)));
        part.filter_map(|line| self.item_of(line)).collect()
    }

    /// The name that an item is about, without markup.
    fn item_of(&self, line: &str) -> Option<String> {
        let item = line
            .strip_prefix(self.item)?
            .replace("\\&", "")
            .replace("\\-", "-");
        let name = item.split(' ').next()?;
        Some(if self.item == ".It Fl " {
            format!("-{name}")
        } else {
            name.to_owned()
        })
    }
}

/// Keys that are explained below a heading of their own: `[users]`.
fn sections(page: &str) -> BTreeSet<String> {
    let page = read(&directory().join(page));
    let headings = page
        .lines()
        .filter_map(|line| line.strip_prefix(".Ss \\&["));
    let names = headings.filter_map(|heading| heading.split([']', '.']).next());
    names.map(str::to_owned).collect()
}

/// The names that the program offers in place of an unknown one.
#[track_caller]
fn choices(option: &str, configuration: &str) -> BTreeSet<String> {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("config.toml");
    fs::write(&file, configuration).unwrap();
    let mut check = Command::new(built("nix-ns"));
    check
        .arg("check")
        .args(Some(option).filter(|it| !it.is_empty()));
    let output = check.arg(&file).output().expect("it starts");
    let complaint = String::from_utf8_lossy(&output.stderr).into_owned();
    let (_, known) = complaint.split_once(" are `").expect("it offers some");
    known
        .trim_end()
        .trim_end_matches('`')
        .split("`, `")
        .map(str::to_owned)
        .collect()
}

/// The long options of a help text, but for `--help` itself.
fn options(help: &str) -> BTreeSet<String> {
    let (_, options) = help.split_once("Options:\n").expect("there are some");
    let words = options.lines().filter_map(|line| {
        let line = line.trim_start();
        let option = line
            .find("--")
            .filter(|place| *place == 0 || line.starts_with('-'))?;
        line[option..].split([' ', ',']).next()
    });
    words
        .filter(|option| *option != "--help")
        .map(str::to_owned)
        .collect()
}

// ---- tools

fn pages() -> Vec<PathBuf> {
    let pages = fs::read_dir(directory()).expect("`make build` made them");
    let pages: Vec<PathBuf> = pages.map(|page| page.expect("readable").path()).collect();
    assert!(pages.len() > 9, "{pages:?}");
    pages
}

fn directory() -> PathBuf {
    workspace().join("target/documents/man")
}

#[track_caller]
fn read(page: &Path) -> String {
    fs::read_to_string(page).unwrap_or_else(|error| panic!("{}: {error}", page.display()))
}

fn built(name: &str) -> PathBuf {
    let release = || workspace().join("target/release");
    let directory = env::var_os("NIX_NS_BUILT").map_or_else(release, PathBuf::from);
    directory.join(name)
}

#[track_caller]
fn run(command: &mut Command) -> Output {
    let output = command.output();
    output.unwrap_or_else(|error| panic!("{command:?}: {error}"))
}

fn text(output: &Output) -> &str {
    std::str::from_utf8(&output.stdout).expect("UTF-8")
}
