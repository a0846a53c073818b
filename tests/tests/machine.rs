//! The throw-away machine itself: it is a machine, and it is thrown away.

use std::collections::BTreeMap;
use std::env;
use std::fs;
use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::fs::MetadataExt;
use std::panic::catch_unwind;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread::{self, sleep};
use std::time::{Duration, Instant};

use tests::{Lines, Machine, Status, User, machine_or_skip, root_or_skip};

// ---- it is a machine

#[test]
fn starts_at_once() {
    let before = Instant::now();
    let machine = machine_or_skip!();
    let _ = writeln!(io::stderr(), "a machine started in {:?}", before.elapsed());
    assert_eq!(machine.run("hostname").ok(), "machine");
    let processes = machine.processes();
    assert!(
        matches!(processes.as_slice(), [init] if init.starts_with("1 ")),
        "{processes:?}"
    );
}

#[test]
fn has_an_empty_nix_of_roots_that_nothing_is_mounted_on() {
    let machine = machine_or_skip!();
    let nix = machine.run("stat -c '%F %u:%g %a' /nix && ls -A /nix && ! mountpoint -q /nix");
    assert_eq!(nix.ok(), "directory 0:0 755");
}

#[test]
fn shares_its_mounts_as_a_booted_system_does() {
    let machine = machine_or_skip!();
    assert_eq!(machine.run("findmnt -no PROPAGATION /").ok(), "shared");
    for line in machine.mount_table().lines() {
        assert!(line.contains(" shared:"), "{line}");
    }
}

/// Where the module finds its way back to.
#[test]
fn lets_root_open_the_first_process_namespace() {
    let machine = machine_or_skip!();
    let opened = machine.run("readlink /proc/1/ns/mnt && nsenter -t 1 -m true && echo entered");
    assert!(opened.ok().ends_with("entered"));
    machine.user("alice");
    machine.run_as("alice", "readlink /proc/1/ns/mnt").fails();
}

#[test]
fn gives_terminals_and_fuse_to_users() {
    let machine = machine_or_skip!();
    machine.user("alice");
    let terminal = machine.run_as("alice", "script -qec tty /dev/null");
    assert!(terminal.ok().starts_with("/dev/pts/"), "{terminal}");
    machine.run_as("alice", "exec 3<>/dev/fuse").ok();
}

#[test]
fn users_are_numbered_in_order_and_have_their_homes_to_themselves() {
    let machine = machine_or_skip!();
    let (alice, bob) = (machine.user("alice"), machine.user("bob"));
    assert_eq!(bob.uid, alice.uid + 1);
    let homes = machine.run("stat -c '%U:%G %a' /home/alice /home/bob");
    assert_eq!(homes.ok(), "alice:alice 700\nbob:bob 700");
    machine.run_as("bob", "ls /home/alice").fails();
}

#[test]
fn two_users_log_in_by_ssh() {
    let machine = machine_or_skip!();
    machine.user("alice");
    machine.user("bob");
    machine.sshd();
    for name in ["alice", "bob", "root"] {
        assert_eq!(machine.ssh(name, "id -un").ok(), name);
    }
    let terminal = machine.ssh_with("alice", &["-tt"], "tty");
    assert!(terminal.ok().starts_with("/dev/pts/"), "{terminal}");
    let copied = machine.run("scp -q /etc/hosts bob@localhost: && stat -c %U /home/bob/hosts");
    assert_eq!(copied.ok(), "bob");
}

#[test]
fn twenty_log_in_at_once() {
    let machine = machine_or_skip!();
    machine.user("alice");
    machine.sshd();
    thread::scope(|scope| {
        for _ in 0..20 {
            scope.spawn(|| assert_eq!(machine.ssh("alice", "id -un").ok(), "alice"));
        }
    });
}

