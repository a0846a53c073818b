//! The README's installation, in the stacks as the distribution ships them:
//! two lines and the guard, in the files that all services include.

use std::fs;

use tests::{ENTER, LEAVE_OR_GUARD, Machine, User, machine_or_skip};

/// What every service of Debian's includes.
const COMMON: [&str; 2] = ["common-session", "common-session-noninteractive"];

/// A machine with the distribution's stacks, and alice, who takes part.
macro_rules! machine_with_stacks_or_skip {
    () => {{
        let machine = machine_or_skip!();
        if !fs::exists("/etc/pam.d/common-session").unwrap_or_default() {
            return tests::skip(module_path!(), "needs the PAM stacks of Debian or Ubuntu");
        }
        let machine = machine.set_up();
        ship_stacks(&machine);
        machine.nix_user("alice");
        machine
    }};
}

#[test]
fn two_lines_and_the_guard_in_the_common_files_reach_every_door() {
    let machine = machine_with_stacks_or_skip!();

    assert_eq!(machine.ssh("alice", "stat -c %U /nix").ok(), "alice");
    for (door, owner) in [
        ("sudo stat -c %U /nix", "root"),
        ("sudo -i stat -c %U /nix", "root"),
        ("sudo -u alice stat -c %U /nix", "alice"),
    ] {
        assert_eq!(machine.ssh("alice", door).ok(), owner, "{door}");
    }
    let by_su = machine.run("su - alice -c 'stat -c %U /nix'");
    assert_eq!(by_su.ok(), "alice");
}

/// `setns` to the host would lift it out. What is hidden in the jail stays so,
/// and the next user is on their own `/nix` all the same.
#[test]
fn su_in_a_jail_inside_a_users_namespace_stays_in_the_jail() {
    let machine = machine_with_stacks_or_skip!();
    machine.nix_user("bob");
    machine.run("echo secret >/srv/common/hidden").ok();
    let (_session, process) = machine.stay_by_ssh("alice");
    let jail = "mkdir /srv/root; mount --rbind / /srv/root; mount --make-rprivate /srv/root; \
                mount -t tmpfs none /srv/root/srv/common; \
                chroot /srv/root su - bob -c 'stat -c %U /nix; ls /srv/common; echo in'";
    let seen = machine.run(&format!("nsenter -t {process} -m sh -c \"{jail}\""));
    assert_eq!(seen.ok(), "bob\nin");
}

/// The guard is one of the lines that run programs as root; where README puts
/// it, it never sees the environment, and sessions have it.
#[test]
fn with_the_guard_every_door_finds_what_the_user_has_installed() {
    let machine = machine_with_stacks_or_skip!();
    let install = "mkdir -p /nix/profile/bin && ln -s /nix/profile ~/.nix-profile && \
                   printf '#!/bin/sh\necho found\n' >/nix/profile/bin/own && chmod +x /nix/profile/bin/own";
    machine.ssh("alice", install).ok();
    for door in [
        "own",
        "bash -lc own",
        "su - alice -c own",
        "su alice -c own",
    ] {
        let seen = if door.starts_with("su") {
            machine.run(door)
        } else {
            machine.ssh("alice", door)
        };
        assert_eq!(seen.ok(), "found", "{door}");
    }
    let root = machine.ssh("alice", "sudo -i env");
    assert!(!root.ok().contains("NIX_"), "{root}");
}

/// Nobody is locked out by a module that is gone.
#[test]
fn without_the_module_everybody_logs_in_as_before() {
    let machine = machine_with_stacks_or_skip!();
    machine.run("rm /lib/*/security/pam_nixns.so").ok();
    assert_eq!(
        machine.ssh("alice", "stat -c %U /nix; sudo id -un").ok(),
        "root\nroot"
    );
}

fn ship_stacks(machine: &Machine) {
    for file in ["sshd", "su", "su-l", "sudo", "sudo-i", "login", "cron"] {
        ship(machine, file, "", "");
    }
    for file in ["common-auth", "common-account", "common-password"] {
        ship(machine, file, "", "");
    }
    for file in COMMON {
        ship(machine, file, LEAVE_OR_GUARD, ENTER);
    }
}

fn ship(machine: &Machine, file: &str, first: &str, last: &str) {
    let path = format!("/etc/pam.d/{file}");
    let shipped = fs::read_to_string(&path).expect("of the distribution");
    let text = format!("{first}{shipped}\n{last}\n");
    machine.write(&path, text, 0o644, &User::root());
}
