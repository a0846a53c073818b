//! The real kernel. All of this crate's raw system calls are in this file and
//! in `reader/child.rs`.

#![allow(unsafe_code, reason = "the newer mount calls have no safe wrapper")]

use std::ffi::{CStr, CString, OsStr, OsString};
use std::fs::File;
use std::io::Read;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{self, AtFlags, OFlag, OpenHow, ResolveFlag};
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sched::{CloneFlags, setns, unshare};
use nix::sys::stat::{FchmodatFlags, Mode, fchmodat, fstat, stat};
use nix::unistd::{self, Gid, Uid, UnlinkatFlags};
use rustix::fs::{RawDir, SeekFrom};
use rustix::thread::{CapabilitySet, CapabilitySets};

use super::{
    CallFailed, Called, FileIdentity, Kernel, LostWithIdentity, MountFlags, MountId, NamespaceId,
    Propagation, Remembered, Task, Walk, parse_decimal,
};

/// `_IO(0xb7, 1)`: the user namespace that owns a namespace (Linux 4.9).
const NS_GET_USERNS: libc::c_ulong = 0xb701;
/// `_IO(0xb7, 3)`: the type of a namespace (Linux 4.11).
const NS_GET_NSTYPE: libc::c_ulong = 0xb703;
/// `_IOR(0xb7, 5, u64)`: the 64-bit number of a mount namespace (Linux 6.11).
const NS_GET_MNTNS_ID: libc::c_ulong = 0x8008_b705;
/// Absent from libc for now; `include/uapi/linux/stat.h`, Linux 6.8.
const STATX_MNT_ID_UNIQUE: u32 = 0x4000;
/// Absent from nix; `include/uapi/linux/openat2.h`, Linux 5.12.
const RESOLVE_CACHED: u64 = 0x20;
/// `PROC_USER_INIT_INO` of `include/linux/proc_ns.h`: the inode number of the
/// first user namespace, the same on every kernel.
const INITIAL_USER_NAMESPACE: u64 = 0xEFFF_FFFD;
/// How often a walk in the caches alone is tried.
const CACHED_TRIES: u32 = 3;
/// `FSCONFIG_SET_STRING`, `FSCONFIG_CMD_CREATE` of `include/uapi/linux/mount.h`.
const FSCONFIG_SET_STRING: libc::c_uint = 1;
const FSCONFIG_CMD_CREATE: libc::c_uint = 6;

/// The running kernel.
#[derive(Debug, Clone, Copy, Default)]
pub struct Linux;

