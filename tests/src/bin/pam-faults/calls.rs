//! Which errors a system call of a login's can answer.
//!
//! From section 2 of the manual and, for the calls that reach a file system,
//! from what those answer. Calls that are left out of the game have no errors,
//! and a reason.

use libc::c_long;
use nix::errno::Errno::{
    self, E2BIG, EACCES, EAGAIN, EBADF, EBUSY, ECONNREFUSED, ECONNRESET, EEXIST, EINTR, EINVAL,
    EIO, ELOOP, EMFILE, ENFILE, ENOBUFS, ENODEV, ENOENT, ENOEXEC, ENOMEM, ENOSPC, ENOSYS, ENOTCONN,
    ENOTDIR, EOPNOTSUPP, EPERM, EPIPE, EROFS, ESPIPE, ESRCH, ESTALE, ETIMEDOUT, ETXTBSY, EUSERS,
    EXDEV,
};

/// A system call: its name and what it can answer.
#[derive(Debug, Clone, Copy)]
pub struct Kind {
    /// As in the manual.
    pub name: &'static str,
    /// What is to be tried.
    pub errors: &'static [Errno],
}

const OPEN: &[Errno] = &[
    EACCES, EINTR, EIO, ELOOP, EMFILE, ENFILE, ENOENT, ENOMEM, ENOTDIR, EPERM, ESTALE, ETIMEDOUT,
];
const OPENAT2: &[Errno] = &[
    E2BIG, EACCES, EAGAIN, EINVAL, EINTR, EIO, ELOOP, EMFILE, ENFILE, ENOENT, ENOMEM, ENOSYS,
    ENOTDIR, EPERM, ESTALE, EXDEV,
];
const STAT: &[Errno] = &[EACCES, EIO, ELOOP, ENOENT, ENOMEM, ENOTDIR, EPERM, ESTALE];
const READLINK: &[Errno] = &[EACCES, EIO, ELOOP, ENOENT, ENOMEM, ENOTDIR, EPERM];
const MAKE: &[Errno] = &[
    EACCES, EEXIST, EIO, ENOENT, ENOMEM, ENOSPC, ENOTDIR, EPERM, EROFS,
];
const CHANGE: &[Errno] = &[EACCES, EIO, ENOENT, ENOMEM, EPERM, EROFS];
const MOUNT: &[Errno] = &[
    EACCES, EBUSY, EINVAL, ENODEV, ENOENT, ENOMEM, ENOSPC, ENOSYS, EPERM,
];
const READ: &[Errno] = &[EAGAIN, EINTR, EIO, ENOMEM];
const MEMORY: &[Errno] = &[ENOMEM];
const NONE: &[Errno] = &[];

