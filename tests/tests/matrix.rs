//! Who is there × who comes, by which door: where each session must end up.
//!
//! The expectations are one table, [`Kind::expects`]; everything else opens
//! doors and looks. The whole matrix is printed, and kept in `matrix.txt` below
//! the target directory's `tmp` (or where `NIX_NS_MATRIX` says).

use std::env;
use std::fmt::Write as _;
use std::fs;
use std::io::{self, Write as _};
use std::path::PathBuf;

use tests::whereabouts::{COMMON, EXIT, PROBE, Stay, Whereabouts};
use tests::{Background, ENTER, LEAVE, Lines, Machine, Output, Status, User, machine_or_skip};

const SERVICES: [&str; 12] = [
    "sshd",
    "su",
    "su-l",
    "sudo",
    "sudo-i",
    "login",
    "cron",
    "atd",
    "runuser",
    "runuser-l",
    "polkit-1",
    "host",
];

// ---- the matrix

#[test]
fn every_session_ends_up_where_the_table_says() {
    let machine = machine_or_skip!();
    walk(&machine, Lines::Both);
}

/// An administrator may forget the line that leaves. The entering line then
/// leaves, too: nobody is ever on a foreign `/nix`.
#[test]
fn every_session_ends_up_there_with_the_entering_line_alone() {
    let machine = machine_or_skip!();
    walk(&machine, Lines::EnterOnly);
}

fn walk(machine: &Machine, lines: Lines) {
    let bench = Bench::set_up(machine, lines);
    let mut table = format!("{lines:?}\n");
    let mut wrong = Vec::new();
    for place in &bench.places {
        for door in DOORS.iter().filter(|door| place.can_matter_to(door)) {
            for target in door.targets {
                let cell = bench.open(place, door, target);
                let _ = writeln!(table, "{}", cell.row);
                if let Some(what) = cell.wrong {
                    wrong.push(format!("{}\n{what}", cell.row));
                }
            }
        }
    }
    publish(lines, &table);
    assert!(
        wrong.is_empty(),
        "{} wrong:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}

/// Where the harness does not hide it, and where it can be looked up later.
fn publish(lines: Lines, table: &str) {
    let _ = io::stderr().write_all(table.as_bytes());
    let below = env::var_os("NIX_NS_MATRIX").map_or_else(
        || PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("matrix"),
        PathBuf::from,
    );
    let file = below.with_extension(format!("{lines:?}.txt").to_lowercase());
    if let Some(directory) = file.parent() {
        let _ = fs::create_dir_all(directory);
    }
    let _ = fs::write(file, table);
}

// ---- who is there

/// What kind of place a caller can be in: the columns of the design's table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// The host's namespace.
    Host,
    /// The namespace that all sessions of this user share.
    Nix(&'static str),
    /// Made by another tool from a nix namespace.
    Derived,
    /// Of another tool's, with nothing of ours in it.
    Private,
    /// A nix namespace of one session of this user's alone, built on another
    /// tool's private one: the way back to the host must not be taken.
    Alone(&'static str),
}

/// A place that callers are in, kept alive by somebody in it.
struct Place<'machine> {
    name: &'static str,
    kind: Kind,
    /// Who is there besides root.
    user: &'static str,
    keeper: Stay<'machine>,
}

/// Which namespace a session is to be in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Namespace {
    Host,
    /// The one that all sessions of the target share.
    Shared,
    /// The caller's, as it was.
    Callers,
    /// None that anybody else is in.
    Own,
}

/// Whose directory is to be at `/nix`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Nix {
    Hosts,
    Targets,
}

