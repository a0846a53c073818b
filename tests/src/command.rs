//! Commands in the machine, in the view its first process has of it.

use std::fs::{self, File};
use std::io::{ErrorKind, Read};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{Signal, killpg};
use nix::unistd::{Pid, pipe2};

use crate::{Machine, Output, Status, at_this_pace};

/// Where programs are looked for, for root as for users.
pub(crate) const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Longer than anything takes on a loaded machine; only a hang gets there.
const LIMIT: Duration = Duration::from_secs(60);
/// How often a running command is looked at.
const GLANCE: Duration = Duration::from_millis(2);

impl Machine {
    /// Runs a shell script as root, as on the console: no PAM, no terminal.
    pub fn run(&self, script: &str) -> Output {
        self.spawn(script).finish()
    }

    /// Runs a shell script as root and kills it when it takes too long.
    pub fn run_within(&self, limit: Duration, script: &str) -> Output {
        self.spawn(script).finish_within(limit)
    }

    /// Runs a shell script as a user without asking PAM, the way a process
    /// runs that was there before the session.
    pub fn run_as(&self, user: &str, script: &str) -> Output {
        self.spawn_as(user, script).finish()
    }

    /// Runs a shell script as [`Machine::run_as`] does, and kills it when it takes
    /// too long.
    pub fn run_as_within(&self, limit: Duration, user: &str, script: &str) -> Output {
        self.spawn_as(user, script).finish_within(limit)
    }

    /// Starts a shell script as root, to be looked at while it runs.
    #[must_use]
    pub fn spawn(&self, script: &str) -> Background<'_> {
        self.spawn_words(&["sh", "-c", script])
    }

    /// Starts a shell script as a user, like [`Machine::run_as`].
    #[must_use]
    pub fn spawn_as(&self, user: &str, script: &str) -> Background<'_> {
        self.spawn_words(&[
            "setpriv",
            "--reuid",
            user,
            "--regid",
            user,
            "--init-groups",
            "--reset-env",
            "sh",
            "-c",
            script,
        ])
    }

    /// Starts a program in a session of its own, so that it can be killed with
    /// everything that belongs to it.
    pub(crate) fn spawn_words(&self, words: &[&str]) -> Background<'_> {
        let (stdout, their_stdout) = pipe();
        let (stderr, their_stderr) = pipe();
        let child = Command::new("nsenter")
            .args(["--target", &self.init().to_string()])
            .args([
                "--mount", "--uts", "--ipc", "--net", "--pid", "--", "setsid",
            ])
            .args(words)
            .env_clear()
            .envs([("PATH", PATH), ("HOME", "/root"), ("USER", "root")])
            .envs([("SHELL", "/bin/sh"), ("LANG", "C"), ("TERM", "dumb")])
            .stdin(Stdio::null())
            .stdout(their_stdout)
            .stderr(their_stderr)
            .spawn()
            .expect("nsenter is installed");
        Background {
            machine: self,
            command: words.join(" "),
            child,
            streams: [Stream::new(stdout), Stream::new(stderr)],
        }
    }
}

/// A command that is running; killed when dropped.
#[derive(Debug)]
pub struct Background<'machine> {
    machine: &'machine Machine,
    command: String,
    child: Child,
    streams: [Stream; 2],
}

