//! Sessions that stay, as many as a test wants, opened and closed by its word.
//!
//! Started by root in a throw-away machine; listens at `/run/soak.sock` and
//! answers a line with a line. A session is a process of its own, called by a
//! number; what it says is where it is: `NAMESPACE NIX MARKED`, the last two
//! being the file at `/nix` and whether there is a marker.
//!
//! ```text
//! open NUMBER FROM SERVICE USER   as su does in the session FROM; 0: on the host
//! linger NUMBER FROM              a process of nobody's session, in the place of FROM
//! close NUMBER                    closes the session; its process ends
//! kill NUMBER                     kills its process
//! cut SERVICE USER MICROSECONDS   opens one and kills it after a while
//! strike SERVICE USER MICROSECONDS NUMBER
//!                                 opens one and kills one of its processes after
//!                                 a while; says which, and where the session is
//! repeat SERVICE USERS COUNT      opens and closes so many in one process; says
//!                                 its descriptors and its memory before and after
//! write USER OWNER TEXT           a user's configuration; "-" for none
//! look NUMBER                     where it is now
//! host                            where the host is
//! descriptors                     how many this program has
//! ```

#![allow(unsafe_code, reason = "to fork")]

#[path = "../pam-host/pam.rs"]
#[allow(dead_code, reason = "pam-host needs more of it")]
mod pam;

use std::collections::HashMap;
use std::error::Error;
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::fs::{MetadataExt, chown};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::thread::sleep;
use std::time::Duration;

use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::sched::{CloneFlags, setns};
use nix::sys::prctl::set_pdeathsig;
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::waitpid;
use nix::unistd::{ForkResult, Pid, fork, pipe2};

use pam::{Flags, Handle};

const SOCKET: &str = "/run/soak.sock";

/// Longer than from the choice of a process to its death.
const MOMENT: Duration = Duration::from_millis(20);

/// A process that waits for the word to close.
struct Held {
    process: Pid,
    /// Closed: the word.
    word: UnixStream,
}

#[derive(Default)]
struct Soak {
    held: HashMap<u32, Held>,
    /// Kept open, so that the modules are loaded once, not for every session.
    loaded: HashMap<String, Handle>,
}

fn main() -> Result<(), Box<dyn Error>> {
    let listener = UnixListener::bind(SOCKET)?;
    println!("listens");
    let (stream, _) = listener.accept()?;
    let mut answers = stream.try_clone()?;
    let mut soak = Soak::default();
    for line in BufReader::new(stream).lines() {
        let line = line?;
        let answer = soak
            .obey(&line)
            .unwrap_or_else(|error| format!("failed: {error}"));
        writeln!(answers, "{answer}")?;
    }
    Ok(())
}

impl Soak {
    fn obey(&mut self, line: &str) -> Result<String, Box<dyn Error>> {
        let words: Vec<&str> = line.split(' ').collect();
        match words[..] {
            ["open", number, from, service, user] => {
                let from = self.process(from)?;
                self.load(service)?;
                let (held, said) = start(from, Some((service, user)))?;
                self.held.insert(number.parse()?, held);
                Ok(said)
            }
            ["linger", number, from] => {
                let from = self.process(from)?;
                let (held, said) = start(from, None)?;
                self.held.insert(number.parse()?, held);
                Ok(said)
            }
            ["close", number] => {
                let mut held = self.take(number)?;
                held.word.shutdown(std::net::Shutdown::Write)?;
                let mut said = String::new();
                held.word.read_to_string(&mut said)?;
                waitpid(held.process, None)?;
                Ok(said)
            }
            ["kill", number] => {
                let held = self.take(number)?;
                end(held.process)?;
                Ok(String::new())
            }
            ["cut", service, user, after] => {
                self.load(service)?;
                cut(service, user, Duration::from_micros(after.parse()?))?;
                Ok(String::new())
            }
            ["strike", service, user, after, number] => {
                self.load(service)?;
                let after = Duration::from_micros(after.parse()?);
                Ok(strike(service, user, after, number.parse()?)?)
            }
            ["repeat", service, users, count] => {
                self.load(service)?;
                Ok(repeat(service, users.parse()?, count.parse()?)?)
            }
            ["write", user, ..] => {
                let text = line.splitn(3, ' ').nth(2).unwrap_or_default();
                write(user, text)?;
                Ok(String::new())
            }
            ["look", number] => {
                let held = self.held.get(&number.parse()?).ok_or("no such session")?;
                Ok(where_it_is(&format!("/proc/{}", held.process)))
            }
            ["host"] => Ok(where_it_is("/proc/self")),
            ["descriptors"] => Ok(descriptors()?.to_string()),
            _ => Err(format!("{line}?").into()),
        }
    }

    fn process(&self, number: &str) -> Result<Option<Pid>, Box<dyn Error>> {
        match number.parse()? {
            0 => Ok(None),
            number => {
                let held = self.held.get(&number).ok_or("no such session")?;
                Ok(Some(held.process))
            }
        }
    }

