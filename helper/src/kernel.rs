//! The system calls of this crate that have no safe wrapper.

#![allow(unsafe_code, reason = "the one module that makes raw system calls")]

use std::fs;
use std::io;

use nix::errno::Errno;
use nix::sys::wait::WaitPidFlag;
use nix::unistd::{self, ForkResult, Pid};

/// `fork`, in a process of one thread.
///
/// # Errors
///
/// As the call, and `EBUSY` if there is another thread.
pub fn fork() -> nix::Result<ForkResult> {
    if !is_single_threaded() {
        return Err(Errno::EBUSY);
    }
    // SAFETY: no other thread exists that could hold a lock which the child
    // would wait for.
    unsafe { unistd::fork() }
}

/// Whether the calling thread is the only one of its process, by the kernel's
/// word: procfs counts threads into the links of this directory (fs/proc/base.c,
/// `proc_task_getattr`).
#[must_use]
pub fn is_single_threaded() -> bool {
    nix::sys::stat::stat("/proc/self/task").is_ok_and(|tasks| tasks.st_nlink == 3)
}

/// `waitpid`, with the status as the kernel has it: nix knows no real-time
/// signals. `None` if nothing is to be told yet.
///
/// # Errors
///
/// As the call.
pub fn wait(process: Pid, options: WaitPidFlag) -> nix::Result<Option<(Pid, libc::c_int)>> {
    let mut status = 0;
    // SAFETY: the status outlives the call.
    let found = unsafe { libc::waitpid(process.as_raw(), &raw mut status, options.bits()) };
    let found = Errno::result(found)?;
    Ok((found != 0).then_some((Pid::from_raw(found), status)))
}

/// Ends the process by a signal; returns if the signal ends none.
pub fn die_by(signal: u8) {
    let signal = libc::c_int::from(signal);
    // SAFETY: the default action of a signal is no code of this process; the
    // structures are plain numbers, of which zeros are valid.
    unsafe {
        libc::signal(signal, libc::SIG_DFL);
        let mut set = std::mem::zeroed::<libc::sigset_t>();
        libc::sigemptyset(&raw mut set);
        libc::sigprocmask(libc::SIG_SETMASK, &raw const set, std::ptr::null_mut());
        libc::raise(signal);
    }
}

/// Marks every descriptor but standard input, output and error to be closed by
/// exec.
///
/// # Errors
///
/// If procfs does not list them.
pub fn keep_standard_descriptors() -> io::Result<()> {
    for entry in fs::read_dir("/proc/self/fd")? {
        let name = entry?.file_name();
        let number = name
            .to_str()
            .and_then(|name| name.parse::<libc::c_int>().ok());
        let number = number.filter(|number| *number > libc::STDERR_FILENO);
        if let Some(number) = number {
            // SAFETY: it takes nothing away from whoever owns the descriptor, as
            // long as this process lives. The one that lists them is gone by
            // now or closed by exec in any case.
            unsafe { libc::fcntl(number, libc::F_SETFD, libc::FD_CLOEXEC) };
        }
    }
    Ok(())
}
