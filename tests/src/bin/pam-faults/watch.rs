//! Every system call of a process and its children, one after the other, with
//! the right to let it fail, or to let the process die first. By seccomp's
//! notifications: unlike a tracer it is not seen by the process, whose own
//! privileges and children stay as they are.

#![allow(unsafe_code, reason = "seccomp has no safe wrapper")]

use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::thread::sleep;
use std::time::{Duration, Instant};

use libc::c_long;
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::unistd::Pid;
use std::os::fd::AsFd;

/// `SECCOMP_IOCTL_NOTIF_SET_FLAGS` and `SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP` of
/// `include/uapi/linux/seccomp.h`, Linux 6.6.
const SET_FLAGS: libc::c_ulong = 0x4008_2104;
const SYNC_WAKE_UP: u64 = 1;

/// Longer than any login: the module waits ten seconds for a reader at most.
const LONG: Duration = Duration::from_secs(40);

/// A system call about to be made.
#[derive(Debug, Clone, Copy)]
pub struct Call {
    /// By which process.
    pub process: i32,
    /// Which.
    pub number: c_long,
    /// Its first argument.
    pub first: u64,
}

/// What is to become of it.
#[derive(Debug, Clone, Copy)]
pub enum Answer {
    /// What the kernel says.
    Kernels,
    /// This error, and nothing is done.
    Error(Errno),
    /// The process is killed before.
    Death,
}

/// Has every system call of this process, and of all its children, notified to
/// whoever takes the descriptor that this answers.
pub fn submit() -> io::Result<RawFd> {
    let mut filter = [libc::sock_filter {
        code: (libc::BPF_RET | libc::BPF_K) as u16,
        jt: 0,
        jf: 0,
        k: libc::SECCOMP_RET_USER_NOTIF,
    }];
    let program = libc::sock_fprog {
        len: 1,
        filter: filter.as_mut_ptr(),
    };
    // SAFETY: the program and its one instruction are valid. Root may do this
    // without giving up new privileges.
    let listener = unsafe {
        libc::syscall(
            libc::SYS_seccomp,
            libc::SECCOMP_SET_MODE_FILTER,
            libc::SECCOMP_FILTER_FLAG_NEW_LISTENER,
            &raw const program,
        )
    };
    let listener = Errno::result(listener).map_err(io::Error::from)?;
    RawFd::try_from(listener).map_err(io::Error::other)
}

/// Takes the descriptor out of the process that has submitted.
pub fn take(process: Pid, number: RawFd) -> io::Result<OwnedFd> {
    let deadline = Instant::now() + LONG;
    let link = format!("/proc/{process}/fd/{number}");
    loop {
        let there = std::fs::read_link(&link);
        if there.is_ok_and(|it| it.to_string_lossy().contains("seccomp")) {
            break;
        }
        if Instant::now() > deadline {
            return Err(io::Error::other("the process did not submit"));
        }
        sleep(Duration::from_micros(50));
    }
    // SAFETY: numbers only; each descriptor is one that the kernel has just made.
    unsafe {
        let handle = libc::syscall(libc::SYS_pidfd_open, process.as_raw(), 0);
        let handle = Errno::result(handle).map_err(io::Error::from)?;
        let handle = OwnedFd::from_raw_fd(RawFd::try_from(handle).map_err(io::Error::other)?);
        let taken = libc::syscall(libc::SYS_pidfd_getfd, handle.as_raw_fd(), number, 0);
        let taken = Errno::result(taken).map_err(io::Error::from)?;
        let listener = RawFd::try_from(taken).map_err(io::Error::other)?;
        // From asker to answerer without a detour. Older kernels take it.
        libc::ioctl(listener, SET_FLAGS as _, SYNC_WAKE_UP);
        Ok(OwnedFd::from_raw_fd(listener))
    }
}

/// Answers every call until no process is left that makes any. `false`: that
/// took too long.
pub fn attend(listener: &OwnedFd, mut decide: impl FnMut(Call) -> Answer) -> io::Result<bool> {
    let deadline = Instant::now() + LONG;
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let left = PollTimeout::try_from(left).unwrap_or(PollTimeout::ZERO);
        let mut sources = [PollFd::new(listener.as_fd(), PollFlags::POLLIN)];
        match poll(&mut sources, left) {
            Ok(0) => return Ok(false),
            Ok(_) => {}
            Err(Errno::EINTR) => continue,
            Err(errno) => return Err(errno.into()),
        }
        let happened = sources[0].revents().unwrap_or(PollFlags::empty());
        if happened.contains(PollFlags::POLLIN) {
            answer_one(listener, &mut decide)?;
        } else {
            return Ok(true);
        }
    }
}

fn answer_one(listener: &OwnedFd, decide: &mut impl FnMut(Call) -> Answer) -> io::Result<()> {
    // SAFETY: all zeroes is a valid notification, and what the kernel wants.
    let mut asked: libc::seccomp_notif = unsafe { std::mem::zeroed() };
    // SAFETY: the request writes one such structure.
    let received = unsafe {
        libc::ioctl(
            listener.as_raw_fd(),
            libc::SECCOMP_IOCTL_NOTIF_RECV as _,
            &raw mut asked,
        )
    };
    match Errno::result(received) {
        Ok(_) => {}
        // It was killed meanwhile.
        Err(Errno::ENOENT | Errno::EINTR) => return Ok(()),
        Err(errno) => return Err(errno.into()),
    }
    let process = i32::try_from(asked.pid).map_err(io::Error::other)?;
    let answer = decide(Call {
        process,
        number: asked.data.nr.into(),
        first: asked.data.args[0],
    });
    let (error, flags) = match answer {
        Answer::Kernels => (0, libc::SECCOMP_USER_NOTIF_FLAG_CONTINUE as u32),
        Answer::Error(errno) => (-(errno as i32), 0),
        Answer::Death => {
            // Dies of it before anything else: it is waiting for the answer below.
            let _ = nix::sys::signal::kill(Pid::from_raw(process), nix::sys::signal::SIGKILL);
            return Ok(());
        }
    };
    let response = libc::seccomp_notif_resp {
        id: asked.id,
        val: 0,
        error,
        flags,
    };
    // SAFETY: the request reads one such structure.
    let sent = unsafe {
        libc::ioctl(
            listener.as_raw_fd(),
            libc::SECCOMP_IOCTL_NOTIF_SEND as _,
            &raw const response,
        )
    };
    match Errno::result(sent) {
        // It was killed meanwhile.
        Ok(_) | Err(Errno::ENOENT) => Ok(()),
        Err(errno) => Err(errno.into()),
    }
}
