//! Beds are systems, and leave nothing behind.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use tests::bed::{Bed, SUITES};
use tests::root_or_skip;

/// What a bed has of the host.
struct Traces {
    namespace: PathBuf,
    group: Option<PathBuf>,
}

impl Traces {
    fn of(init: i32) -> Self {
        Self {
            namespace: pid_namespace(init).expect("it runs"),
            group: control_group(init),
        }
    }

    fn are_gone(&self) -> bool {
        !self.group.as_ref().is_some_and(|it| it.exists()) && !lives(&self.namespace)
    }
}

#[test]
fn leaves_nothing() {
    if !root_or_skip("leaves_nothing") {
        return;
    }
    let before = mounts();
    let bed = Bed::boot(SUITES[0]).expect("it boots");
    assert_eq!(
        bed.ssh("root", "systemctl is-system-running").ok(),
        "running"
    );
    let traces = Traces::of(bed.init());
    assert!(!traces.are_gone());
    assert_eq!(mounts(), before, "while it runs");
    drop(bed);
    assert!(traces.are_gone());
    assert_eq!(mounts(), before, "when it is gone");
}

#[test]
fn a_killed_test_run_leaves_nothing() {
    if !root_or_skip("a_killed_test_run_leaves_nothing") {
        return;
    }
    let mut run = Command::new(env!("CARGO_BIN_EXE_machine-to-be-killed"))
        .arg(SUITES[0].name)
        .stdout(Stdio::piped())
        .spawn()
        .expect("cargo builds it");
    let said = BufReader::new(run.stdout.take().expect("piped"));
    let init = said
        .lines()
        .map_while(Result::ok)
        .find_map(|line| line.parse().ok());
    let traces = Traces::of(init.expect("it says which bed"));
    run.kill().expect("a child");
    run.wait().expect("a child");
    let deadline = Instant::now() + Duration::from_secs(10);
    while !traces.are_gone() {
        assert!(Instant::now() < deadline, "it is still there");
        sleep(Duration::from_millis(5));
    }
}

/// What is on the disk stays over a reboot; what runs does not.
#[test]
fn boots_again() {
    if !root_or_skip("boots_again") {
        return;
    }
    let mut bed = Bed::boot(SUITES[0]).expect("it boots");
    bed.run("touch /root/kept /run/lost").ok();
    let before = bed.init();
    bed.boot_again();
    assert_ne!(bed.init(), before);
    bed.ssh("root", "test -e /root/kept && test ! -e /run/lost")
        .ok();
}

fn mounts() -> String {
    fs::read_to_string("/proc/self/mountinfo").expect("procfs is mounted")
}

fn pid_namespace(process: i32) -> std::io::Result<PathBuf> {
    fs::read_link(format!("/proc/{process}/ns/pid"))
}

fn lives(namespace: &Path) -> bool {
    let processes = fs::read_dir("/proc").expect("procfs is mounted");
    processes
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .any(|process| pid_namespace(process).is_ok_and(|its| its == namespace))
}

/// Where the host, if it shows the groups of the second version at all, shows
/// the group that was made for the bed.
fn control_group(process: i32) -> Option<PathBuf> {
    let groups = fs::read_to_string(format!("/proc/{process}/cgroup")).ok()?;
    let path = groups.lines().find_map(|line| line.strip_prefix("0::/"))?;
    let own = path.split('/').next()?;
    let mounts = mounts();
    let shown = mounts.lines().find(|line| line.contains(" - cgroup2 "))?;
    Some(Path::new(shown.split(' ').nth(4)?).join(own))
}
