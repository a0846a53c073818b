//! One session after the other, each timed.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Write};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::process::{Open, Times, What, Work, apart};
use crate::say;

/// Times every work in turn, so that whatever else the machine does meanwhile
/// falls on all alike. Prints `NAME START OPEN BUSY CLOSE`, in
/// nanoseconds.
pub fn time(rounds: u32, works: &[Work]) -> io::Result<()> {
    for round in 0..rounds {
        // Nobody is always the one after the slowest.
        let first = round as usize % works.len().max(1);
        for work in works[first..].iter().chain(&works[..first]) {
            let line = match &work.what {
                What::Session { service, user } => {
                    apart(|say| write!(say, "{}", line(Open::new(service, user)?.close()?)))?
                }
                What::Program(words) => from_program(words)?,
            };
            say(&format!("{} {line}", work.name));
        }
    }
    Ok(())
}

/// Prints `NAME NANOSECONDS`: from the moment that came through a pipe meanwhile
/// until the session was open.
pub fn after(pipe: &Path, rounds: u32, works: &[Work]) -> io::Result<()> {
    // For writing, too: or opening it would wait for somebody who does.
    let pipe = File::options().read(true).write(true).open(pipe)?;
    let mut moments = BufReader::new(pipe).lines();
    for work in (0..rounds).flat_map(|_| works) {
        let (service, user) = work.session()?;
        let time = apart(|say| {
            let open = Open::new(service, user)?;
            let moment = moments.next().ok_or(io::ErrorKind::UnexpectedEof)??;
            let moment = Duration::from_nanos(moment.parse().map_err(io::Error::other)?);
            write!(say, "{}", open.since.saturating_sub(moment).as_nanos())?;
            open.close().map(drop)
        })?;
        say(&format!("{} {time}", work.name));
    }
    Ok(())
}

fn line(times: Times) -> String {
    let Times {
        start,
        open,
        busy,
        close,
    } = times;
    let [start, open, busy, close] = [start, open, busy, close].map(|time| time.as_nanos());
    format!("{start} {open} {busy} {close}")
}

fn from_program(words: &[String]) -> io::Result<String> {
    let (program, arguments) = words.split_first().ok_or(io::ErrorKind::InvalidInput)?;
    let output = Command::new(program).args(arguments).output()?;
    let said = String::from_utf8_lossy(&output.stdout);
    let wrong = || {
        let why = String::from_utf8_lossy(&output.stderr);
        io::Error::other(format!("{program}: {}: {said}{why}", output.status))
    };
    match said.split_whitespace().collect::<Vec<_>>()[..] {
        ["open", open, "busy", busy] if output.status.success() => Ok(format!("0 {open} {busy} 0")),
        _ => Err(wrong()),
    }
}

/// Prints `NAME FIELD KIBIBYTES` for what the kernel says of a process with a
/// session open (`proc_pid_smaps(5)`).
pub fn memory(works: &[Work]) -> io::Result<()> {
    for work in works {
        let (service, user) = work.session()?;
        let text = apart(|say| {
            let open = Open::new(service, user)?;
            say.write_all(fs::read_to_string("/proc/self/smaps_rollup")?.as_bytes())?;
            open.close().map(drop)
        })?;
        for line in text.lines() {
            if let [field, size, "kB"] = line.split_whitespace().collect::<Vec<_>>()[..] {
                say(&format!(
                    "{} {} {size}",
                    work.name,
                    field.trim_end_matches(':')
                ));
            }
        }
    }
    Ok(())
}
