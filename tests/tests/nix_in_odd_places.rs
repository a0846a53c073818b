//! Nix itself on homes, file systems and accounts as large sites have them, and
//! beside everybody else's sessions.

use tests::real_nix::BUILD;
use tests::{ENTER, LEAVE, Machine, User, machine_with_nix_or_skip, skip};

#[track_caller]
fn builds_and_is_sound(machine: &Machine, user: &str) {
    let script = format!("{BUILD} >&2 && ./r/bin/hello-ns && nix-store --verify --check-contents");
    let built = machine.ssh_nix(user, &script);
    assert!(built.ok().starts_with("hi-from-/nix/store/"), "{built}");
}

/// As on an NFS server that squashes root: the sshd of this machine may not look
/// into a home that is not everybody's.
#[test]
fn nix_builds_in_a_home_that_root_cannot_read() {
    let (machine, _) = machine_with_nix_or_skip!();
    machine.restart_sshd_by("capsh --drop=cap_dac_override,cap_dac_read_search -- -c");
    let by_root = machine.ssh("root", "ls /home/alice");
    assert!(by_root.fails().contains("Permission denied"), "{by_root}");
    builds_and_is_sound(&machine, "alice");
}

/// As where homes are mounted `noexec`: what the file system forbids stays
/// forbidden, and `doctor` says so before anybody wonders.
#[test]
fn where_homes_are_mounted_noexec_nix_works_and_what_it_builds_does_not_run() {
    let (machine, alice) = machine_with_nix_or_skip!();
    machine
        .run(&format!(
            "install -d -o alice -g alice {0}/.local {0}/.local/share {0}/.local/share/nix && \
             mount -t tmpfs -o noexec,mode=0700,uid={1},gid={1} disk {0}/.local/share/nix",
            alice.home, alice.uid
        ))
        .ok();
    let built = machine.ssh_nix(
        "alice",
        &format!("{BUILD} >&2; readlink r; ./r/bin/hello-ns"),
    );
    assert!(built.fails().contains("Permission denied"), "{built}");
    assert!(built.stdout.starts_with("/nix/store/"), "{built}");
    let said = machine.ssh("alice", "nix-ns doctor");
    assert!(said.stdout.contains("user.noexec"), "{said}");
}

/// Nobody with whom alice becomes somebody else finds her store, and she still
/// has it when she is back.
#[test]
fn su_and_sudo_leave_ones_store_and_come_back_to_it() {
    let (machine, _) = machine_with_nix_or_skip!();
    let bob = machine.nix_user("bob");
    machine.write_hello(&bob);
    builds_and_is_sound(&machine, "bob");
    let script = format!(
        "{BUILD} >/dev/null 2>&1; p=$(readlink r); \
         sudo sh -c \"test -e $p && echo root has it; ls -A /nix\"; \
         sudo -u bob sh -c \"stat -c %U /nix; stat -c %U $p; nix-store -q --hash $p >/dev/null && echo valid\"; \
         sudo su bob -c \"stat -c %U $p\"; \
         stat -c %U $p; ./r/bin/hello-ns"
    );
    let seen = machine.ssh_nix("alice", &script);
    let lines: Vec<&str> = seen.ok().lines().collect();
    assert_eq!(
        lines[..5],
        ["bob", "bob", "valid", "bob", "alice"],
        "{seen}"
    );
    assert!(lines[5].starts_with("hi-from-/nix/store/"), "{seen}");
    assert_eq!(lines.len(), 6, "{seen}");
}

/// A thousand sessions that look something up in the store leave it sound, and
/// nothing behind.
#[test]
fn a_thousand_sessions_leave_a_sound_store_and_nothing_else() {
    let (machine, _) = machine_with_nix_or_skip!();
    machine.install_pam_host();
    machine.pam("probe", &[LEAVE, "session required pam_permit.so", ENTER]);
    builds_and_is_sound(&machine, "alice");
    let path = machine.ssh("alice", "readlink r").ok().to_owned();
    // The first login's sshd may still be leaving.
    let is_over = || {
        let mut processes = machine.processes().into_iter();
        processes.all(|it| it.starts_with("1 ") || it.contains("[listener]"))
    };
    machine.wait_until("the first login to be over", is_over);
    let before = machine.mount_table();
    let look = format!("pam-host --times 1000 probe alice -- test -e {path}");
    machine.run(&look).ok();
    machine.wait_until("all to be gone", || {
        is_over() && machine.mount_table() == before
    });
    let elsewhere = "grep -l ' /nix ' /proc/[0-9]*/mountinfo 2>/dev/null || :";
    assert_eq!(machine.run(elsewhere).ok(), "");
    builds_and_is_sound(&machine, "alice");
}

/// Whom only a directory service knows, no program of ours or Nix's finds in
/// `/etc/passwd`.
#[test]
fn a_user_of_a_directory_service_builds_like_everybody() {
    let (machine, _) = machine_with_nix_or_skip!();
    let sources = "ls -d /usr/lib/libnss_extrausers.so.2 /lib/*/libnss_extrausers.so.2";
    if machine.run(sources).stdout.is_empty() {
        return skip(module_path!(), "needs libnss-extrausers");
    }
    let erin: User = machine.directory_user("erin", 20_000, "lab");
    machine.write_hello(&erin);
    machine.run("! grep erin /etc/passwd").ok();
    builds_and_is_sound(&machine, "erin");
    let used = machine.ssh_nix(
        "erin",
        "nix-env --option sandbox false -f hello.nix -i && stat -c %u:%U /nix/store",
    );
    assert!(used.ok().ends_with("20000:erin"), "{used}");
    let next = machine.ssh("erin", "hello-ns");
    assert!(next.ok().starts_with("hi-from-/nix/store/"), "{next}");
}
