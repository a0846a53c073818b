//! Put in the place of the module's reader: it writes down when it answers, so
//! that the rest of a first session is timed from outside of the module. It
//! answers with the store directory that `/srv/store-of-builder` leads to.
//!
//! When: nanoseconds of `CLOCK_MONOTONIC`, into the pipe `/srv/answered`; it may
//! write no file, and start nothing.

use std::error::Error;
use std::fs::{File, read_link};
use std::io::{IoSlice, Write};
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::time::Duration;

use nix::fcntl::{OFlag, open};
use nix::sys::socket::{ControlMessage, MsgFlags, sendmsg};
use nix::sys::stat::Mode;
use nix::time::{ClockId, clock_gettime};

/// All that the module left open.
const SOCKET: RawFd = 0;

fn main() -> Result<(), Box<dyn Error>> {
    let mut answered = File::options().write(true).open("/srv/answered")?;
    let path = read_link("/srv/store-of-builder")?;
    let directory = open(&path, OFlag::O_PATH | OFlag::O_DIRECTORY, Mode::empty())?;
    let answer = [b"store - none\n", path.as_os_str().as_bytes()].concat();
    let descriptors = [directory.as_raw_fd()];
    let rights = [ControlMessage::ScmRights(&descriptors)];
    let now: Duration = clock_gettime(ClockId::CLOCK_MONOTONIC)?.into();
    writeln!(answered, "{}", now.as_nanos())?;
    let parts = [IoSlice::new(&answer)];
    sendmsg::<()>(SOCKET, &parts, &rights, MsgFlags::empty(), None)?;
    Ok(())
}