impl Kernel for Linux {
    fn missing_capabilities(&self) -> Called<Vec<&'static str>> {
        let held = capabilities()?.effective;
        Ok([
            (CapabilitySet::SYS_ADMIN, "CAP_SYS_ADMIN"),
            (CapabilitySet::SYS_CHROOT, "CAP_SYS_CHROOT"),
        ]
        .into_iter()
        .filter_map(|(capability, name)| (!held.contains(capability)).then_some(name))
        .collect())
    }

    fn threads(&self) -> Called<u32> {
        // procfs counts the threads into the links of the directory (fs/proc/base.c,
        // proc_task_getattr): one call instead of a file to read and parse.
        let task = self.remembered(Path::new("/proc/self/task"))?;
        Ok(task.links.saturating_sub(2))
    }

    fn thread(&self) -> i32 {
        unistd::gettid().as_raw()
    }

    fn began(&self, thread: i32) -> Called<u64> {
        const CALL: &str = "read /proc/PID/stat";
        let mut text = String::new();
        File::open(format!("/proc/{thread}/stat"))
            .and_then(|mut file| file.read_to_string(&mut text))
            .map_err(|error| failed_io(CALL, &error))?;
        // The name in parentheses may itself hold spaces and parentheses.
        text.rsplit_once(')')
            .and_then(|(_, rest)| rest.split_ascii_whitespace().nth(19))
            .and_then(parse_decimal)
            .ok_or(CallFailed {
                call: CALL,
                errno: Errno::EBADMSG,
            })
    }

    fn pid_namespace(&self) -> Called<u64> {
        namespace_link(&task_path(Task::Caller, "ns/pid"))
    }

    fn processes(&self) -> Called<Vec<i32>> {
        let entries =
            std::fs::read_dir("/proc").map_err(|error| failed_io("open /proc", &error))?;
        Ok(entries
            .flatten()
            .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
            .collect())
    }

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

    fn remembered(&self, path: &Path) -> Called<Remembered> {
        statx(
            libc::AT_FDCWD,
            &c_path(path)?,
            libc::AT_SYMLINK_NOFOLLOW | libc::AT_NO_AUTOMOUNT | libc::AT_STATX_DONT_SYNC,
        )
    }

    fn current(&self, path: &Path) -> Called<Remembered> {
        statx(
            libc::AT_FDCWD,
            &c_path(path)?,
            libc::AT_SYMLINK_NOFOLLOW | libc::AT_NO_AUTOMOUNT | libc::AT_STATX_FORCE_SYNC,
        )
    }

    fn remembered_of(&self, file: BorrowedFd) -> Called<Remembered> {
        statx(
            file.as_raw_fd(),
            c"",
            libc::AT_EMPTY_PATH | libc::AT_STATX_DONT_SYNC,
        )
    }

    fn mount_number(&self, file: BorrowedFd) -> Called<u64> {
        let file = statx_raw(
            file.as_raw_fd(),
            c"",
            libc::AT_EMPTY_PATH | libc::AT_STATX_DONT_SYNC,
            libc::STATX_MNT_ID,
        )?;
        Ok(file.stx_mnt_id)
    }

    fn known_path(&self, file: BorrowedFd) -> Called<PathBuf> {
        let link = format!("/proc/self/fd/{}", file.as_raw_fd());
        fcntl::readlink(link.as_str())
            .map(PathBuf::from)
            .map_err(failed("readlink /proc/self/fd"))
    }

    fn refer(&self, path: &Path, walk: Walk) -> Called<OwnedFd> {
        let cached = ResolveFlag::from_bits_retain(RESOLVE_CACHED);
        let resolve = match walk {
            Walk::Any => ResolveFlag::RESOLVE_NO_MAGICLINKS,
            Walk::NoLinks => ResolveFlag::RESOLVE_NO_SYMLINKS | ResolveFlag::RESOLVE_NO_MAGICLINKS,
            Walk::Cached | Walk::CachedLink | Walk::GlimpsedLink => {
                ResolveFlag::RESOLVE_NO_MAGICLINKS | cached
            }
            Walk::CachedNoLinks => {
                ResolveFlag::RESOLVE_NO_SYMLINKS | ResolveFlag::RESOLVE_NO_MAGICLINKS | cached
            }
        };
        let follow = match walk {
            Walk::CachedLink | Walk::GlimpsedLink => OFlag::O_NOFOLLOW,
            _ => OFlag::empty(),
        };
        let tries = if walk == Walk::GlimpsedLink {
            1
        } else {
            CACHED_TRIES
        };
        let how = OpenHow::new()
            .flags(OFlag::O_PATH | OFlag::O_CLOEXEC | follow)
            .resolve(resolve);
        let open = || fcntl::openat2(fcntl::AT_FDCWD, path, how).map_err(failed("openat2"));
        let is_lost = |opened: &Called<OwnedFd>| {
            resolve.contains(cached)
                && matches!(opened, Err(failed) if failed.errno == Errno::EAGAIN)
        };
        // Not only for what is not cached: any rename and any mount on the machine
        // that falls into it ends such a walk (`rename_lock` and `mount_lock` in
        // fs/namei.c). A login would ask the reader for that.
        (1..tries).fold(
            open(),
            |opened, _| {
                if is_lost(&opened) { open() } else { opened }
            },
        )
    }

    fn refer_to_working_directory(&self) -> Called<OwnedFd> {
        fcntl::open(
            "/proc/thread-self/cwd",
            OFlag::O_PATH | OFlag::O_CLOEXEC,
            Mode::empty(),
        )
        .map_err(failed("open /proc/self/cwd"))
    }

    fn open_directory(&self, path: &Path) -> Called<OwnedFd> {
        let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        fcntl::open(path, flags, Mode::empty()).map_err(failed("open directory"))
    }

    fn entries(&self, directory: BorrowedFd) -> Called<Vec<OsString>> {
        // Room for a hundred sessions at once; more take another call.
        let mut room = Vec::with_capacity(8192);
        let mut directory = RawDir::new(directory, room.spare_capacity_mut());
        let mut names = Vec::new();
        while let Some(entry) = directory.next() {
            let entry = entry.map_err(failed_by_rustix("getdents"))?;
            let name = entry.file_name().to_bytes();
            if name != b"." && name != b".." {
                names.push(OsStr::from_bytes(name).to_owned());
            }
        }
        Ok(names)
    }

    fn entries_again(&self, directory: BorrowedFd) -> Called<Vec<OsString>> {
        rustix::fs::seek(directory, SeekFrom::Start(0)).map_err(failed_by_rustix("lseek"))?;
        self.entries(directory)
    }

    fn make_directory(&self, path: &Path, mode: u32) -> Called<()> {
        match unistd::mkdir(path, Mode::empty()) {
            Ok(()) => {}
            // Whoever made it may have been killed before it was finished.
            Err(Errno::EEXIST) if is_finished(path, mode)? => return Ok(()),
            Err(Errno::EEXIST) => {}
            Err(errno) => {
                return Err(CallFailed {
                    call: "mkdir",
                    errno,
                });
            }
        }
        let (root, group) = (Some(Uid::from_raw(0)), Some(Gid::from_raw(0)));
        unistd::fchownat(
            fcntl::AT_FDCWD,
            path,
            root,
            group,
            AtFlags::AT_SYMLINK_NOFOLLOW,
        )
        .map_err(failed("fchownat"))?;
        let mode = Mode::from_bits_truncate(mode);
        fchmodat(fcntl::AT_FDCWD, path, mode, FchmodatFlags::FollowSymlink)
            .map_err(failed("fchmodat"))
    }

    fn link(&self, text: &OsStr, directory: BorrowedFd, name: &OsStr) -> Called<()> {
        unistd::symlinkat(text, directory, name).map_err(failed("symlinkat"))
    }

    fn link_text(&self, directory: BorrowedFd, name: &OsStr) -> Called<OsString> {
        fcntl::readlinkat(directory, name).map_err(failed("readlinkat"))
    }

    fn link_text_at(&self, path: &Path) -> Called<OsString> {
        fcntl::readlink(path).map_err(failed("readlink"))
    }

    fn rename(&self, directory: BorrowedFd, from: &OsStr, to: &OsStr) -> Called<()> {
        fcntl::renameat(directory, from, directory, to).map_err(failed("renameat"))
    }

    fn unlink(&self, directory: BorrowedFd, name: &OsStr) -> Called<()> {
        unistd::unlinkat(directory, name, UnlinkatFlags::NoRemoveDir).map_err(failed("unlinkat"))
    }

    fn working_directory(&self) -> Called<PathBuf> {
        const CALL: &str = "getcwd";
        let mut path = vec![0_u8; libc::PATH_MAX as usize];
        // SAFETY: the buffer has room for the length given with it.
        let answer = unsafe { libc::syscall(libc::SYS_getcwd, path.as_mut_ptr(), path.len()) };
        Errno::result(answer).map_err(failed(CALL))?;
        let path = CStr::from_bytes_until_nul(&path).map_err(|_| CallFailed {
            call: CALL,
            errno: Errno::ERANGE,
        })?;
        let path = Path::new(OsStr::from_bytes(path.to_bytes()));
        // "(unreachable)/..." is what the kernel says of a directory outside the root.
        let reachable = path.is_absolute().then(|| path.to_owned());
        reachable.ok_or(CallFailed {
            call: CALL,
            errno: Errno::ENOENT,
        })
    }

    fn change_directory(&self, directory: BorrowedFd) -> Called<()> {
        unistd::fchdir(directory).map_err(failed("fchdir"))
    }

    fn assume(&self, identity: FileIdentity) -> Called<(FileIdentity, LostWithIdentity)> {
        let lost = LostWithIdentity {
            parent_death_signal: parent_death_signal()?,
            dumpable: dumpable()?,
            effective: capabilities()?.effective,
        };
        let (uid, gid) = (Uid::from_raw(identity.uid), Gid::from_raw(identity.gid));
        let before = FileIdentity {
            gid: unistd::setfsgid(gid).as_raw(),
            uid: unistd::setfsuid(uid).as_raw(),
        };
        Ok((before, lost))
    }

    fn has_assumed(&self, identity: FileIdentity) -> bool {
        // The calls answer the identity before them and never fail: only a
        // second one tells whether the first was obeyed (setfsuid(2), "BUGS").
        let (uid, gid) = (Uid::from_raw(identity.uid), Gid::from_raw(identity.gid));
        unistd::setfsuid(uid) == uid && unistd::setfsgid(gid) == gid
    }

    fn resume(&self, identity: FileIdentity, lost: LostWithIdentity) -> Called<()> {
        let (uid, gid) = (Uid::from_raw(identity.uid), Gid::from_raw(identity.gid));
        unistd::setfsuid(uid);
        unistd::setfsgid(gid);
        if !self.has_assumed(identity) {
            return Err(CallFailed {
                call: "setfsuid back",
                errno: Errno::EPERM,
            });
        }
        let now = capabilities()?;
        if now.effective != lost.effective {
            let effective = lost.effective;
            let before = CapabilitySets { effective, ..now };
            rustix::thread::set_capabilities(None, before).map_err(failed_by_rustix("capset"))?;
        }
        // No signal is what the kernel has left.
        if lost.parent_death_signal != 0 {
            set_parent_death_signal(lost.parent_death_signal)?;
        }
        set_dumpable(lost.dumpable)
    }
}