impl Kind {
    /// The design's table: where a session for this target must end up that is
    /// opened by a process in such a place.
    fn expects(self, target: &str, lines: Lines) -> (Namespace, Nix) {
        let managed = MANAGED.contains(&target);
        match self {
            Self::Host | Self::Nix(_) if managed => (Namespace::Shared, Nix::Targets),
            Self::Host | Self::Nix(_) => (Namespace::Host, Nix::Hosts),
            // The line that leaves does not know that the other will enter.
            Self::Alone(user) if user == target && lines == Lines::EnterOnly => {
                (Namespace::Callers, Nix::Targets)
            }
            Self::Private if !managed => (Namespace::Callers, Nix::Hosts),
            _ if managed => (Namespace::Own, Nix::Targets),
            _ => (Namespace::Own, Nix::Hosts),
        }
    }

    /// The same for a caller with threads, which may leave but not enter.
    fn expects_of_threaded(self, target: &str, lines: Lines) -> (Namespace, Nix) {
        match self {
            Self::Nix(user) if user == target && lines == Lines::EnterOnly => {
                (Namespace::Shared, Nix::Targets)
            }
            Self::Alone(user) if user == target && lines == Lines::EnterOnly => {
                (Namespace::Callers, Nix::Targets)
            }
            Self::Private => (Namespace::Callers, Nix::Hosts),
            Self::Host | Self::Nix(_) => (Namespace::Host, Nix::Hosts),
            Self::Derived | Self::Alone(_) => (Namespace::Own, Nix::Hosts),
        }
    }
}

// ---- who comes, by which door

const MANAGED: [&str; 2] = ["alice", "bob"];
const EVERYBODY: &[&str] = &["alice", "bob", "carol", "root"];

/// A way to a session.
struct Door {
    name: &'static str,
    /// Whether root alone can take it.
    for_root: bool,
    /// Shell line that takes it to a user and runs the probe.
    line: fn(&str) -> String,
    targets: &'static [&'static str],
    directory: Directory,
    /// Whether what the probe exits with comes back.
    passes_code: bool,
    /// Whether a server on the host opens it, wherever the caller is.
    by_server: bool,
    /// Whether it has threads when it opens the session.
    threaded: bool,
}

/// Where a session begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Directory {
    /// Where the caller was, as all may be there.
    Kept,
    Home,
}

const PLAIN: Door = Door {
    name: "",
    for_root: false,
    line: |_| String::new(),
    targets: EVERYBODY,
    directory: Directory::Kept,
    passes_code: true,
    by_server: false,
    threaded: false,
};

const DOORS: &[Door] = &[
    Door {
        name: "ssh",
        for_root: true,
        line: |target| format!("ssh {target}@localhost {PROBE}"),
        directory: Directory::Home,
        by_server: true,
        ..PLAIN
    },
    Door {
        name: "su -c",
        line: |target| format!("su {target} -c {PROBE}"),
        ..PLAIN
    },
    Door {
        name: "su - -c",
        line: |target| format!("su - {target} -c {PROBE}"),
        directory: Directory::Home,
        ..PLAIN
    },
    Door {
        name: "sudo",
        line: |target| format!("sudo -u {target} {PROBE}"),
        ..PLAIN
    },
    Door {
        name: "sudo -i",
        line: |target| format!("sudo -i -u {target} {PROBE}"),
        directory: Directory::Home,
        ..PLAIN
    },
    Door {
        name: "runuser -u",
        for_root: true,
        line: |target| format!("runuser -u {target} -- {PROBE}"),
        ..PLAIN
    },
    Door {
        name: "runuser -l",
        for_root: true,
        line: |target| format!("runuser -l {target} -c {PROBE}"),
        directory: Directory::Home,
        ..PLAIN
    },
    // As when cron is started again by an administrator who is there: the
    // daemon does not ask PAM for itself, but for the job.
    Door {
        name: "cron",
        for_root: true,
        line: |target| {
            format!(
                "echo '@reboot {target} {PROBE}' >/etc/cron.d/probe; \
                 rm -f /run/crond.reboot; cron -f >/dev/null 2>&1 & \
                 while ! test -e {COMMON}/report; do sleep 0.02; done; kill $!"
            )
        },
        directory: Directory::Home,
        passes_code: false,
        ..PLAIN
    },
    Door {
        name: "at",
        for_root: true,
        line: |target| {
            format!(
                "setpriv --reuid {target} --regid {target} --init-groups --reset-env \
                 sh -c 'cd {COMMON} && echo {PROBE} | at now'"
            )
        },
        passes_code: false,
        by_server: true,
        ..PLAIN
    },
    Door {
        name: "login",
        for_root: true,
        line: |target| {
            format!(
                "expect -c 'set timeout 20; log_user 0; spawn -noecho login -f {target}; \
                 expect -re {{[#$] $}}; send \"exec {PROBE}\\r\"; expect eof; \
                 exit [lindex [wait] 3]'"
            )
        },
        directory: Directory::Home,
        // util-linux's login exits with 0 whatever the shell did.
        passes_code: false,
        ..PLAIN
    },
    Door {
        name: "pkexec",
        line: |target| format!("pkexec --user {target} {PROBE}"),
        directory: Directory::Home,
        threaded: true,
        ..PLAIN
    },
    Door {
        name: "pam-host",
        for_root: true,
        line: |target| format!("pam-host host {target} -- {PROBE}"),
        passes_code: false,
        ..PLAIN
    },
];

