//! Work that may hang, or that only a user may do: in a child, with a bound.
//!
//! A home on a dead file server never answers, and whoever asks it waits as long;
//! so a child asks, and the parent goes on without it. And what is a user's is
//! looked at with that user's rights alone: the child of root becomes the user
//! for good before it opens anything.

mod identity;

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use config::Account;
use nix::fcntl::OFlag;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, waitpid};
use nix::unistd::{Pid, pipe2};

use crate::kernel;

/// How long a child may be silent.
pub const PATIENCE: Duration = Duration::from_secs(5);
/// Most that is listened to, in bytes: the child may be a user's to steer.
const MOST: usize = 4 << 20;

/// Why there is no result.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Nothing came in time.
    #[error("nothing was answered within {PATIENCE:?} (a dead file server?)")]
    Silent,
    /// It said more than it may.
    #[error("more was answered than {MOST} bytes")]
    Talkative,
    /// The kernel gave no child.
    #[error("no child could be started: {0}")]
    NotStarted(io::Error),
}

/// Whose rights the work is done with.
#[derive(Debug, Clone, Copy)]
pub enum Rights<'a> {
    /// The caller's.
    Own,
    /// This user's, which takes a caller who is root.
    Of(&'a Account),
}

/// Does `work` in a child and hands on each line that it writes. What it wrote
/// before it fell silent counts.
///
/// # Errors
/// When it does not end in time, or cannot begin.
pub fn lines(
    rights: Rights<'_>,
    work: impl FnOnce(&mut dyn Write),
    mut each: impl FnMut(&str),
) -> Result<(), Error> {
    let (ours, childs) = pipe2(OFlag::O_CLOEXEC).map_err(not_started)?;
    let parent = nix::unistd::getpid();
    let child = kernel::run_in_child(|| {
        if identity::assume(rights, parent).is_ok() {
            work(&mut File::from(childs));
        }
    });
    // The parent's copy of the writing end is gone with the closure: the end of
    // the child is the end of the pipe.
    let child = child.map_err(not_started)?;
    let heard = listen(&mut File::from(ours), &mut each);
    end(child);
    heard
}

/// The same for work that is worth nothing unless it is whole.
///
/// # Errors
/// As [`lines`].
pub fn text(rights: Rights<'_>, work: impl FnOnce(&mut dyn Write)) -> Result<String, Error> {
    let mut text = String::new();
    lines(rights, work, |line| {
        text.push_str(line);
        text.push('\n');
    })?;
    Ok(text)
}

fn not_started(errno: nix::errno::Errno) -> Error {
    Error::NotStarted(errno.into())
}

fn listen(pipe: &mut File, each: &mut dyn FnMut(&str)) -> Result<(), Error> {
    let (mut pending, mut total) = (Vec::new(), 0_usize);
    let mut bytes = [0; 4096];
    loop {
        wait(pipe)?;
        let count = pipe.read(&mut bytes).unwrap_or_default();
        if count == 0 {
            return Ok(());
        }
        total = total.saturating_add(count);
        if total > MOST {
            return Err(Error::Talkative);
        }
        let mut parts = bytes
            .get(..count)
            .unwrap_or_default()
            .split(|byte| *byte == b'\n');
        // All but the last part end a line.
        pending.extend_from_slice(parts.next().unwrap_or_default());
        for part in parts {
            each(&String::from_utf8_lossy(&pending));
            pending.clear();
            pending.extend_from_slice(part);
        }
    }
}

fn wait(pipe: &File) -> Result<(), Error> {
    let deadline = Instant::now().checked_add(PATIENCE);
    loop {
        let left = deadline
            .map(|deadline| deadline.saturating_duration_since(Instant::now()))
            .unwrap_or_default();
        let timeout = PollTimeout::try_from(left).unwrap_or(PollTimeout::ZERO);
        match poll(&mut [PollFd::new(pipe.as_fd(), PollFlags::POLLIN)], timeout) {
            Ok(0) => return Err(Error::Silent),
            Err(nix::errno::Errno::EINTR) => {}
            _ => return Ok(()),
        }
    }
}

/// Not waited for if it does not die: a process that waits for a dead server in
/// the kernel may outlive its killer.
fn end(child: Pid) {
    let _ = kill(child, Signal::SIGKILL);
    for _ in 0..50 {
        match waitpid(child, Some(WaitPidFlag::WNOHANG)) {
            Ok(nix::sys::wait::WaitStatus::StillAlive) => {
                std::thread::sleep(Duration::from_millis(2));
            }
            _ => return,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_child_says_comes_back() {
        let said = text(Rights::Own, |output| writeln!(output, "a\nb").unwrap());
        assert_eq!(said.unwrap(), "a\nb\n");
    }

    #[test]
    fn a_child_that_dies_has_said_what_it_said() {
        let mut heard = Vec::new();
        let ended = lines(
            Rights::Own,
            |output| {
                writeln!(output, "one").unwrap();
                panic!("the child's alone");
            },
            |line| heard.push(line.to_owned()),
        );
        assert!(ended.is_ok());
        assert_eq!(heard, ["one"]);
    }

    #[test]
    fn a_child_that_says_too_much_is_ended() {
        let ended = text(Rights::Own, |output| {
            while output.write_all(&[b'x'; 4096]).is_ok() {}
        });
        assert!(matches!(ended, Err(Error::Talkative)));
    }

    #[test]
    fn a_child_that_hangs_is_ended() {
        let ended = text(Rights::Own, |_| {
            std::thread::sleep(Duration::from_secs(1000));
        });
        assert!(matches!(ended, Err(Error::Silent)));
    }
}
