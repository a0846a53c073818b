//! The system calls the kernel facts are about and the `nix` crate lacks.

#![allow(unsafe_code, reason = "this module is where it is")]

use std::ffi::CStr;
use std::fs::File;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr;

use libc::{c_int, c_long, c_uint};
use nix::errno::Errno;
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::{ForkResult, Pid, fork};

// include/uapi/linux/mount.h
const OPEN_TREE_CLONE: c_uint = 1;
const OPEN_TREE_CLOEXEC: c_int = libc::O_CLOEXEC;
const MOVE_MOUNT_F_EMPTY_PATH: c_uint = 0x4;
const FSOPEN_CLOEXEC: c_uint = 1;
const FSMOUNT_CLOEXEC: c_uint = 1;
const FSCONFIG_CMD_CREATE: c_uint = 6;
const MOUNT_ATTR_NOSUID: u64 = 0x2;

/// `struct mount_attr`.
#[repr(C)]
#[derive(Default)]
struct MountAttributes {
    set: u64,
    clear: u64,
    propagation: u64,
    user_namespace: u64,
}

nix::ioctl_read!(
    /// `NS_GET_MNTNS_ID` of include/uapi/linux/nsfs.h.
    ns_get_mntns_id,
    0xb7,
    5,
    u64
);

nix::ioctl_none_bad!(
    /// `_IO(0xb7, 1)`, Linux 4.9.
    ns_get_userns,
    0xb701
);

nix::ioctl_write_int_bad!(
    /// `VT_ACTIVATE` of include/uapi/linux/vt.h.
    vt_activate,
    0x5606
);

/// Makes a virtual terminal the one that is seen.
///
/// # Errors
///
/// As the call, or when there are none.
pub fn show_terminal(number: u32) -> io::Result<()> {
    let console = File::options().write(true).open("/dev/tty0")?;
    let number = c_int::try_from(number).map_err(io::Error::other)?;
    // SAFETY: the argument is a number.
    unsafe { vt_activate(console.as_raw_fd(), number) }?;
    Ok(())
}

/// `open_tree` with `OPEN_TREE_CLONE`: an unattached copy of the mount that a
/// directory is on, rooted there.
///
/// # Errors
///
/// As the call.
pub fn clone_tree(directory: BorrowedFd) -> nix::Result<OwnedFd> {
    let flags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC as c_uint | libc::AT_EMPTY_PATH as c_uint;
    // SAFETY: the path is a C string that outlives the call.
    let tree = unsafe {
        libc::syscall(
            libc::SYS_open_tree,
            directory.as_raw_fd(),
            c"".as_ptr(),
            flags,
        )
    };
    descriptor(tree)
}

/// `fsopen`, `fsconfig` and `fsmount` of an unattached tmpfs.
///
/// # Errors
///
/// As the calls.
pub fn new_memory_tree() -> nix::Result<OwnedFd> {
    // SAFETY: the name is a C string that outlives the call.
    let context =
        descriptor(unsafe { libc::syscall(libc::SYS_fsopen, c"tmpfs".as_ptr(), FSOPEN_CLOEXEC) })?;
    // SAFETY: this command takes neither key nor value.
    Errno::result(unsafe {
        libc::syscall(
            libc::SYS_fsconfig,
            context.as_raw_fd(),
            FSCONFIG_CMD_CREATE,
            ptr::null::<u8>(),
            ptr::null::<u8>(),
            0,
        )
    })?;
    // SAFETY: only numbers are passed.
    descriptor(unsafe {
        libc::syscall(
            libc::SYS_fsmount,
            context.as_raw_fd(),
            FSMOUNT_CLOEXEC,
            0 as c_uint,
        )
    })
}

/// `move_mount` of an unattached tree.
///
/// # Errors
///
/// As the call.
pub fn attach(tree: BorrowedFd, place: &CStr) -> nix::Result<()> {
    // SAFETY: both paths are C strings that outlive the call.
    let moved = unsafe {
        libc::syscall(
            libc::SYS_move_mount,
            tree.as_raw_fd(),
            c"".as_ptr(),
            libc::AT_FDCWD,
            place.as_ptr(),
            MOVE_MOUNT_F_EMPTY_PATH,
        )
    };
    Errno::result(moved).map(drop)
}

