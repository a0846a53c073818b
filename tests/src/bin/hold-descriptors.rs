//! `hold-descriptors COUNT` sends itself that many descriptors and does not
//! receive them: the kernel counts those of each user, and sets a limit to them
//! (`unix(7)`, ETOOMANYREFS). It says `held` and stays.

use std::env;
use std::error::Error;
use std::io::{self, IoSlice};
use std::os::fd::AsRawFd;
use std::thread::sleep;
use std::time::Duration;

use nix::sys::socket::{
    AddressFamily, ControlMessage, MsgFlags, SockFlag, SockType, sendmsg, socketpair,
};

/// Well below what the kernel takes in one message, `SCM_MAX_FD`.
const AT_ONCE: usize = 50;

fn main() -> Result<(), Box<dyn Error>> {
    let count: usize = env::args().nth(1).ok_or("how many?")?.parse()?;
    let (_unread, sender) = socketpair(
        AddressFamily::Unix,
        SockType::Datagram,
        None,
        SockFlag::empty(),
    )?;
    let input = io::stdin();
    for begun in (0..count).step_by(AT_ONCE) {
        let descriptors = vec![input.as_raw_fd(); AT_ONCE.min(count - begun)];
        let rights = [ControlMessage::ScmRights(&descriptors)];
        let text = [IoSlice::new(b"x")];
        sendmsg::<()>(sender.as_raw_fd(), &text, &rights, MsgFlags::empty(), None)?;
    }
    println!("held");
    sleep(Duration::from_secs(1000));
    Ok(())
}
