//! A machine with alice on it, who has a store from another tool.

use tests::{Machine, Output, User};

/// Where her store is to be.
pub const STORE: &str = "/home/alice/.local/share/nix";
/// Where it is, on another file system.
pub const OLD: &str = "/scratch/old/nix";
pub const CONFIGURATION: &str = "/home/alice/.config/nix-ns/config.toml";

/// Nothing of the machine is needed but its users: alice's sessions come from
/// whoever wants some.
pub fn scene(machine: &Machine) -> User {
    machine.install_module();
    let alice = machine.user("alice");
    machine
        .run("install -d /scratch && mount -t tmpfs -o mode=1777 tmpfs /scratch")
        .ok();
    for (name, script) in [
        ("make-store", include_str!("make-store.pl")),
        ("manifest", include_str!("manifest.pl")),
    ] {
        let path = format!("/usr/local/bin/{name}");
        let script = format!("#!/usr/bin/perl\n{script}");
        machine.write(&path, script, 0o755, &User::root());
    }
    alice
}

/// Runs something as alice, outside every session.
pub fn as_alice(machine: &Machine, script: &str) -> Output {
    machine.run_as("alice", &format!("cd; {script}"))
}

/// Makes a store, and a manifest of it.
pub fn make_store(machine: &Machine, path: &str, packages: u32) {
    let made = format!(
        "mkdir -p $(dirname {path}) && make-store {path} {packages} && manifest {path} >/scratch/manifest"
    );
    as_alice(machine, &made).ok();
}

/// Whether a store is what it was, to the last hard link.
#[track_caller]
pub fn same(machine: &Machine, path: &str) {
    as_alice(
        machine,
        &format!("manifest {path} | diff /scratch/manifest - >&2"),
    )
    .ok();
}