/// `mount_setattr` with `MOUNT_ATTR_NOSUID`.
///
/// # Errors
///
/// As the call.
pub fn add_nosuid(place: &CStr) -> nix::Result<()> {
    let attributes = MountAttributes {
        set: MOUNT_ATTR_NOSUID,
        ..MountAttributes::default()
    };
    // SAFETY: the path is a C string, the attributes are of the stated size,
    // and both outlive the call.
    let changed = unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            libc::AT_FDCWD,
            place.as_ptr(),
            0 as c_uint,
            &raw const attributes,
            size_of::<MountAttributes>(),
        )
    };
    Errno::result(changed).map(drop)
}

/// `statx`.
///
/// # Errors
///
/// As the call.
pub fn statx(path: &CStr, flags: c_int, mask: c_uint) -> nix::Result<libc::statx> {
    let mut answer = MaybeUninit::zeroed();
    // SAFETY: the path is a C string that outlives the call, and the answer has
    // room for what the kernel writes.
    let asked = unsafe {
        libc::statx(
            libc::AT_FDCWD,
            path.as_ptr(),
            flags,
            mask,
            answer.as_mut_ptr(),
        )
    };
    Errno::result(asked)?;
    // SAFETY: a structure of numbers, of which any bit pattern is one.
    Ok(unsafe { answer.assume_init() })
}

/// The 64-bit number of an open mount namespace.
///
/// # Errors
///
/// As the call.
pub fn namespace_id(namespace: BorrowedFd) -> nix::Result<u64> {
    let mut id = 0;
    // SAFETY: the kernel writes eight bytes, for which there is room.
    unsafe { ns_get_mntns_id(namespace.as_raw_fd(), &raw mut id) }?;
    Ok(id)
}

/// `NS_GET_USERNS`: the user namespace that owns a namespace.
///
/// # Errors
///
/// As the call.
pub fn owner(namespace: BorrowedFd) -> nix::Result<File> {
    // SAFETY: the request takes no argument.
    let owner = unsafe { ns_get_userns(namespace.as_raw_fd()) }?;
    // SAFETY: the kernel has just made this descriptor, and nothing else knows it.
    Ok(unsafe { File::from_raw_fd(owner) })
}

/// `close_range` of one descriptor, given away for that.
///
/// # Errors
///
/// As the call.
pub fn close_by_range(last: OwnedFd) -> nix::Result<()> {
    let number = last.as_raw_fd() as c_uint;
    std::mem::forget(last);
    // SAFETY: the descriptor was this function's own.
    Errno::result(unsafe { libc::syscall(libc::SYS_close_range, number, number, 0 as c_uint) })
        .map(drop)
}

/// `clone` with exit signal 0 of a child that ends at once; by itself, or as
/// another program (`/bin/true`).
///
/// # Errors
///
/// As the call.
pub fn clone_silent_child(as_program: bool) -> nix::Result<Pid> {
    // SAFETY: like fork, as no memory is shared; the child makes a system call
    // or two and is gone.
    let child = Errno::result(unsafe { libc::syscall(libc::SYS_clone, 0, 0, 0, 0, 0) })?;
    if child == 0 {
        let program = c"/bin/true".as_ptr();
        let (arguments, environment) = ([program, std::ptr::null()], [std::ptr::null()]);
        // SAFETY: valid C strings and null-terminated arrays of them; neither
        // call returns, and they run nothing of the parent's.
        unsafe {
            if as_program {
                libc::execve(program, arguments.as_ptr(), environment.as_ptr());
            }
            libc::_exit(0)
        };
    }
    Ok(Pid::from_raw(child as i32))
}

/// Runs a function in a forked process, which has one thread, and waits for
/// it; it exits with 0, or with 1 if the function panics.
///
/// For [`crate::alone`] alone, which sees to it that no other thread runs.
pub(crate) fn in_fork(body: impl FnOnce()) -> nix::Result<WaitStatus> {
    // SAFETY: the only other thread is the harness's, which waits for the
    // calling one and holds no lock that the child could need.
    if let ForkResult::Parent { child } = unsafe { fork() }? {
        return waitpid(child, None);
    }
    let code = i32::from(catch_unwind(AssertUnwindSafe(body)).is_err());
    // SAFETY: always allowed; what the harness would do at exit is the
    // parent's business.
    unsafe { libc::_exit(code) }
}

fn descriptor(answer: c_long) -> nix::Result<OwnedFd> {
    let number = Errno::result(answer)?;
    // SAFETY: the kernel just made it, for this caller alone.
    Ok(unsafe { OwnedFd::from_raw_fd(number as c_int) })
}
