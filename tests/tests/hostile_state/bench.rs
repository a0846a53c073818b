//! People, doors, and the judgement on what came out of them.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use tests::hostile::Family;
use tests::whereabouts::Stay;
use tests::{Lines, Machine, Output, Status, at_this_pace};

/// Nobody waits longer because of somebody else, on a machine under load.
pub const SOON: Duration = Duration::from_secs(6);
/// A store directory that never answers takes four seconds, once.
pub const PATIENCE: Duration = Duration::from_secs(10);

/// Where `whose-nix` leaves a file for each of its looks.
const SAW: &str = "/srv/common/saw";

/// A machine with alice and bob, who take part, and carol, who does not. No
/// attempt of alice's may change anything for the others.
pub struct Bench {
    pub machine: Machine,
    mounts: RefCell<String>,
    uids: BTreeMap<&'static str, u32>,
}

/// What somebody ran, and on whose `/nix` it was.
#[derive(Debug, Clone)]
pub struct Sight {
    tag: String,
    uid: u32,
    whose: String,
}

/// A way to somebody's session, for a shell.
pub struct Door {
    pub to: &'static str,
    /// With `#` where the command is to stand.
    pub line: &'static str,
}

pub const fn door(to: &'static str, line: &'static str) -> Door {
    Door { to, line }
}

/// By which a session of alice's leads to others.
pub const DOORS: &[Door] = &[
    door("root", "su -c '#'"),
    door("root", "su - -c '#'"),
    door("bob", "su bob -c '#'"),
    door("carol", "su carol -c '#'"),
    door("root", "sudo #"),
    door("bob", "sudo -u bob #"),
    door("carol", "sudo -i -u carol #"),
];

/// Fewer, where there are many places to try them from.
pub const FEW_DOORS: &[Door] = &[DOORS[0], DOORS[2], DOORS[3], DOORS[4]];

/// Whether the doors must open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Doors {
    Open,
    /// To refuse the session is an answer, too.
    MayStayShut,
}

impl Clone for Door {
    fn clone(&self) -> Self {
        *self
    }
}

impl Copy for Door {}

impl Bench {
    #[track_caller]
    pub fn set_up(machine: Machine) -> Self {
        let machine = machine.set_up();
        machine.install_pam_host();
        machine.pam_lines("host", Lines::Both);
        machine.install_program("whose-nix");
        machine.install_program("forging-fuse");
        machine
            .run(&format!("mkdir -m 0777 {SAW} && chmod 0777 {SAW}"))
            .ok();
        let mut uids = BTreeMap::from([("root", 0)]);
        for name in ["alice", "bob"] {
            uids.insert(name, machine.nix_user(name).uid);
            let word = format!("sh -c 'echo {name} >/nix/whose'");
            machine.ssh(name, &word).ok();
        }
        uids.insert("carol", machine.user("carol").uid);
        Self {
            mounts: RefCell::new(machine.mount_table()),
            machine,
            uids,
        }
    }

    /// What is mounted on the host by now is meant to be there.
    pub fn accept_mounts(&self) {
        *self.mounts.borrow_mut() = self.machine.mount_table();
    }

    pub fn uid(&self, name: &str) -> u32 {
        self.uids[name]
    }

    /// A shell in the mount namespace of a process, as alice.
    pub fn alice_with(&self, process: u32) -> String {
        format!("nsenter -t {process} -m {ALICE} sh -c")
    }

