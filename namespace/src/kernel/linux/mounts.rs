//! Mounts: by the calls of Linux 5.2 and 5.12, and `mount(2)` for what they leave.

use std::ffi::CStr;
use std::fs::File;
use std::io::Read;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};
use std::path::Path;

use nix::errno::Errno;
use nix::mount::{MntFlags, MsFlags, mount, umount2};

use super::{Linux, c_path, descriptor, failed, failed_io, task_path};
use crate::kernel::{CallFailed, Called, MountFlags, Mounts, Propagation, Task, parse_decimal};

/// `FSCONFIG_SET_STRING`, `FSCONFIG_CMD_CREATE` of `include/uapi/linux/mount.h`.
const FSCONFIG_SET_STRING: libc::c_uint = 1;
const FSCONFIG_CMD_CREATE: libc::c_uint = 6;

impl Mounts for Linux {
    fn set_propagation(&self, propagation: Propagation) -> Called<()> {
        let (kind, call) = match propagation {
            Propagation::Slave => (MsFlags::MS_SLAVE, "mount / as slave"),
            Propagation::Shared => (MsFlags::MS_SHARED, "mount / as shared"),
        };
        let none = None::<&Path>;
        mount(none, "/", none, kind | MsFlags::MS_REC, none).map_err(failed(call))
    }

    fn clone_tree(&self, directory: BorrowedFd) -> Called<OwnedFd> {
        let flags = libc::OPEN_TREE_CLONE | libc::OPEN_TREE_CLOEXEC | libc::AT_EMPTY_PATH as u32;
        // SAFETY: the path is a valid, empty C string.
        let answer = unsafe {
            libc::syscall(
                libc::SYS_open_tree,
                directory.as_raw_fd(),
                c"".as_ptr(),
                flags,
            )
        };
        descriptor(answer, "open_tree")
    }

    fn new_memory_tree(&self) -> Called<OwnedFd> {
        // SAFETY: the name is a valid C string.
        let context =
            unsafe { libc::syscall(libc::SYS_fsopen, c"tmpfs".as_ptr(), libc::FSOPEN_CLOEXEC) };
        let context = descriptor(context, "fsopen tmpfs")?;
        // Set-group-ID: what is made in it is group root's, whatever the caller's group.
        for (key, value) in [
            (c"source", c"nix-ns"),
            (c"mode", c"2755"),
            (c"uid", c"0"),
            (c"gid", c"0"),
            (c"size", c"16k"),
        ] {
            configure(&context, FSCONFIG_SET_STRING, Some((key, value)))?;
        }
        configure(&context, FSCONFIG_CMD_CREATE, None)?;
        let attributes = libc::MOUNT_ATTR_NOSUID | libc::MOUNT_ATTR_NODEV | libc::MOUNT_ATTR_NOEXEC;
        // SAFETY: no pointer is passed.
        let tree = unsafe {
            libc::syscall(
                libc::SYS_fsmount,
                context.as_raw_fd(),
                libc::FSMOUNT_CLOEXEC,
                attributes,
            )
        };
        descriptor(tree, "fsmount")
    }

    fn restrict(&self, tree: BorrowedFd, more: MountFlags) -> Called<()> {
        let attributes = libc::mount_attr {
            attr_set: attributes(more),
            attr_clr: 0,
            propagation: libc::MS_PRIVATE,
            userns_fd: 0,
        };
        // SAFETY: the structure is valid for the size given with it, the path is
        // a valid, empty C string.
        let answer = unsafe {
            libc::syscall(
                libc::SYS_mount_setattr,
                tree.as_raw_fd(),
                c"".as_ptr(),
                libc::AT_EMPTY_PATH,
                &raw const attributes,
                size_of::<libc::mount_attr>(),
            )
        };
        Errno::result(answer)
            .map(drop)
            .map_err(failed("mount_setattr"))
    }

