//! The first process around a booted system.
//!
//! Started by [`tests::bed::Bed::boot`] in fresh mount, pid, network, ipc and
//! uts namespaces; never by hand: `bed-init TREES NAME [terminals]`, with the console as
//! standard output. It lays the ground, starts `systemd-nspawn`, and waits until
//! that ends or the test run at the other end of its standard input is gone. Its
//! death is the death of every process of the system, and theirs the end of
//! every mount.

mod cgroup;
mod ground;
mod terminals;

use std::env;
use std::error::Error;
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::process::{Command, Stdio};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{SigSet, Signal, kill};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;

use cgroup::{Cgroup, Host};
use terminals::Terminals;

/// How `systemd-nspawn --keep-unit` ends when the system wants to be booted again
/// (`EXIT_FORCE_RESTART` of its source): the unit it is usually in would do that.
const REBOOT: i32 = 133;

fn main() -> Result<(), Box<dyn Error>> {
    let words: Vec<String> = env::args().skip(1).collect();
    let (trees, name, terminals) = match words.as_slice() {
        [trees, name] => (trees, name, None),
        [trees, name, word] if word == "terminals" => (trees, name, Some(Terminals::lend()?)),
        _ => return Err("usage: bed-init TREES NAME [terminals]".into()),
    };
    let mut tests = UnixStream::from(io::stdin().as_fd().try_clone_to_owned()?);
    // The turn at the terminals may have come late.
    if is_gone(&tests)? {
        return Ok(());
    }
    let host = Host::look()?;
    ground::lay(trees)?;
    let cgroup = Cgroup::make(&host)?;
    let children = watch_children()?;
    let more = terminals.as_ref().map(|_| Terminals::options());
    let more = more.unwrap_or_default();
    let mut nspawn = boot(name, &cgroup, &more)?;
    writeln!(tests, "ready")?;
    while wait(&tests, &children, nspawn)? == Some(REBOOT) {
        nspawn = boot(name, &cgroup, &more)?;
    }
    end_everything()?;
    cgroup.remove();
    Ok(())
}

fn is_gone(tests: &UnixStream) -> nix::Result<bool> {
    let mut sources = [PollFd::new(tests.as_fd(), PollFlags::POLLIN)];
    Ok(poll(&mut sources, PollTimeout::ZERO)? > 0)
}

fn watch_children() -> nix::Result<SignalFd> {
    let mut signals = SigSet::empty();
    signals.add(Signal::SIGCHLD);
    signals.thread_block()?;
    SignalFd::with_flags(&signals, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK)
}

/// Starts systemd of the tree, on the console that is this process's output.
fn boot(name: &str, cgroup: &Cgroup, more: &[String]) -> io::Result<Pid> {
    // By a shell, which moves itself: this process must stay outside to remove
    // the group in the end. It keeps no blocked signal to hand down, either.
    let script = format!("echo $$ >{}/cgroup.procs && exec \"$@\"", cgroup.path());
    let child = Command::new("setpriv")
        .args(["--clear-groups", "--", "sh", "-c", &script, "sh"])
        .args(["systemd-nspawn", "--quiet", "--boot"])
        .args(["--register=no", "--keep-unit"])
        .args(["--machine", name, "--directory", ground::ROOT])
        .args(["--capability=all", "--console=interactive"])
        .args(["--resolv-conf=off", "--timezone=off"])
        .args(more)
        .env("SYSTEMD_NSPAWN_UNIFIED_HIERARCHY", "1")
        .env("TERM", "dumb")
        .stdin(Stdio::from(io::stdout().as_fd().try_clone_to_owned()?))
        .spawn()?;
    Ok(Pid::from_raw(
        i32::try_from(child.id()).map_err(io::Error::other)?,
    ))
}

/// Until the system has shut down, which gives a code, or the test run is gone.
fn wait(tests: &UnixStream, children: &SignalFd, nspawn: Pid) -> nix::Result<Option<i32>> {
    loop {
        let mut sources =
            [tests.as_fd(), children.as_fd()].map(|source| PollFd::new(source, PollFlags::POLLIN));
        poll(&mut sources, PollTimeout::NONE)?;
        if sources[0].any() == Some(true) {
            return Ok(None);
        }
        while children.read_signal()?.is_some() {}
        while let Ok(status) = waitpid(None, Some(WaitPidFlag::WNOHANG)) {
            match status {
                WaitStatus::StillAlive => break,
                WaitStatus::Exited(process, code) if process == nspawn => return Ok(Some(code)),
                WaitStatus::Signaled(process, ..) if process == nspawn => return Ok(None),
                _ => {}
            }
        }
    }
}

/// Kills every process of this namespace but this one and waits for their ends.
fn end_everything() -> nix::Result<()> {
    match kill(Pid::from_raw(-1), Signal::SIGKILL) {
        Err(Errno::ESRCH) => {}
        killed => killed?,
    }
    while waitpid(None, None) != Err(Errno::ECHILD) {}
    Ok(())
}
