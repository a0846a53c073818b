//! The one descriptor that fusermount sends.

#![allow(
    unsafe_code,
    reason = "the library hands out received descriptors as numbers"
)]

use std::io::IoSliceMut;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

use nix::errno::Errno;
use nix::sys::socket::{ControlMessageOwned, MsgFlags, recvmsg};

/// Waits for a message with a descriptor.
pub fn descriptor(socket: BorrowedFd) -> nix::Result<OwnedFd> {
    let mut byte = [0];
    let mut parts = [IoSliceMut::new(&mut byte)];
    let mut control = nix::cmsg_space!([libc::c_int; 1]);
    let message = recvmsg::<()>(
        socket.as_raw_fd(),
        &mut parts,
        Some(&mut control),
        MsgFlags::MSG_CMSG_CLOEXEC,
    )?;
    let number = message.cmsgs()?.find_map(|part| match part {
        ControlMessageOwned::ScmRights(numbers) => numbers.first().copied(),
        _ => None,
    });
    let number = number.ok_or(Errno::EBADMSG)?;
    // SAFETY: the kernel has just made it for this process, and nobody else
    // knows it.
    Ok(unsafe { OwnedFd::from_raw_fd(number) })
}