    fn remount(&self, path: &Path, flags: MountFlags) -> Called<()> {
        let none = None::<&Path>;
        let flags = MsFlags::MS_REMOUNT | MsFlags::MS_BIND | mount_flags(flags);
        mount(none, path, none, flags, none).map_err(failed("remount"))?;
        mount(none, path, none, MsFlags::MS_PRIVATE, none).map_err(failed("mount as private"))
    }

    fn attach(&self, tree: BorrowedFd, path: &Path) -> Called<()> {
        let path = c_path(path)?;
        // SAFETY: both paths are valid C strings.
        let answer = unsafe {
            libc::syscall(
                libc::SYS_move_mount,
                tree.as_raw_fd(),
                c"".as_ptr(),
                libc::AT_FDCWD,
                path.as_ptr(),
                libc::MOVE_MOUNT_F_EMPTY_PATH,
            )
        };
        Errno::result(answer)
            .map(drop)
            .map_err(failed("move_mount"))
    }

    fn detach(&self, path: &Path) -> Called<()> {
        umount2(path, MntFlags::MNT_DETACH | MntFlags::UMOUNT_NOFOLLOW).map_err(failed("umount2"))
    }

    fn mount_table(&self) -> Called<Vec<u8>> {
        // It has no size: without room from the start it is read in pieces of 32
        // bytes and more.
        let mut table = Vec::with_capacity(64 * 1024);
        File::open(task_path(Task::Caller, "mountinfo"))
            .and_then(|file| file.take(u64::MAX).read_to_end(&mut table))
            .map_err(|error| failed_io("read /proc/self/mountinfo", &error))?;
        Ok(table)
    }

    fn first_mount(&self, task: Task) -> Called<u64> {
        const CALL: &str = "read /proc/PID/mountinfo";
        let mut head = [0_u8; 24];
        let length = File::open(task_path(task, "mountinfo"))
            .and_then(|mut file| file.read(&mut head))
            .map_err(|error| failed_io(CALL, &error))?;
        head.get(..length)
            .and_then(|head| std::str::from_utf8(head).ok())
            .and_then(|head| head.split(' ').next())
            .and_then(parse_decimal)
            .ok_or(CallFailed {
                call: CALL,
                errno: Errno::EBADMSG,
            })
    }
}

fn configure(context: &OwnedFd, command: libc::c_uint, pair: Option<(&CStr, &CStr)>) -> Called<()> {
    let (key, value) = pair.map_or((std::ptr::null(), std::ptr::null()), |(key, value)| {
        (key.as_ptr(), value.as_ptr())
    });
    // SAFETY: key and value are valid C strings, or null where the command takes none.
    let answer = unsafe {
        libc::syscall(
            libc::SYS_fsconfig,
            context.as_raw_fd(),
            command,
            key,
            value,
            0,
        )
    };
    Errno::result(answer).map(drop).map_err(failed("fsconfig"))
}

fn attributes(flags: MountFlags) -> u64 {
    [
        (flags.read_only, libc::MOUNT_ATTR_RDONLY),
        (flags.no_suid, libc::MOUNT_ATTR_NOSUID),
        (flags.no_dev, libc::MOUNT_ATTR_NODEV),
        (flags.no_exec, libc::MOUNT_ATTR_NOEXEC),
    ]
    .into_iter()
    .fold(0, |bits, (set, bit)| if set { bits | bit } else { bits })
}

fn mount_flags(flags: MountFlags) -> MsFlags {
    // nosymfollow (Linux 5.10) is absent from nix.
    let no_symfollow = MsFlags::from_bits_retain(256);
    [
        (flags.read_only, MsFlags::MS_RDONLY),
        (flags.no_suid, MsFlags::MS_NOSUID),
        (flags.no_dev, MsFlags::MS_NODEV),
        (flags.no_exec, MsFlags::MS_NOEXEC),
        (flags.no_atime, MsFlags::MS_NOATIME),
        (flags.no_diratime, MsFlags::MS_NODIRATIME),
        (flags.relatime, MsFlags::MS_RELATIME),
        (flags.no_symfollow, no_symfollow),
    ]
    .into_iter()
    .fold(
        MsFlags::empty(),
        |bits, (set, bit)| if set { bits | bit } else { bits },
    )
}
