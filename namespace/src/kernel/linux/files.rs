//! Files: `statx(2)` and `openat2(2)`.

use std::ffi::CStr;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{self, OFlag, OpenHow, ResolveFlag};

use super::{Linux, c_path, failed};
use crate::kernel::{Called, Files, MountId, Remembered, Walk};

/// Absent from libc for now; `include/uapi/linux/stat.h`, Linux 6.8.
const STATX_MNT_ID_UNIQUE: u32 = 0x4000;
/// Absent from nix; `include/uapi/linux/openat2.h`, Linux 5.12.
const RESOLVE_CACHED: u64 = 0x20;
/// How often a walk in the caches alone is tried.
const CACHED_TRIES: u32 = 3;

impl Files for Linux {
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