#[test]
fn every_door_opens_without_a_password() {
    let machine = machine_or_skip!();
    machine.user("alice");
    machine.user("bob");
    for door in [
        "su bob -c 'id -un'",
        "su - bob -c 'id -un'",
        "sudo -u bob id -un",
        "sudo -i -u bob id -un",
    ] {
        assert_eq!(machine.run_as("alice", door).ok(), "bob", "{door}");
    }
    for door in ["runuser -u bob -- id -un", "runuser -l bob -c 'id -un'"] {
        assert_eq!(machine.run(door).ok(), "bob", "{door}");
    }
    assert_eq!(machine.run_as("bob", "sudo id -un").ok(), "root");
}

#[test]
fn pam_stacks_are_what_the_test_asks_for() {
    let machine = machine_or_skip!();
    for (lines, modules) in [
        (Lines::None, "pam_unix pam_env"),
        (Lines::Both, "leave pam_unix pam_env pam_nixns"),
        (Lines::EnterOnly, "pam_unix pam_env pam_nixns"),
        (Lines::LeaveOnly, "leave pam_unix pam_env"),
    ] {
        machine.pam_lines("su", lines);
        let stack = machine.run("sed -n 's/^session.*[] ]//p' /etc/pam.d/su | sed 's/[.]so$//'");
        assert_eq!(stack.ok().replace('\n', " "), modules, "{lines:?}");
    }
    machine.pam("su", &["session required pam_deny.so"]);
    machine.run("su root -c true").fails();
}

