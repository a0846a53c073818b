//! Work of the kind that people do, timed from outside of it:
//!
//! ```text
//! workload exec ROUNDS NAME=PROGRAM,ARGUMENT...   starts each and waits, in turn
//! workload files DIRECTORY                        stat, open and read every file in it
//! workload processes COUNT PROGRAM                starts it so often, one after the other
//! workload make-files DIRECTORY COUNT             makes what `files` looks at
//! workload mounts DIRECTORY COUNT                 has the mount table of that length
//! workload mount DIRECTORY ROUNDS                 mounts and unmounts a memory file system
//! ```
//!
//! `exec` prints `NAME NANOSECONDS` for each, the others the nanoseconds of each
//! round.

use std::error::Error;
use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sys::stat::stat;

/// Files in one directory.
const IN_ONE: usize = 100;

fn main() -> Result<(), Box<dyn Error>> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    match words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["exec", rounds, ..] => exec(rounds.parse()?, &words[2..]),
        ["files", directory] => files(Path::new(directory)),
        ["processes", count, program] => processes(count.parse()?, program),
        ["make-files", directory, count] => make_files(Path::new(directory), count.parse()?),
        ["mounts", directory, count] => mounts(Path::new(directory), count.parse()?),
        ["mount", directory, rounds] => mount_often(Path::new(directory), rounds.parse()?),
        _ => Err("see the source for what it does".into()),
    }
}

fn exec(rounds: usize, works: &[String]) -> Result<(), Box<dyn Error>> {
    let works: Vec<(&str, Vec<&str>)> = works
        .iter()
        .filter_map(|work| work.split_once('='))
        .map(|(name, words)| (name, words.split(',').collect()))
        .collect();
    for round in 0..rounds {
        // Nobody is always the one after the slowest.
        let first = round % works.len();
        for (name, words) in works[first..].iter().chain(&works[..first]) {
            let begun = Instant::now();
            let status = Command::new(words[0])
                .args(&words[1..])
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .status()?;
            let time = begun.elapsed().as_nanos();
            if !status.success() {
                return Err(format!("{name}: {status}").into());
            }
            println!("{name} {time}");
        }
    }
    Ok(())
}

fn files(directory: &Path) -> Result<(), Box<dyn Error>> {
    let begun = Instant::now();
    let mut room = Vec::new();
    for directory in names(directory)? {
        for file in names(&directory)? {
            // The standard library's call is one that Debian's proot does not know.
            stat(&file)?;
            room.clear();
            File::open(&file)?.read_to_end(&mut room)?;
        }
    }
    println!("{}", begun.elapsed().as_nanos());
    Ok(())
}

fn names(directory: &Path) -> Result<Vec<PathBuf>, Box<dyn Error>> {
    let entries = fs::read_dir(directory)?;
    Ok(entries
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<Result<_, _>>()?)
}

fn processes(count: usize, program: &str) -> Result<(), Box<dyn Error>> {
    let begun = Instant::now();
    for _ in 0..count {
        if !Command::new(program).status()?.success() {
            return Err(format!("{program} failed").into());
        }
    }
    println!("{}", begun.elapsed().as_nanos());
    Ok(())
}

fn make_files(directory: &Path, count: usize) -> Result<(), Box<dyn Error>> {
    for number in 0..count {
        let directory = directory.join((number / IN_ONE).to_string());
        if number % IN_ONE == 0 {
            fs::create_dir_all(&directory)?;
        }
        fs::write(directory.join(number.to_string()), [b'x'; 1024])?;
    }
    Ok(())
}

fn mounts(directory: &Path, count: usize) -> Result<(), Box<dyn Error>> {
    let table = fs::read_to_string("/proc/self/mountinfo")?;
    let there = table.lines().count();
    // One and the same file system: what is counted is the mounts.
    for number in there..count {
        let point = directory.join(number.to_string());
        fs::create_dir_all(&point)?;
        mount_memory(&point)?;
    }
    Ok(())
}

fn mount_often(directory: &Path, rounds: usize) -> Result<(), Box<dyn Error>> {
    for _ in 0..rounds {
        let begun = Instant::now();
        mount_memory(directory)?;
        umount2(directory, MntFlags::empty())?;
        println!("{}", begun.elapsed().as_nanos());
    }
    Ok(())
}

fn mount_memory(point: &Path) -> nix::Result<()> {
    mount(
        Some("none"),
        point,
        Some("ramfs"),
        MsFlags::empty(),
        None::<&str>,
    )
}