    fn take(&mut self, number: &str) -> Result<Held, Box<dyn Error>> {
        Ok(self
            .held
            .remove(&number.parse()?)
            .ok_or("no such session")?)
    }

    fn load(&mut self, service: &str) -> io::Result<()> {
        if !self.loaded.contains_key(service) {
            let handle = Handle::start(service, "root")?;
            self.loaded.insert(service.to_owned(), handle);
        }
        Ok(())
    }
}

fn start(from: Option<Pid>, session: Option<(&str, &str)>) -> io::Result<(Held, String)> {
    let (ours, theirs) = UnixStream::pair()?;
    let (said, told) = pipe2(OFlag::O_CLOEXEC)?;
    // SAFETY: this process has one thread.
    match unsafe { fork() }? {
        ForkResult::Parent { child } => {
            drop((theirs, told));
            let mut text = String::new();
            File::from(said).read_to_string(&mut text)?;
            let held = Held {
                process: child,
                word: ours,
            };
            Ok((held, text))
        }
        ForkResult::Child => {
            drop((ours, said));
            let ended = stay(from, session, told, theirs);
            if let Err(error) = ended {
                eprintln!("a session: {error}");
            }
            // SAFETY: a number; nothing of the parent's is to run here.
            unsafe { libc::_exit(0) }
        }
    }
}

fn stay(
    from: Option<Pid>,
    session: Option<(&str, &str)>,
    told: OwnedFd,
    mut word: UnixStream,
) -> io::Result<()> {
    set_pdeathsig(Signal::SIGKILL)?;
    if let Some(process) = from {
        let namespace = File::open(format!("/proc/{process}/ns/mnt"))?;
        setns(namespace, CloneFlags::CLONE_NEWNS)?;
    }
    pam::open_log();
    let mut code = 0;
    let mut handle = None;
    if let Some((service, user)) = session {
        let mut opened = Handle::start(service, user)?;
        let before = descriptors()?;
        code = opened.open(Flags::None);
        same_descriptors(before)?;
        handle = Some(opened);
    }
    let mut told = File::from(told);
    write!(told, "{code} {}", where_it_is("/proc/self"))?;
    drop(told);
    word.read_to_end(&mut Vec::new())?;
    if let Some(mut handle) = handle {
        let before = descriptors()?;
        let code = handle.close(Flags::None);
        same_descriptors(before)?;
        write!(word, "{code} {}", where_it_is("/proc/self"))?;
    }
    Ok(())
}

fn cut(service: &str, user: &str, after: Duration) -> io::Result<()> {
    // SAFETY: this process has one thread.
    match unsafe { fork() }? {
        ForkResult::Parent { child } => {
            sleep(after);
            end(child)
        }
        ForkResult::Child => {
            if let Ok(mut handle) = Handle::start(service, user) {
                handle.open(Flags::None);
            }
            // SAFETY: a number; nothing of the parent's is to run here.
            unsafe { libc::_exit(0) }
        }
    }
}

fn strike(service: &str, user: &str, after: Duration, number: usize) -> io::Result<String> {
    let (said, told) = pipe2(OFlag::O_CLOEXEC)?;
    // SAFETY: this process has one thread.
    match unsafe { fork() }? {
        ForkResult::Parent { child } => {
            drop(told);
            sleep(after);
            let whom = kill_one(child, number)?;
            let mut text = String::new();
            File::from(said).read_to_string(&mut text)?;
            waitpid(child, None)?;
            Ok(format!("{whom} {text}"))
        }
        ForkResult::Child => {
            drop(said);
            pam::open_log();
            if let Ok(mut handle) = Handle::start(service, user) {
                let code = handle.open(Flags::None);
                let text = format!("{code} {}", where_it_is("/proc/self"));
                let _ = File::from(told).write_all(text.as_bytes());
            }
            // Killed all the same, if it was to be.
            sleep(MOMENT);
            // SAFETY: a number; nothing of the parent's is to run here.
            unsafe { libc::_exit(0) }
        }
    }
}

/// Kills a login's application, or a process of its own, whichever there is
/// now; says which it was.
fn kill_one(application: Pid, number: usize) -> io::Result<&'static str> {
    let children = children_of(application)?;
    let grandchildren = children
        .first()
        .map_or(Ok(Vec::new()), |it| children_of(*it))?;
    let all: Vec<(&str, Pid)> = std::iter::once(("application", application))
        .chain(children.iter().map(|it| ("child", *it)))
        .chain(grandchildren.iter().map(|it| ("reader", *it)))
        .collect();
    let turn = number.checked_rem(all.len()).and_then(|turn| all.get(turn));
    let (whom, process) = turn.ok_or(io::ErrorKind::NotFound)?;
    match kill(*process, Signal::SIGKILL) {
        // It ended meanwhile.
        Err(Errno::ESRCH) => Ok("nobody"),
        ended => Ok(ended.map(|()| *whom)?),
    }
}

