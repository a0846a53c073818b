//! The man pages: those of `docs/man`, where a line `.\" generated: WHAT` is
//! replaced by what the program itself says.

use std::error::Error;
use std::path::Path;
use std::{fs, io};

use clap::Command;
use config::{SITE_EXAMPLE, USER_EXAMPLE};

use crate::{keys, options};

const SOURCES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/man");
const MARK: &str = ".\\\" generated: ";

/// Writes every page; a subcommand without one is an error.
pub(crate) fn write(command: &Command, directory: &Path) -> Result<(), Box<dyn Error>> {
    for entry in fs::read_dir(SOURCES)? {
        let entry = entry?;
        let page = fs::read_to_string(entry.path())?;
        let page = filled_in(&page, command)
            .map_err(|error| format!("{}: {error}", entry.path().display()))?;
        fs::write(directory.join(entry.file_name()), page)?;
    }
    for subcommand in command.get_subcommands() {
        let name = format!("{}-{}.1", command.get_name(), subcommand.get_name());
        if !directory.join(&name).exists() {
            let missing = format!("{SOURCES}/{name}: write this page");
            return Err(io::Error::new(io::ErrorKind::NotFound, missing).into());
        }
    }
    Ok(())
}

fn filled_in(page: &str, command: &Command) -> Result<String, Box<dyn Error>> {
    let mut filled = String::new();
    for line in page.lines() {
        match line.strip_prefix(MARK) {
            Some(what) => filled.push_str(&generated(what, command)?),
            None => filled.extend([line, "\n"]),
        }
    }
    Ok(filled)
}

fn generated(what: &str, command: &Command) -> Result<String, Box<dyn Error>> {
    let subcommand = |name: &str| {
        let found = command.find_subcommand(name);
        found.ok_or_else(|| format!("there is no `{name}`"))
    };
    Ok(match what.split_once(' ').unwrap_or((what, "")) {
        ("commands", "") => options::commands(command),
        ("command", name) => options::page(command, subcommand(name)?),
        ("keys", "site") => keys::list(SITE_EXAMPLE),
        ("keys", "user") => keys::list(USER_EXAMPLE),
        _ => return Err(format!("`{what}` cannot be generated").into()),
    })
}
