//! Writes what a package has besides programs, generated from the command line
//! itself so that neither can say what the other does not: `documents DIRECTORY`
//! makes `man/` and `completions/` in it.

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
        fs::create_dir_all(directory)?;
    }
    clap_mangen::generate_to(NixNs::command(), man)?;
    for shell in [Shell::Bash, Shell::Zsh, Shell::Fish] {
        clap_complete::generate_to(shell, &mut NixNs::command(), "nix-ns", &completions)?;
    }
    Ok(())
}
