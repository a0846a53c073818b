//! Every system call of a session, failing and killed at.

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

fn run(machine: &Machine, words: &str) {
    let output = machine.run_within(LIMIT, &format!("pam-faults {words}"));
    let said = output.ok();
    eprintln!("{said}");
    let broken: Vec<&str> = said
        .lines()
        .filter(|line| line.starts_with("violation:"))
        .collect();
    assert!(
        broken.is_empty(),
        "{} violations:\n{}",
        broken.len(),
        broken.join("\n")
    );
}

#[test]
fn a_session_survives_a_failure_of_any_system_call() {
    let machine = machine_or_skip!();
    set_up(&machine);
    run(&machine, "errors some");
}

#[test]
fn a_session_killed_at_any_system_call_harms_no_later_one() {
    let machine = machine_or_skip!();
    set_up(&machine);
    run(&machine, "kills some");
}

mod long {
    use super::*;

    /// The ways that read a hundred files of the host's, for which the same few
    /// lines make a thousand calls.
    const READING: &str = "build create refuse-user refuse-host";
    const OTHER: &str = "rebuild join edited turn-back stay leave switch detach close";

    #[test]
    fn a_session_survives_every_error_of_every_system_call() {
        let machine = machine_or_skip!();
        set_up(&machine);
        run(&machine, &format!("errors all {OTHER}"));
    }

    #[test]
    fn a_session_that_reads_the_host_survives_a_failure_of_every_system_call() {
        let machine = machine_or_skip!();
        set_up(&machine);
        run(&machine, &format!("errors each {READING}"));
    }

    #[test]
    fn a_session_killed_at_every_system_call_harms_no_later_one() {
        let machine = machine_or_skip!();
        set_up(&machine);
        run(&machine, "kills all");
    }
}
