//! Namespaces: `/proc/PID/ns`, `setns(2)`, `unshare(2)`, `ioctl_nsfs(2)`.

use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd, RawFd};

use nix::errno::Errno;
use nix::fcntl::{self, OFlag};
use nix::sched::{CloneFlags, setns, unshare};
use nix::sys::stat::{Mode, fstat, stat};

use super::{Linux, failed, namespace_link, own, task_path};
use crate::kernel::{CallFailed, Called, NamespaceId, Namespaces, Task};

/// `_IO(0xb7, 1)`: the user namespace that owns a namespace (Linux 4.9).
const NS_GET_USERNS: libc::c_ulong = 0xb701;
/// `_IO(0xb7, 3)`: the type of a namespace (Linux 4.11).
const NS_GET_NSTYPE: libc::c_ulong = 0xb703;
/// `_IOR(0xb7, 5, u64)`: the 64-bit number of a mount namespace (Linux 6.11).
const NS_GET_MNTNS_ID: libc::c_ulong = 0x8008_b705;
/// `PROC_USER_INIT_INO` of `include/linux/proc_ns.h`: the inode number of the
/// first user namespace, the same on every kernel.
const INITIAL_USER_NAMESPACE: u64 = 0xEFFF_FFFD;

impl Namespaces for Linux {
    fn open_namespace(&self, task: Task) -> Called<OwnedFd> {
        let path = task_path(task, "ns/mnt");
        fcntl::open(
            path.as_str(),
            OFlag::O_RDONLY | OFlag::O_CLOEXEC,
            Mode::empty(),
        )
        .map_err(failed("open /proc/PID/ns/mnt"))
    }

    fn namespace_inode(&self, task: Task) -> Called<u64> {
        namespace_link(&task_path(task, "ns/mnt"))
    }

    fn namespace_id(&self, namespace: BorrowedFd) -> Called<NamespaceId> {
        let mut id = 0_u64;
        // SAFETY: the request writes one u64 to the pointer, which is valid for it.
        let answer = unsafe { libc::ioctl(namespace.as_raw_fd(), NS_GET_MNTNS_ID, &raw mut id) };
        match Errno::result(answer) {
            Ok(_) => Ok(NamespaceId::Unique(id)),
            // An older kernel does not know the request. It still knows the type.
            Err(Errno::ENOTTY) => {
                // SAFETY: the request takes no argument.
                let kind = unsafe { libc::ioctl(namespace.as_raw_fd(), NS_GET_NSTYPE) };
                if Errno::result(kind).map_err(failed("ioctl NS_GET_NSTYPE"))? != libc::CLONE_NEWNS
                {
                    return Err(CallFailed {
                        call: "ioctl NS_GET_NSTYPE",
                        errno: Errno::EINVAL,
                    });
                }
                fstat(namespace)
                    .map(|file| NamespaceId::Inode(file.st_ino))
                    .map_err(failed("fstat"))
            }
            Err(errno) => Err(CallFailed {
                call: "ioctl NS_GET_MNTNS_ID",
                errno,
            }),
        }
    }

    fn owned_by_callers_user_namespace(&self, namespace: BorrowedFd) -> Called<bool> {
        // SAFETY: the request takes no argument and answers a new descriptor.
        let answer = unsafe { libc::ioctl(namespace.as_raw_fd(), NS_GET_USERNS) };
        let answer = Errno::result(answer).map_err(failed("ioctl NS_GET_USERNS"))?;
        let owner = own(RawFd::from(answer));
        let owner = fstat(&owner).map_err(failed("fstat"))?;
        // The kernel names an owner to callers in that one or above it, no others
        // (`ns_get_owner`, kernel/user_namespace.c); and to look at the caller's own
        // is one of the dearest calls of a login.
        if owner.st_ino == INITIAL_USER_NAMESPACE {
            return Ok(true);
        }
        let callers = stat("/proc/self/ns/user").map_err(failed("stat /proc/self/ns/user"))?;
        Ok((owner.st_dev, owner.st_ino) == (callers.st_dev, callers.st_ino))
    }

    fn unshare_directories(&self) -> Called<()> {
        unshare(CloneFlags::CLONE_FS).map_err(failed("unshare CLONE_FS"))
    }

    fn unshare_mounts(&self) -> Called<()> {
        unshare(CloneFlags::CLONE_NEWNS).map_err(failed("unshare CLONE_NEWNS"))
    }

    fn enter_namespace(&self, namespace: BorrowedFd) -> Called<()> {
        setns(namespace, CloneFlags::CLONE_NEWNS).map_err(failed("setns CLONE_NEWNS"))
    }
}