    /// A session of alice's that stays, with this in front of its command: a
    /// program that runs another.
    #[track_caller]
    pub fn alice_stays(&self, wrapper: &str) -> Stay<'_> {
        self.machine.keep(|line| {
            let line = format!("exec {wrapper} sh -c {}", quoted(line));
            self.machine.spawn_ssh("alice", &[], &line)
        })
    }

    /// Takes each of the doors from a shell; a case each. Tells how many opened.
    pub fn take(
        &self,
        family: &mut Family,
        name: &str,
        shell: &str,
        doors: &[Door],
        must: Doors,
    ) -> usize {
        self.take_with(family, name, shell, "cd / && #", doors, must)
    }

    /// The same, with the door at `#` of a line.
    pub fn take_with(
        &self,
        family: &mut Family,
        name: &str,
        shell: &str,
        around: &str,
        doors: &[Door],
        must: Doors,
    ) -> usize {
        let mut opened = 0;
        for (number, door) in doors.iter().enumerate() {
            let tag = format!("door{number}");
            let line = door.line.replace('#', &format!("/usr/bin/whose-nix {tag}"));
            let line = around.replace('#', &line);
            family.case(&format!("{name}: {}", door.line), || {
                let (output, took, sights) = self.look(shell, &line);
                opened += usize::from(!sights.is_empty());
                let found = self.judge(door.to, &tag, &sights, must);
                let found = found.and_then(|()| in_time(took));
                found.map_err(|what| format!("{what}; {}, after {took:?}", short(&output)))
            });
        }
        family.case(&format!("{name}: and bob"), || {
            self.all_log_in(&["bob"])?;
            self.host_is_unchanged()
        });
        opened
    }

    /// Whether a shell is where alice wants it: on a `/nix` that is hers. If it is
    /// not, nothing that is tried there shows anything.
    pub fn is_hers(&self, shell: &str) -> Result<(), String> {
        let (output, _, sights) = self.look(shell, "cd / && /usr/bin/whose-nix hers");
        let alice = self.uid("alice");
        let is_there = |sight: &Sight| sight.uid == alice && sight.whose != "host";
        sights
            .iter()
            .any(is_there)
            .then_some(())
            .ok_or_else(|| format!("{sights:?} {}", short(&output)))
    }

    /// Runs a line in a shell, and finds what commands it led to have seen.
    pub fn look(&self, shell: &str, line: &str) -> (Output, Duration, Vec<Sight>) {
        self.machine.run(&format!("rm -f {SAW}/*")).ok();
        let begun = Instant::now();
        let output = self
            .machine
            .run_within(PATIENCE * 2, &format!("{shell} {}", quoted(line)));
        let took = begun.elapsed();
        (output, took, self.sights())
    }

    /// Everything seen since the last look. As whom, the owner of the file says:
    /// root of a user namespace is no root.
    pub fn sights(&self) -> Vec<Sight> {
        let names = self
            .machine
            .run(&format!("find {SAW} -type f -printf '%U.%f\\n'"));
        names.ok().lines().filter_map(Sight::parse).collect()
    }

    /// Whether a door led to whom it should, and nobody to a foreign `/nix`.
    pub fn judge(&self, to: &str, tag: &str, sights: &[Sight], must: Doors) -> Result<(), String> {
        for sight in sights {
            self.judge_one(sight)?;
        }
        let came = sights
            .iter()
            .find(|sight| sight.tag == tag && sight.uid == self.uid(to));
        match (came, must) {
            (None, Doors::Open) => Err(format!("the way to {to} is shut")),
            (Some(sight), Doors::Open) if self.nix_of(to) != sight.whose => {
                Err(format!("{to} is on the /nix of {}", sight.whose))
            }
            _ => Ok(()),
        }
    }

    /// Nobody but alice may be on what is hers, or on what she made up.
    pub fn judge_one(&self, sight: &Sight) -> Result<(), String> {
        let who = self.uids.iter().find(|(_, uid)| **uid == sight.uid);
        let breach = || Err(format!("BREACH: {sight:?}"));
        match who {
            Some((&"alice", _)) if sight.whose == "bob" => breach(),
            Some((&"alice", _)) => Ok(()),
            Some((who, _)) if [self.nix_of(who), "host"].contains(&sight.whose.as_str()) => Ok(()),
            // A number of a user namespace's is nobody's.
            None if sight.uid > 60000 => Ok(()),
            _ => breach(),
        }
    }

    fn nix_of(&self, who: &str) -> &'static str {
        match who {
            "alice" => "alice",
            "bob" => "bob",
            _ => "host",
        }
    }

    /// These log in on what is theirs, without having to wait.
    pub fn all_log_in(&self, who: &[&str]) -> Result<(), String> {
        for name in who {
            let begun = Instant::now();
            let call = format!("pam-host host {name} -- /usr/bin/whose-nix well");
            let login = self.machine.run_within(PATIENCE * 2, &call);
            let expected = format!("well {} {}", self.uid(name), self.nix_of(name));
            if login.status != Status::Exited(0) || !login.stdout.contains(&expected) {
                return Err(format!("{name} does not get what is {name}'s: {login}"));
            }
            in_time(begun.elapsed()).map_err(|late| format!("{name}: {late}"))?;
        }
        Ok(())
    }

    pub fn host_is_unchanged(&self) -> Result<(), String> {
        let mounts = self.machine.mount_table();
        if mounts != *self.mounts.borrow() {
            return Err(format!("the host has other mounts: {mounts}"));
        }
        let nix = self.machine.run("ls -A /nix; stat -c '%u %a' /nix");
        if nix.stdout.trim() != "0 755" {
            return Err(format!("the host's /nix is another: {nix}"));
        }
        Ok(())
    }

    /// By ssh, too: dearer, so asked once a family.
    pub fn all_come_by_ssh(&self) -> Result<(), String> {
        for name in ["root", "carol", "bob", "alice"] {
            let begun = Instant::now();
            let login = self.machine.ssh(name, "whose-nix ssh");
            let expected = format!("ssh {} {}", self.uid(name), self.nix_of(name));
            if login.stdout.trim() != expected {
                return Err(format!("{name}: {login}"));
            }
            in_time(begun.elapsed()).map_err(|late| format!("{name}: {late}"))?;
        }
        self.host_is_unchanged()
    }
}

impl Sight {
    fn parse(name: &str) -> Option<Self> {
        let mut words = name.split('.');
        let uid = words.next()?.parse().ok()?;
        let tag = words.next()?.to_owned();
        let whose = words.nth(1)?.to_owned();
        Some(Self { tag, uid, whose })
    }

    pub fn is_tagged(&self, tag: &str) -> bool {
        self.tag == tag
    }

    pub fn is_by(&self, uid: u32) -> bool {
        self.uid == uid
    }

    pub fn whose(&self) -> &str {
        &self.whose
    }
}

/// Becomes alice without asking PAM, as what runs in her session is.
pub const ALICE: &str = "setpriv --reuid alice --regid alice --init-groups --reset-env env -C /";

pub fn in_time(took: Duration) -> Result<(), String> {
    if took < at_this_pace(SOON) {
        Ok(())
    } else {
        Err(format!("it took {took:?}"))
    }
}

/// For a shell.
pub fn quoted(line: &str) -> String {
    format!("'{}'", line.replace('\'', r"'\''"))
}

/// Without the log.
pub fn short(output: &Output) -> String {
    let (out, complaint) = (output.stdout.trim(), output.stderr.trim());
    format!("{:?} {out:?} {complaint:?}", output.status)
}

/// What must have failed.
pub fn fails(output: &Output) -> Result<(), String> {
    match output.status {
        Status::Exited(code) if code != 0 => Ok(()),
        _ => Err(format!("should have failed: {output}")),
    }
}

/// What must have succeeded.
pub fn succeeds(output: &Output) -> Result<(), String> {
    match output.status {
        Status::Exited(0) => Ok(()),
        _ => Err(format!("should have succeeded: {output}")),
    }
}
