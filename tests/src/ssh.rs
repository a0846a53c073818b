//! The machine's own ssh server, and logins to it.

use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::{Background, Machine, Output, User, at_this_pace};

const PRIVATE_KEY: &str = "/root/.ssh/id_ed25519";
const HOST_KEY: &str = "/etc/ssh/machine_host_key";
const PID_FILE: &str = "/run/sshd.pid";

/// How long the server may take to listen.
const LISTENING: Duration = Duration::from_secs(10);

/// For root in the machine, so that `scp`, `sftp` and `rsync` need no options.
const CLIENT: &str = "\
BatchMode yes
IdentitiesOnly yes
LogLevel ERROR
StrictHostKeyChecking no
UserKnownHostsFile /dev/null
";

/// As a distribution sets it up, but for a crowd: the tests log in many at once.
const SERVER: &str = "\
ListenAddress 127.0.0.1:22
HostKey /etc/ssh/machine_host_key
PidFile /run/sshd.pid
UsePAM yes
PermitRootLogin yes
PasswordAuthentication no
KbdInteractiveAuthentication no
PrintMotd no
PrintLastLog no
UseDNS no
MaxStartups 1000
MaxSessions 1000
Subsystem sftp /usr/lib/openssh/sftp-server
";

impl Machine {
    /// Starts the machine's ssh server and waits until it listens.
    ///
    /// # Panics
    ///
    /// When it does not.
    #[track_caller]
    pub fn sshd(&self) {
        let make_key = format!("ssh-keygen -q -t ed25519 -N '' -f {HOST_KEY}");
        self.run(&make_key).ok();
        self.write("/etc/ssh/sshd_config", SERVER, 0o644, &User::root());
        let started = self.run("mkdir -p -m 755 /run/sshd && /usr/sbin/sshd");
        started.ok();
        self.wait_for_server();
    }

    /// Logs in as a user and runs a command, without a terminal.
    pub fn ssh(&self, user: &str, command: &str) -> Output {
        self.ssh_with(user, &[], command)
    }

    /// Logs in with options of `ssh(1)`, such as `-tt` for a terminal.
    pub fn ssh_with(&self, user: &str, options: &[&str], command: &str) -> Output {
        self.spawn_ssh(user, options, command).finish()
    }

    /// Logs in and leaves the session running; it ends when dropped.
    #[must_use]
    pub fn spawn_ssh(&self, user: &str, options: &[&str], command: &str) -> Background<'_> {
        let destination = format!("{user}@localhost");
        let mut words = vec!["ssh"];
        words.extend(options);
        words.extend(["--", &destination, command]);
        self.spawn_words(&words)
    }

    /// Makes root's key, which every user of the machine accepts.
    pub(crate) fn make_ssh_key(&self) {
        self.write("/root/.ssh/config", CLIENT, 0o600, &User::root());
        let make_key = format!("ssh-keygen -q -t ed25519 -N '' -f {PRIVATE_KEY}");
        self.run(&make_key).ok();
        self.authorise(&User::root());
    }

    /// Lets root log in as a user with that key.
    pub(crate) fn authorise(&self, user: &User) {
        let key = self.read(&format!("{PRIVATE_KEY}.pub"));
        let path = format!("{}/.ssh/authorized_keys", user.home);
        self.write(&path, key, 0o600, user);
    }

    /// sshd writes down its number once it listens (sshd.c, `server_listen`
    /// comes before the file), and only then takes the title that it keeps.
    #[track_caller]
    fn wait_for_server(&self) {
        let deadline = Instant::now() + at_this_pace(LISTENING);
        let listens = || self.processes().iter().any(|it| it.contains("[listener]"));
        while !self.exists(PID_FILE) || !listens() {
            let late = Instant::now() > deadline;
            assert!(!late, "sshd does not listen; log:\n{}", self.log());
            sleep(Duration::from_millis(2));
        }
    }
}