fn is_finished(path: &Path, mode: u32) -> Called<bool> {
    let directory = stat(path).map_err(failed("stat"))?;
    let owned = (directory.st_uid, directory.st_gid) == (0, 0);
    Ok(owned && directory.st_mode & 0o7777 == mode)
}

fn capabilities() -> Called<CapabilitySets> {
    rustix::thread::capabilities(None).map_err(failed_by_rustix("capget"))
}

fn parent_death_signal() -> Called<i32> {
    let mut signal: libc::c_int = 0;
    // SAFETY: the option writes one int to the pointer, which is valid for it.
    let answer = unsafe { libc::prctl(libc::PR_GET_PDEATHSIG, &raw mut signal) };
    Errno::result(answer)
        .map(|_| signal)
        .map_err(failed("prctl PR_GET_PDEATHSIG"))
}

fn set_parent_death_signal(signal: i32) -> Called<()> {
    // SAFETY: the option takes a number.
    let answer = unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, signal) };
    Errno::result(answer)
        .map(drop)
        .map_err(failed("prctl PR_SET_PDEATHSIG"))
}

fn dumpable() -> Called<i32> {
    // SAFETY: the option takes no argument.
    let answer = unsafe { libc::prctl(libc::PR_GET_DUMPABLE) };
    Errno::result(answer).map_err(failed("prctl PR_GET_DUMPABLE"))
}