// ---- setting up and looking

struct Bench<'machine> {
    machine: &'machine Machine,
    lines: Lines,
    places: Vec<Place<'machine>>,
    host: Whereabouts,
    /// Where the sessions of the managed users are.
    shared: Vec<(&'static str, Whereabouts)>,
}

struct Cell {
    row: String,
    wrong: Option<String>,
}

impl<'machine> Bench<'machine> {
    fn set_up(machine: &'machine Machine, lines: Lines) -> Self {
        people(machine);
        for service in SERVICES {
            machine.pam_lines(service, lines);
        }
        give_a_tmp_of_its_own(machine, "poly", lines);
        machine.install_pam_host();
        machine.run("printf '' >/etc/at.deny; atd").ok();
        policy_kit(machine);
        let places = places(machine);
        let host = machine.where_the_host_is();
        let shared: Vec<_> = MANAGED
            .map(|user| (user, machine.where_ssh_leads(user)))
            .into();
        for (user, found) in &shared {
            assert_ne!(found.namespace, host.namespace, "{user}: {}", machine.log());
        }
        Self {
            machine,
            lines,
            places,
            host,
            shared,
        }
    }

    /// Opens a door in a place, and compares where it led with the table.
    fn open(&self, place: &Place, door: &Door, target: &str) -> Cell {
        let report = format!("{COMMON}/report");
        self.machine.run(&format!("rm -f {report}")).ok();
        let line = format!("cd {COMMON} && {{ {}; }}", (door.line)(target));
        let output = place.run(self.machine, door.for_root, &line);
        // at says when it has taken the job, not when that is done.
        let wait = format!("for i in $(seq 250); do test -e {report} && break; sleep 0.02; done");
        self.machine.run(&wait).ok();
        let found = self
            .machine
            .exists(&report)
            .then(|| Whereabouts::parse(&self.machine.read(&report)))
            .flatten();
        let wrong = match &found {
            None => vec!["the command did not run".to_owned()],
            Some(found) => self.complaints(place, door, target, found, output.status),
        };
        let row = self.row(place, door, target, found.as_ref(), output.status);
        Cell {
            wrong: (!wrong.is_empty()).then(|| format!("{}\n{output}", wrong.join("\n"))),
            row,
        }
    }

