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
        };
        machine.furnish();
        Ok(machine)
    }

    fn furnish(&self) {
        self.write_pam_stacks();
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
        self.settle_log().expect("the machine answers");
        self.read("/run/machine-log")
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

/// Starts the first process in namespaces of its own. No user namespace: setuid
/// programs must work as on a real system. No cgroup namespace: with one, a
/// booted systemd cannot tell its controllers.
fn unshare(tie: UnixStream) -> io::Result<Child> {
    Command::new("unshare")
        .args(["--mount", "--pid", "--net", "--ipc", "--uts"])
        .args(["--propagation", "private", "--fork", "--kill-child", "--"])
        .arg(init_program()?)
        .env_clear()
        .env("PATH", crate::command::PATH)
        .current_dir("/")
        .stdin(Stdio::from(OwnedFd::from(tie)))
        .stdout(Stdio::null())
        .spawn()
}

/// `machine-init`, which cargo builds beside the `deps` directory that the
/// running test is in.
fn init_program() -> io::Result<PathBuf> {
    let test = env::current_exe()?;
    let program = test
        .ancestors()
        .skip(1)
        .map(|directory| directory.join("machine-init"))
        .find(|program| program.is_file());
    program.ok_or_else(|| {
        let reason = format!("no machine-init near {}", test.display());
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