#[test]
fn writes_down_what_is_logged_a_line_a_message() {
    let machine = machine_or_skip!();
    machine.user("alice");
    let before = machine.log().lines().count();
    machine
        .run_as("alice", r#"logger -t probe "$(printf 'one\ntwo\\')""#)
        .ok();
    let log = machine.log();
    assert_eq!(log.lines().count(), before + 1, "{log}");
    assert!(log.ends_with("one\\ntwo\\\\\n"), "{log}");
}

#[test]
fn a_command_that_hangs_is_killed_with_its_children() {
    let machine = machine_or_skip!();
    let limit = Duration::from_millis(300);
    let hung = machine.run_within(limit, "echo begun; sleep 1000 & sleep 1000");
    assert_eq!(
        (hung.status, hung.stdout.as_str()),
        (Status::TimedOut, "begun\n")
    );
    let mut dropped = machine.spawn("echo begun; sleep 1000");
    dropped.until_it_says("begun");
    assert!(dropped.runs());
    drop(dropped);
    wait_until("the commands to end", || machine.processes().len() == 1);
}

#[test]
fn tells_how_a_command_ended() {
    let machine = machine_or_skip!();
    let failed = machine.run("echo out; echo err >&2; exit 3");
    assert_eq!(failed.fails(), "err");
    assert_eq!(failed.status, Status::Exited(3));
    assert_eq!(failed.stdout, "out\n");
    assert!(catch_unwind(|| failed.ok().len()).is_err());
    assert_eq!(machine.run("kill -9 $$").status, Status::Killed(9));
    let success = machine.run("true");
    assert!(catch_unwind(|| success.fails().len()).is_err());
    let left_behind = machine.run("sleep 1000 & echo done");
    assert_eq!(left_behind.ok(), "done");
}

// ---- it is thrown away

/// All that the tests could spoil on the host.
#[derive(Debug, PartialEq, Eq)]
struct Host {
    mounts: String,
    accounts: BTreeMap<PathBuf, Option<Vec<u8>>>,
    pam: BTreeMap<PathBuf, Option<Vec<u8>>>,
    nix: Option<(u64, i64)>,
    hosts_name: String,
}

impl Host {
    fn now() -> Self {
        let read = |path: PathBuf| (path.clone(), fs::read(path).ok());
        let listed = fs::read_dir("/etc/pam.d").expect("PAM is installed");
        Self {
            mounts: fs::read_to_string("/proc/self/mountinfo").expect("procfs is mounted"),
            accounts: [
                "passwd",
                "group",
                "shadow",
                "subuid",
                "hosts",
                "sudoers.d/machine",
            ]
            .map(|name| read(Path::new("/etc").join(name)))
            .into(),
            pam: listed
                .map(|entry| read(entry.expect("readable").path()))
                .collect(),
            nix: fs::metadata("/nix").ok().map(|it| (it.ino(), it.ctime())),
            hosts_name: fs::read_to_string("/proc/sys/kernel/hostname").expect("procfs"),
        }
    }
}

#[test]
fn leaves_the_host_as_it_was() {
    let before = Host::now();
    let machine = machine_or_skip!();
    machine.user("alice");
    machine.sshd();
    machine.pam_lines("su", Lines::Both);
    let busy = machine.run("mount -t tmpfs tmpfs /nix && mkdir /nix/store && touch /etc/nix-ns");
    busy.ok();
    assert_eq!(machine.ssh("alice", "id -un").ok(), "alice");
    assert_eq!(Host::now(), before, "while it runs");
    drop(machine);
    assert_eq!(Host::now(), before, "when it is gone");
    assert!(!Path::new("/etc/nix-ns").exists());
}

/// An absolute link must not lead a write out of the machine.
#[test]
fn a_link_does_not_lead_a_write_to_the_host() {
    let machine = machine_or_skip!();
    let probe = "/etc/nix-ns-written-by-a-test";
    let linked = machine.run(&format!("ln -s {probe} /home/link"));
    linked.ok();
    let alice = machine.user("alice");
    machine.write("/home/link", "text", 0o600, &alice);
    assert!(!Path::new(probe).exists());
    assert_eq!(machine.read(probe), "text");
    machine.write("/home/alice/a/b/file", "", 0o640, &alice);
    machine.write("/etc/a/file", "", 0o600, &User::root());
    let made = machine.run("stat -c '%U %a' /home/alice/a /home/alice/a/b/file /etc/a");
    assert_eq!(made.ok(), "alice 755\nalice 640\nroot 755");
}

#[test]
fn no_process_outlives_it() {
    let machine = machine_or_skip!();
    machine.sshd();
    let daemon = machine.run("setsid sh -c 'trap \"\" TERM HUP; sleep 1000' >/dev/null 2>&1 &");
    daemon.ok();
    let namespace = pid_namespace(machine.init()).expect("it runs");
    assert!(processes_in(&namespace) >= 3);
    drop(machine);
    assert_eq!(processes_in(&namespace), 0);
}

#[test]
fn a_failing_test_leaves_nothing() {
    if !root_or_skip("a_failing_test_leaves_nothing") {
        return;
    }
    let failure = catch_unwind(|| {
        let machine = Machine::start().expect("root can");
        let _kept = machine.spawn("sleep 1000");
        let namespace = pid_namespace(machine.init()).expect("it runs");
        std::panic::panic_any(namespace);
    });
    let namespace = failure.expect_err("it panics").downcast::<PathBuf>();
    assert_eq!(processes_in(&namespace.expect("what was thrown")), 0);
}

#[test]
fn a_killed_test_run_leaves_nothing() {
    if !root_or_skip("a_killed_test_run_leaves_nothing") {
        return;
    }
    let mut run = Command::new(env!("CARGO_BIN_EXE_machine-to-be-killed"))
        .stdout(Stdio::piped())
        .spawn()
        .expect("cargo builds it");
    let said = BufReader::new(run.stdout.take().expect("piped"));
    let init = said
        .lines()
        .map_while(Result::ok)
        .find_map(|line| line.parse().ok())
        .expect("it says which machine");
    let namespace = pid_namespace(init).expect("it runs");
    run.kill().expect("a child");
    run.wait().expect("a child");
    wait_until("the machine to end", || processes_in(&namespace) == 0);
}

// ---- tools

/// The PID namespace of a process of the host, by its link in procfs.
fn pid_namespace(process: i32) -> io::Result<PathBuf> {
    fs::read_link(format!("/proc/{process}/ns/pid"))
}

fn processes_in(namespace: &Path) -> usize {
    fs::read_dir("/proc")
        .expect("procfs is mounted")
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter(|&process| pid_namespace(process).is_ok_and(|its| its == namespace))
        .count()
}

#[track_caller]
fn wait_until(what: &str, happened: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(5);
    while !happened() {
        assert!(Instant::now() < deadline, "still waiting for {what}");
        sleep(Duration::from_millis(5));
    }
}
