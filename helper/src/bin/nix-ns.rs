//! `nix-ns`: what a user, and an administrator, runs by hand. Never privileged.

use std::io::{self, Write};
use std::process::ExitCode;

use clap::Parser;
use helper::command::{Error, NixNs};

fn main() -> ExitCode {
    let Err(errors) = NixNs::parse().run(&mut io::stdout().lock()) else {
        return ExitCode::SUCCESS;
    };
    let mut complaints = io::stderr().lock();
    for error in &errors {
        // Nobody is left to be told that standard error is closed.
        let _ = writeln!(complaints, "{error}");
    }
    let code = errors.first().map(Error::exit_code);
    code.map_or(ExitCode::FAILURE, ExitCode::from)
}
