//! The first process of a PID namespace, and the one that stays outside for it.
//!
//! Three processes: the caller's, which stays outside and ends as the program
//! does; the first one inside, which adopts and reaps orphans, and whose end is
//! the end of all (`pid_namespaces(7)`); and the program. The first two are tied
//! by a socket, which closes when either is gone, however it went.

use std::os::fd::{AsFd, AsRawFd, OwnedFd};

use caps::CapSet;
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::prctl::set_dumpable;
use nix::sys::resource::{Resource, setrlimit};
use nix::sys::signal::{SigSet, SigmaskHow, Signal, kill, raise};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::sys::socket::{AddressFamily, MsgFlags, SockFlag, SockType, recv, send, socketpair};
use nix::sys::wait::WaitPidFlag;
use nix::unistd::{ForkResult, Pid};

use super::Error;
use super::error::failed;
use crate::kernel;

/// When a process that stands around the program fails: as `env` and its like
/// say that the failure is their own.
const UNKNOWN: Fate = Fate::Exited(125);

/// What the first process holds: its tie to the outside, and the signals as the
/// caller had them.
pub(super) struct Tie {
    socket: OwnedFd,
    signals: SignalFd,
    mask: SigSet,
}

/// What became of the program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Exited(u8),
    Killed(u8),
    Stopped(u8),
}

/// Begins a PID namespace that the caller has unshared: returns in its first
/// process. The calling process never does.
pub(super) fn begin() -> Result<Tie, Error> {
    let all = SigSet::all();
    let mask = all
        .thread_swap_mask(SigmaskHow::SIG_SETMASK)
        .map_err(failed("sigprocmask"))?;
    let signals = SignalFd::with_flags(&all, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK)
        .map_err(failed("signalfd"))?;
    let (outside, inside) = socketpair(
        AddressFamily::Unix,
        SockType::SeqPacket,
        None,
        SockFlag::SOCK_CLOEXEC,
    )
    .map_err(failed("socketpair"))?;
    match kernel::fork().map_err(failed("fork"))? {
        ForkResult::Child => Ok(Tie {
            socket: inside,
            signals,
            mask,
        }),
        ForkResult::Parent { child } => {
            drop(inside);
            let fate = drop_capabilities().and_then(|()| stay_outside(child, &outside, &signals));
            end_as(fate.unwrap_or(UNKNOWN))
        }
    }
}

/// Starts the program: returns in it. The first process never does.
pub(super) fn start(tie: Tie) -> Result<(), Error> {
    match kernel::fork().map_err(failed("fork"))? {
        ForkResult::Child => tie.mask.thread_set_mask().map_err(failed("sigprocmask")),
        ForkResult::Parent { child } => {
            let ended = become_untouchable()
                .and_then(|()| drop_capabilities())
                .and_then(|()| look_after(child, &tie));
            end_as(if ended.is_ok() {
                Fate::Exited(0)
            } else {
                UNKNOWN
            })
        }
    }
}

/// It still holds what the caller had open, and the program runs as the same user.
fn become_untouchable() -> Result<(), Error> {
    set_dumpable(false).map_err(failed("prctl PR_SET_DUMPABLE"))
}

/// The namespaces belong to whoever has these; the program is not to find a
/// process beside it that does.
fn drop_capabilities() -> Result<(), Error> {
    for set in [
        CapSet::Ambient,
        CapSet::Effective,
        CapSet::Permitted,
        CapSet::Inheritable,
    ] {
        caps::clear(None, set)?;
    }
    Ok(())
}

fn stay_outside(child: Pid, tie: &OwnedFd, signals: &SignalFd) -> Result<Fate, Error> {
    let said = loop {
        wait_for_any(tie, signals)?;
        pass_on(signals, child)?;
        match receive(tie)? {
            Heard::Nothing => {}
            // The shell that started this one is told that it is stopped, and
            // continues it with the whole process group.
            Heard::Fate(Fate::Stopped(_)) => raise(Signal::SIGSTOP).map_err(failed("raise"))?,
            Heard::Fate(fate) => break Some(fate),
            Heard::End => break None,
        }
    };
    // Whatever was left inside is gone when this returns.
    let ended = kernel::wait(child, WaitPidFlag::empty()).map_err(failed("waitpid"))?;
    let ended = ended.and_then(|(_, status)| fate(status));
    Ok(said.or(ended).unwrap_or(UNKNOWN))
}