/// Of the process's only thread; nothing where it has ended.
fn children_of(process: Pid) -> io::Result<Vec<Pid>> {
    let path = format!("/proc/{process}/task/{process}/children");
    let text = match fs::read_to_string(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        text => text?,
    };
    let numbers = text.split_ascii_whitespace();
    Ok(numbers
        .filter_map(|it| it.parse().ok())
        .map(Pid::from_raw)
        .collect())
}

fn repeat(service: &str, users: u32, count: u32) -> io::Result<String> {
    let (said, told) = pipe2(OFlag::O_CLOEXEC)?;
    // SAFETY: this process has one thread.
    match unsafe { fork() }? {
        ForkResult::Parent { child } => {
            drop(told);
            let mut text = String::new();
            File::from(said).read_to_string(&mut text)?;
            waitpid(child, None)?;
            Ok(text)
        }
        ForkResult::Child => {
            drop(said);
            pam::open_log();
            let text = open_and_close(service, users, count).unwrap_or_else(|it| it.to_string());
            let _ = File::from(told).write_all(text.as_bytes());
            // SAFETY: a number; nothing of the parent's is to run here.
            unsafe { libc::_exit(0) }
        }
    }
}

fn open_and_close(service: &str, users: u32, count: u32) -> io::Result<String> {
    let host = where_it_is("/proc/self");
    let once = |number: u32| -> io::Result<()> {
        let user = format!("user{}", number.checked_rem(users).unwrap_or_default());
        let mut handle = Handle::start(service, &user)?;
        let opened = (handle.open(Flags::None), where_it_is("/proc/self"));
        if opened.0 != pam::SUCCESS || !opened.1.ends_with(" true") {
            return Err(io::Error::other(format!("{user}: {opened:?}")));
        }
        let closed = (handle.close(Flags::None), where_it_is("/proc/self"));
        if closed != (pam::SUCCESS, host.clone()) {
            return Err(io::Error::other(format!("{user} closed: {closed:?}")));
        }
        Ok(())
    };
    // The first ones fill what is kept for all: the C library's, the loader's.
    for number in 0..users * 2 {
        once(number)?;
    }
    let (descriptors_before, memory_before) = (descriptors()?, memory()?);
    for number in 0..count {
        once(number)?;
    }
    Ok(format!(
        "descriptors {descriptors_before} before, {} after, memory {memory_before} kB before, {} kB after",
        descriptors()?,
        memory()?
    ))
}

/// How many this process has, but for the one this takes.
fn descriptors() -> io::Result<usize> {
    Ok(fs::read_dir("/proc/self/fd")?.count() - 1)
}

/// What a module has left open, or closed of its application's, is a mistake.
fn same_descriptors(before: usize) -> io::Result<()> {
    let after = descriptors()?;
    if after == before {
        return Ok(());
    }
    Err(io::Error::other(format!(
        "{before} descriptors, then {after}"
    )))
}

/// What of its memory is this process's own: heap and all, in kilobytes.
fn memory() -> io::Result<u64> {
    let text = fs::read_to_string("/proc/self/status")?;
    let line = text.lines().find_map(|line| line.strip_prefix("RssAnon:"));
    let number = line.and_then(|it| it.split_ascii_whitespace().next());
    number
        .and_then(|it| it.parse().ok())
        .ok_or_else(|| io::Error::other("no RssAnon"))
}

fn end(process: Pid) -> io::Result<()> {
    kill(process, Signal::SIGKILL)?;
    waitpid(process, None)?;
    Ok(())
}

/// Writes a configuration as an editor does: a new file each time.
fn write(user: &str, text: &str) -> io::Result<()> {
    let file = format!("/home/{user}/.config/nix-ns/config.toml");
    if text == "-" {
        return match fs::remove_file(file) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        };
    }
    let new = format!("{file}.new");
    let home = fs::metadata(format!("/home/{user}"))?;
    fs::write(&new, text)?;
    chown(&new, Some(home.uid()), Some(home.gid()))?;
    fs::rename(new, file)
}

/// What a module has for the user: nobody reads it here.
fn say(_line: &str) {}

fn where_it_is(process: &str) -> String {
    let namespace = fs::read_link(format!("{process}/ns/mnt"));
    let namespace = namespace.map_or_else(|it| it.to_string(), |it| it.display().to_string());
    let root = if process == "/proc/self" {
        String::new()
    } else {
        format!("{process}/root")
    };
    let nix = fs::symlink_metadata(format!("{root}/nix"));
    let nix = nix.map_or_else(
        |error| error.to_string(),
        |nix| format!("{}:{}", nix.dev(), nix.ino()),
    );
    let marked = Path::new(&format!("{root}/run/nix-ns/self/namespace")).is_symlink();
    format!("{namespace} {nix} {marked}")
}