fn set_dumpable(dumpable: i32) -> Called<()> {
    // 2 (readable by root only) can only come from sysctl fs.suid_dumpable and
    // cannot be set by hand; the same sysctl has just set it again.
    if dumpable == 2 {
        return Ok(());
    }
    // SAFETY: the option takes a number.
    let answer = unsafe { libc::prctl(libc::PR_SET_DUMPABLE, dumpable) };
    Errno::result(answer)
        .map(drop)
        .map_err(failed("prctl PR_SET_DUMPABLE"))
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

fn statx(directory: RawFd, path: &CStr, flags: libc::c_int) -> Called<Remembered> {
    let mask = libc::STATX_BASIC_STATS | libc::STATX_MNT_ID | STATX_MNT_ID_UNIQUE;
    let file = statx_raw(directory, path, flags, mask)?;
    let mount = if file.stx_mask & STATX_MNT_ID_UNIQUE != 0 {
        MountId::Unique(file.stx_mnt_id)
    } else {
        MountId::Reused(file.stx_mnt_id)
    };
    Ok(Remembered {
        device: libc::makedev(file.stx_dev_major, file.stx_dev_minor),
        inode: file.stx_ino,
        mode: u32::from(file.stx_mode),
        uid: file.stx_uid,
        links: file.stx_nlink,
        size: file.stx_size,
        changed: (file.stx_ctime.tv_sec, file.stx_ctime.tv_nsec),
        mount,
        mount_root: file.stx_attributes & libc::STATX_ATTR_MOUNT_ROOT as u64 != 0,
    })
}

fn statx_raw(directory: RawFd, path: &CStr, flags: libc::c_int, mask: u32) -> Called<libc::statx> {
    let mut file = MaybeUninit::<libc::statx>::zeroed();
    // SAFETY: the path is a valid C string, the buffer has room for the answer.
    let answer = unsafe { libc::statx(directory, path.as_ptr(), flags, mask, file.as_mut_ptr()) };
    Errno::result(answer).map_err(failed("statx"))?;
    // SAFETY: every bit pattern, zero included, is a valid `statx`.
    Ok(unsafe { file.assume_init() })
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

fn task_path(task: Task, file: &str) -> String {
    match task {
        Task::Caller => format!("/proc/thread-self/{file}"),
        Task::Init => format!("/proc/1/{file}"),
        Task::Thread(thread) => format!("/proc/{thread}/{file}"),
    }
}

/// The number in a link such as `mnt:[4026531841]`.
fn namespace_link(path: &str) -> Called<u64> {
    const CALL: &str = "readlink /proc/PID/ns";
    let text = fcntl::readlink(path).map_err(failed(CALL))?;
    text.to_str()
        .and_then(|text| text.split_once(":[")?.1.strip_suffix(']'))
        .and_then(parse_decimal)
        .ok_or(CallFailed {
            call: CALL,
            errno: Errno::EBADMSG,
        })
}

fn c_path(path: &Path) -> Called<CString> {
    CString::new(path.as_os_str().as_bytes()).map_err(|_| CallFailed {
        call: "path with a NUL",
        errno: Errno::EINVAL,
    })
}

fn descriptor(answer: libc::c_long, call: &'static str) -> Called<OwnedFd> {
    let answer = Errno::result(answer).map_err(failed(call))?;
    RawFd::try_from(answer).map(own).map_err(|_| CallFailed {
        call,
        errno: Errno::EBADF,
    })
}

fn own(descriptor: RawFd) -> OwnedFd {
    // SAFETY: all callers pass a descriptor that the kernel has just made for
    // this process and that nothing else knows, or knows any more.
    unsafe { OwnedFd::from_raw_fd(descriptor) }
}

fn failed(call: &'static str) -> impl Fn(Errno) -> CallFailed {
    move |errno| CallFailed { call, errno }
}

fn failed_by_rustix(call: &'static str) -> impl Fn(rustix::io::Errno) -> CallFailed {
    move |errno| CallFailed {
        call,
        errno: Errno::from_raw(errno.raw_os_error()),
    }
}

fn failed_io(call: &'static str, error: &std::io::Error) -> CallFailed {
    CallFailed {
        call,
        errno: error.raw_os_error().map_or(Errno::EIO, Errno::from_raw),
    }
}
