//! From a copy of the calling process to the reader, by system calls alone.

#![allow(
    unsafe_code,
    reason = "between clone and exec there is no library to stand on"
)]

use std::ffi::CString;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::ptr::{null, null_mut};
use std::thread::sleep;
use std::time::Duration;

use nix::errno::Errno;

use crate::kernel::{CallFailed, Called};
use crate::reader::MOST_ROOTS;

/// Sent when the program could not be started; a number follows.
pub(super) const NOT_STARTED: u8 = b'!';
/// Sent, with the roots' descriptors, before the program starts.
pub(super) const ROOTS: u8 = b'/';

/// Room for [`MOST_ROOTS`] descriptors beside a message.
const CONTROL: usize = 1024;

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

    /// Clones the calling process, twice. The reader is a grandchild: `execve`
    /// gives a process its exit signal back (`SIGCHLD`), so that the caller would
    /// be told of a child it knows nothing of, and its own `wait` would find it.
    /// The child in between has exit signal 0, runs nothing and waits.
    pub(super) fn start(&self, socket: BorrowedFd) -> Called<Child> {
        let mut pidfd: RawFd = -1;
        let caller = nix::unistd::getpid().as_raw();
        let signals = block_signals()?;
        // SAFETY: without CLONE_VM the child gets a copy of the memory and runs
        // on its copy of this stack; the third argument (on every architecture)
        // takes the descriptor.
        let pid = unsafe { clone(libc::CLONE_PIDFD as libc::c_ulong, &raw mut pidfd) };
        if pid == Ok(0) {
            self.be_the_one_between(socket.as_raw_fd(), caller);
        }
        let child = pid.map(|pid| Child {
            pid,
            // SAFETY: the kernel has just made this descriptor for the caller.
            pidfd: unsafe { OwnedFd::from_raw_fd(pidfd) },
        });
        restore_signals(&signals);
        child.map_err(|errno| CallFailed {
            call: "clone",
            errno,
        })
    }

    /// Stays root's, so that the user cannot stop or trace it, and holds nothing
    /// but the socket. When it is killed, the reader dies with it.
    fn be_the_one_between(&self, socket: RawFd, caller: libc::pid_t) -> ! {
        // SAFETY: no argument. A process number fits its type.
        let own = unsafe { libc::syscall(libc::SYS_getpid) } as libc::pid_t;
        let reader = keep_only(socket).and_then(|()| {
            die_with(caller)?;
            // SAFETY: as for the first clone; nothing is written.
            unsafe { clone(0, null_mut()) }
        });
        match reader {
            Ok(0) => self.become_the_reader(own),
            Ok(reader) => {
                // SAFETY: the status is not asked for.
                unsafe {
                    libc::syscall(
                        libc::SYS_wait4,
                        reader,
                        null::<u8>(),
                        libc::__WALL,
                        null::<u8>(),
                    )
                };
                exit(0)
            }
            Err(errno) => give_up(socket, errno as i32),
        }
    }

    fn become_the_reader(&self, parent: libc::pid_t) -> ! {
        give_up(SOCKET, self.try_to_become_the_reader(parent))
    }

    /// Returns only with the error number of what failed.
    fn try_to_become_the_reader(&self, parent: libc::pid_t) -> i32 {
        let steps: [&dyn Fn() -> Result<(), Errno>; 7] = [
            &leave_the_terminal,
            &lift_limits,
            &|| self.become_the_user(),
            &give_up_privileges,
            &bind_hands,
            &|| die_with(parent),
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
        let (mut uids, mut gids) = ([0_u32; 3], [0_u32; 3]);
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
            let [real, effective, saved] = &mut gids;
            call(libc::syscall(
                libc::SYS_getresgid,
                &raw mut *real,
                &raw mut *effective,
                &raw mut *saved,
            ))?;
            let [real, effective, saved] = &mut uids;
            call(libc::syscall(
                libc::SYS_getresuid,
                &raw mut *real,
                &raw mut *effective,
                &raw mut *saved,
            ))?;
        }
        let all = self.uid != 0 && uids == [self.uid; 3] && gids == [self.gid; 3];
        if all { Ok(()) } else { Err(Errno::EPERM) }
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
            let descriptor = match Errno::result(answer) {
                Ok(descriptor) => i32::try_from(descriptor).ok(),
                // These say nothing about the root.
                Err(errno @ (Errno::EMFILE | Errno::ENFILE | Errno::ENOMEM | Errno::EINTR)) => {
                    return Err(errno);
                }
                // A root that is not there, or does not answer, allows nothing.
                Err(_) => None,
            };
            if let (Some(descriptor), Some(slot)) = (descriptor, descriptors.get_mut(opened)) {
                *slot = descriptor;
                opened = opened.saturating_add(1);
            }
        }
        send_descriptors(descriptors.get(..opened).unwrap_or_default())
    }
}

/// Where the socket is once everything else is closed.
const SOCKET: RawFd = 0;

fn call(answer: libc::c_long) -> Result<(), Errno> {
    Errno::result(answer).map(drop)
}

/// # Safety
/// The pointer must be null or take a descriptor; what runs in the child must
/// be system calls alone.
unsafe fn clone(flags: libc::c_ulong, pidfd: *mut RawFd) -> Result<libc::pid_t, Errno> {
    // SAFETY: passed on from the caller; no stack means a copy of this one.
    let pid = unsafe {
        libc::syscall(
            libc::SYS_clone,
            flags,
            null::<u8>(),
            pidfd,
            null::<u8>(),
            null::<u8>(),
        )
    };
    libc::pid_t::try_from(Errno::result(pid)?).map_err(|_| Errno::ERANGE)
}

