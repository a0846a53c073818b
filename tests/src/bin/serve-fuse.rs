//! `serve-fuse mute|UID [OPTION...] PLACE` mounts a file system of the caller's
//! own by the setuid fusermount3, says `ready` and serves it: a mute one never
//! answers anything; otherwise every name is a directory of that user's, empty,
//! whoever the server really is. Options are those of `fusermount3 -o`.
//!
//! The layout is that of `linux/fuse.h`; no library, so that it can be wrong on
//! purpose.

use std::env;
use std::error::Error;
use std::fs::File;
use std::io::{IoSliceMut, Read, Write};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::process::Command;
use std::thread::sleep;
use std::time::Duration;

use nix::fcntl::{FcntlArg, FdFlag, fcntl};
use nix::sys::socket::{ControlMessageOwned, MsgFlags, recvmsg};

const LOOKUP: u32 = 1;
const FORGET: u32 = 2;
const GETATTR: u32 = 3;
const STATFS: u32 = 17;
const INIT: u32 = 26;
const OPENDIR: u32 = 27;
const READDIR: u32 = 28;
const RELEASEDIR: u32 = 29;
const INTERRUPT: u32 = 36;
const BATCH_FORGET: u32 = 42;
const READDIRPLUS: u32 = 44;

/// Length of the head of a question.
const HEAD: usize = 40;
/// Above what the kernel asks for at least (`FUSE_MIN_READ_BUFFER`).
const LONGEST: usize = 1 << 17;

fn main() -> Result<(), Box<dyn Error>> {
    let mut words: Vec<String> = env::args().skip(1).collect();
    let usage = "serve-fuse mute|UID [OPTION...] PLACE";
    let place = words.pop().ok_or(usage)?;
    let owner = if words.is_empty() {
        return Err(usage.into());
    } else {
        words.remove(0)
    };
    let mut device = File::from(mount(&words, &place)?);
    println!("ready");
    if owner == "mute" {
        sleep(Duration::from_secs(1000));
        return Ok(());
    }
    let owner = owner.parse()?;
    let mut question = vec![0; LONGEST];
    loop {
        let length = device.read(&mut question)?;
        if let Some(answer) = answer(&question[..length], owner) {
            // The one who asked may be gone.
            let _ = device.write(&answer);
        }
    }
}

/// fusermount3 sends the descriptor of its mount to the socket that this
/// variable names (`fusermount3(1)` is called so by libfuse).
fn mount(options: &[String], place: &str) -> Result<OwnedFd, Box<dyn Error>> {
    let (ours, theirs) = UnixStream::pair()?;
    fcntl(&theirs, FcntlArg::F_SETFD(FdFlag::empty()))?;
    let options = [&["fsname=theirs".to_owned()], options].concat().join(",");
    let status = Command::new("fusermount3")
        .args(["-o", &options, "--", place])
        .env("_FUSE_COMMFD", theirs.as_raw_fd().to_string())
        .status()?;
    if !status.success() {
        return Err("fusermount3 failed".into());
    }
    let mut byte = [0];
    let mut control = nix::cmsg_space!(libc::c_int);
    let mut parts = [IoSliceMut::new(&mut byte)];
    let message = recvmsg::<()>(
        ours.as_raw_fd(),
        &mut parts,
        Some(&mut control),
        MsgFlags::empty(),
    )?;
    let received = message.cmsgs()?.find_map(|part| match part {
        ControlMessageOwned::ScmRights(descriptors) => descriptors.first().copied(),
        _ => None,
    });
    Ok(own(received.ok_or("fusermount3 sent no descriptor")?))
}

#[allow(
    unsafe_code,
    reason = "the library hands out received descriptors as numbers"
)]
fn own(descriptor: libc::c_int) -> OwnedFd {
    // SAFETY: the kernel has just made this descriptor for this process, and
    // nothing else knows it.
    unsafe { OwnedFd::from_raw_fd(descriptor) }
}

/// The answer to a question, if there is one to be given.
fn answer(question: &[u8], owner: u32) -> Option<Vec<u8>> {
    let number = |at: usize| u32::from_ne_bytes(question[at..at + 4].try_into().expect("four"));
    let body = match number(4) {
        FORGET | BATCH_FORGET | INTERRUPT => return None,
        INIT => Some(numbers(&[
            7, 31, 0, 0, 0, 4096, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0,
        ])),
        // Valid for no time at all, so that it is asked for again each time.
        GETATTR => Some([vec![0; 16], attributes(owner)].concat()),
        LOOKUP => Some([2_u64.to_ne_bytes().to_vec(), vec![0; 32], attributes(owner)].concat()),
        OPENDIR => Some(vec![0; 16]),
        READDIR | READDIRPLUS | RELEASEDIR => Some(Vec::new()),
        STATFS => Some(vec![0; 80]),
        _ => None,
    };
    let error = if body.is_some() { 0 } else { -libc::ENOSYS };
    let body = body.unwrap_or_default();
    let length = u32::try_from(16 + body.len()).expect("short");
    let unique = &question[8..16];
    debug_assert!(question.len() >= HEAD);
    Some(
        [
            &length.to_ne_bytes()[..],
            &error.to_ne_bytes(),
            unique,
            &body,
        ]
        .concat(),
    )
}

/// `struct fuse_attr` of an empty directory, mode 0755.
fn attributes(owner: u32) -> Vec<u8> {
    let mut all = numbers(&[1, 0]);
    all.extend(vec![0; 40]);
    let mode = libc::S_IFDIR | 0o755;
    all.extend(numbers(&[0, 0, 0, mode, 2, owner, owner, 0, 4096, 0]));
    all
}

fn numbers(all: &[u32]) -> Vec<u8> {
    all.iter().flat_map(|number| number.to_ne_bytes()).collect()
}
