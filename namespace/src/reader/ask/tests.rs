//! What the other end of the socket says, and how it ends.

use std::fs::File;
use std::time::Duration;

use nix::fcntl::{FcntlArg, FdFlag, fcntl};
use nix::sys::socket::ControlMessage;

use super::*;

/// The module's end and the reader's.
fn ends() -> (OwnedFd, OwnedFd) {
    let flags = SockFlag::SOCK_CLOEXEC;
    socketpair(AddressFamily::Unix, SockType::SeqPacket, None, flags).unwrap()
}

fn say(end: &OwnedFd, message: &[u8], directories: &[OwnedFd]) {
    let numbers: Vec<_> = directories.iter().map(AsRawFd::as_raw_fd).collect();
    let control = [ControlMessage::ScmRights(&numbers)];
    let control = if numbers.is_empty() {
        &[][..]
    } else {
        &control
    };
    let parts = [IoSlice::new(message)];
    sendmsg::<()>(end.as_raw_fd(), &parts, control, MsgFlags::empty(), None).unwrap();
}

fn directory() -> OwnedFd {
    File::open("/").unwrap().into()
}

/// By now: whatever is to be heard has been said.
fn hear(end: &OwnedFd) -> Result<Reading, Error> {
    listen(
        end.as_fd(),
        Instant::now().checked_add(Duration::from_millis(20)),
    )
}

fn complaint(end: &OwnedFd) -> String {
    match hear(end) {
        Err(Error::Reader(text)) => text,
        other => panic!("{other:?}"),
    }
}

/// Another thread of the application may start a program at any moment.
#[test]
fn nothing_that_comes_is_inherited() {
    let (ours, readers) = ends();
    say(&readers, &[ROOTS], &[directory(), directory()]);
    say(&readers, b"store - none\n/home/alice/nix", &[directory()]);
    let reading = hear(&ours).unwrap();
    assert_eq!(reading.roots.len(), 2);
    for came in reading.roots.iter().chain(&reading.directory) {
        let flags = fcntl(came, FcntlArg::F_GETFD).unwrap();
        assert_eq!(flags, FdFlag::FD_CLOEXEC.bits());
    }
    assert!(reading.directory.is_some());
}

#[test]
fn of_more_than_one_directory_none_is_taken() {
    let (ours, readers) = ends();
    say(&readers, &[ROOTS], &[]);
    say(
        &readers,
        b"store - none\n/home/alice/nix",
        &[directory(), directory()],
    );
    assert!(hear(&ours).unwrap().directory.is_none());
}

#[test]
fn what_kept_the_program_from_starting_is_said() {
    let word = [&[NOT_STARTED][..], &libc::EACCES.to_ne_bytes()].concat();
    let (ours, readers) = ends();
    say(&readers, &word, &[]);
    assert!(complaint(&ours).starts_with("cannot be started (EACCES"));
    let (ours, readers) = ends();
    say(&readers, &[ROOTS], &[]);
    say(&readers, &word, &[]);
    assert!(complaint(&ours).starts_with("cannot be started (EACCES"));
}

/// The user's word, where ours is due.
#[test]
fn a_beginning_that_is_not_ours_is_not_believed() {
    let (ours, readers) = ends();
    say(&readers, b"store - none\n/home/alice/nix", &[directory()]);
    assert_eq!(complaint(&ours), "began with what nobody understands");
}

/// It dies with the question unread, which leaves an error in the socket.
#[test]
fn the_last_word_of_one_that_died_is_heard() {
    let (ours, readers) = ends();
    say(&ours, b"question", &[]);
    say(&readers, &[NOT_STARTED, 13, 0, 0, 0], &[]);
    drop(readers);
    assert!(complaint(&ours).starts_with("cannot be started"));
    let (ours, readers) = ends();
    drop(readers);
    assert_eq!(complaint(&ours), "ended without a word");
}

#[test]
fn silence_is_not_waited_for_without_end() {
    let (ours, _readers) = ends();
    assert!(matches!(hear(&ours), Err(Error::Silent(_))));
}

/// As where the caller may have one descriptor more, and not two.
#[test]
fn what_came_of_a_message_that_did_not_fit_is_closed() {
    use std::io::Read;
    use std::os::unix::net::UnixStream;

    let (ours, theirs) = ends();
    let (mut kept, sent) = UnixStream::pair().unwrap();
    kept.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    let descriptors = [sent.into(), directory(), directory(), directory()];
    say(&theirs, b"x", &descriptors);
    drop(descriptors);
    let mut bytes = [0];
    let mut parts = [IoSliceMut::new(&mut bytes)];
    let mut control = nix::cmsg_space!(libc::c_int);
    let flags = MsgFlags::MSG_CMSG_CLOEXEC;
    let message = recvmsg::<()>(ours.as_raw_fd(), &mut parts, Some(&mut control), flags).unwrap();
    assert_eq!(message.cmsgs().err(), Some(Errno::ENOBUFS));
    close_received(&control);
    // Nobody has the other end any more.
    assert_eq!(kept.read(&mut [0]).unwrap(), 0);
}
