//! Calls without a safe wrapper: the one place of this crate.

#![allow(unsafe_code, reason = "fork and raw system calls")]

use std::panic::{AssertUnwindSafe, catch_unwind};

use nix::errno::Errno;
use nix::unistd::{ForkResult, Pid};

/// Runs `work` in a child, which ends with it.
pub(super) fn fork(work: impl FnOnce()) -> nix::Result<Pid> {
    // SAFETY: the child calls nothing that another thread may hold a lock of:
    // this program has one thread. (The unit tests have more, and take glibc's
    // word that the allocator is put in order for a child.)
    match unsafe { nix::unistd::fork() }? {
        ForkResult::Parent { child } => Ok(child),
        ForkResult::Child => {
            let _ = catch_unwind(AssertUnwindSafe(work));
            // SAFETY: ends the process without what the parent has registered to
            // be done at its end, and without its half-written output.
            unsafe { libc::_exit(0) }
        }
    }
}

/// Whether the kernel knows a system call, which is made with arguments that
/// cannot mean anything: no descriptor, no memory, no flags.
#[must_use]
pub fn knows_call(number: libc::c_long) -> bool {
    // SAFETY: every pointer is null and every length zero.
    let answer = unsafe { libc::syscall(number, -1_isize, 0_usize, 0_usize, 0_usize, 0_usize) };
    answer != -1 || Errno::last() != Errno::ENOSYS
}
