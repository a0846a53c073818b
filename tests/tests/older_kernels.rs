//! What older kernels lack, taken away from the one that runs (strace answers in
//! its place). The real ones are another test's business.

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
