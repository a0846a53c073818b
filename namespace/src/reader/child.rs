//! From a copy of the calling process to the reader, by system calls alone.

#![allow(
    unsafe_code,
    reason = "between clone and exec there is no library to stand on"
)]

use std::ffi::CString;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::ptr::{null, null_mut};

use nix::errno::Errno;

use crate::kernel::{CallFailed, Called};
use crate::reader::MOST_ROOTS;

/// Sent when the program could not be started; a number follows.
pub(super) const NOT_STARTED: u8 = b'!';
/// Sent, with the roots' descriptors, before the program starts.
pub(super) const ROOTS: u8 = b'/';

/// Room for [`MOST_ROOTS`] descriptors beside a message.
const CONTROL: usize = 128;

/// Everything the child needs, made before it exists: another thread of the
/// caller may hold the allocator's lock at the moment of the clone.
pub(super) struct Instructions {
    program: CString,
    arguments: [*const libc::c_char; 2],
    environment: [*const libc::c_char; 1],
    roots: Vec<CString>,
    groups: Vec<libc::gid_t>,
    uid: libc::uid_t,
    gid: libc::gid_t,
}

/// A child that is, or is about to be, the reader.
pub(super) struct Child {
    /// Its number.
    pub(super) pid: libc::pid_t,
    /// Readable once it is dead.
    pub(super) pidfd: OwnedFd,
}

impl Instructions {
    pub(super) fn new(
        program: CString,
        roots: Vec<CString>,
        uid: u32,
        gid: u32,
        groups: Vec<u32>,
    ) -> Self {
        let arguments = [program.as_ptr(), null()];
        Self {
            program,
            arguments,
            environment: [null()],
            roots,
            groups,
            uid,
            gid,
        }
    }

    /// Clones the calling process. Exit signal 0: the caller never sees a
    /// SIGCHLD, and its own `wait` does not find the child (`wait(2)`, `__WALL`).
    pub(super) fn start(&self, socket: BorrowedFd) -> Called<Child> {
        let mut pidfd: RawFd = -1;
        let signals = block_signals()?;
        // SAFETY: without CLONE_VM the child gets a copy of the memory and runs
        // on its copy of this stack; the third argument (on every architecture)
        // takes the descriptor.
        let pid = unsafe {
            libc::syscall(
                libc::SYS_clone,
                libc::CLONE_PIDFD,
                null::<u8>(),
                &raw mut pidfd,
                null::<u8>(),
                null::<u8>(),
            )
        };
        if pid == 0 {
            self.become_the_reader(socket.as_raw_fd());
        }
        let pid = Errno::result(pid);
        restore_signals(&signals)?;
        let pid = pid.map_err(|errno| CallFailed {
            call: "clone",
            errno,
        })?;
        // SAFETY: the kernel has just made this descriptor for the caller.
        let pidfd = unsafe { OwnedFd::from_raw_fd(pidfd) };
        let pid = libc::pid_t::try_from(pid).map_err(|_| CallFailed {
            call: "clone",
            errno: Errno::ERANGE,
        })?;
        Ok(Child { pid, pidfd })
    }

    fn become_the_reader(&self, socket: RawFd) -> ! {
        let failed = self.try_to_become_the_reader(socket);
        let [a, b, c, d] = failed.to_ne_bytes();
        let message = [NOT_STARTED, a, b, c, d];
        // SAFETY: the message is valid for its length; nothing of the caller's
        // (exit handlers, buffers) runs on this way out.
        unsafe {
            libc::syscall(
                libc::SYS_sendto,
                0,
                message.as_ptr(),
                message.len(),
                libc::MSG_NOSIGNAL,
                null::<u8>(),
                0,
            );
            loop {
                libc::syscall(libc::SYS_exit_group, 127);
            }
        }
    }

    /// Returns only with the error number of what failed.
    fn try_to_become_the_reader(&self, socket: RawFd) -> i32 {
        let steps: [&dyn Fn() -> Result<(), Errno>; 6] = [
            &|| keep_only(socket),
            &|| leave_the_terminal(),
            &|| lift_limits(),
            &|| self.become_the_user(),
            &|| give_up_privileges(),
            &|| self.send_roots(),
        ];
        for step in steps {
            if let Err(errno) = step() {
                return errno as i32;
            }
        }
        // SAFETY: path, arguments and environment are valid C strings and
        // null-terminated arrays of them, made before the clone.
        unsafe {
            libc::syscall(
                libc::SYS_execve,
                self.program.as_ptr(),
                self.arguments.as_ptr(),
                self.environment.as_ptr(),
            );
        }
        Errno::last_raw()
    }

