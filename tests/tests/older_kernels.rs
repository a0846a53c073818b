//! What older kernels lack, taken away from the one that runs (strace answers in
//! its place). The real ones are another test's business.

use std::collections::BTreeSet;

use tests::{Machine, machine_or_skip};

/// `mount_setattr` is of Linux 5.12.
const WITHOUT_MOUNT_SETATTR: &str =
    "strace -f -qq -o /dev/null -e trace=mount_setattr -e inject=mount_setattr:error=ENOSYS";

fn machine_of_alice(machine: &Machine) {
    let alice = machine.user("alice");
    machine.install_module();
    machine.install_pam_host();
    machine.write("/home/alice/.config/nix-ns/config.toml", "", 0o600, &alice);
}

fn flags_of_nix(machine: &Machine) -> String {
    let show = "grep -h -e ' /nix ' -e ' /run/nix-ns/self ' /proc/self/mountinfo";
    let session = machine.run(&format!(
        "{WITHOUT_MOUNT_SETATTR} pam-host sshd alice -- sh -c \"{show}\""
    ));
    session.ok().to_owned()
}

#[test]
fn without_mount_setattr_the_flags_are_set_after_attaching() {
    let machine = machine_or_skip!();
    machine_of_alice(&machine);
    let session = flags_of_nix(&machine);
    assert!(session.contains(" /nix rw,nosuid,nodev,"), "{session}");
    assert!(
        session.contains(" /run/nix-ns/self ro,nosuid,nodev,noexec,"),
        "{session}"
    );
}

/// A group of its own: mounts of a namespace made in the session arrive, and none
/// of the home's.
#[test]
fn without_mount_setattr_it_is_shared_with_nobody_outside() {
    let machine = machine_or_skip!();
    machine_of_alice(&machine);
    let groups = |mounts: &str| -> BTreeSet<String> {
        let words = mounts.split_whitespace();
        words
            .filter(|word| word.starts_with("shared:") || word.starts_with("master:"))
            .map(|word| word.replace("master:", "shared:"))
            .collect()
    };
    let session = flags_of_nix(&machine);
    let nix = session.lines().find(|line| line.contains(" /nix "));
    let nix = groups(nix.expect("it is there"));
    assert_eq!(nix.len(), 1, "{session}");
    let outside = groups(machine.run("cat /proc/self/mountinfo").ok());
    assert!(nix.is_disjoint(&outside), "{nix:?} is one of {outside:?}");
}

#[test]
fn without_mount_setattr_the_flags_of_the_source_stay() {
    let machine = machine_or_skip!();
    machine_of_alice(&machine);
    let on_noexec = "mkdir -p /home/alice/.local/share/nix && chown -R alice: /home/alice/.local \
                     && mount -t tmpfs -o noexec,noatime,mode=755,uid=alice t /home/alice/.local/share/nix";
    machine.run(on_noexec).ok();
    let session = flags_of_nix(&machine);
    assert!(
        session.contains(" /nix rw,nosuid,nodev,noexec,noatime"),
        "{session}"
    );
}