    /// Everything that is not as the table says.
    fn complaints(
        &self,
        place: &Place,
        door: &Door,
        target: &str,
        found: &Whereabouts,
        status: Status,
    ) -> Vec<String> {
        let (namespace, nix) = door.expects(place.kind, target, self.lines);
        let mut wrong = Vec::new();
        if !self.is_namespace(namespace, place, target, &found.namespace) {
            wrong.push(format!("should be in this namespace: {namespace:?}"));
        }
        if found.nix != self.nix(nix, target) {
            wrong.push(format!("should see this /nix: {nix:?}"));
        }
        if found.uid != self.machine.uid(target) {
            wrong.push(format!("is uid {}", found.uid));
        }
        let directory = match (door.directory, target) {
            (Directory::Kept, _) => COMMON.to_owned(),
            (Directory::Home, "root") => "/root".to_owned(),
            (Directory::Home, user) => format!("/home/{user}"),
        };
        if found.directory != directory {
            wrong.push(format!("should be in {directory}"));
        }
        let code = if door.passes_code { EXIT } else { 0 };
        if status != Status::Exited(code) {
            wrong.push(format!("should exit with {code}"));
        }
        wrong
    }

    fn is_namespace(&self, expected: Namespace, place: &Place, target: &str, found: &str) -> bool {
        match expected {
            Namespace::Host => found == self.host.namespace,
            Namespace::Callers => found == place.keeper.namespace,
            Namespace::Shared => found == self.shared(target).namespace,
            Namespace::Own => {
                let everybodys = self.places.iter().map(|it| &it.keeper.namespace);
                let known = everybodys.chain(self.shared.iter().map(|(_, it)| &it.namespace));
                found != self.host.namespace && known.into_iter().all(|it| it != found)
            }
        }
    }

    fn nix(&self, expected: Nix, target: &str) -> &str {
        match expected {
            Nix::Hosts => &self.host.nix,
            Nix::Targets => &self.shared(target).nix,
        }
    }

    fn shared(&self, user: &str) -> &Whereabouts {
        let found = self.shared.iter().find(|(name, _)| *name == user);
        &found.expect("only asked for managed users").1
    }

    /// A line of the printed table.
    fn row(
        &self,
        place: &Place,
        door: &Door,
        target: &str,
        found: Option<&Whereabouts>,
        status: Status,
    ) -> String {
        let shown = found.map_or_else(
            || "did not run".to_owned(),
            |found| {
                format!(
                    "in {:<18} on {:<9} at {:<13}",
                    self.name_of(place, &found.namespace),
                    self.name_of_nix(&found.nix),
                    found.directory
                )
            },
        );
        let (place, door) = (place.name, door.name);
        format!("{place:<36} {door:<10} {target:<6} {shown} {status:?}")
    }

    fn name_of(&self, place: &Place, namespace: &str) -> String {
        if namespace == self.host.namespace {
            return "the host's".to_owned();
        }
        let shared = self.shared.iter().find(|(_, it)| it.namespace == namespace);
        match shared {
            Some((user, _)) => format!("{user}'s"),
            None if namespace == place.keeper.namespace => "the caller's".to_owned(),
            None => "one of its own".to_owned(),
        }
    }

    fn name_of_nix(&self, nix: &str) -> String {
        if nix == self.host.nix {
            return "the host's".to_owned();
        }
        let owner = self.shared.iter().find(|(_, it)| it.nix == nix);
        owner.map_or("?".to_owned(), |(user, _)| format!("{user}'s"))
    }
}

impl Door {
    fn expects(&self, kind: Kind, target: &str, lines: Lines) -> (Namespace, Nix) {
        let kind = if self.by_server { Kind::Host } else { kind };
        if self.threaded {
            kind.expects_of_threaded(target, lines)
        } else {
            kind.expects(target, lines)
        }
    }
}

impl Place<'_> {
    /// Runs a line there, as whoever is there or as root.
    fn run(&self, machine: &Machine, as_root: bool, line: &str) -> Output {
        if self.user == "root" || as_root {
            return machine.run(&format!("{} sh -c {}", self.enter(), quoted(line)));
        }
        if matches!(self.kind, Kind::Nix(_)) || self.user == "carol" && self.kind == Kind::Host {
            return machine.ssh(self.user, line);
        }
        let user = self.user;
        machine.run(&format!(
            "{} setpriv --reuid {user} --regid {user} --init-groups --reset-env sh -c {}",
            self.enter(),
            quoted(line)
        ))
    }

    /// A server on the host does not know where its client is: asked from the
    /// host and from one session, it need not be asked from everywhere.
    fn can_matter_to(&self, door: &Door) -> bool {
        !door.by_server || matches!(self.kind, Kind::Host | Kind::Nix("alice"))
    }

    /// As an administrator does who asks no PAM stack.
    fn enter(&self) -> String {
        format!("nsenter --target {} --mount --", self.keeper.process)
    }
}

