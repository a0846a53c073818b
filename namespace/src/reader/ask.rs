//! The module's side: start the reader, ask, wait no longer than agreed.

use std::ffi::CString;
use std::io::{IoSlice, IoSliceMut};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::time::Instant;

use config::Account;
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{
    AddressFamily, ControlMessageOwned, MsgFlags, SockFlag, SockType, getsockopt, recvmsg, sendmsg,
    socketpair, sockopt::SocketError,
};

use super::child::{Instructions, NOT_STARTED, ROOTS, end};
use super::protocol::LONGEST_REPLY;
use super::{MOST_ROOTS, PATIENCE, PROGRAM, Reply, Request};
use crate::error::Error;
use crate::kernel::CallFailed;
use crate::kernel::linux::{failed, own};

/// As many as one message can bring (`SCM_MAX_FD`), whatever the sender means
/// by it: those that found no room here would stay open.
const MOST_DESCRIPTORS: usize = 253;

/// Reads a user's configuration and directory with that user's rights.
pub trait Reader {
    /// Asks, with the account's groups.
    ///
    /// # Errors
    /// [`Error::Silent`] when nothing came in time, [`Error::Reader`] when the
    /// program could not be run or made no sense.
    fn read(&self, request: &Request, groups: &[u32]) -> Result<Reading, Error>;
}

/// What came back.
#[derive(Debug)]
pub struct Reading {
    /// The user's word, to be checked.
    pub reply: Reply,
    /// The directory that came with it.
    pub directory: Option<OwnedFd>,
    /// The site's roots, opened before the user could have a hand in it.
    pub roots: Vec<OwnedFd>,
}

/// The real one: a child that becomes the user and runs [`PROGRAM`].
#[derive(Debug, Clone, Copy, Default)]
pub struct SpawnedReader;

impl Reader for SpawnedReader {
    fn read(&self, request: &Request, groups: &[u32]) -> Result<Reading, Error> {
        let deadline = Instant::now().checked_add(PATIENCE);
        let instructions = instructions(request, groups)?;
        let text = toml::to_string(request)
            .map_err(|error| Error::Reader(format!("cannot be asked ({error})")))?;
        let (ours, childs) = socketpair(
            AddressFamily::Unix,
            SockType::SeqPacket,
            None,
            SockFlag::SOCK_CLOEXEC,
        )
        .map_err(failed("socketpair"))?;
        sendmsg::<()>(
            ours.as_raw_fd(),
            &[IoSlice::new(text.as_bytes())],
            &[],
            MsgFlags::MSG_NOSIGNAL,
            None,
        )
        .map_err(failed("sendmsg"))?;
        let child = instructions.start(childs.as_fd())?;
        drop(childs);
        let answer = listen(ours.as_fd(), deadline);
        end(&child);
        answer
    }
}

fn instructions(request: &Request, groups: &[u32]) -> Result<Instructions, Error> {
    let c_string = |bytes: &[u8]| {
        CString::new(bytes)
            .map_err(|_| Error::Reader("cannot be given a path with a NUL".to_owned()))
    };
    let roots = request
        .roots
        .iter()
        .take(MOST_ROOTS)
        .map(|root| c_string(root.as_os_str().as_bytes()))
        .collect::<Result<_, _>>()?;
    let Account { uid, gid, .. } = request.account;
    Ok(Instructions::new(
        c_string(PROGRAM.as_bytes())?,
        roots,
        uid,
        gid,
        groups.to_vec(),
    ))
}

fn listen(socket: BorrowedFd, deadline: Option<Instant>) -> Result<Reading, Error> {
    // First our own code in the child speaks, then, after exec, a program that
    // belongs to the user. The order is the kernel's.
    let (message, roots) = receive(socket, deadline)?;
    if message.first() != Some(&ROOTS) {
        return Err(not_started(&message));
    }
    let (message, mut directories) = receive(socket, deadline)?;
    if message.first() == Some(&NOT_STARTED) {
        return Err(not_started(&message));
    }
    let reply = Reply::parse(&message)
        .ok_or_else(|| Error::Reader("answered what nobody understands".to_owned()))?;
    let directory = (directories.len() == 1)
        .then(|| directories.pop())
        .flatten();
    Ok(Reading {
        reply,
        directory,
        roots,
    })
}

fn receive(
    socket: BorrowedFd,
    deadline: Option<Instant>,
) -> Result<(Vec<u8>, Vec<OwnedFd>), Error> {
    wait(socket, deadline)?;
    let mut bytes = vec![0; LONGEST_REPLY];
    let mut control = nix::cmsg_space!([libc::c_int; MOST_DESCRIPTORS]);
    let mut parts = [IoSliceMut::new(&mut bytes)];
    let flags = MsgFlags::MSG_CMSG_CLOEXEC | MsgFlags::MSG_DONTWAIT;
    // A child that dies with the question unread leaves an error in the socket,
    // before what it said; asked for, the error is gone. It may die at any moment.
    let mut errors = 0_usize;
    let message = loop {
        let _ = getsockopt(&socket, SocketError);
        match recvmsg::<()>(socket.as_raw_fd(), &mut parts, Some(&mut control), flags) {
            Err(Errno::ECONNRESET) if errors == 0 => errors = 1,
            answer => break answer.map_err(failed("recvmsg"))?,
        }
    };
    let length = message.bytes;
    let parts: Vec<_> = match message.cmsgs() {
        Ok(parts) => parts.collect(),
        Err(errno) => {
            close_received(&control);
            return Err(failed("recvmsg")(errno).into());
        }
    };
    let mut descriptors = Vec::new();
    for part in parts {
        if let ControlMessageOwned::ScmRights(received) = part {
            descriptors.extend(received.into_iter().map(own));
        }
    }
    bytes.truncate(length);
    if length == 0 {
        return Err(Error::Reader("ended without a word".to_owned()));
    }
    Ok((bytes, descriptors))
}

/// The descriptors of a message that had more of them than the caller may have: as
/// many as it may are there (unix(7)), and `cmsgs` hands out none.
fn close_received(control: &[u8]) {
    let header = size_of::<libc::cmsghdr>();
    let length = control
        .first_chunk()
        .map_or(0, |it| usize::from_ne_bytes(*it));
    let numbers = control.get(header..length).unwrap_or_default();
    for number in numbers.chunks_exact(size_of::<libc::c_int>()) {
        if let Ok(number) = number.try_into() {
            drop(own(libc::c_int::from_ne_bytes(number)));
        }
    }
}

fn wait(socket: BorrowedFd, deadline: Option<Instant>) -> Result<(), Error> {
    loop {
        let left = deadline
            .map(|deadline| deadline.saturating_duration_since(Instant::now()))
            .unwrap_or_default();
        let timeout = PollTimeout::try_from(left).unwrap_or(PollTimeout::ZERO);
        match poll(&mut [PollFd::new(socket, PollFlags::POLLIN)], timeout) {
            Ok(0) => return Err(Error::Silent(PATIENCE)),
            Ok(_) => return Ok(()),
            Err(Errno::EINTR) => {}
            Err(errno) => {
                return Err(CallFailed {
                    call: "poll",
                    errno,
                }
                .into());
            }
        }
    }
}

fn not_started(message: &[u8]) -> Error {
    let errno = match message {
        [NOT_STARTED, errno @ ..] => errno.try_into().map(i32::from_ne_bytes).ok(),
        _ => None,
    };
    Error::Reader(match errno {
        Some(errno) => format!("cannot be started ({})", Errno::from_raw(errno)),
        None => "began with what nobody understands".to_owned(),
    })
}

#[cfg(test)]
mod tests;
