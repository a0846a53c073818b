//! A session in a process of its own.

use std::error::Error;
use std::fs::File;
use std::io::{self, Read, Write};
use std::thread::sleep;
use std::time::{Duration, Instant};

use nix::fcntl::OFlag;
use nix::sys::wait::{WaitStatus, waitpid};
use nix::time::{ClockId, clock_gettime};
use nix::unistd::{ForkResult, Pid, fork, pipe2};

use crate::pam::{self, Flags, Handle};

/// Long enough to be woken up anew.
const A_MOMENT: Duration = Duration::from_millis(1);

/// One thing to be done.
#[derive(Debug, Clone)]
pub struct Work {
    /// What it is called in the output.
    pub name: String,
    /// What it is.
    pub what: What,
}

/// What is done.
#[derive(Debug, Clone)]
pub enum What {
    /// A session of a user's, at a service.
    Session {
        /// The file in `/etc/pam.d`.
        service: String,
        /// The account.
        user: String,
    },
    /// A program that times itself.
    Program(Vec<String>),
}

/// How long the parts of a session took.
#[derive(Debug, Clone, Copy, Default)]
pub struct Times {
    /// `pam_start`: the stack is read, the modules are loaded.
    pub start: Duration,
    /// `pam_open_session`.
    pub open: Duration,
    /// For how much of that the processor was busy with it, in this process: what a
    /// loaded machine does not change.
    pub busy: Duration,
    /// `pam_close_session`.
    pub close: Duration,
}

impl Work {
    /// `NAME=SERVICE:USER` or `NAME=/PROGRAM,ARGUMENT...`.
    pub fn read(word: &str) -> Result<Self, Box<dyn Error>> {
        let (name, what) = word.split_once('=').ok_or("NAME=SERVICE:USER")?;
        let what = if what.starts_with('/') {
            What::Program(what.split(',').map(str::to_owned).collect())
        } else {
            let (service, user) = what.split_once(':').ok_or("SERVICE:USER")?;
            What::Session {
                service: service.to_owned(),
                user: user.to_owned(),
            }
        };
        Ok(Self {
            name: name.to_owned(),
            what,
        })
    }

    /// Service and user, where it is a session.
    pub fn session(&self) -> io::Result<(&str, &str)> {
        match &self.what {
            What::Session { service, user } => Ok((service, user)),
            What::Program(_) => Err(io::Error::other("a program cannot be held")),
        }
    }
}

/// A session that is open in this process.
pub struct Open {
    handle: Handle,
    /// How long it took to get here.
    pub times: Times,
    /// When it was open, by `CLOCK_MONOTONIC`.
    pub since: Duration,
}

impl Open {
    /// Starts Linux-PAM and opens a session.
    pub fn new(service: &str, user: &str) -> io::Result<Self> {
        let begun = Instant::now();
        let mut handle = Handle::start(service, user)?;
        let start = begun.elapsed();
        // A login waits for the network and the disk before. Without that it would
        // be at the end of its slice here, and on a busy machine lose the processor
        // to whoever comes next.
        sleep(A_MOMENT);
        let started = Instant::now();
        let busy = processor_time()?;
        let code = handle.open(Flags::None);
        let busy = processor_time()?.saturating_sub(busy);
        let open = started.elapsed();
        let since = time_of(ClockId::CLOCK_MONOTONIC)?;
        if code != pam::SUCCESS {
            return Err(io::Error::other(format!(
                "pam_open_session of {service} for {user} answered {code}"
            )));
        }
        Ok(Self {
            handle,
            since,
            times: Times {
                start,
                open,
                busy,
                close: Duration::ZERO,
            },
        })
    }

    /// Closes it.
    pub fn close(mut self) -> io::Result<Times> {
        let begun = Instant::now();
        let code = self.handle.close(Flags::None);
        let close = begun.elapsed();
        if code != pam::SUCCESS {
            return Err(io::Error::other(format!(
                "pam_close_session answered {code}"
            )));
        }
        Ok(Times {
            close,
            ..self.times
        })
    }
}

fn processor_time() -> io::Result<Duration> {
    time_of(ClockId::CLOCK_PROCESS_CPUTIME_ID)
}

fn time_of(clock: ClockId) -> io::Result<Duration> {
    Ok(clock_gettime(clock)?.into())
}

/// Does something in a process of its own and tells what it said.
pub fn apart(work: impl FnOnce(&mut File) -> io::Result<()>) -> io::Result<String> {
    let (mut said, child) = begin(work)?;
    let mut text = String::new();
    said.read_to_string(&mut text)?;
    reap(child)?;
    Ok(text)
}

/// Begins something in a process of its own; what it says is read from the file.
#[allow(unsafe_code, reason = "fork")]
pub fn begin(work: impl FnOnce(&mut File) -> io::Result<()>) -> io::Result<(File, Pid)> {
    let (read, write) = pipe2(OFlag::O_CLOEXEC)?;
    // SAFETY: this program has one thread.
    match unsafe { fork() }? {
        ForkResult::Parent { child } => Ok((read.into(), child)),
        ForkResult::Child => {
            drop(read);
            let ended = work(&mut write.into());
            if let Err(error) = &ended {
                let _ = writeln!(io::stderr(), "{error}");
            }
            std::process::exit(i32::from(ended.is_err()))
        }
    }
}

/// Waits for a process, which must have ended well.
pub fn reap(child: Pid) -> io::Result<()> {
    match waitpid(child, None)? {
        WaitStatus::Exited(_, 0) => Ok(()),
        other => Err(io::Error::other(format!("{other:?}"))),
    }
}
