//! The program replaced, or taken away, while people are logged in.

use tests::whereabouts::PROBE;
use tests::{ENTER, LEAVE, Lines, Machine, machine_or_skip};

/// As a package does it: a new file, renamed over the old one.
const REPLACE: &str = "for file in $(ls /lib/*/security/pam_nixns.so /lib/security/pam_nixns.so \
    2>/dev/null | head -n 1) /usr/libexec/nix-ns-reader /usr/libexec/nix-ns-enter /usr/bin/nix-ns; do \
    cp -p $file $file.new && mv $file.new $file; done";
const UNINSTALL: &str = "rm -f /lib/*/security/pam_nixns.so /lib/security/pam_nixns.so \
    /usr/libexec/nix-ns-* /usr/bin/nix-ns";

#[test]
fn sessions_outlive_an_upgrade_and_share_their_nix_with_later_ones() {
    let machine = machine_or_skip!().set_up();
    machine.nix_user("alice");
    let before = machine.keep_by_ssh("alice");
    for _ in 0..5 {
        machine.run(REPLACE).ok();
        let after = machine.where_ssh_leads("alice");
        assert_eq!(after.namespace, before.namespace);
        assert_eq!(after.owner(), machine.uid("alice").to_string());
    }
    // And those that began under the old one still leave.
    let host = machine.where_the_host_is();
    let inside = format!("nsenter -t {} -m", before.process);
    let root = machine.run(&format!("{inside} su -c '{PROBE} /srv/common/root || :'"));
    assert!(root.ok().contains(&host.namespace), "{root}");
    eprintln!("upgrade: replaced 5 times under a session: later ones join it, and it leaves");
}

/// Half an upgrade: the module is there, and the reader is not yet.
#[test]
fn a_login_in_the_middle_of_an_upgrade_goes_on() {
    let machine = machine_or_skip!().set_up();
    machine.nix_user("alice");
    machine
        .run("mv /usr/libexec/nix-ns-reader /usr/libexec/aside")
        .ok();
    let during = machine.where_ssh_leads("alice");
    assert_eq!(during.namespace, machine.where_the_host_is().namespace);
    assert!(machine.log().contains("nix-ns-reader"), "{}", machine.log());
    machine
        .run("mv /usr/libexec/aside /usr/libexec/nix-ns-reader")
        .ok();
    let after = machine.where_ssh_leads("alice");
    assert_eq!(after.owner(), machine.uid("alice").to_string());
    eprintln!("upgrade: half done: a login goes on without, and says so");
}

/// Text of another version in the same place, and another version's place.
#[test]
fn a_registry_of_another_format_is_left_alone() {
    let machine = machine_or_skip!().set_up();
    machine.nix_user("alice");
    let first = machine.keep_by_ssh("alice");
    let entries = "find /run/nix-ns -type l | sort";
    // Every record says that it is of format 9.
    machine
        .run(
            "mkdir -p /run/nix-ns/0 /run/nix-ns/9 && echo old >/run/nix-ns/0/file && \
             for link in $(find /run/nix-ns/1 -name 'namespace.*'); do \
             text=$(readlink $link); ln -sfn \"nix-ns/9 ${text#* }\" $link; done",
        )
        .ok();
    let before = machine.run(entries).ok().to_owned();
    let second = machine.keep_by_ssh("alice");
    assert_ne!(
        second.namespace, first.namespace,
        "what is not understood is not joined"
    );
    let third = machine.where_ssh_leads("alice");
    assert_eq!(third.namespace, second.namespace);
    let after = machine.run(entries).ok().to_owned();
    for line in before.lines() {
        assert!(
            line.contains("session.") || after.contains(line),
            "{line} is gone: {after}"
        );
    }
    assert!(machine.exists("/run/nix-ns/0/file"));
    eprintln!("upgrade: a registry of another format: left alone, not joined");
}

#[test]
fn an_uninstall_leaves_sessions_in_peace_and_locks_nobody_out() {
    let machine = machine_or_skip!().set_up();
    machine.nix_user("alice");
    let stays = machine.keep_by_ssh("alice");
    // The files first: the lines of the stacks name a module that is not there.
    machine.run(UNINSTALL).ok();
    let host = machine.where_the_host_is();
    assert_eq!(machine.where_ssh_leads("alice").namespace, host.namespace);
    assert_eq!(
        machine.namespace_of(stays.process).as_deref(),
        Some(stays.namespace.as_str())
    );
    // Then the lines.
    for service in ["sshd", "su", "sudo"] {
        machine.pam_lines(service, Lines::None);
    }
    assert_eq!(machine.where_ssh_leads("alice").namespace, host.namespace);
    drop(stays);
    machine.run("rm -rf /run/nix-ns").ok();
    assert_eq!(machine.where_ssh_leads("alice").namespace, host.namespace);
    eprintln!("upgrade: uninstalled under a session: it stays, and nobody is locked out");
}

/// Replaced all the while.
#[test]
fn nobody_is_refused_while_files_are_replaced() {
    let machine = machine_or_skip!();
    machine.install_module();
    machine.install_pam_host();
    machine.nix_user("alice");
    machine.pam("host", &[LEAVE, "session required pam_permit.so", ENTER]);
    let replacing = machine.spawn(&format!("while :; do {REPLACE}; done"));
    for _ in 0..60 {
        let output = machine.pam_host("host alice -- stat -c %U /nix");
        assert!(output.ok().contains("\nalice\n"), "{output}");
    }
    drop(replacing);
    assert_eq!(leftovers(&machine), "");
    eprintln!("upgrade: replaced without end: 60 of 60 logins right");
}

fn leftovers(machine: &Machine) -> String {
    machine
        .run("find /usr/libexec /usr/bin /lib/*/security -name '*nix*.new' | grep -v . || :")
        .ok()
        .to_owned()
}
