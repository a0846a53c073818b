//! The loopback interface of a network namespace: the only one it has, and down
//! until somebody brings it up.

use std::net::{Ipv4Addr, UdpSocket};
use std::os::fd::AsRawFd;

use nix::errno::Errno;
use nix::sys::socket::{
    AddressFamily, MsgFlags, SockFlag, SockProtocol, SockType, recv, send, socket,
};

use super::Error;

/// It has this number in every network namespace (`LOOPBACK_IFINDEX`).
const LOOPBACK: i32 = 1;
/// `struct nlmsghdr` and `struct ifinfomsg`, rtnetlink(7).
const LENGTH: u32 = 32;
/// `struct nlmsghdr`, before the error in an answer.
const HEADER: usize = 16;

/// Brings it up, and sees that it is.
pub(super) fn bring_up() -> Result<(), Error> {
    ask().map_err(|errno| Error::Loopback(errno.into()))?;
    // Its address comes with it.
    UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))
        .map(drop)
        .map_err(Error::Loopback)
}

fn ask() -> nix::Result<()> {
    let socket = socket(
        AddressFamily::Netlink,
        SockType::Raw,
        SockFlag::SOCK_CLOEXEC,
        SockProtocol::NetlinkRoute,
    )?;
    send(socket.as_raw_fd(), &request(), MsgFlags::empty())?;
    let mut answer = [0; 128];
    let length = recv(socket.as_raw_fd(), &mut answer, MsgFlags::empty())?;
    let answer = answer.get(HEADER..length).and_then(|it| it.first_chunk());
    match answer.map(|error| i32::from_ne_bytes(*error)) {
        Some(0) => Ok(()),
        Some(error) => Err(Errno::from_raw(error.saturating_neg())),
        None => Err(Errno::EBADMSG),
    }
}

fn request() -> Vec<u8> {
    let flags = (libc::NLM_F_REQUEST | libc::NLM_F_ACK).to_ne_bytes();
    let up = libc::IFF_UP.to_ne_bytes();
    let mut bytes = Vec::new();
    bytes.extend(LENGTH.to_ne_bytes());
    bytes.extend(libc::RTM_NEWLINK.to_ne_bytes());
    bytes.extend(flags.get(..2).unwrap_or_default());
    // Sequence number and port: the kernel's to fill in. Then family and type of
    // the interface: any.
    bytes.extend([0; 8]);
    bytes.extend([0; 4]);
    bytes.extend(LOOPBACK.to_ne_bytes());
    // The flag, and which flags are to change.
    bytes.extend(up);
    bytes.extend(up);
    bytes
}
