//! Many sessions at the same time.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt;
use std::time::Instant;

use nix::fcntl::OFlag;
use nix::unistd::{pause, pipe2};

use crate::process::{Open, Work, begin};
use crate::say;

/// Opens sessions one after the other, prints a line for each as [`begin_one`]
/// has it and, when all are open, `held`. Stays until it is killed, with its
/// process group.
pub fn hold(count: u32, works: &[Work]) -> io::Result<()> {
    let mut held = Vec::new();
    for work in works {
        for _ in 0..count {
            let mut said = begin_one(work, None)?;
            say(&format!("{} {}", work.name, line(&mut said)?));
            held.push(said);
        }
    }
    stay(&held)
}

/// Opens all sessions at the same moment, then does as [`hold`]; before that it
/// prints `all NANOSECONDS`, from the moment until the last was open.
pub fn crowd(count: u32, works: &[Work]) -> io::Result<()> {
    let (gate, opener) = pipe2(OFlag::O_CLOEXEC)?;
    let mut held = Vec::new();
    for work in works {
        for _ in 0..count {
            let mut said = begin_one(work, Some(gate.try_clone()?))?;
            line(&mut said)?;
            held.push((work, said));
        }
    }
    let begun = Instant::now();
    // A byte each: later children have this end of the pipe open, too.
    File::from(opener).write_all(&vec![b'.'; held.len()])?;
    let mut lines = Vec::new();
    for (work, said) in &mut held {
        lines.push(format!("{} {}", work.name, line(said)?));
    }
    let all = begun.elapsed().as_nanos();
    lines.iter().for_each(|line| say(line));
    say(&format!("all {all}"));
    stay(&held)
}

fn stay<T>(_held: &[T]) -> io::Result<()> {
    say("held");
    loop {
        pause();
    }
}

/// A session held open by a process of its own. It says a line when it waits at
/// the gate, if there is one, and one when the session is open: `START OPEN OWNER
/// NAMESPACE`, times in nanoseconds, the owner of what is on `/nix` and the mount
/// namespace.
fn begin_one(work: &Work, gate: Option<OwnedFd>) -> io::Result<BufReader<File>> {
    let (service, user) = work.session()?;
    let (said, _process) = begin(|say| {
        if let Some(gate) = gate {
            writeln!(say, "waits")?;
            File::from(gate).read_exact(&mut [0])?;
        }
        let open = Open::new(service, user)?;
        let [start, opened] = [open.times.start, open.times.open].map(|time| time.as_nanos());
        let owner = fs::symlink_metadata("/nix")?.uid();
        let namespace = fs::metadata("/proc/self/ns/mnt")?.ino();
        writeln!(say, "{start} {opened} {owner} {namespace}")?;
        loop {
            pause();
        }
    })?;
    Ok(BufReader::new(said))
}

fn line(said: &mut BufReader<File>) -> io::Result<String> {
    let mut line = String::new();
    if said.read_line(&mut line)? == 0 {
        return Err(io::Error::other("a session was not opened"));
    }
    Ok(line.trim_end().to_owned())
}