/// What is known about a system call, by its number.
#[expect(clippy::too_many_lines, reason = "a table")]
pub fn kind(number: c_long) -> Option<Kind> {
    #[cfg(target_arch = "x86_64")]
    if let Some(kind) = old_kind(number) {
        return Some(kind);
    }
    let (name, errors): (&'static str, &'static [Errno]) = match number {
        libc::SYS_openat => ("openat", OPEN),
        libc::SYS_openat2 => ("openat2", OPENAT2),
        libc::SYS_newfstatat => ("newfstatat", STAT),
        libc::SYS_fstat => ("fstat", &[EBADF, EIO, ENOMEM, ESTALE]),
        libc::SYS_statx => ("statx", STAT),
        libc::SYS_statfs => ("statfs", STAT),
        libc::SYS_fstatfs => ("fstatfs", &[EIO, ENOMEM, ENOSYS]),
        libc::SYS_faccessat => ("faccessat", STAT),
        libc::SYS_readlinkat => ("readlinkat", READLINK),
        libc::SYS_mkdirat => ("mkdirat", MAKE),
        libc::SYS_symlinkat => ("symlinkat", MAKE),
        libc::SYS_renameat => ("renameat", MAKE),
        libc::SYS_renameat2 => ("renameat2", MAKE),
        libc::SYS_unlinkat => ("unlinkat", CHANGE),
        libc::SYS_fchownat => ("fchownat", CHANGE),
        libc::SYS_fchmodat => ("fchmodat", CHANGE),
        libc::SYS_fchmodat2 => ("fchmodat2", CHANGE),
        libc::SYS_fchmod => ("fchmod", CHANGE),
        libc::SYS_fchown => ("fchown", CHANGE),
        libc::SYS_read => ("read", READ),
        libc::SYS_pread64 => ("pread64", READ),
        libc::SYS_readv => ("readv", READ),
        // ENOENT is none: the directory is gone, and nothing is in it.
        libc::SYS_getdents64 => ("getdents64", &[EIO, ENOMEM]),
        libc::SYS_lseek => ("lseek", &[EINVAL, ESPIPE]),
        libc::SYS_getcwd => ("getcwd", &[EACCES, ENOENT, ENOMEM]),
        libc::SYS_chdir => ("chdir", &[EACCES, EIO, ENOENT, ENOMEM]),
        libc::SYS_fchdir => ("fchdir", &[EACCES, EIO, ENOTDIR]),
        libc::SYS_unshare => ("unshare", &[EINVAL, ENOMEM, ENOSPC, EPERM, EUSERS]),
        libc::SYS_setns => ("setns", &[EINVAL, ENOMEM, EPERM, ESRCH]),
        libc::SYS_mount => ("mount", MOUNT),
        libc::SYS_umount2 => ("umount2", &[EBUSY, EINVAL, ENOENT, ENOMEM, EPERM]),
        libc::SYS_open_tree => (
            "open_tree",
            &[EINVAL, EMFILE, ENFILE, ENOMEM, ENOSPC, ENOSYS, EPERM],
        ),
        libc::SYS_move_mount => (
            "move_mount",
            &[EINVAL, ELOOP, ENOENT, ENOMEM, ENOSPC, ENOSYS, EPERM],
        ),
        libc::SYS_fsopen => ("fsopen", &[EMFILE, ENFILE, ENODEV, ENOMEM, ENOSYS, EPERM]),
        libc::SYS_fsconfig => ("fsconfig", &[EBUSY, EINVAL, ENOMEM, ENOSYS, EPERM]),
        libc::SYS_fsmount => (
            "fsmount",
            &[EBUSY, EINVAL, EMFILE, ENFILE, ENOMEM, ENOSPC, EPERM],
        ),
        libc::SYS_mount_setattr => ("mount_setattr", &[EINVAL, ENOMEM, ENOSYS, EPERM]),
        libc::SYS_ioctl => ("ioctl", &[EINVAL, ENFILE, EMFILE, ENOMEM, EPERM]),
        libc::SYS_socket => ("socket", &[EACCES, EMFILE, ENFILE, ENOBUFS, ENOMEM]),
        libc::SYS_socketpair => ("socketpair", &[EMFILE, ENFILE, ENOBUFS, ENOMEM]),
        libc::SYS_connect => ("connect", &[EACCES, EAGAIN, ECONNREFUSED, EINTR, ENOENT]),
        libc::SYS_sendto => (
            "sendto",
            &[
                EAGAIN,
                ECONNREFUSED,
                ECONNRESET,
                EINTR,
                ENOBUFS,
                ENOMEM,
                ENOTCONN,
                EPIPE,
            ],
        ),
        libc::SYS_sendmsg => ("sendmsg", &[EAGAIN, ECONNRESET, ENOBUFS, ENOMEM, EPIPE]),
        libc::SYS_recvmsg => ("recvmsg", &[EAGAIN, ECONNRESET, EINTR, ENOMEM]),
        libc::SYS_getsockopt => ("getsockopt", &[EINVAL, ENOBUFS]),
        libc::SYS_ppoll => ("ppoll", &[EINTR, EINVAL, ENOMEM]),
        libc::SYS_clone => ("clone", &[EAGAIN, ENOMEM, ENOSPC, EPERM]),
        libc::SYS_execve => (
            "execve",
            &[
                EACCES, EIO, ELOOP, EMFILE, ENFILE, ENOENT, ENOEXEC, ENOMEM, EPERM, ETXTBSY,
            ],
        ),
        libc::SYS_pidfd_send_signal => ("pidfd_send_signal", &[EPERM, ENOSYS]),
        libc::SYS_prctl => ("prctl", &[EINVAL, EPERM]),
        libc::SYS_capget => ("capget", &[EINVAL, EPERM]),
        libc::SYS_capset => ("capset", &[EPERM]),
        libc::SYS_setgroups => ("setgroups", &[ENOMEM, EPERM]),
        libc::SYS_setresuid => ("setresuid", &[EAGAIN, EPERM]),
        libc::SYS_setresgid => ("setresgid", &[EPERM]),
        libc::SYS_setsid => ("setsid", &[EPERM]),
        libc::SYS_prlimit64 => ("prlimit64", &[EINVAL, EPERM]),
        libc::SYS_dup => ("dup", &[EMFILE]),
        libc::SYS_dup3 => ("dup3", &[EBUSY, EINTR, EMFILE]),
        libc::SYS_fcntl => ("fcntl", &[EBADF, EMFILE]),
        libc::SYS_close_range => ("close_range", &[EMFILE, ENOMEM, ENOSYS]),
        libc::SYS_mmap => ("mmap", MEMORY),
        libc::SYS_mremap => ("mremap", MEMORY),
        libc::SYS_mprotect => ("mprotect", MEMORY),
        libc::SYS_madvise => ("madvise", &[EAGAIN, EINVAL]),
        libc::SYS_getrandom => ("getrandom", &[EINTR]),
        libc::SYS_landlock_create_ruleset => (
            "landlock_create_ruleset",
            &[EINVAL, EMFILE, ENOMEM, ENOSYS, EOPNOTSUPP],
        ),
        libc::SYS_landlock_add_rule => ("landlock_add_rule", &[EINVAL, ENOMEM]),
        libc::SYS_landlock_restrict_self => ("landlock_restrict_self", &[E2BIG, ENOMEM, EPERM]),
        libc::SYS_seccomp => ("seccomp", &[EACCES, EINVAL, ENOMEM, ENOSYS]),
        libc::SYS_uname => ("uname", NONE),
        libc::SYS_sigaltstack => ("sigaltstack", MEMORY),
        libc::SYS_sched_getaffinity => ("sched_getaffinity", &[EINVAL, EPERM]),
        // Linux lets go of the descriptor whatever it answers: an error without
        // that would be one that no kernel gives.
        libc::SYS_close => ("close", NONE),
        // Has no error: it answers where the heap ends, as before where it failed.
        libc::SYS_brk => ("brk", NONE),
        // What it would fail for (a wrong address) cannot be here.
        libc::SYS_munmap => ("munmap", NONE),
        libc::SYS_rt_sigprocmask => ("rt_sigprocmask", NONE),
        libc::SYS_rt_sigaction => ("rt_sigaction", NONE),
        // ECHILD would mean that somebody else has done the work.
        libc::SYS_wait4 => ("wait4", NONE),
        // These never fail; setfsuid(2) has no error even where it does nothing.
        libc::SYS_getpid => ("getpid", NONE),
        libc::SYS_getppid => ("getppid", NONE),
        libc::SYS_gettid => ("gettid", NONE),
        libc::SYS_getuid => ("getuid", NONE),
        libc::SYS_geteuid => ("geteuid", NONE),
        libc::SYS_getgid => ("getgid", NONE),
        libc::SYS_getegid => ("getegid", NONE),
        libc::SYS_getresuid => ("getresuid", NONE),
        libc::SYS_getresgid => ("getresgid", NONE),
        libc::SYS_umask => ("umask", NONE),
        libc::SYS_setfsuid => ("setfsuid", NONE),
        libc::SYS_setfsgid => ("setfsgid", NONE),
        libc::SYS_exit_group => ("exit_group", NONE),
        libc::SYS_exit => ("exit", NONE),
        libc::SYS_rt_sigreturn => ("rt_sigreturn", NONE),
        libc::SYS_futex => ("futex", NONE),
        libc::SYS_set_tid_address => ("set_tid_address", NONE),
        libc::SYS_set_robust_list => ("set_robust_list", NONE),
        libc::SYS_rseq => ("rseq", &[ENOSYS]),
        libc::SYS_clock_gettime => ("clock_gettime", NONE),
        libc::SYS_restart_syscall => ("restart_syscall", NONE),
        _ => return None,
    };
    Some(Kind { name, errors })
}

/// Calls that newer architectures never had.
#[cfg(target_arch = "x86_64")]
fn old_kind(number: c_long) -> Option<Kind> {
    let (name, errors): (&'static str, &'static [Errno]) = match number {
        libc::SYS_open => ("open", OPEN),
        libc::SYS_stat => ("stat", STAT),
        libc::SYS_lstat => ("lstat", STAT),
        libc::SYS_access => ("access", STAT),
        libc::SYS_readlink => ("readlink", READLINK),
        libc::SYS_mkdir => ("mkdir", MAKE),
        libc::SYS_symlink => ("symlink", MAKE),
        libc::SYS_rename => ("rename", MAKE),
        libc::SYS_unlink => ("unlink", CHANGE),
        libc::SYS_chown => ("chown", CHANGE),
        libc::SYS_chmod => ("chmod", CHANGE),
        libc::SYS_poll => ("poll", &[EINTR, EINVAL, ENOMEM]),
        libc::SYS_dup2 => ("dup2", &[EBUSY, EINTR, EMFILE]),
        libc::SYS_arch_prctl => ("arch_prctl", NONE),
        libc::SYS_time => ("time", NONE),
        _ => return None,
    };
    Some(Kind { name, errors })
}