    /// Groups, group, user, for good, and looked at again. By raw calls: glibc's
    /// would wait for threads that the child does not have.
    fn become_the_user(&self) -> Result<(), Errno> {
        let (mut real, mut effective, mut saved) = (0, 0, 0);
        // SAFETY: the list is valid for its length, the pointers take one number each.
        unsafe {
            call(libc::syscall(
                libc::SYS_setgroups,
                self.groups.len(),
                self.groups.as_ptr(),
            ))?;
            call(libc::syscall(
                libc::SYS_setresgid,
                self.gid,
                self.gid,
                self.gid,
            ))?;
            call(libc::syscall(
                libc::SYS_setresuid,
                self.uid,
                self.uid,
                self.uid,
            ))?;
            call(libc::syscall(
                libc::SYS_getresuid,
                &raw mut real,
                &raw mut effective,
                &raw mut saved,
            ))?;
        }
        let all = [real, effective, saved];
        if self.uid != 0 && all == [self.uid; 3] {
            Ok(())
        } else {
            Err(Errno::EPERM)
        }
    }

    /// Opens the site's roots with the user's rights, while this is still our
    /// code and not open to the user's debugger, and passes them to the parent.
    fn send_roots(&self) -> Result<(), Errno> {
        let mut descriptors = [-1_i32; MOST_ROOTS];
        let mut opened = 0_usize;
        for root in self.roots.iter().take(MOST_ROOTS) {
            let flags = libc::O_PATH | libc::O_DIRECTORY | libc::O_CLOEXEC;
            // SAFETY: the path is a valid C string.
            let answer =
                unsafe { libc::syscall(libc::SYS_openat, libc::AT_FDCWD, root.as_ptr(), flags, 0) };
            // A root that is not there allows nothing.
            let descriptor = i32::try_from(answer)
                .ok()
                .filter(|descriptor| *descriptor >= 0);
            if let (Some(descriptor), Some(slot)) = (descriptor, descriptors.get_mut(opened)) {
                *slot = descriptor;
                opened = opened.saturating_add(1);
            }
        }
        send_descriptors(descriptors.get(..opened).unwrap_or_default())
    }
}

fn call(answer: libc::c_long) -> Result<(), Errno> {
    Errno::result(answer).map(drop)
}

/// The socket becomes descriptor 0; everything else is closed.
fn keep_only(socket: RawFd) -> Result<(), Errno> {
    // SAFETY: numbers only.
    unsafe {
        if socket == 0 {
            call(libc::syscall(libc::SYS_fcntl, 0, libc::F_SETFD, 0))?;
        } else {
            call(libc::syscall(libc::SYS_dup3, socket, 0, 0))?;
        }
        call(libc::syscall(
            libc::SYS_close_range,
            1,
            libc::c_uint::MAX,
            0,
        ))
    }
}

/// A session of its own, so that ^C at the user's terminal and job control do
/// not reach it; a working directory that keeps nothing busy.
fn leave_the_terminal() -> Result<(), Errno> {
    // SAFETY: numbers and a valid C string.
    unsafe {
        call(libc::syscall(libc::SYS_setsid))?;
        libc::syscall(libc::SYS_umask, 0o077);
        call(libc::syscall(libc::SYS_chdir, c"/".as_ptr()))
    }
}

/// The caller's limits are those of whoever called su; as far as this process
/// may, it lifts those that would keep the program from running.
fn lift_limits() -> Result<(), Errno> {
    const SOME_SECONDS: u64 = 10;
    let limits = [
        (libc::RLIMIT_CORE, 0),
        (libc::RLIMIT_CPU, SOME_SECONDS),
        (libc::RLIMIT_NOFILE, 64),
        (libc::RLIMIT_AS, libc::RLIM_INFINITY),
        (libc::RLIMIT_DATA, libc::RLIM_INFINITY),
        (libc::RLIMIT_STACK, 8 << 20),
        (libc::RLIMIT_FSIZE, libc::RLIM_INFINITY),
        (libc::RLIMIT_NPROC, libc::RLIM_INFINITY),
    ];
    for (resource, value) in limits {
        let limit = libc::rlimit64 {
            rlim_cur: value,
            rlim_max: value,
        };
        // SAFETY: the structure is valid; raising needs CAP_SYS_RESOURCE, and
        // going on without is what is wanted then.
        unsafe {
            libc::syscall(
                libc::SYS_prlimit64,
                0,
                resource,
                &raw const limit,
                null::<u8>(),
            );
        }
    }
    Ok(())
}

