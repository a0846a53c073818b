//! One session in a process of its own, watched.

#![allow(unsafe_code, reason = "to fork, and to say where the session begins")]

use std::collections::BTreeMap;
use std::fmt;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::MetadataExt;

use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::sched::{CloneFlags, setns};
use nix::sys::prctl::set_pdeathsig;
use nix::sys::signal::{SigSet, SigmaskHow, Signal, sigprocmask};
use nix::sys::stat::{Mode, umask};
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::{ForkResult, Pid, chdir, fork, pipe2};

use crate::calls;
use crate::pam::{self, Flags, Handle};
use crate::state;
use crate::watch::{self, Answer, Call};

/// No option of `prctl(2)`: says where the session begins and ends.
const MARK: u64 = 0x6e69_786e;
/// `AF_NETLINK`, which nothing else here uses.
const AUDIT: u64 = 16;
/// What a system without a user's `/nix` has there.
pub const MARKER: &str = "/run/nix-ns/self/namespace";

/// Which half of a session is watched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Half {
    /// Its opening.
    Open,
    /// Its closing.
    Close,
}

/// A session to open.
#[derive(Debug, Clone, Copy)]
pub struct Session<'a> {
    /// The PAM service.
    pub service: &'a str,
    /// The target.
    pub user: &'a str,
    /// The process in whose mount namespace the caller is.
    pub from: Option<Pid>,
    /// The caller's working directory.
    pub directory: &'a str,
    /// What is watched.
    pub half: Half,
}

/// What a session's process says of itself.
#[derive(Debug, Clone, Default)]
pub struct Report {
    /// What Linux-PAM answered; nothing if the process died before.
    pub code: Option<i32>,
    /// What the process was like.
    pub before: BTreeMap<String, String>,
    /// What it was like after.
    pub after: BTreeMap<String, String>,
    /// What is at `/nix` afterwards.
    pub nix: String,
    /// What the marker says afterwards.
    pub marker: Option<String>,
}

/// How a watched process ended.
#[derive(Debug)]
pub struct Outcome {
    /// What it said.
    pub report: Report,
    /// How it ended.
    pub status: WaitStatus,
    /// Whether no process of it was left in time.
    pub gone: bool,
}

/// Which process of a login makes a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// The application.
    Host,
    /// The module's child.
    Between,
    /// The reader.
    Reader,
}

/// A call of a login's, by its place in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Spot {
    /// Of which process.
    pub role: Role,
    /// Which call.
    pub name: &'static str,
    /// The how manyth of that name: counted by name, as how often memory is asked
    /// for differs from run to run.
    pub index: usize,
}

impl fmt::Display for Spot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { role, name, index } = self;
        write!(f, "{name} {} of the {role:?}", index + 1)
    }
}

