//! Every system call of a session, failing and killed at.

use std::env;
use std::time::Duration;

use tests::{ENTER, LEAVE, Machine, machine_or_skip};

/// Far above what it takes: tens of thousands of sessions.
const LIMIT: Duration = Duration::from_secs(3600);

/// A machine for `pam-faults`.
fn set_up(machine: &Machine) {
    machine.install_module();
    machine.install_program("pam-faults");
    for user in ["alice", "bob", "carol"] {
        machine.nix_user(user);
    }
    machine
        .run("mkdir -p /srv/common && chmod 0777 /srv/common")
        .ok();
    let usual = "session required pam_permit.so";
    machine.pam("faults", &[LEAVE, usual, ENTER]);
    machine.pam("faults-enter", &[usual, ENTER]);
    machine.pam("faults-leave", &[LEAVE, usual]);
}

/// Every way a session can go; those that read no more than a session must come
/// first.
const WAYS: [&str; 13] = [
    "stay",
    "leave",
    "detach",
    "close",
    "join",
    "switch",
    "edited",
    "turn-back",
    "rebuild",
    "refuse-host",
    "refuse-user",
    "build",
    "create",
];

/// Goes these ways, one after the other, and prints what came of it.
fn run(machine: &Machine, attempt: &str, ways: &[&str]) {
    let chosen = env::var("FAULTS_WAYS").ok();
    let wanted = |way: &&&str| {
        chosen
            .as_ref()
            .is_none_or(|it| it.split(' ').any(|it| it == **way))
    };
    let ways: Vec<&str> = ways.iter().filter(wanted).copied().collect();
    let (mut injections, mut broken) = (0_usize, Vec::new());
    for way in &ways {
        let output = machine.run_within(LIMIT, &format!("pam-faults {attempt} {way}"));
        for line in output.ok().lines() {
            if line.starts_with("violation:") {
                eprintln!("{attempt}: {line}");
                broken.push(line.to_owned());
            } else if line.starts_with(way) {
                eprintln!("{attempt}: {line}");
                injections += count_before(line, " injections");
            }
        }
    }
    let (ways, violations) = (ways.len(), broken.len());
    eprintln!("{attempt}: {ways} ways, {injections} injections, {violations} violations");
    assert!(
        broken.is_empty(),
        "{violations} violations:\n{}",
        broken.join("\n")
    );
    assert!(injections >= 50 * ways, "only {injections} injections");
}

/// The number right before a word.
fn count_before(line: &str, word: &str) -> usize {
    let number = line.split(word).next().and_then(|it| it.rsplit(' ').next());
    number.and_then(|it| it.parse().ok()).expect("a number")
}

#[test]
fn a_session_survives_a_failure_of_any_system_call() {
    let machine = machine_or_skip!();
    set_up(&machine);
    run(&machine, "errors some", &WAYS);
}

#[test]
fn a_session_killed_at_any_system_call_harms_no_later_one() {
    let machine = machine_or_skip!();
    set_up(&machine);
    run(&machine, "kills some", &WAYS);
}

mod long {
    use super::*;

    /// So many of them read a hundred files of the host's, for which the same few
    /// lines make a thousand calls: of those the first, the middle and the last
    /// get every error, and each other one.
    const READING: usize = 4;

    #[test]
    fn a_session_survives_every_error_of_every_system_call() {
        let machine = machine_or_skip!();
        set_up(&machine);
        let (other, reading) = WAYS.split_at(WAYS.len() - READING);
        run(&machine, "errors all", other);
        run(&machine, "errors distinct", reading);
    }

    #[test]
    fn a_session_killed_at_every_system_call_harms_no_later_one() {
        let machine = machine_or_skip!();
        set_up(&machine);
        run(&machine, "kills all", &WAYS);
    }
}