/// No capability whatever the caller's securebits kept, none to be gained, no
/// debugger of the user's before the program runs, and death with the parent.
fn give_up_privileges() -> Result<(), Errno> {
    #[repr(C)]
    struct Header {
        version: u32,
        pid: i32,
    }
    // _LINUX_CAPABILITY_VERSION_3: two sets of effective, permitted, inheritable.
    let header = Header {
        version: 0x2008_0522,
        pid: 0,
    };
    let none = [0_u32; 6];
    // SAFETY: header and data have the layout of capset(2); the rest are numbers.
    unsafe {
        call(libc::syscall(
            libc::SYS_capset,
            &raw const header,
            none.as_ptr(),
        ))?;
        call(libc::syscall(
            libc::SYS_prctl,
            libc::PR_SET_NO_NEW_PRIVS,
            1,
            0,
            0,
            0,
        ))?;
        call(libc::syscall(
            libc::SYS_prctl,
            libc::PR_SET_DUMPABLE,
            0,
            0,
            0,
            0,
        ))?;
        call(libc::syscall(
            libc::SYS_prctl,
            libc::PR_SET_PDEATHSIG,
            libc::SIGKILL,
            0,
            0,
            0,
        ))
    }
}

fn send_descriptors(descriptors: &[RawFd]) -> Result<(), Errno> {
    let mut byte = [ROOTS];
    let mut part = libc::iovec {
        iov_base: byte.as_mut_ptr().cast(),
        iov_len: 1,
    };
    #[repr(align(8))]
    struct Control([u8; CONTROL]);
    let mut control = Control([0; CONTROL]);
    // SAFETY: all zeroes is a valid msghdr.
    let mut message: libc::msghdr = unsafe { MaybeUninit::zeroed().assume_init() };
    message.msg_iov = &raw mut part;
    message.msg_iovlen = 1;
    let length = u32::try_from(size_of_val(descriptors)).map_err(|_| Errno::EINVAL)?;
    if !descriptors.is_empty() {
        // SAFETY: CMSG_SPACE of MOST_ROOTS descriptors is below CONTROL, so the
        // header and its data lie within the buffer.
        unsafe {
            message.msg_control = (&raw mut control.0).cast();
            message.msg_controllen = libc::CMSG_SPACE(length) as usize;
            let header = libc::CMSG_FIRSTHDR(&raw const message);
            (*header).cmsg_level = libc::SOL_SOCKET;
            (*header).cmsg_type = libc::SCM_RIGHTS;
            (*header).cmsg_len = libc::CMSG_LEN(length) as usize;
            std::ptr::copy_nonoverlapping(
                descriptors.as_ptr().cast::<u8>(),
                libc::CMSG_DATA(header),
                length as usize,
            );
        }
    }
    // SAFETY: the message and all it points to are valid.
    unsafe {
        call(libc::syscall(
            libc::SYS_sendmsg,
            0,
            &raw const message,
            libc::MSG_NOSIGNAL,
        ))
    }
}

/// Or a handler of the caller's could run in the child.
fn block_signals() -> Called<libc::sigset_t> {
    let mut before = MaybeUninit::<libc::sigset_t>::zeroed();
    let mut all = MaybeUninit::<libc::sigset_t>::zeroed();
    // SAFETY: both sets are valid for writing; sigfillset fills the one that is read.
    let answer = unsafe {
        libc::sigfillset(all.as_mut_ptr());
        libc::pthread_sigmask(libc::SIG_SETMASK, all.as_ptr(), before.as_mut_ptr())
    };
    if answer != 0 {
        return Err(CallFailed {
            call: "sigprocmask",
            errno: Errno::from_raw(answer),
        });
    }
    // SAFETY: the call has filled it.
    Ok(unsafe { before.assume_init() })
}

fn restore_signals(before: &libc::sigset_t) -> Called<()> {
    // SAFETY: the set is valid.
    let answer = unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, before, null_mut()) };
    if answer == 0 {
        Ok(())
    } else {
        Err(CallFailed {
            call: "sigprocmask",
            errno: Errno::from_raw(answer),
        })
    }
}

/// Kills and reaps a child, if it dies at once; one that waits for a dead file
/// server is left to the first process, which reaps it when the server allows.
pub(super) fn end(child: &Child) {
    const SHORT_MILLISECONDS: libc::c_int = 200;
    let mut poll = libc::pollfd {
        fd: child.pidfd.as_raw_fd(),
        events: libc::POLLIN,
        revents: 0,
    };
    // SAFETY: the descriptor is open, the structure valid, the status not asked
    // for. __WALL, as the child has no exit signal.
    unsafe {
        libc::syscall(
            libc::SYS_pidfd_send_signal,
            child.pidfd.as_raw_fd(),
            libc::SIGKILL,
            null::<u8>(),
            0,
        );
        libc::poll(&raw mut poll, 1, SHORT_MILLISECONDS);
        libc::waitpid(child.pid, null_mut(), libc::WNOHANG | libc::__WALL);
    }
}
