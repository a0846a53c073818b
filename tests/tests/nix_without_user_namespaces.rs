//! The promise that user-namespace wrappers cannot make: `/nix` where user
//! namespaces are switched off.

use tests::real_nix::SANDBOX;
use tests::{Machine, User, machine_or_skip};

/// Runs a program where `user.max_user_namespaces` is 0, without touching the
/// host's switch: in a user namespace that has all users, in which the switch
/// is its own (`namespaces(7)`, "/proc/sys/user") and setuid works as outside.
const SWITCHED_OFF: &str = r#"#!/bin/sh -e
echo 0 >/proc/sys/net/ipv4/ip_unprivileged_port_start
unshare --user sleep 60 &
until [ "$(readlink /proc/$!/ns/user)" != "$(readlink /proc/self/ns/user)" ]; do sleep 0.02; done
for map in uid_map gid_map; do echo 0 0 65536 >/proc/$!/$map; done
nsenter --user --target $! unshare --mount --propagation unchanged sh -ec '
    echo 0 >/proc/sys/user/max_user_namespaces
    exec "$@"' sh "$@"
kill $!
"#;

#[test]
fn nix_builds_on_a_users_nix_where_user_namespaces_are_off() {
    let machine = machine_or_skip!().set_up();
    assert!(machine.has_nix(), "nix-bin is installed");
    let alice = machine.nix_user("alice");
    machine.write_hello(&alice);
    switch_off(&machine);

    let other = machine.ssh("alice", "unshare --user true");
    assert!(other.fails().contains("No space left on device"), "{other}");
    assert_eq!(machine.ssh("alice", "stat -c %U /nix").ok(), "alice");
    let insists = machine.ssh_nix("alice", &format!("nix-build {SANDBOX} hello.nix"));
    assert!(
        insists.fails().contains("cloning builder process"),
        "{insists}"
    );
    let built = machine.ssh_nix("alice", "nix-build hello.nix -o r >&2 && ./r/bin/hello-ns");
    assert!(built.ok().starts_with("hi-from-/nix/store/"), "{built}");
    assert_eq!(machine.ssh("alice", "sudo id -u").ok(), "0");
}

fn switch_off(machine: &Machine) {
    let script = "/usr/local/bin/with-user-namespaces-off";
    machine.write(script, SWITCHED_OFF, 0o755, &User::root());
    machine.restart_sshd_by(script);
}
