//! Where it is tried: alice and bob, some secrets, and every door.

use std::thread::sleep;
use std::time::{Duration, Instant};

use super::words::{check_text, log_bytes};
use crate::{Background, ENTER, LEAVE, Machine, Output, Status, User, at_this_pace};

/// In every file that only root, or only bob, may read.
const CANARY: &str = "CANARY";
/// Prints one line: what is on `/nix`, and in which mount namespace.
const LOOK: &str = "/usr/local/bin/look";
/// No login without a hung file server takes longer, on a machine under load.
const SOON: Duration = Duration::from_secs(5);
/// Longest wait for what never answers, and the login around it.
const PATIENCE: Duration = Duration::from_secs(8);
/// How long somebody else may take, whatever alice does.
const UNDISTURBED: Duration = Duration::from_secs(3);

/// For the scripts of all steps: alice's configuration file and store directory,
/// and a file system of the caller's own.
const NAMES: &str = "\
C=/home/alice/.config/nix-ns/config.toml; N=/home/alice/.local/share/nix
serve() { exec forging-fuse $2 ${3:--} $1 sh -c 'echo ready; sleep 1000'; }";

/// What somebody does before a login is tried. In the scripts, `$C` is alice's
/// configuration file and `$N` the store directory she has by default; `serve
/// mute|UID PLACE [OPTION]` mounts there what never answers, or what is that
/// user's, if one believes it.
#[derive(Debug, Clone, Copy)]
pub enum Step<'a> {
    /// Alice, outside of any session.
    Alice(&'a str),
    /// Bob, outside of any session.
    Bob(&'a str),
    /// Root, who is careless or prepares what users could come by.
    Root(&'a str),
    /// Root writes the site configuration.
    Site(&'a str),
    /// Alice writes her configuration.
    Config(&'a str),
    /// The same, in bytes that need not be text.
    ConfigBytes(&'a [u8]),
    /// Alice runs something that goes on while she logs in; it says `ready`.
    AliceKeeps(&'a str),
    /// The same by bob.
    BobKeeps(&'a str),
    /// The same by root.
    RootKeeps(&'a str),
}

/// How a login of alice's must end. It succeeds in any case.
#[derive(Debug, Clone, Copy)]
pub enum End<'a> {
    /// On the host's `/nix`; one line of the log, with this in it, says why.
    Refused(&'a str),
    /// On this directory.
    Own(&'a str),
    /// On the host's `/nix` or a directory of alice's.
    Either,
    /// As [`End::Refused`], after as long a wait as there may be.
    Late(&'a str),
    /// As [`End::Either`], at once or after that wait.
    EitherLate,
    /// She has no configuration, and nothing is said.
    Silent,
}

/// What a session saw.
#[derive(Debug, PartialEq, Eq)]
struct Seen {
    /// Owner, device and inode.
    nix: String,
    namespace: String,
}

/// A machine with alice and bob, who both take part.
#[derive(Debug)]
pub struct Scene {
    /// The machine.
    pub machine: Machine,
    /// Who tries.
    pub alice: User,
    /// Who helps her, is after her, or wants to be left alone.
    pub bob: User,
    /// How she logs in.
    pub doors: &'static [Door],
    host: Seen,
}

/// A way in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Door {
    /// A command by ssh.
    Ssh,
    /// Root's `su alice`.
    Su,
    /// The program of this crate, which shows what the user is told.
    PamHost,
}

impl Door {
    /// Every way in.
    pub const ALL: &'static [Self] = &[Self::PamHost, Self::Su, Self::Ssh];

    fn call(self, user: &str) -> String {
        match self {
            Self::Ssh => format!("ssh {user}@localhost {LOOK}"),
            Self::Su => format!("su {user} -c {LOOK}"),
            Self::PamHost => format!("pam-host probe {user} -- {LOOK}"),
        }
    }
}

impl Scene {
    /// Sets everything up on a new machine.
    ///
    /// # Panics
    ///
    /// When that cannot be done.
    #[must_use]
    #[track_caller]
    pub fn set(machine: Machine) -> Self {
        let machine = machine.set_up();
        machine.install_pam_host();
        for program in ["exchange", "forging-fuse"] {
            machine.install_program(program);
        }
        machine.pam("probe", &[LEAVE, "session required pam_permit.so", ENTER]);
        let look =
            "#!/bin/sh\necho \"at $(stat -c %u:%d:%i /nix) $(readlink /proc/self/ns/mnt)\"\n";
        machine.write(LOOK, look, 0o755, &User::root());
        let (alice, bob) = (machine.nix_user("alice"), machine.nix_user("bob"));
        let secrets = format!(
            "echo '{CANARY}:{CANARY}:1::::::' >>/etc/shadow; \
             echo '{CANARY} = {CANARY}' >/root/secret; chmod 600 /root/secret; \
             chmod 755 /home/bob; echo '{CANARY} = {CANARY}' >/home/bob/secret; \
             chmod 600 /home/bob/secret; chown bob: /home/bob/secret; \
             echo user_allow_other >>/etc/fuse.conf; \
             install -d -o bob -g bob /home/bob/.local /home/bob/.local/share /home/bob/.local/share/nix; \
             mkdir -p /srv /scratch; cp /etc/passwd /root/passwd; \
             cp /root/.ssh/id_ed25519.pub /etc/ssh/keys; \
             printf 'StrictModes no\nAuthorizedKeysFile /etc/ssh/keys\n' >>/etc/ssh/sshd_config"
        );
        machine.run(&secrets).ok();
        // Or sshd's own look at the home would keep some attempts from ours.
        machine.restart_sshd_by("");
        let host = seen(&machine.run(LOOK)).expect("the host looks at itself");
        let scene = Self {
            machine,
            alice,
            bob,
            doors: Door::ALL,
            host,
        };
        scene.begin_anew();
        scene
    }

    /// Makes one attempt: the steps, then a login by every door, in which alice
    /// must end so; bob must not be disturbed.
    ///
    /// # Errors
    ///
    /// With what was broken.
    pub fn play(&self, steps: &[Step], end: End) -> Result<(), String> {
        let kept = self.prepare(steps);
        // A wait of seconds once is enough.
        let doors = if end.may_be_late() {
            &self.doors[..1]
        } else {
            self.doors
        };
        let ended = doors
            .iter()
            .try_for_each(|door| self.log_in(*door, end))
            .and_then(|()| self.leave_bob_alone());
        drop(kept);
        ended
    }

    /// Logs alice in many times while the steps' loops run: at every login she
    /// is on the host's `/nix`, or on one of these directories; if none is given,
    /// on any of hers.
    ///
    /// # Errors
    ///
    /// With what was broken.
    pub fn storm(&self, steps: &[Step], times: usize, own: &[&str]) -> Result<(), String> {
        self.begin_anew();
        let (loops, steps): (Vec<Step>, Vec<Step>) = steps.iter().partition(|step| step.goes_on());
        for step in steps {
            self.take(step);
        }
        let allowed: Vec<String> = own.iter().map(|path| self.directory(path)).collect();
        let kept: Vec<_> = loops
            .into_iter()
            .filter_map(|step| self.take(step))
            .collect();
        let (before, mounts) = (self.machine.log().len(), self.machine.mount_table());
        let call = format!("pam-host --times {times} probe alice -- {LOOK}");
        let mut output = self.machine.run_within(Duration::from_secs(50), &call);
        output.log.drain(..before);
        self.check_words(&output, before)?;
        if output.status != Status::Exited(0) {
            return Err(format!("the logins did not all succeed: {output}"));
        }
        let looks: Vec<Seen> = output.stdout.lines().filter_map(seen_in_line).collect();
        if looks.len() != times {
            return Err(format!("{} of {times} logins: {output}", looks.len()));
        }
        for look in &looks {
            let is_own = if allowed.is_empty() {
                look.owner() == self.alice.uid.to_string()
            } else {
                allowed.iter().any(|own| same_directory(own, &look.nix))
            };
            let own_namespace = look.namespace != self.host.namespace;
            if *look != self.host && !(is_own && own_namespace) {
                return Err(format!("{look:?} is neither of {allowed:?}: {output}"));
            }
        }
        if mounts_elsewhere(&self.machine.mount_table()) != mounts_elsewhere(&mounts) {
            return Err("the host's mounts changed".to_owned());
        }
        self.leave_bob_alone()?;
        drop(kept);
        Ok(())
    }

    /// Takes steps from the beginning; what goes on does so until the result is
    /// dropped.
    #[must_use]
    #[track_caller]
    pub fn prepare(&self, steps: &[Step]) -> Vec<Background<'_>> {
        self.begin_anew();
        steps.iter().filter_map(|step| self.take(*step)).collect()
    }

    /// Puts back what cases change: what every case begins with.
    #[track_caller]
    fn begin_anew(&self) {
        let mounts = r#"awk '$5 ~ "^/(home|srv|scratch)/" { print $5 }' /proc/self/mountinfo"#;
        self.machine
            .run(&format!(
                "cp /root/passwd /etc/passwd; {mounts} | sort -r | while read -r at; do umount -l \"$at\"; done; \
                 chown alice: /home/alice; chmod 700 /home/alice; chmod 755 /home/bob; cd /; \
                 find /home/alice -mindepth 1 -maxdepth 1 ! -name .ssh -exec rm -rf {{}} +; \
                 find /srv /scratch -mindepth 1 ! -path '/srv/common*' -delete; \
                 find /home/bob -mindepth 1 -maxdepth 1 \
                    ! -name .ssh ! -name secret ! -name .config ! -name .local -exec rm -rf {{}} +; \
                 chown root: /srv /scratch; chmod 755 /srv /scratch; \
                 rm -f /etc/nix-ns/config.toml; \
                 install -d -o alice -g alice /home/alice/.config /home/alice/.config/nix-ns; \
                 install -o alice -g alice -m 644 /dev/null /home/alice/.config/nix-ns/config.toml"
            ))
            .ok();
    }

    /// Owner, device and inode of a directory of the host's.
    #[track_caller]
    fn directory(&self, path: &str) -> String {
        let look = format!("stat -c %u:%d:%i {path}");
        self.machine.run(&look).ok().to_owned()
    }

    #[track_caller]
    fn take(&self, step: Step) -> Option<Background<'_>> {
        let machine = &self.machine;
        let named = |script| format!("{NAMES}\n{script}");
        match step {
            Step::Alice(script) => _ = machine.run_as("alice", &named(script)).ok(),
            Step::Bob(script) => _ = machine.run_as("bob", &named(script)).ok(),
            Step::Root(script) => _ = machine.run(&named(script)).ok(),
            Step::ConfigBytes(bytes) => {
                let file = format!("{}/.config/nix-ns/config.toml", self.alice.home);
                machine.write(&file, bytes, 0o644, &self.alice);
            }
            Step::Site(text) => machine.configure_site(text),
            Step::Config(text) => machine.configure(&self.alice, text),
            Step::AliceKeeps(script) => {
                return Some(ready(machine.spawn_as("alice", &named(script))));
            }
            Step::BobKeeps(script) => {
                return Some(ready(machine.spawn_as("bob", &named(script))));
            }
            Step::RootKeeps(script) => {
                return Some(ready(machine.spawn(&named(script))));
            }
        }
        None
    }

    fn log_in(&self, door: Door, end: End) -> Result<(), String> {
        let machine = &self.machine;
        let (before, mounts) = (machine.log().len(), machine.mount_table());
        let begin = Instant::now();
        let login = machine.spawn(&door.call("alice"));
        if end.may_be_late() {
            // While she waits, nobody else does.
            sleep(Duration::from_millis(200));
            self.bob_logs_in()?;
        }
        let mut login = login.finish_within(PATIENCE);
        // The rest is of other cases.
        login.log.drain(..before);
        let took = begin.elapsed();
        let broken = |what: &str| Err(format!("{what} (by {door:?}, after {took:?}): {login}"));
        if let Err(what) = self.check_words(&login, before) {
            return broken(&what);
        }
        if login.status != Status::Exited(0) {
            return broken("no login");
        }
        if took > at_this_pace(SOON) && !end.may_be_late() {
            return broken("too late");
        }
        if machine.mount_table() != mounts {
            return broken("the host's mounts changed");
        }
        if door != Door::PamHost && login.stdout.lines().count() != 1 {
            return broken("the module said something between");
        }
        let Some(look) = seen(&login) else {
            return broken("it sees nothing");
        };
        let mut said: Vec<String> = self.said_since(before);
        said.retain(|line| line.contains("pam_nixns(") && line.contains("alice"));
        let lines = usize::from(!matches!(end, End::Silent));
        if said.len() != lines {
            return broken(&format!("{} lines in the log", said.len()));
        }
        match end {
            _ if look != self.host && look.namespace == self.host.namespace => {
                broken("the host's /nix is another")
            }
            End::Refused(_) | End::Late(_) | End::Silent if look != self.host => {
                broken(&format!("it got {look:?}"))
            }
            End::Refused(why) | End::Late(why)
                if !said[0].contains("no /nix for alice") || !said[0].contains(why) =>
            {
                broken(&format!("{why:?} is not in {}", said[0]))
            }
            End::Own(path) if look.nix != self.directory(path) => {
                broken(&format!("it got {look:?}, not {path}"))
            }
            End::Own(_) if look.namespace == self.host.namespace => broken("it is on the host"),
            End::Either | End::EitherLate
                if look != self.host && look.owner() != self.alice.uid.to_string() =>
            {
                broken(&format!("it got {look:?}"))
            }
            _ => Ok(()),
        }
    }

    /// Whatever alice did, bob has his own, and at once.
    ///
    /// # Errors
    ///
    /// With what was broken.
    pub fn leave_bob_alone(&self) -> Result<(), String> {
        self.bob_logs_in()
    }

    fn bob_logs_in(&self) -> Result<(), String> {
        let begin = Instant::now();
        let login = self
            .machine
            .run_within(PATIENCE, &Door::PamHost.call("bob"));
        let took = begin.elapsed();
        let store = self.directory("/home/bob/.local/share/nix");
        match seen(&login) {
            Some(look) if look.nix == store && took < at_this_pace(UNDISTURBED) => Ok(()),
            look => Err(format!("bob got {look:?} after {took:?}: {login}")),
        }
    }

    /// Nobody's secret in anything that was said, and nothing that steers.
    fn check_words(&self, login: &Output, before: usize) -> Result<(), String> {
        let log = self.said_since(before);
        let printed = [&login.stdout, &login.stderr];
        let all = || printed.into_iter().chain(&log);
        if let Some(text) = all().find(|text| text.contains(CANARY)) {
            return Err(format!("a secret came out: {text}"));
        }
        for line in log.iter().filter(|line| line.contains("pam_nixns(")) {
            check_text(&log_bytes(line))?;
        }
        for line in printed.iter().flat_map(|text| text.lines()) {
            check_text(line.as_bytes())?;
        }
        Ok(())
    }

    /// The lines of the log since it was so long.
    #[must_use]
    pub fn said_since(&self, before: usize) -> Vec<String> {
        let log = self.machine.log();
        log[before..].lines().map(str::to_owned).collect()
    }
}

impl Step<'_> {
    const fn goes_on(&self) -> bool {
        matches!(
            self,
            Self::AliceKeeps(_) | Self::BobKeeps(_) | Self::RootKeeps(_)
        )
    }
}

impl End<'_> {
    const fn may_be_late(&self) -> bool {
        matches!(self, Self::Late(_) | Self::EitherLate)
    }
}

impl Seen {
    fn owner(&self) -> &str {
        self.nix.split(':').next().unwrap_or_default()
    }
}

#[track_caller]
fn ready(mut command: Background) -> Background {
    command.until_it_says("ready");
    command
}

/// Without those that the loops of a case come and go with.
fn mounts_elsewhere(table: &str) -> Vec<&str> {
    let theirs = ["/home/", "/srv/", "/scratch/"];
    let place = |line: &&str| line.split(' ').nth(4).unwrap_or_default().to_owned();
    let is_theirs = |line: &&str| theirs.iter().any(|start| place(line).starts_with(start));
    table.lines().filter(|line| !is_theirs(line)).collect()
}

/// Whoever owns it by now.
fn same_directory(one: &str, other: &str) -> bool {
    let inode = |it: &str| it.split_once(':').map(|(_, inode)| inode.to_owned());
    inode(one) == inode(other)
}

fn seen(output: &Output) -> Option<Seen> {
    output.stdout.lines().find_map(seen_in_line)
}

fn seen_in_line(line: &str) -> Option<Seen> {
    let (nix, namespace) = line.trim_end().strip_prefix("at ")?.split_once(' ')?;
    Some(Seen {
        nix: nix.to_owned(),
        namespace: namespace.to_owned(),
    })
}
