//! The real kernel. All of this crate's raw system calls are below here and in
//! `reader/child.rs`.

#![allow(unsafe_code, reason = "the newer calls have no safe wrapper")]

mod directories;
mod files;
mod identity;
mod mounts;
mod namespaces;
mod tasks;

use std::ffi::CString;
use std::os::fd::{FromRawFd, OwnedFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use nix::errno::Errno;
use nix::fcntl;
use rustix::thread::CapabilitySets;

use super::{CallFailed, Called, Task, parse_decimal};

/// The running kernel.
#[derive(Debug, Clone, Copy, Default)]
pub struct Linux;

fn capabilities() -> Called<CapabilitySets> {
    rustix::thread::capabilities(None).map_err(failed_by_rustix("capget"))
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

/// Takes a descriptor that a library handed out as a number.
pub(crate) fn own(descriptor: RawFd) -> OwnedFd {
    // SAFETY: all callers pass a descriptor that the kernel has just made for
    // this process and that nothing else knows, or knows any more.
    unsafe { OwnedFd::from_raw_fd(descriptor) }
}

pub(crate) fn failed(call: &'static str) -> impl Fn(Errno) -> CallFailed {
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
