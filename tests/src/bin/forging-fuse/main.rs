//! `forging-fuse POINT OPTIONS OWNER COMMAND [ARGUMENT...]` mounts a file system
//! on a directory of the caller's by setuid fusermount, and serves it: every
//! file of it belongs to `OWNER`, a user's number. With `mute` for an owner it
//! never answers anything, and with `OWNER:FILE` it falls silent when that file
//! is there. It stays mounted until the command ends.
//!
//! `OPTIONS` are fusermount's, such as `allow_other`; `-` is none.
//!
//! The file system: every name leads to a directory of the same kind, but for
//! `whose`, a file that says `fuse`, and `payload`, a program.

mod answers;
mod received;

use std::env;
use std::error::Error;
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::process::{Command, exit};
use std::thread;

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, FdFlag, fcntl};
use nix::sys::socket::{AddressFamily, SockFlag, SockType, socketpair};
use nix::unistd::{read, write};

use answers::Server;

/// Room for the longest question.
const LONGEST: usize = 1 << 17;

fn main() -> Result<(), Box<dyn Error>> {
    let words: Vec<String> = env::args().skip(1).collect();
    let [point, options, owner, program, arguments @ ..] = words.as_slice() else {
        return Err("forging-fuse POINT OPTIONS OWNER COMMAND [ARGUMENT...]".into());
    };
    let device = mount(point, options)?;
    if owner != "mute" {
        let server = Server::new(owner)?;
        let device = device.try_clone()?;
        thread::spawn(move || serve(&device, &server));
    }
    let ended = Command::new(program).args(arguments).status()?;
    exit(ended.code().unwrap_or(1));
}

/// Mounting is setuid fusermount's job; it passes the connection to us.
fn mount(point: &str, options: &str) -> Result<OwnedFd, Box<dyn Error>> {
    let (ours, theirs) = socketpair(
        AddressFamily::Unix,
        SockType::Stream,
        None,
        SockFlag::SOCK_CLOEXEC,
    )?;
    fcntl(&theirs, FcntlArg::F_SETFD(FdFlag::empty()))?;
    let options = match options {
        "-" => "fsname=forged".to_owned(),
        options => format!("fsname=forged,{options}"),
    };
    let mounted = Command::new("fusermount3")
        .args(["-o", &options, "--", point])
        .env("_FUSE_COMMFD", theirs.as_raw_fd().to_string())
        .status()?;
    if !mounted.success() {
        return Err(io::Error::other("fusermount3 refused").into());
    }
    drop(theirs);
    Ok(received::descriptor(ours.as_fd())?)
}

fn serve(device: &OwnedFd, server: &Server) {
    let mut question = vec![0; LONGEST];
    loop {
        let length = match read(device, &mut question) {
            Ok(length) => length,
            Err(Errno::EINTR | Errno::ENOENT | Errno::EAGAIN) => continue,
            Err(_) => return,
        };
        if !server.speaks() {
            continue;
        }
        if let Some(answer) = server.answer(&question[..length]) {
            // Whoever asked may have been killed meanwhile.
            let _ = write(device, &answer);
        }
    }
}