impl Background<'_> {
    /// Waits until the command has printed a text to its standard output.
    ///
    /// # Panics
    ///
    /// When it ends, or a minute passes, without.
    #[track_caller]
    pub fn until_it_says(&mut self, text: &str) {
        self.until_it_says_within(LIMIT, text);
    }

    /// The same, for what takes longer than a minute.
    ///
    /// # Panics
    ///
    /// When it ends, or the time passes, without.
    #[track_caller]
    pub fn until_it_says_within(&mut self, limit: Duration, text: &str) {
        let deadline = Instant::now() + at_this_pace(limit);
        loop {
            // Asked first: what it printed before it ended is read after.
            let ended = self.ended();
            self.listen(GLANCE);
            if self.streams[0].text().contains(text) {
                return;
            }
            if ended.is_some() || Instant::now() > deadline {
                let output = self.output(ended.unwrap_or(Status::TimedOut));
                panic!("should have said {text:?}: {output}");
            }
        }
    }

    /// What it has printed to its standard output so far.
    #[must_use]
    pub fn said(&self) -> String {
        self.streams[0].text()
    }

    /// Whether the command is still running.
    #[must_use]
    pub fn runs(&mut self) -> bool {
        self.ended().is_none()
    }

    /// Waits for the command to end by itself.
    pub fn finish(self) -> Output {
        self.finish_within(LIMIT)
    }

    /// Waits for the command to end by itself, and kills it when it takes too
    /// long. Does not wait for what it left running in the background.
    pub fn finish_within(mut self, limit: Duration) -> Output {
        let deadline = Instant::now() + at_this_pace(limit);
        loop {
            let ended = self.ended();
            self.listen(GLANCE);
            if let Some(status) = ended {
                return self.output(status);
            }
            if Instant::now() > deadline {
                self.kill();
                self.listen(GLANCE);
                return self.output(Status::TimedOut);
            }
        }
    }

    fn ended(&mut self) -> Option<Status> {
        self.child.try_wait().expect("a child").map(status)
    }

    /// Takes in what was printed; waits a moment if nothing was yet.
    fn listen(&mut self, moment: Duration) {
        let mut open: Vec<PollFd> = self
            .streams
            .iter()
            .filter_map(|stream| stream.pipe.as_ref())
            .map(|pipe| PollFd::new(pipe.as_fd(), PollFlags::POLLIN))
            .collect();
        if open.is_empty() {
            std::thread::sleep(moment);
        } else {
            let moment = PollTimeout::try_from(moment).expect("short");
            // An interrupted wait is a short one.
            let _ = poll(&mut open, moment);
        }
        self.streams.iter_mut().for_each(Stream::drain);
    }

    fn kill(&mut self) {
        if self.ended().is_some() {
            return;
        }
        // nsenter's only child leads the session. It is not there yet, or has
        // none yet, in the first moment.
        if let Some(leader) = self.leader() {
            let _ = killpg(leader, Signal::SIGKILL);
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    fn leader(&self) -> Option<Pid> {
        let nsenter = self.child.id();
        let children = fs::read_to_string(format!("/proc/{nsenter}/task/{nsenter}/children"));
        let number = children.ok()?.split_whitespace().next()?.parse().ok()?;
        Some(Pid::from_raw(number))
    }

    fn output(&self, status: Status) -> Output {
        Output {
            command: self.command.clone(),
            status,
            stdout: self.streams[0].text(),
            stderr: self.streams[1].text(),
            log: self.machine.log_after(status),
        }
    }
}

impl Drop for Background<'_> {
    fn drop(&mut self) {
        self.kill();
    }
}

/// The reading end of a pipe and what came out of it. A pipe, not a file: a
/// file-size limit, which the tests set, does not apply to it.
#[derive(Debug)]
struct Stream {
    pipe: Option<File>,
    bytes: Vec<u8>,
}

impl Stream {
    fn new(pipe: OwnedFd) -> Self {
        fcntl(&pipe, FcntlArg::F_SETFL(OFlag::O_NONBLOCK)).expect("a pipe");
        Self {
            pipe: Some(pipe.into()),
            bytes: Vec::new(),
        }
    }

    /// Reads all there is now; a daemon may hold the other end for ever.
    fn drain(&mut self) {
        let Some(pipe) = &mut self.pipe else { return };
        match pipe.read_to_end(&mut self.bytes) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            _ => self.pipe = None,
        }
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes).into_owned()
    }
}

fn pipe() -> (OwnedFd, OwnedFd) {
    pipe2(OFlag::O_CLOEXEC).expect("descriptors are left")
}

fn status(status: ExitStatus) -> Status {
    match status.code() {
        Some(code) => Status::Exited(code),
        None => Status::Killed(status.signal().expect("ended one way or the other")),
    }
}
