//! A bed: booted, booted again, gone.

use std::fs;
use std::io::{self, BufRead, BufReader};
use std::ops::{Deref, DerefMut};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use super::Suite;
use super::console::Console;
use super::layer::{Layer, colons};
use crate::Machine;
use crate::machine::in_namespaces;

/// Longer than any suite takes to boot on a loaded machine.
const BOOTED: Duration = Duration::from_secs(90);

/// A booted system; gone when dropped.
#[derive(Debug)]
pub struct Bed {
    machine: Machine,
    /// Of which suite its packages are.
    pub suite: Suite,
    console: Console,
}

impl Deref for Bed {
    type Target = Machine;

    fn deref(&self) -> &Machine {
        &self.machine
    }
}

impl DerefMut for Bed {
    fn deref_mut(&mut self) -> &mut Machine {
        &mut self.machine
    }
}

impl Bed {
    /// Boots a system as it is after its installation, with an ssh server that
    /// root can log in to, and without the module.
    ///
    /// # Errors
    ///
    /// When its tree cannot be made or it does not boot.
    pub fn boot(suite: Suite) -> io::Result<Self> {
        Self::boot_with(suite, &[])
    }

    /// The same with more packages.
    ///
    /// # Errors
    ///
    /// As [`Bed::boot`].
    pub fn boot_with(suite: Suite, layers: &[Layer]) -> io::Result<Self> {
        Self::boot_from(&Layer::trees(suite, layers)?, suite, &[])
    }

    /// The same with a seat that people sit at: with virtual
    /// terminals, and for graphics. These are the machine's own that this runs
    /// on, so that there is one such system at a time.
    ///
    /// # Errors
    ///
    /// As [`Bed::boot`]; and when there are no virtual terminals.
    pub fn boot_with_seat(suite: Suite, layers: &[Layer]) -> io::Result<Self> {
        let trees = Layer::trees(suite, layers)?;
        let bed = Self::boot_from(&trees, suite, &["terminals"])?;
        bed.furnish_seat();
        bed.install_x_server();
        Ok(bed)
    }

    fn boot_from(trees: &[PathBuf], suite: Suite, more: &[&str]) -> io::Result<Self> {
        let (tie, theirs) = UnixStream::pair()?;
        let (console, screen) = Console::open()?;
        let mut parent = in_namespaces("bed-init")?
            .arg(colons(trees))
            .arg(suite.name)
            .args(more)
            .stdin(Stdio::from(OwnedFd::from(theirs)))
            .stdout(screen)
            .spawn()?;
        let ready = BufReader::new(&tie).read_line(&mut String::new())?;
        let booted = if ready == 0 {
            Err(io::Error::other("the bed's reason is on standard error"))
        } else {
            wait_for_boot(&mut parent, None)
        };
        // From here on, its end is the machine's affair.
        let machine = Machine::booted(parent, booted.as_ref().copied().unwrap_or(1), tie);
        booted.map_err(|error| not_booted(suite, &error, &console))?;
        machine.furnish();
        Ok(Self {
            machine,
            suite,
            console,
        })
    }

    /// Shuts the system down, as `reboot` does, and boots it again with what is
    /// on its disk.
    ///
    /// # Panics
    ///
    /// When it does not come back.
    #[track_caller]
    pub fn boot_again(&mut self) {
        let before = self.init();
        // The command is killed by what it asks for, or is not.
        let _ = self.run("systemctl reboot");
        let booted = self.machine.wait_for_boot_after(before);
        let init = booted.unwrap_or_else(|error| {
            panic!("{}", not_booted(self.suite, &error, &self.console));
        });
        self.machine.booted_again(init);
    }

    /// Types a line at the console.
    ///
    /// # Panics
    ///
    /// When the bed is gone.
    #[track_caller]
    pub fn enter_at_console(&self, line: &str) {
        self.console.enter(line).expect("the bed runs");
    }

    /// Waits until the console shows a text after everything it was waited for
    /// before.
    #[track_caller]
    pub fn until_console_shows(&self, text: &str) {
        let what = format!("{text:?} on the console");
        self.wait_until(&what, || self.console.shows(text));
    }
}

impl Machine {
    fn wait_for_boot_after(&mut self, before: i32) -> io::Result<i32> {
        wait_for_boot(self.parent_mut(), Some(before))
    }

    /// What systemd's journal has: since the last boot, of all programs.
    pub(crate) fn journal(&self) -> String {
        let _ = inside(self.init(), &["journalctl", "--sync"]);
        inside(self.init(), &["journalctl", "--boot", "--no-pager"]).unwrap_or_default()
    }
}

/// Waits until the system says that it is up: the number of its first process
/// on the host, another one than before.
fn wait_for_boot(parent: &mut Child, before: Option<i32>) -> io::Result<i32> {
    let deadline = Instant::now() + BOOTED;
    let mut last = String::new();
    while Instant::now() < deadline {
        if let Some(status) = parent.try_wait()? {
            return Err(io::Error::other(format!("it ended: {status}")));
        }
        if let Some(init) = systemd(parent.id()).filter(|&init| Some(init) != before) {
            let state = inside(init, &["systemctl", "is-system-running", "--wait"]);
            last = state.unwrap_or_default().trim().to_owned();
            if last == "running" {
                return Ok(init);
            }
            if last == "degraded" {
                let failed = inside(init, &["systemctl", "--failed", "--plain", "--no-legend"]);
                return Err(io::Error::other(failed.unwrap_or_default()));
            }
        }
        sleep(Duration::from_millis(30));
    }
    Err(io::Error::other(format!("still {last:?}")))
}

/// The first process of the innermost PID namespace: below `unshare`, `bed-init`
/// and `systemd-nspawn`.
fn systemd(unshare: u32) -> Option<i32> {
    let mut process = i32::try_from(unshare).ok()?;
    for _ in 0..3 {
        let children = fs::read_to_string(format!("/proc/{process}/task/{process}/children"));
        process = children.ok()?.split_whitespace().next()?.parse().ok()?;
    }
    let status = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let numbers = status
        .lines()
        .find_map(|line| line.strip_prefix("NSpid:"))?;
    let first_of_its_own = numbers.split_whitespace().count() > 2 && numbers.ends_with("\t1");
    first_of_its_own.then_some(process)
}

/// What a program says, run in the system by its first process's number.
fn inside(init: i32, words: &[&str]) -> Option<String> {
    let output = Command::new("nsenter")
        .args(["--target", &init.to_string()])
        .args(["--mount", "--uts", "--ipc", "--net", "--pid", "--"])
        .args(words)
        .env_clear()
        .env("PATH", crate::command::PATH)
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output();
    Some(String::from_utf8_lossy(&output.ok()?.stdout).into_owned())
}

fn not_booted(suite: Suite, error: &io::Error, console: &Console) -> io::Error {
    let (name, screen) = (suite.name, console.text());
    io::Error::other(format!(
        "{name} did not boot: {error}\n--- console\n{screen}"
    ))
}