/// Opens a session, and answers what `decide` says to every call between its
/// beginning and its end.
pub fn run(session: Session, mut decide: impl FnMut(Spot, Call) -> Answer) -> io::Result<Outcome> {
    let (theirs, ours) = pipe2(OFlag::O_CLOEXEC)?;
    // SAFETY: this process has one thread.
    let process = match unsafe { fork() }? {
        ForkResult::Child => {
            drop(theirs);
            be_the_host(session, ours, true)
        }
        ForkResult::Parent { child } => child,
    };
    drop(ours);
    let mut theirs = File::from(theirs);
    let number = read_number(&mut theirs)?;
    let listener = watch::take(process, number)?;
    let mut inside = false;
    let mut marks = 0;
    let mut seen: Vec<(i32, BTreeMap<&'static str, usize>)> = Vec::new();
    let gone = watch::attend(&listener, |call| {
        if call.number == libc::SYS_prctl && call.first == MARK {
            marks += 1;
            inside = marks == 1;
            return Answer::Error(Errno::EINVAL);
        }
        // After the last module, Linux-PAM tells the kernel's audit; if that fails
        // it answers PAM_SYSTEM_ERR, whatever the modules said (pam_audit.c).
        if call.number == libc::SYS_socket && call.first == AUDIT {
            inside = false;
        }
        if !inside {
            return Answer::Kernels;
        }
        let place = seen.iter().position(|(known, _)| *known == call.process);
        let place = place.unwrap_or_else(|| {
            seen.push((call.process, BTreeMap::new()));
            seen.len() - 1
        });
        let name = calls::kind(call.number).map_or("unknown", |kind| kind.name);
        let count = seen[place].1.entry(name).or_default();
        let index = *count;
        *count += 1;
        let role = match place {
            0 => Role::Host,
            1 => Role::Between,
            _ => Role::Reader,
        };
        decide(Spot { role, name, index }, call)
    })?;
    if !gone {
        let _ = nix::sys::signal::kill(process, Signal::SIGKILL);
    }
    drop(listener);
    let status = waitpid(process, None)?;
    Ok(Outcome {
        report: Report::read(theirs)?,
        status,
        gone,
    })
}

/// Opens a session that nobody interferes with, and ends.
pub fn run_freely(session: Session) -> io::Result<Report> {
    let (theirs, ours) = pipe2(OFlag::O_CLOEXEC)?;
    // SAFETY: this process has one thread.
    let process = match unsafe { fork() }? {
        ForkResult::Child => {
            drop(theirs);
            be_the_host(session, ours, false)
        }
        ForkResult::Parent { child } => child,
    };
    drop(ours);
    let report = Report::read(File::from(theirs))?;
    waitpid(process, None)?;
    Ok(report)
}

/// A process that runs something once and then stays until it is killed.
pub fn hold(act: impl FnOnce() -> io::Result<()>) -> io::Result<Pid> {
    let (theirs, ours) = pipe2(OFlag::O_CLOEXEC)?;
    // SAFETY: this process has one thread.
    match unsafe { fork() }? {
        ForkResult::Parent { child } => {
            drop(ours);
            let mut said = String::new();
            File::from(theirs).read_to_string(&mut said)?;
            if said == "there" {
                Ok(child)
            } else {
                Err(io::Error::other(format!("cannot stay: {said}")))
            }
        }
        ForkResult::Child => {
            drop(theirs);
            let _ = set_pdeathsig(Signal::SIGKILL);
            let said = act().map_or_else(|error| error.to_string(), |()| "there".to_owned());
            let _ = File::from(ours).write_all(said.as_bytes());
            loop {
                nix::unistd::pause();
            }
        }
    }
}

/// The number that this process's next descriptor will have.
fn next_descriptor() -> io::Result<i32> {
    Ok(File::open("/dev/null")?.as_raw_fd())
}

/// The first line of a watched process: where it listens in a moment.
fn read_number(from: &mut File) -> io::Result<i32> {
    let mut line = Vec::new();
    let mut byte = [0];
    while from.read(&mut byte)? == 1 && byte != *b"\n" {
        line.push(byte[0]);
    }
    let line = String::from_utf8_lossy(&line);
    line.parse()
        .map_err(|_| io::Error::other(line.into_owned()))
}

fn be_the_host(session: Session, report: OwnedFd, watched: bool) -> ! {
    let mut report = File::from(report);
    if let Err(error) = try_to_be_the_host(session, &mut report, watched) {
        let _ = writeln!(report, "failed={error}");
    }
    // SAFETY: a number; nothing of the parent's is to run here.
    unsafe { libc::_exit(0) }
}

fn try_to_be_the_host(session: Session, report: &mut File, watched: bool) -> io::Result<()> {
    if let Some(process) = session.from {
        setns(
            File::open(format!("/proc/{process}/ns/mnt"))?,
            CloneFlags::CLONE_NEWNS,
        )?;
    }
    take_on_a_state(session.directory)?;
    pam::open_log();
    // As every application has by then.
    let _ = nix::unistd::User::from_name(session.user);
    let mut handle = Handle::start(session.service, session.user)?;
    if session.half == Half::Close {
        handle.open(Flags::None);
    }
    let before = state::lines();
    if watched {
        writeln!(report, "{}", next_descriptor()?)?;
        let number = watch::submit()?;
        // SAFETY: this process has just made it. Not done before the parent has it,
        // who answers this call.
        unsafe { libc::close(number) };
    }
    mark();
    let code = match session.half {
        Half::Open => handle.open(Flags::None),
        Half::Close => handle.close(Flags::None),
    };
    mark();
    let mut text = format!("code={code}\n");
    for (moment, lines) in [("before", before), ("after", state::lines())] {
        for line in lines {
            text.push_str(&format!("{moment} {line}\n"));
        }
    }
    text.push_str(&format!("nix={}\n", identity("/nix")));
    if let Ok(marker) = fs::read_link(MARKER) {
        text.push_str(&format!("marker={}\n", marker.display()));
    }
    report.write_all(text.as_bytes())
}

/// A state that nothing has by chance, so that a change shows.
fn take_on_a_state(directory: &str) -> io::Result<()> {
    chdir(directory)?;
    umask(Mode::from_bits_truncate(0o137));
    set_pdeathsig(Signal::SIGKILL)?;
    let mut blocked = SigSet::empty();
    blocked.add(Signal::SIGUSR2);
    sigprocmask(SigmaskHow::SIG_BLOCK, Some(&blocked), None)?;
    Ok(())
}

fn mark() {
    // SAFETY: an option that does not exist takes no pointer.
    unsafe { libc::syscall(libc::SYS_prctl, MARK, 0, 0, 0, 0) };
}

/// Which file is at a path.
pub fn identity(path: &str) -> String {
    fs::symlink_metadata(path).map_or_else(
        |error| error.to_string(),
        |file| format!("{}:{}", file.dev(), file.ino()),
    )
}

/// A connection to the log that is made anew has another number.
fn without_numbers(descriptors: &str) -> String {
    let mut words = descriptors
        .split(' ')
        .map(|word| match word.split_once("socket:[") {
            Some((number, _)) => format!("{number}socket"),
            None => word.to_owned(),
        });
    let first = words.next().unwrap_or_default();
    words.fold(first, |all, word| all + " " + &word)
}

impl Report {
    fn read(mut from: File) -> io::Result<Self> {
        let mut text = String::new();
        from.read_to_string(&mut text)?;
        let mut report = Self::default();
        for line in text.lines() {
            let Some((key, value)) = line.split_once('=') else {
                continue;
            };
            let value = value.to_owned();
            match key.split_once(' ') {
                Some((_, "descriptors")) if key.starts_with("before") => {
                    drop(
                        report
                            .before
                            .insert("descriptors".to_owned(), without_numbers(&value)),
                    );
                }
                Some((_, "descriptors")) => {
                    drop(
                        report
                            .after
                            .insert("descriptors".to_owned(), without_numbers(&value)),
                    );
                }
                Some(("before", key)) => drop(report.before.insert(key.to_owned(), value)),
                Some(("after", key)) => drop(report.after.insert(key.to_owned(), value)),
                _ => match key {
                    "code" => report.code = value.parse().ok(),
                    "nix" => report.nix = value,
                    "marker" => report.marker = Some(value),
                    "failed" => return Err(io::Error::other(value)),
                    _ => {}
                },
            }
        }
        Ok(report)
    }
}
