//! What no library wraps safely: all of this crate's `unsafe`.

#![allow(
    unsafe_code,
    reason = "the one module of this crate that talks to the C library"
)]

use std::convert::Infallible;
use std::env;
use std::fs;
use std::io;
use std::os::unix::process::CommandExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};

use nix::errno::Errno;
use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction};
use nix::sys::wait::WaitPidFlag;
use nix::unistd::{ForkResult, Gid, Pid, Uid, setgroups, setresgid, setresuid};

use crate::limits;
use crate::program::Environment;

/// The kernel's own number for nobody (`overflowuid`).
const NOBODY: u32 = 65534;

/// Signals that this program's start changes, or whose being ignored keeps it
/// from waiting for its children, each with whether its caller ignored it.
static FOUND_IGNORED: [(Signal, AtomicBool); 2] = [
    (Signal::SIGPIPE, AtomicBool::new(false)),
    (Signal::SIGCHLD, AtomicBool::new(false)),
];

/// Rust's start-up ignores SIGPIPE before `main` (std/src/rt.rs), and nobody can
/// tell afterwards what the caller had wanted; this runs before that.
#[used]
#[unsafe(link_section = ".init_array")]
static REMEMBER_SIGNALS: extern "C" fn() = remember_signals;

extern "C" fn remember_signals() {
    for (signal, ignored) in &FOUND_IGNORED {
        let found = dispose(*signal, SigHandler::SigDfl);
        let was_ignored = matches!(found, Ok(SigHandler::SigIgn));
        ignored.store(was_ignored, Ordering::Relaxed);
    }
}

/// As its caller had them, for the program that comes next.
fn restore_signals() -> io::Result<()> {
    for (signal, ignored) in &FOUND_IGNORED {
        let handler = if ignored.load(Ordering::Relaxed) {
            SigHandler::SigIgn
        } else {
            SigHandler::SigDfl
        };
        dispose(*signal, handler)?;
    }
    Ok(())
}

fn dispose(signal: Signal, handler: SigHandler) -> Result<SigHandler, Errno> {
    let action = SigAction::new(handler, SaFlags::empty(), SigSet::empty());
    // SAFETY: the handler is one of the kernel's own two, no function of ours.
    unsafe { sigaction(signal, &action) }.map(|found| found.handler())
}

/// Takes the environment away: what is called next cannot read it, nor can what
/// libraries call (`TZ` and `RUST_BACKTRACE` are names of files and switches).
pub(crate) fn take_environment() -> Environment {
    let taken = env::vars_os().collect();
    // SAFETY: this program has one thread, and nothing holds on to a variable.
    let _ = unsafe { nix::env::clearenv() };
    taken
}

/// Becomes another program, with every signal as this one found it. Returns only
/// if that fails.
pub(crate) fn exec_as_found(command: &mut Command) -> Result<Infallible, io::Error> {
    // SAFETY: the closure makes system calls alone.
    let failed = unsafe { command.pre_exec(restore_signals) }.exec();
    Err(failed)
}

/// Makes a command run as nobody: neither with rights of this program's, nor as
/// its caller, who could trace it and answer in its place.
pub(crate) fn run_as_nobody(command: &mut Command) -> &mut Command {
    // SAFETY: the closure makes system calls alone.
    unsafe { command.pre_exec(become_nobody) }
}

fn become_nobody() -> io::Result<()> {
    limits::lift();
    let (uid, gid) = (Uid::from_raw(NOBODY), Gid::from_raw(NOBODY));
    setgroups(&[])?;
    setresgid(gid, gid, gid)?;
    setresuid(uid, uid, uid)?;
    Ok(nix::sys::prctl::set_no_new_privs()?)
}

/// Runs `work` in a child, which ends with it.
pub(crate) fn run_in_child(work: impl FnOnce()) -> nix::Result<Pid> {
    match fork()? {
        ForkResult::Parent { child } => Ok(child),
        ForkResult::Child => {
            let _ = catch_unwind(AssertUnwindSafe(work));
            // SAFETY: ends the process without what the parent has registered to
            // be done at its end, and without its half-written output.
            unsafe { libc::_exit(0) }
        }
    }
}

/// `fork`.
pub(crate) fn fork() -> nix::Result<ForkResult> {
    // SAFETY: the child calls nothing that another thread may hold a lock of:
    // these programs have one thread. (The unit tests have more, and take glibc's
    // word that the allocator is put in order for a child.)
    unsafe { nix::unistd::fork() }
}

/// Whether the kernel knows a system call, which is made with arguments that
/// cannot mean anything: no descriptor, no memory, no flags.
#[must_use]
pub(crate) fn knows_call(number: libc::c_long) -> bool {
    // SAFETY: every pointer is null and every length zero.
    let answer = unsafe { libc::syscall(number, -1_isize, 0_usize, 0_usize, 0_usize, 0_usize) };
    answer != -1 || Errno::last() != Errno::ENOSYS
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
