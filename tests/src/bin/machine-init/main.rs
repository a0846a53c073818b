//! The first process of a throw-away machine.
//!
//! Started by [`tests::Machine::start`] in fresh mount, pid, network, ipc and
//! uts namespaces; never by hand. It lays the ground, says that it is ready and
//! then reaps orphans and writes down the log, until the test run at the other
//! end of its standard input is gone. Its death is the death of every process
//! of the machine (`pid_namespaces(7)`), and theirs the end of every mount.

mod ground;
mod journal;

use std::error::Error;
use std::fs;
use std::io::{Read, Write};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};

use journal::Journal;

/// The only question there is: is the log written down?
const ANSWER: &[u8] = b"!";

fn main() -> Result<(), Box<dyn Error>> {
    let mut tests = UnixStream::from(std::io::stdin().as_fd().try_clone_to_owned()?);
    // The procfs still mounted here is the host's, in which this process has
    // the number by which the test run finds it.
    let number = fs::read_link("/proc/self")?;
    ground::lay()?;
    let mut journal = Journal::open()?;
    let children = watch_children()?;
    writeln!(tests, "{}", number.display())?;
    serve(&mut tests, &mut journal, &children)
}

fn watch_children() -> nix::Result<SignalFd> {
    let mut signals = SigSet::empty();
    signals.add(Signal::SIGCHLD);
    signals.thread_block()?;
    SignalFd::with_flags(&signals, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK)
}

fn serve(
    tests: &mut UnixStream,
    journal: &mut Journal,
    children: &SignalFd,
) -> Result<(), Box<dyn Error>> {
    loop {
        wait_for_any(tests, journal, children)?;
        while children.read_signal()?.is_some() {}
        reap();
        // Taken before the log is written down: what was sent before the
        // question is then in the log when the answer comes.
        let question = question(tests)?;
        journal.write_down()?;
        match question {
            None => {}
            Some(0) => return Ok(()),
            Some(_) => tests.write_all(ANSWER)?,
        }
    }
}

fn wait_for_any(tests: &UnixStream, journal: &Journal, children: &SignalFd) -> nix::Result<()> {
    let mut sources = [tests.as_fd(), journal.as_fd(), children.as_fd()]
        .map(|source| PollFd::new(source, PollFlags::POLLIN));
    poll(&mut sources, PollTimeout::NONE).map(drop)
}

fn reap() {
    while let Ok(status) = waitpid(None, Some(WaitPidFlag::WNOHANG)) {
        if status == WaitStatus::StillAlive {
            return;
        }
    }
}

/// Length of what the test run asked, if it did: 0 when it is gone.
fn question(tests: &mut UnixStream) -> std::io::Result<Option<usize>> {
    let mut asked = [PollFd::new(tests.as_fd(), PollFlags::POLLIN)];
    if poll(&mut asked, PollTimeout::ZERO)? == 0 {
        return Ok(None);
    }
    tests.read(&mut [0]).map(Some)
}
