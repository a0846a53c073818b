//! Directories, the links in them and the working directory.

use std::ffi::{CStr, OsStr, OsString};
use std::os::fd::{BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{self, AtFlags, OFlag};
use nix::sys::stat::{FchmodatFlags, Mode, fchmodat, stat};
use nix::unistd::{self, Gid, Uid, UnlinkatFlags};
use rustix::fs::{RawDir, SeekFrom};

use super::{Linux, failed, failed_by_rustix};
use crate::kernel::{CallFailed, Called, Directories};

impl Directories for Linux {
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

    fn refer_to_working_directory(&self) -> Called<OwnedFd> {
        fcntl::open(
            "/proc/thread-self/cwd",
            OFlag::O_PATH | OFlag::O_CLOEXEC,
            Mode::empty(),
        )
        .map_err(failed("open /proc/self/cwd"))
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
}

fn is_finished(path: &Path, mode: u32) -> Called<bool> {
    let directory = stat(path).map_err(failed("stat"))?;
    let owned = (directory.st_uid, directory.st_gid) == (0, 0);
    Ok(owned && directory.st_mode & 0o7777 == mode)
}
