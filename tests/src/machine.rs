//! The machine: started, looked at from outside, gone.

use std::env;
use std::fmt::Write as _;
use std::fs;
use std::io::{self, BufRead, BufReader, ErrorKind, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, PoisonError};
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::Status;

/// How long the kernel may take to end the machine's last process.
const END: Duration = Duration::from_secs(10);

/// A system of its own on top of the running one; gone when dropped.
#[derive(Debug)]
pub struct Machine {
    /// `unshare`, which ends right after the machine's first process.
    parent: Child,
    /// The first process, by its number on the host.
    init: i32,
    /// The tie to the first process, which ends when this is closed, be it
    /// because the test run was killed. A parent-death signal would not do: it
    /// is sent when the *thread* that started the process ends.
    tie: Mutex<UnixStream>,
    log: Log,
}

/// Who keeps a machine's log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Log {
    /// The first process, which was started for that.
    File,
    /// systemd's journal.
    Journal,
}

impl Machine {
    /// Starts a machine with no users, PAM stacks without the module and no
    /// service running.
    ///
    /// # Errors
    ///
    /// When the kernel does not let the caller make one; the reason is on
    /// standard error.
    pub fn start() -> io::Result<Self> {
        let (tie, theirs) = UnixStream::pair()?;
        let parent = unshare(theirs)?;
        let init = first_process(&tie)?;
        let machine = Self {
            parent,
            init,
            tie: Mutex::new(tie),
            log: Log::File,
        };
        machine.write_pam_stacks();
        machine.furnish();
        Ok(machine)
    }

    /// A machine that was started in another way: `parent` ends when `tie` is
    /// closed.
    pub(crate) fn booted(parent: Child, init: i32, tie: UnixStream) -> Self {
        Self {
            parent,
            init,
            tie: Mutex::new(tie),
            log: Log::Journal,
        }
    }

    /// The first process is another one since the machine was booted again.
    pub(crate) fn booted_again(&mut self, init: i32) {
        self.init = init;
    }

    /// What ends right after the machine's first process.
    pub(crate) fn parent_mut(&mut self) -> &mut Child {
        &mut self.parent
    }

    pub(crate) fn furnish(&self) {
        self.allow_sudo();
        self.make_ssh_key();
    }

    /// The number of the machine's first process on the host.
    #[must_use]
    pub fn init(&self) -> i32 {
        self.init
    }

    /// The mount table of the machine's own namespace (its PID 1's), as the
    /// kernel prints it (`proc_pid_mountinfo(5)`).
    #[must_use]
    pub fn mount_table(&self) -> String {
        let path = format!("/proc/{}/mountinfo", self.init);
        fs::read_to_string(path).expect("the machine runs")
    }

    /// Every process of the machine: its number there, a space, its command
    /// line (its name in brackets, if it has none).
    #[must_use]
    pub fn processes(&self) -> Vec<String> {
        let proc = PathBuf::from(format!("/proc/{}/root/proc", self.init));
        let mut numbers: Vec<u32> = fs::read_dir(&proc)
            .expect("the machine runs")
            .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
            .collect();
        numbers.sort_unstable();
        // One that ended since the listing is no process of the machine.
        numbers
            .into_iter()
            .filter_map(|number| {
                let directory = proc.join(number.to_string());
                let command = fs::read(directory.join("cmdline")).ok()?;
                let mut line = number.to_string();
                for word in command.split(|&byte| byte == 0).filter(|w| !w.is_empty()) {
                    let _ = write!(line, " {}", String::from_utf8_lossy(word));
                }
                if command.is_empty() {
                    let name = fs::read_to_string(directory.join("comm")).ok()?;
                    let _ = write!(line, " [{}]", name.trim_end());
                }
                Some(line)
            })
            .collect()
    }

    /// What arrived at `/dev/log` so far: a line a message, with every byte
    /// that is not printable ASCII escaped.
    #[must_use]
    pub fn log(&self) -> String {
        match self.log {
            Log::File => {
                self.settle_log().expect("the machine answers");
                self.read("/run/machine-log")
            }
            Log::Journal => self.journal(),
        }
    }

    /// The log for somebody who reads how a command ended. To ask the journal
    /// takes longer than most commands, so that is done for failures alone.
    pub(crate) fn log_after(&self, status: Status) -> String {
        if self.log == Log::Journal && status == Status::Exited(0) {
            return String::new();
        }
        self.log()
    }

    /// Waits until everything sent to `/dev/log` before is written down.
    fn settle_log(&self) -> io::Result<()> {
        let mut tie = self.tie.lock().unwrap_or_else(PoisonError::into_inner);
        tie.write_all(b"?")?;
        tie.read_exact(&mut [0])
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        let tie = self.tie.get_mut().unwrap_or_else(PoisonError::into_inner);
        let _ = tie.shutdown(std::net::Shutdown::Both);
        let deadline = Instant::now() + END;
        while Instant::now() < deadline {
            if !matches!(self.parent.try_wait(), Ok(None)) {
                return;
            }
            sleep(Duration::from_millis(1));
        }
        let _ = writeln!(io::stderr(), "a machine did not end within {END:?}");
        let _ = self.parent.kill();
    }
}

fn unshare(tie: UnixStream) -> io::Result<Child> {
    in_namespaces("machine-init")?
        .stdin(Stdio::from(OwnedFd::from(tie)))
        .stdout(Stdio::null())
        .spawn()
}

/// A program of this crate's as the first process of namespaces of its own. No
/// user namespace: setuid programs must work as on a real system. No cgroup
/// namespace: with one, a booted systemd cannot tell its controllers.
pub(crate) fn in_namespaces(program: &str) -> io::Result<Command> {
    let mut command = Command::new("unshare");
    command
        .args(["--mount", "--pid", "--net", "--ipc", "--uts"])
        .args(["--propagation", "private", "--fork", "--kill-child", "--"])
        .arg(built_program(program)?)
        .env_clear()
        .env("PATH", crate::command::PATH)
        .current_dir("/");
    Ok(command)
}

/// A program that cargo builds beside the `deps` directory that the running
/// test is in.
fn built_program(name: &str) -> io::Result<PathBuf> {
    let test = env::current_exe()?;
    let program = test
        .ancestors()
        .skip(1)
        .map(|directory| directory.join(name))
        .find(|program| program.is_file());
    program.ok_or_else(|| {
        let reason = format!("no {name} near {}", test.display());
        io::Error::new(ErrorKind::NotFound, reason)
    })
}

fn first_process(tie: &UnixStream) -> io::Result<i32> {
    let mut number = String::new();
    BufReader::new(tie).read_line(&mut number)?;
    number.trim_end().parse().map_err(|_| {
        io::Error::other("the machine's first process failed; its reason is on standard error")
    })
}
