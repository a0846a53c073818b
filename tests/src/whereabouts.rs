//! Where a session ended up, as a program in it sees it.

use std::ops::{Deref, DerefMut};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::{Background, Machine, User, at_this_pace};

/// The program that looks around; its last act is to exit with [`EXIT`].
pub const PROBE: &str = "/usr/local/bin/probe";
/// A code that nothing else exits with: who reports it has passed it on.
pub const EXIT: i32 = 7;
/// A directory that everybody may be in and write to. Not sticky: there, not
/// even root may write to another's file (`fs.protected_regular`).
pub const COMMON: &str = "/srv/common";

/// Written under another name first, so that it is there whole or not at all.
const SCRIPT: &str = r#"#!/bin/sh
to=${1:-/srv/common/report}
{
    readlink /proc/self/ns/mnt
    id -u
    stat -c %u:%d:%i /nix
    pwd -P
} >"$to.$$" 2>&1
mv -f "$to.$$" "$to"
cat "$to"
exit 7
"#;

/// Longer than any door takes, cron's and at's included.
const LATE: Duration = Duration::from_secs(20);

/// What a process can say about its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Whereabouts {
    /// Its mount namespace, as procfs names it.
    pub namespace: String,
    /// As whom it runs.
    pub uid: u32,
    /// What is at `/nix`: owner, device and inode.
    pub nix: String,
    /// Its working directory.
    pub directory: String,
}

impl Whereabouts {
    /// Reads what the probe wrote.
    #[must_use]
    pub fn parse(report: &str) -> Option<Self> {
        let mut lines = report.lines();
        let mut next = || lines.next().map(str::to_owned);
        Some(Self {
            namespace: next()?,
            uid: next()?.parse().ok()?,
            nix: next()?,
            directory: next()?,
        })
    }

    /// Who owns `/nix` there.
    #[must_use]
    pub fn owner(&self) -> &str {
        self.nix.split(':').next().unwrap_or_default()
    }
}

/// A session that stays until this is dropped.
#[derive(Debug)]
pub struct Stay<'machine> {
    machine: &'machine Machine,
    /// What runs in it, by its number in the machine.
    pub process: u32,
    /// The mount namespace it began in, as procfs names it.
    pub namespace: String,
    /// What opened it.
    pub command: Background<'machine>,
}

impl<'machine> Deref for Stay<'machine> {
    type Target = Background<'machine>;

    fn deref(&self) -> &Self::Target {
        &self.command
    }
}

impl DerefMut for Stay<'_> {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.command
    }
}

impl Drop for Stay<'_> {
    fn drop(&mut self) {
        // A client that is killed does not end what its server started.
        let _ = self.machine.run(&format!("kill -9 {}", self.process));
    }
}

impl Machine {
    /// Puts the probe and the common directory into the machine.
    ///
    /// # Panics
    ///
    /// When it cannot.
    #[track_caller]
    pub fn install_probe(&self) {
        self.write(PROBE, SCRIPT, 0o755, &User::root());
        self.run(&format!("mkdir -p {COMMON} && chmod 0777 {COMMON}"))
            .ok();
    }

    /// Adds a user who takes part: with an empty user configuration.
    #[track_caller]
    pub fn nix_user(&self, name: &str) -> User {
        let user = self.user(name);
        for directory in [".config", ".config/nix-ns"] {
            let made = format!("install -d -o {name} -g {name} /home/{name}/{directory}");
            self.run(&made).ok();
        }
        self.configure(&user, "");
        user
    }

    /// Writes a user's configuration, as an editor does: a new file each time.
    #[track_caller]
    pub fn configure(&self, user: &User, text: &str) {
        let file = format!("{}/.config/nix-ns/config.toml", user.home);
        self.write(&format!("{file}.new"), text, 0o644, user);
        self.run(&format!("mv -f {file}.new {file}")).ok();
    }

    /// The number of a user of the machine.
    #[must_use]
    #[track_caller]
    pub fn uid(&self, user: &str) -> u32 {
        let number = self.run(&format!("id -u {user}")).ok().parse();
        number.expect("a number")
    }

    /// Where a new ssh session of a user's is.
    #[track_caller]
    pub fn where_ssh_leads(&self, user: &str) -> Whereabouts {
        let report = format!("{COMMON}/report.{user}");
        let output = self.ssh(user, &format!("{PROBE} {report} || :"));
        let found = Whereabouts::parse(output.ok());
        found.unwrap_or_else(|| panic!("the probe says it all: {output}"))
    }

    /// Where the host is.
    #[track_caller]
    pub fn where_the_host_is(&self) -> Whereabouts {
        let output = self.run(&format!("{PROBE} {COMMON}/report.host || :"));
        Whereabouts::parse(output.ok()).expect("the probe says it all")
    }

    /// Opens an ssh session that stays.
    #[track_caller]
    pub fn keep_by_ssh(&self, user: &str) -> Stay<'_> {
        self.keep(|line| self.spawn_ssh(user, &[], line))
    }

    /// The same, with the number of the process in it.
    #[track_caller]
    pub fn stay_by_ssh(&self, user: &str) -> (Stay<'_>, u32) {
        self.stay(user, |line| self.spawn_ssh(user, &[], line))
    }

    /// [`Machine::keep`], with the number of the process in it.
    #[track_caller]
    pub fn stay<'machine>(
        &'machine self,
        _name: &str,
        start: impl FnOnce(&str) -> Background<'machine>,
    ) -> (Stay<'machine>, u32) {
        let kept = self.keep(start);
        let process = kept.process;
        (kept, process)
    }

    /// Starts something that runs this line, stays, and ends when dropped.
    #[track_caller]
    pub fn keep<'machine>(
        &'machine self,
        start: impl FnOnce(&str) -> Background<'machine>,
    ) -> Stay<'machine> {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let file = format!("{COMMON}/stay.{number}");
        let mut command = start(&format!("echo $$ >{file}; echo is there; exec sleep 1000"));
        command.until_it_says("is there");
        let process = self.read(&file).trim().parse().expect("a process number");
        Stay {
            machine: self,
            process,
            namespace: self.namespace_of(process).expect("it stays"),
            command,
        }
    }

    /// Which mount namespace a process of the machine is in, as procfs names
    /// it; nothing if the process is gone.
    #[must_use]
    pub fn namespace_of(&self, process: u32) -> Option<String> {
        let link = format!("/proc/{}/root/proc/{process}/ns/mnt", self.init());
        let name = std::fs::read_link(link).ok()?;
        Some(name.to_string_lossy().into_owned())
    }

    /// Waits for something to become so, as everything does here after a while.
    ///
    /// # Panics
    ///
    /// When it takes too long.
    #[track_caller]
    pub fn wait_until(&self, what: &str, is_so: impl Fn() -> bool) {
        self.wait_until_within(LATE, what, is_so);
    }

    /// The same for what takes longer than most.
    ///
    /// # Panics
    ///
    /// When it takes longer than that.
    #[track_caller]
    pub fn wait_until_within(&self, limit: Duration, what: &str, is_so: impl Fn() -> bool) {
        let deadline = Instant::now() + at_this_pace(limit);
        while !is_so() {
            let in_time = Instant::now() < deadline;
            assert!(
                in_time,
                "still waiting for {what}; log:\n{}\nprocesses: {:#?}",
                self.log(),
                self.processes()
            );
            sleep(Duration::from_millis(5));
        }
    }
}