fn give_up(socket: RawFd, errno: i32) -> ! {
    let [a, b, c, d] = errno.to_ne_bytes();
    let message = [NOT_STARTED, a, b, c, d];
    // SAFETY: the message is valid for its length.
    unsafe {
        libc::syscall(
            libc::SYS_sendto,
            socket,
            message.as_ptr(),
            message.len(),
            libc::MSG_NOSIGNAL,
            null::<u8>(),
            0,
        );
    }
    exit(127)
}

/// Nothing of the caller's (exit handlers, buffers) runs on this way out.
fn exit(code: i32) -> ! {
    loop {
        // SAFETY: a number.
        unsafe { libc::syscall(libc::SYS_exit_group, code) };
    }
}

/// The socket becomes descriptor 0; everything else is closed.
fn keep_only(socket: RawFd) -> Result<(), Errno> {
    // SAFETY: numbers only.
    unsafe {
        if socket == SOCKET {
            call(libc::syscall(libc::SYS_fcntl, SOCKET, libc::F_SETFD, 0))?;
        } else {
            call(libc::syscall(libc::SYS_dup3, socket, SOCKET, 0))?;
        }
        call(libc::syscall(
            libc::SYS_close_range,
            1,
            libc::c_uint::MAX,
            0,
        ))
    }
}

/// Dies when the parent does, or at once if it has already.
fn die_with(parent: libc::pid_t) -> Result<(), Errno> {
    // SAFETY: numbers only.
    let now = unsafe {
        call(libc::syscall(
            libc::SYS_prctl,
            libc::PR_SET_PDEATHSIG,
            libc::SIGKILL,
            0,
            0,
            0,
        ))?;
        libc::syscall(libc::SYS_getppid)
    };
    if now == libc::c_long::from(parent) {
        Ok(())
    } else {
        Err(Errno::ESRCH)
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
/// may, it lifts those that would keep the program from running. Raising needs
/// CAP_SYS_RESOURCE, and going on without is what is wanted then.
fn lift_limits() -> Result<(), Errno> {
    const SOME_SECONDS: u64 = 10;
    for (resource, value) in [
        (libc::RLIMIT_CORE, 0),
        (libc::RLIMIT_CPU, SOME_SECONDS),
        // Descriptors in flight between all processes of the user count against
        // it, too (unix(7), ETOOMANYREFS): a desktop has hundreds.
        (libc::RLIMIT_NOFILE, 65536),
        (libc::RLIMIT_AS, 256 << 20),
        (libc::RLIMIT_DATA, 256 << 20),
        (libc::RLIMIT_STACK, 8 << 20),
    ] {
        let _ = limit(resource, value);
    }
    Ok(())
}

/// No process and no byte of a file is ever made with the limits lifted above.
/// Only from now on: root's own processes count against nobody.
fn bind_hands() -> Result<(), Errno> {
    limit(libc::RLIMIT_NPROC, 0)?;
    limit(libc::RLIMIT_FSIZE, 0)
}

fn limit(resource: libc::__rlimit_resource_t, value: u64) -> Result<(), Errno> {
    let limit = libc::rlimit64 {
        rlim_cur: value,
        rlim_max: value,
    };
    // SAFETY: the structure is valid.
    unsafe {
        call(libc::syscall(
            libc::SYS_prlimit64,
            0,
            resource,
            &raw const limit,
            null::<u8>(),
        ))
    }
}

/// No capability whatever the caller's securebits kept, none to be gained, and no
/// debugger of the user's: not before the program runs, nor, as its file is not
/// readable, after.
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

/// Cannot fail: the set is one the kernel has just handed out.
fn restore_signals(before: &libc::sigset_t) {
    // SAFETY: the set is valid.
    unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, before, null_mut()) };
}

/// Kills and reaps the child in between; the reader dies with it. One that
/// waits for a dead file server is left to the first process, which reaps it
/// when the server allows.
pub(super) fn end(child: &Child) {
    const MOMENTS: u32 = 200;
    // SAFETY: the descriptor is open.
    unsafe {
        libc::syscall(
            libc::SYS_pidfd_send_signal,
            child.pidfd.as_raw_fd(),
            libc::SIGKILL,
            null::<u8>(),
            0,
        )
    };
    for _ in 0..MOMENTS {
        wait_a_moment(child.pidfd.as_fd());
        // SAFETY: the status is not asked for. __WALL, as the child has no exit
        // signal; nobody else finds it, so its number is still its own.
        if unsafe { libc::waitpid(child.pid, null_mut(), libc::WNOHANG | libc::__WALL) } != 0 {
            return;
        }
    }
}

/// Until it is dead, a millisecond at most. The caller may get a signal at any
/// time, and the kernel may lack memory: neither is to leave a child behind.
fn wait_a_moment(pidfd: BorrowedFd) {
    const MOMENT: Duration = Duration::from_millis(1);
    let mut poll = libc::pollfd {
        fd: pidfd.as_raw_fd(),
        events: libc::POLLIN,
        revents: 0,
    };
    // SAFETY: one valid structure.
    if unsafe { libc::poll(&raw mut poll, 1, 1) } < 0 {
        sleep(MOMENT);
    }
}
