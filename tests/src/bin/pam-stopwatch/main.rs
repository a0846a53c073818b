//! A program that opens PAM sessions, as sshd or su would, and times what an
//! application waits for: from outside of every module.
//!
//! ```text
//! pam-stopwatch time ROUNDS WORK...    times every work in turn, ROUNDS times
//! pam-stopwatch after PIPE ROUNDS WORK...  times from the moment that comes through a pipe
//! pam-stopwatch hold COUNT WORK...     opens COUNT sessions each, and stays
//! pam-stopwatch crowd COUNT WORK...    as hold; all start at the same moment
//! pam-stopwatch memory WORK...         what a session costs the process it is in
//! ```
//!
//! A work is `NAME=SERVICE:USER`, a session; or, to be timed only,
//! `NAME=/PROGRAM,ARGUMENT...`, a program that times itself and prints the line
//! `open NANOSECONDS busy NANOSECONDS`. Started by root.
//!
//! The moment is what `stamping-reader` says.
//!
//! Every session has a process of its own, as at every door: what a module does
//! when it is touched for the first time is part of what a login waits for.

#[allow(dead_code, reason = "pam-host needs more of it")]
#[path = "../pam-host/pam.rs"]
mod pam;
mod process;
mod samples;
mod sessions;

use std::error::Error;
use std::io::{self, Write};
use std::path::Path;

use process::Work;

fn main() -> Result<(), Box<dyn Error>> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    settle();
    match words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["time", rounds, ..] => samples::time(rounds.parse()?, &works(&words[2..])?)?,
        ["after", pipe, rounds, ..] => {
            samples::after(Path::new(pipe), rounds.parse()?, &works(&words[3..])?)?;
        }
        ["hold", count, ..] => sessions::hold(count.parse()?, &works(&words[2..])?)?,
        ["crowd", count, ..] => sessions::crowd(count.parse()?, &works(&words[2..])?)?,
        ["memory", ..] => samples::memory(&works(&words[1..])?)?,
        _ => {
            return Err(
                "time ROUNDS, after PIPE ROUNDS, hold COUNT, crowd COUNT or memory, then WORK..."
                    .into(),
            );
        }
    }
    Ok(())
}

fn works(words: &[String]) -> Result<Vec<Work>, Box<dyn Error>> {
    words.iter().map(|word| Work::read(word)).collect()
}

/// What every application has done long before it opens a session: it has said
/// something to the log, and looked an account up. So neither the connection nor
/// the time zone nor the name service is counted as a module's.
fn settle() {
    pam::open_log();
    pam::log(c"starts");
    // Whether there is one does not matter.
    let _ = nix::unistd::User::from_name("root");
}

/// At once: whoever reads it waits for it.
fn say(line: &str) {
    let mut output = io::stdout().lock();
    let _ = writeln!(output, "{line}");
    let _ = output.flush();
}
