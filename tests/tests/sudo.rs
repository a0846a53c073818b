//! What sudo does with a program of the user's Nix: as root it is not there,
//! unless the site says that root may trust the user.

use tests::{Machine, User};

/// A program on alice's `/nix` that says who runs it, and an editor that adds a
/// line to each file.
const PROGRAMS: &str = "mkdir -p /nix/bin && \
    printf '#!/bin/sh\\nid -un\\n' >/nix/bin/who && \
    printf '#!/bin/sh\\nfor file; do echo edited >>\"$file\"; done\\n' >/nix/bin/editor && \
    chmod +x /nix/bin/*";

fn machine_of_alice() -> Option<Machine> {
    if !tests::root_or_skip(module_path!()) {
        return None;
    }
    let machine = Machine::start().expect("root can start a machine").set_up();
    machine.nix_user("alice");
    machine.ssh("alice", PROGRAMS).ok();
    Some(machine)
}

#[test]
fn root_finds_no_program_of_the_users() {
    let Some(machine) = machine_of_alice() else {
        return;
    };
    assert_eq!(machine.ssh("alice", "/nix/bin/who").ok(), "alice");
    let by_root = machine.ssh("alice", "sudo /nix/bin/who");
    assert!(
        by_root.fails().contains("No such file or directory"),
        "{by_root}"
    );
}

#[test]
fn where_root_stays_it_runs_what_the_user_has() {
    let Some(machine) = machine_of_alice() else {
        return;
    };
    machine.configure_site("[services.sudo]\nroot = \"stay\"\n");
    assert_eq!(machine.ssh("alice", "sudo /nix/bin/who").ok(), "root");
    // For sudo alone, and for root alone.
    machine.user("bob");
    let by_su = machine.ssh("alice", "su -c /nix/bin/who");
    assert!(
        by_su.fails().contains("No such file or directory"),
        "{by_su}"
    );
    machine.ssh("alice", "sudo -u bob /nix/bin/who").fails();
}

/// sudoedit opens the session of root's before it starts the editor as the user.
#[test]
fn sudoedit_has_the_systems_editors() {
    let Some(machine) = machine_of_alice() else {
        return;
    };
    let edit =
        |editor: &str| machine.ssh("alice", &format!("SUDO_EDITOR={editor} sudoedit /etc/motd"));
    edit("/nix/bin/editor").fails();
    machine.run("printf '#!/bin/sh\\nfor file; do echo edited >>\"$file\"; done\\n' >/usr/bin/add && chmod +x /usr/bin/add").ok();
    edit("/usr/bin/add").ok();
    assert!(machine.read("/etc/motd").ends_with("edited\n"));
    machine.configure_site("[services.sudo]\nroot = \"stay\"\n");
    edit("/nix/bin/editor").ok();
    assert!(machine.read("/etc/motd").ends_with("edited\nedited\n"));
}

#[test]
fn visudo_has_the_systems_editors() {
    let Some(machine) = machine_of_alice() else {
        return;
    };
    let keep = "Defaults env_keep += EDITOR\n";
    machine.write("/etc/sudoers.d/editor", keep, 0o440, &User::root());
    machine.run("ln -sf /bin/true /usr/bin/editor").ok();
    let edit = || {
        machine.ssh(
            "alice",
            "EDITOR=/nix/bin/editor sudo visudo -f /tmp/rules </dev/null",
        )
    };
    edit().ok();
    assert_eq!(machine.read("/tmp/rules"), "");
    machine.configure_site("[services.sudo]\nroot = \"stay\"\n");
    // What that editor writes is no rule.
    let by_stay = edit();
    let said = format!("{}{}", by_stay.stdout, by_stay.stderr);
    assert!(said.contains("syntax error"), "{by_stay}");
}
