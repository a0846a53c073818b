//! Writes what a package has besides programs, from the program's own tables so
//! that neither can say what the other does not: `documents DIRECTORY` makes
//! `man/` and `completions/` in it.
//!
//! - [`pages`]: the man pages, from those in `docs/man` and what they leave open;
//! - [`options`]: what the command line says of itself;
//! - [`keys`]: what the commented example of a configuration says;
//! - [`mdoc`]: text in the language of man pages.

mod keys;
mod mdoc;
mod options;
mod pages;

use std::error::Error;
use std::path::PathBuf;
use std::{env, fs};

use clap::CommandFactory;
use clap_complete::Shell;
use helper::command::NixNs;

fn main() -> Result<(), Box<dyn Error>> {
    let directory = PathBuf::from(env::args_os().nth(1).ok_or("where to?")?);
    let (man, completions) = (directory.join("man"), directory.join("completions"));
    for directory in [&man, &completions] {
        // What an older version wrote would be installed, too.
        let _ = fs::remove_dir_all(directory);
        fs::create_dir_all(directory)?;
    }
    pages::write(&NixNs::command(), &man)?;
    for shell in [Shell::Bash, Shell::Zsh, Shell::Fish] {
        clap_complete::generate_to(shell, &mut NixNs::command(), "nix-ns", &completions)?;
    }
    Ok(())
}
