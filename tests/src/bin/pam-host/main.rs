//! A program that opens a PAM session, as sshd or su would, and says what PAM
//! answered.
//!
//! ```text
//! pam-host [OPTION...] SERVICE USER [-- COMMAND [ARGUMENT...]]
//! ```
//!
//! Started by root. It prints, a line each: `open CODE`; what the command
//! prints, which runs as the user with the user's groups, from the thread that
//! opened the session, and only if the session was opened; `command CODE`;
//! `close CODE`. A message that a module has for the user is `message TEXT`, at
//! the moment it comes. The codes are numbers of `security/_pam_types.h`; the
//! program's own is 0 unless it was started wrongly.
//!
//! ```text
//! --silent         pass PAM_SILENT when opening and closing
//! --authenticate   call pam_authenticate before, and print `authenticate CODE`
//! --second-thread  let another thread run all the while; at the end, print
//!                  `other thread NAMESPACE`, its mount namespace
//! --from-thread    do all this in another thread than the first
//! --as-root        run the command as root
//! --times N        open, run and close N times, each with a new handle
//! --state          print what the process is like, in lines that begin with
//!                  `before`, `opened` and `closed`: all that a module must
//!                  leave as it was, and the namespace
//! ```

#[allow(dead_code, reason = "pam-stopwatch needs more of it")]
mod pam;
mod state;

use std::error::Error;
use std::ffi::CString;
use std::io::{self, Write};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::Command;
use std::sync::mpsc;
use std::thread;

use nix::unistd::{Gid, Uid, User, getgrouplist};

use pam::{Flags, Handle};

#[derive(Debug, Default)]
struct Wish {
    silent: bool,
    authenticate: bool,
    second_thread: bool,
    from_thread: bool,
    as_root: bool,
    state: bool,
    times: u32,
    service: String,
    user: String,
    command: Vec<String>,
}

fn main() -> Result<(), Box<dyn Error>> {
    let wish = Wish::read(std::env::args().skip(1))?;
    pam::open_log();
    let namespace = || state::link("/proc/thread-self/ns/mnt");
    let (ask, asked) = mpsc::channel::<()>();
    let other = wish.second_thread.then(|| {
        thread::spawn(move || {
            // Until the sender is gone.
            let _ = asked.recv();
            namespace()
        })
    });
    if wish.from_thread {
        thread::scope(|scope| scope.spawn(|| session_after_session(&wish)).join())
            .map_err(|_| "the thread panicked")??;
    } else {
        session_after_session(&wish)?;
    }
    drop(ask);
    if let Some(other) = other {
        let namespace = other.join().map_err(|_| "the other thread panicked")?;
        say(&format!("other thread {namespace}"));
    }
    Ok(())
}

impl Wish {
    fn read(words: impl Iterator<Item = String>) -> Result<Self, Box<dyn Error>> {
        let mut wish = Self {
            times: 1,
            ..Self::default()
        };
        let mut names = Vec::new();
        let mut words = words;
        while let Some(word) = words.next() {
            match word.as_str() {
                "--silent" => wish.silent = true,
                "--authenticate" => wish.authenticate = true,
                "--second-thread" => wish.second_thread = true,
                "--from-thread" => wish.from_thread = true,
                "--as-root" => wish.as_root = true,
                "--state" => wish.state = true,
                "--times" => wish.times = words.next().ok_or("--times takes a number")?.parse()?,
                "--" => wish.command = words.by_ref().collect(),
                option if option.starts_with('-') => return Err(format!("{option}?").into()),
                _ => names.push(word),
            }
        }
        let [service, user] = <[String; 2]>::try_from(names)
            .map_err(|_| "pam-host [OPTION...] SERVICE USER [-- COMMAND...]")?;
        Ok(Self {
            service,
            user,
            ..wish
        })
    }
}

fn session_after_session(wish: &Wish) -> io::Result<()> {
    (0..wish.times).try_for_each(|_| session(wish))
}

fn session(wish: &Wish) -> io::Result<()> {
    let flags = if wish.silent {
        Flags::Silent
    } else {
        Flags::None
    };
    let mut handle = Handle::start(&wish.service, &wish.user)?;
    if wish.authenticate {
        say(&format!("authenticate {}", handle.authenticate(flags)));
    }
    state_line(wish, "before");
    let opened = handle.open(flags);
    say(&format!("open {opened}"));
    state_line(wish, "opened");
    if opened == pam::SUCCESS && !wish.command.is_empty() {
        say(&format!("command {}", run(wish)?));
    }
    say(&format!("close {}", handle.close(flags)));
    state_line(wish, "closed");
    Ok(())
}

fn run(wish: &Wish) -> io::Result<i32> {
    let user = User::from_name(&wish.user)?.ok_or_else(|| io::Error::other("no such user"))?;
    let mut command = Command::new(&wish.command[0]);
    command.args(&wish.command[1..]);
    if !wish.as_root {
        let name = CString::new(wish.user.as_str())?;
        become_in_child(
            &mut command,
            user.uid,
            user.gid,
            getgrouplist(&name, user.gid)?,
        );
    }
    let ended = command.status()?;
    Ok(ended
        .code()
        .unwrap_or_else(|| 128 + ended.signal().unwrap_or(0)))
}

#[allow(
    unsafe_code,
    reason = "the standard library cannot set groups, and must be told that the calls are harmless"
)]
fn become_in_child(command: &mut Command, uid: Uid, gid: Gid, groups: Vec<Gid>) {
    // SAFETY: system calls alone, no memory is allocated.
    unsafe {
        command.pre_exec(move || {
            nix::unistd::setgroups(&groups)?;
            nix::unistd::setgid(gid)?;
            Ok(nix::unistd::setuid(uid)?)
        });
    }
}

fn state_line(wish: &Wish, moment: &str) {
    if wish.state {
        for line in state::lines() {
            say(&format!("{moment} {line}"));
        }
    }
}

/// At once: the command writes to the same place.
fn say(line: &str) {
    let mut output = io::stdout().lock();
    let _ = writeln!(output, "{line}");
    let _ = output.flush();
}