fn quoted(line: &str) -> String {
    format!("'{}'", line.replace('\'', r"'\''"))
}

fn people(machine: &Machine) -> [User; 3] {
    machine.install_module();
    machine.install_probe();
    machine.sshd();
    [
        machine.nix_user("alice"),
        machine.nix_user("bob"),
        machine.user("carol"),
    ]
}

/// A service whose stack makes a private namespace before the user's.
fn give_a_tmp_of_its_own(machine: &Machine, service: &str, lines: Lines) {
    let rule = "/tmp /var/poly/ user root\n";
    let root = User::root();
    machine.write("/etc/security/namespace.conf", rule, 0o644, &root);
    machine.run("install -d -m 000 /var/poly").ok();
    let leave = (lines == Lines::Both).then_some(LEAVE);
    let stack: Vec<&str> = leave
        .into_iter()
        .chain(["session required pam_namespace.so", ENTER])
        .collect();
    machine.pam(service, &stack);
}

/// So that pkexec works, and asks nobody.
fn policy_kit(machine: &Machine) {
    machine.write(
        "/etc/polkit-1/rules.d/00-test.rules",
        "polkit.addRule(function() { return polkit.Result.YES; });\n",
        0o644,
        &User::root(),
    );
    let started = machine.run(
        "mkdir -p /run/dbus && dbus-daemon --system --fork && \
         (/usr/lib/polkit-1/polkitd --no-debug >/dev/null 2>&1 &) && \
         for i in $(seq 250); do \
             dbus-send --system --print-reply --dest=org.freedesktop.DBus / \
                 org.freedesktop.DBus.GetNameOwner string:org.freedesktop.PolicyKit1 \
                 >/dev/null 2>&1 && exit; sleep 0.02; done; exit 1",
    );
    started.ok();
}

fn places(machine: &Machine) -> Vec<Place<'_>> {
    let mut places = vec![
        keep(
            machine,
            "root in a host shell",
            Kind::Host,
            "root",
            |line| machine.spawn(line),
        ),
        keep(
            machine,
            "alice in her session",
            Kind::Nix("alice"),
            "alice",
            |line| machine.spawn_ssh("alice", &[], line),
        ),
        keep(
            machine,
            "bob in his session",
            Kind::Nix("bob"),
            "bob",
            |line| machine.spawn_ssh("bob", &[], line),
        ),
        keep(
            machine,
            "carol, who has no configuration",
            Kind::Host,
            "carol",
            |line| machine.spawn_ssh("carol", &[], line),
        ),
    ];
    let alice = places[1].enter();
    places.push(keep(
        machine,
        "alice in a copy of her namespace",
        Kind::Derived,
        "alice",
        |line| machine.spawn(&format!("{alice} unshare --mount sh -c {}", quoted(line))),
    ));
    places.push(keep(
        machine,
        "alice with a /tmp of her own",
        Kind::Alone("alice"),
        "alice",
        |line| machine.spawn(&format!("pam-host poly alice -- sh -c {}", quoted(line))),
    ));
    places.push(keep(
        machine,
        "carol with a /tmp of her own",
        Kind::Private,
        "carol",
        |line| machine.spawn(&format!("pam-host poly carol -- sh -c {}", quoted(line))),
    ));
    places.push(keep(
        machine,
        "alice in a container's namespace",
        Kind::Private,
        "alice",
        |line| machine.spawn(&format!("unshare --mount sh -c {}", quoted(line))),
    ));
    // Nobody has a marker there any more to say whose it is.
    places.push(keep(
        machine,
        "alice where the marker is gone",
        Kind::Derived,
        "alice",
        |line| {
            let line = format!("umount /run/nix-ns/self && {line}");
            machine.spawn(&format!("{alice} unshare --mount sh -c {}", quoted(&line)))
        },
    ));
    places
}