fn look_after(child: Pid, tie: &Tie) -> Result<(), Error> {
    loop {
        wait_for_any(&tie.socket, &tie.signals)?;
        pass_on(&tie.signals, child)?;
        while let Some((process, fate)) = reap()? {
            if process != child {
                continue;
            }
            tell(&tie.socket, fate)?;
            if !matches!(fate, Fate::Stopped(_)) {
                return Ok(());
            }
        }
        if let Heard::End = receive(&tie.socket)? {
            return Ok(());
        }
    }
}

fn wait_for_any(tie: &OwnedFd, signals: &SignalFd) -> Result<(), Error> {
    let mut sources =
        [tie.as_fd(), signals.as_fd()].map(|source| PollFd::new(source, PollFlags::POLLIN));
    match poll(&mut sources, PollTimeout::NONE) {
        Ok(_) | Err(Errno::EINTR) => Ok(()),
        Err(errno) => Err(failed("poll")(errno)),
    }
}

/// Passes on what a process sent. What the terminal sends (`SI_KERNEL`), it sends
/// to the program as well.
fn pass_on(signals: &SignalFd, child: Pid) -> Result<(), Error> {
    while let Some(info) = signals.read_signal().map_err(failed("read signalfd"))? {
        let number = i32::try_from(info.ssi_signo).ok();
        let signal = number.and_then(|number| Signal::try_from(number).ok());
        match signal {
            Some(Signal::SIGCHLD) | None => {}
            Some(_) if info.ssi_code > 0 => {}
            // It may have ended by now.
            Some(signal) => drop(kill(child, signal)),
        }
    }
    Ok(())
}

fn reap() -> Result<Option<(Pid, Fate)>, Error> {
    let any = Pid::from_raw(-1);
    match kernel::wait(any, WaitPidFlag::WNOHANG | WaitPidFlag::WUNTRACED) {
        Ok(found) => Ok(found.and_then(|(process, status)| Some((process, fate(status)?)))),
        Err(Errno::ECHILD) => Ok(None),
        Err(errno) => Err(failed("waitpid")(errno)),
    }
}

fn fate(status: i32) -> Option<Fate> {
    let (number, kind): (i32, fn(u8) -> Fate) = if libc::WIFEXITED(status) {
        (libc::WEXITSTATUS(status), Fate::Exited)
    } else if libc::WIFSIGNALED(status) {
        (libc::WTERMSIG(status), Fate::Killed)
    } else if libc::WIFSTOPPED(status) {
        (libc::WSTOPSIG(status), Fate::Stopped)
    } else {
        return None;
    };
    u8::try_from(number).ok().map(kind)
}

/// What came over the tie.
enum Heard {
    Nothing,
    Fate(Fate),
    /// The other end is gone.
    End,
}

fn tell(tie: &OwnedFd, fate: Fate) -> Result<(), Error> {
    let message = match fate {
        Fate::Exited(code) => [b'e', code],
        Fate::Killed(signal) => [b'k', signal],
        Fate::Stopped(signal) => [b's', signal],
    };
    match send(tie.as_raw_fd(), &message, MsgFlags::MSG_NOSIGNAL) {
        Ok(_) | Err(Errno::EPIPE) => Ok(()),
        Err(errno) => Err(failed("send")(errno)),
    }
}

fn receive(tie: &OwnedFd) -> Result<Heard, Error> {
    let mut message = [0; 2];
    let length = recv(tie.as_raw_fd(), &mut message, MsgFlags::MSG_DONTWAIT);
    match (length, message) {
        (Err(Errno::EAGAIN), _) => Ok(Heard::Nothing),
        (Err(errno), _) => Err(failed("recv")(errno)),
        (Ok(2), [b'e', code]) => Ok(Heard::Fate(Fate::Exited(code))),
        (Ok(2), [b'k', signal]) => Ok(Heard::Fate(Fate::Killed(signal))),
        (Ok(2), [b's', signal]) => Ok(Heard::Fate(Fate::Stopped(signal))),
        _ => Ok(Heard::End),
    }
}

/// Ends the process as the program ended.
fn end_as(fate: Fate) -> ! {
    let code = match fate {
        Fate::Exited(code) => i32::from(code),
        Fate::Killed(signal) | Fate::Stopped(signal) => {
            // The program has left its core already.
            let _ = setrlimit(Resource::RLIMIT_CORE, 0, 0);
            kernel::die_by(signal);
            // One that ends no process: as shells report it.
            i32::from(signal).saturating_add(128)
        }
    };
    std::process::exit(code)
}