fn keep<'machine>(
    machine: &'machine Machine,
    name: &'static str,
    kind: Kind,
    user: &'static str,
    start: impl FnOnce(&str) -> Background<'machine>,
) -> Place<'machine> {
    Place {
        name,
        kind,
        user,
        keeper: machine.keep(start),
    }
}

// ---- what the other modules of a stack see

/// Mounts at open and unmounts at close, as `pam_mount` does, and says where.
/// What it asks about is for the probe to name: a privileged script that does is
/// a reason for the module to refuse.
const HOOK: &str = r#"#!/bin/sh
point=/srv/mounted.$PAM_SERVICE.$PAM_USER
mkdir -p $point
case $PAM_TYPE in
open_session) mount -t tmpfs tmpfs $point ;;
close_session) umount $point ;;
esac
code=$?
set -- $(/usr/local/bin/probe /srv/common/hook)
echo $PAM_SERVICE $PAM_TYPE $code $1 $3 >>/srv/common/hooks
"#;

#[test]
fn hooks_between_the_lines_run_in_the_view_of_the_host_at_open_and_at_close() {
    let machine = machine_or_skip!();
    let bench = Bench::set_up(&machine, Lines::Both);
    machine.write("/usr/local/bin/hook", HOOK, 0o755, &User::root());
    let hook = "session required pam_exec.so seteuid /usr/local/bin/hook";
    for service in SERVICES {
        machine.pam(service, &[LEAVE, hook, ENTER]);
    }
    let before = machine.mount_table();
    let mut wrong = Vec::new();
    for place in &bench.places {
        // pkexec never closes, as its manual does not promise either.
        let doors = DOORS.iter().filter(|door| door.name != "pkexec");
        for door in doors.filter(|door| place.can_matter_to(door)) {
            for target in ["alice", "bob", "root"] {
                if let Err(what) = bench.hooks_ran_on_the_host(place, door, target) {
                    wrong.push(format!("{}, {}, {target}: {what}", place.name, door.name));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(
        machine.mount_table(),
        before,
        "all that was mounted is gone"
    );
}

impl Bench<'_> {
    fn hooks_ran_on_the_host(
        &self,
        place: &Place,
        door: &Door,
        target: &str,
    ) -> Result<(), String> {
        let file = format!("{COMMON}/hooks");
        self.machine.run(&format!("rm -f {file}")).ok();
        let Cell { wrong, .. } = self.open(place, door, target);
        if let Some(wrong) = wrong {
            return Err(wrong);
        }
        // The session of a server's child is over a moment after its command.
        let wait =
            format!("for i in $(seq 250); do grep -q close {file} && break; sleep 0.02; done");
        self.machine.run(&wait).ok();
        let hooks = self.machine.read(&file);
        let on_host = matches!(place.kind, Kind::Host | Kind::Nix(_)) || door.by_server;
        // The session that the caller is in may have begun and ended, too.
        let moments: Vec<Vec<&str>> = hooks
            .lines()
            .map(|line| line.split(' ').collect::<Vec<_>>())
            .filter(|words| door.name == "ssh" || words[0] != "sshd")
            .collect();
        let right = |words: &[&str]| {
            let [_, _, code, namespace, nix] = words else {
                return false;
            };
            let in_host = *namespace == self.host.namespace;
            *code == "0" && *nix == self.host.nix && (in_host || !on_host)
        };
        let order: Vec<&str> = moments.iter().map(|words| words[1]).collect();
        if order == ["open_session", "close_session"] && moments.iter().all(|it| right(it)) {
            Ok(())
        } else {
            Err(hooks)
        }
    }
}

// ---- the working directory

#[test]
fn the_working_directory_is_kept_where_the_target_may_be() {
    let machine = machine_or_skip!();
    people(&machine);
    machine.run("mkdir -p -m 755 /tmp/x /srv/x").ok();
    let _alices = machine.keep_by_ssh("alice");
    for (from, door, to) in [
        ("/tmp/x", "su bob -c 'pwd -P'", "/tmp/x"),
        ("/srv/x", "sudo -u bob pwd -P", "/srv/x"),
        ("/home/alice", "su bob -c 'pwd -P'", "/"),
        ("/home/alice", "sudo -u bob pwd -P", "/"),
        ("/home/alice", "su carol -c 'pwd -P'", "/"),
        ("/home/alice", "su -c 'pwd -P'", "/home/alice"),
        ("/home/alice", "su alice -c 'pwd -P'", "/home/alice"),
        ("/home/alice", "su - bob -c 'pwd -P'", "/home/bob"),
        // Bob's /nix is not the directory that alice was in.
        ("/nix", "su bob -c 'pwd -P'", "/"),
        ("/nix", "su -c 'pwd -P'", "/"),
    ] {
        let output = machine.ssh("alice", &format!("cd {from} && {door}"));
        assert_eq!(output.ok(), to, "from {from} by {door}: {output}");
    }
}

/// The directory's name must not lead to another in the new namespace.
#[test]
fn a_working_directory_that_is_another_in_the_targets_view_is_not_kept() {
    let machine = machine_or_skip!();
    people(&machine);
    let alice = machine.keep_by_ssh("alice");
    let process = alice.process;
    machine.run("mkdir -p -m 755 /srv/x").ok();
    let covered = machine.run(&format!(
        "nsenter -t {process} -m sh -c 'mount -t tmpfs -o mode=755 tmpfs /srv && mkdir -m 755 /srv/x'"
    ));
    covered.ok();
    let output = machine.ssh("alice", "cd /srv/x && su bob -c 'pwd -P'");
    assert_eq!(output.ok(), "/", "{output}");
}

// ---- administrators

#[test]
fn what_an_administrator_mounts_from_a_session_is_on_the_host() {
    let machine = machine_or_skip!();
    people(&machine);
    for (number, door) in ["su -c '#'", "sudo #", "sudo -i #", "su - -c '#'"]
        .into_iter()
        .enumerate()
    {
        let point = format!("/srv/mounted{number}");
        machine.run(&format!("mkdir {point}")).ok();
        let mounting = door.replace('#', &format!("mount -t tmpfs tmpfs {point}"));
        machine.ssh("alice", &mounting).ok();
        assert!(machine.mount_table().contains(&point), "{door}");
        let unmounting = door.replace('#', &format!("umount {point}"));
        machine.ssh("alice", &unmounting).ok();
        assert!(!machine.mount_table().contains(&point), "{door}");
    }
}

/// A mount namespace of its own would hide a later mount of the host's.
#[test]
fn what_the_host_mounts_later_arrives_in_every_session() {
    let machine = machine_or_skip!();
    people(&machine);
    let alice = machine.keep_by_ssh("alice");
    let process = alice.process;
    machine
        .run("mkdir /srv/later && mount -t tmpfs tmpfs /srv/later")
        .ok();
    let seen = machine.run(&format!("grep -c ' /srv/later ' /proc/{process}/mountinfo"));
    assert_eq!(seen.ok(), "1");
    machine.run("umount /srv/later").ok();
    let gone = machine.run(&format!("! grep ' /srv/later ' /proc/{process}/mountinfo"));
    gone.ok();
}

// ---- where leaving fails

/// A program without CAP_SYS_ADMIN, setuid root or not, cannot leave: then its
/// command must not run on alice's /nix, whoever it is for.
#[test]
fn a_session_that_cannot_leave_does_not_start() {
    let machine = machine_or_skip!();
    people(&machine);
    policy_kit(&machine);
    let alice = machine.keep_by_ssh("alice");
    let process = alice.process;
    let confined = format!(
        "nsenter -t {process} -m -- setpriv --bounding-set=-sys_admin --reuid alice --regid alice \
         --init-groups --reset-env sh -c"
    );
    for lines in [Lines::Both, Lines::EnterOnly] {
        for service in SERVICES {
            machine.pam_lines(service, lines);
        }
        for door in [
            "su -c #",
            "su - -c #",
            "su bob -c #",
            "su carol -c #",
            "sudo #",
            "sudo -i #",
            "sudo -u bob #",
            "sudo -u carol #",
            "pkexec #",
            "pkexec --user bob #",
        ] {
            let door = door.replace('#', PROBE);
            let output = machine.run(&format!("cd {COMMON} && {confined} '{door}'"));
            output.fails();
            let ran = machine.exists(&format!("{COMMON}/report"));
            assert!(!ran, "{lines:?}: {output}");
        }
    }
}

#[test]
fn a_session_that_cannot_leave_says_why_in_one_line_of_the_log() {
    let machine = machine_or_skip!();
    people(&machine);
    let alice = machine.keep_by_ssh("alice");
    let process = alice.process;
    for door in ["su bob -c true", "sudo true", "sudo -u carol true"] {
        let before = machine.log().lines().count();
        let output = machine.run(&format!(
            "nsenter -t {process} -m -- setpriv --bounding-set=-sys_admin --reuid alice \
             --regid alice --init-groups --reset-env sh -c '{door}'"
        ));
        output.fails();
        let log = machine.log();
        let ours: Vec<&str> = log
            .lines()
            .skip(before)
            .filter(|line| line.contains("pam_nixns("))
            .collect();
        assert!(
            matches!(ours.as_slice(), [line] if line.contains("must not start")),
            "{door}: {ours:#?}"
        );
    }
}

// ---- one after another

/// Reports where it is, goes on as the next user, and reports again when back.
const DESCEND: &str = r#"#!/bin/sh
number=$1; shift
probe /srv/common/down.$number >/dev/null
if test $# -gt 0; then
    user=$1; shift
    su $user -c "descend $((number + 1)) $*"
    echo $? >/srv/common/code.$number
fi
probe /srv/common/up.$number >/dev/null
exit $((number + 20))
"#;

#[test]
fn a_chain_of_su_is_in_the_right_place_at_every_step_down_and_up() {
    let machine = machine_or_skip!();
    people(&machine);
    machine.write("/usr/local/bin/descend", DESCEND, 0o755, &User::root());
    let _alices = machine.keep_by_ssh("alice");
    let _bobs = machine.keep_by_ssh("bob");
    let host = machine.where_the_host_is();
    let (alice, bob) = (
        machine.where_ssh_leads("alice"),
        machine.where_ssh_leads("bob"),
    );
    let run = machine.ssh("alice", &format!("cd {COMMON} && descend 0 bob alice root"));
    assert_eq!(run.status, Status::Exited(20), "{run}");
    for (number, (uid, expected)) in [
        (machine.uid("alice"), &alice),
        (machine.uid("bob"), &bob),
        (machine.uid("alice"), &alice),
        (0, &host),
    ]
    .into_iter()
    .enumerate()
    {
        for way in ["down", "up"] {
            let report = machine.read(&format!("{COMMON}/{way}.{number}"));
            let found = Whereabouts::parse(&report).expect("the probe says it all");
            assert_eq!(found.namespace, expected.namespace, "{way} {number}");
            assert_eq!(found.nix, expected.nix, "{way} {number}");
            assert_eq!(found.uid, uid, "{way} {number}");
            assert_eq!(found.directory, COMMON, "{way} {number}");
        }
    }
    for number in 0..3 {
        let code = machine.read(&format!("{COMMON}/code.{number}"));
        assert_eq!(code.trim(), (number + 21).to_string());
    }
}
