//! One home, and so one store directory, on two hosts, as on a cluster: each
//! has its own name, processes and ssh server.

use tests::{Machine, Output, machine_or_skip, skip};

/// Runs a second host beside the first: everything is shared but what it is
/// called, which processes it has, and its mounts.
const SECOND: &str = "\
sed 's/:22$/:2222/; s,/run/sshd.pid,/run/sshd2.pid,' /etc/ssh/sshd_config >/etc/ssh/second
exec unshare --uts --pid --fork --mount --propagation slave --mount-proc sh -c '
    hostname second && /usr/sbin/sshd -f /etc/ssh/second && echo listens && sleep 1000'";

/// Logs alice in on the second host and runs a script that uses Nix.
fn on_second(machine: &Machine, script: &str) -> Output {
    machine.ssh_with(
        "alice",
        &["-p", "2222"],
        &format!("{}; {script}", tests::real_nix::SETTINGS),
    )
}

#[test]
fn what_a_profile_holds_stays_and_what_only_runs_elsewhere_is_collected() {
    let machine = machine_or_skip!().set_up();
    if !machine.has_nix() {
        return skip(module_path!(), "needs Nix of the distribution's (nix-bin)");
    }
    let alice = machine.nix_user("alice");
    machine.write_hello(&alice);
    let mut second = machine.spawn(SECOND);
    second.until_it_says("listens");
    assert_eq!(
        on_second(&machine, "hostname; stat -c %U /nix").ok(),
        "second\nalice"
    );

    machine
        .ssh_nix("alice", "nix-env --option sandbox false -f hello.nix -i")
        .ok();
    let path = machine
        .ssh_nix("alice", "cp /bin/sleep naps && nix-store --add naps")
        .ok()
        .to_owned();
    let napping = machine.spawn_ssh("alice", &["-tt"], &format!("exec {path} 1000"));
    let naps = || {
        machine
            .processes()
            .iter()
            .any(|line| line.contains(&format!("{path} 1000")))
    };
    machine.wait_until("the program to run", naps);

    // There what runs here is not seen; what is installed is.
    on_second(&machine, "nix-store --gc").ok();
    let left = on_second(
        &machine,
        &format!("hello-ns; test -e {path} || echo collected; nix-store --verify --check-contents"),
    );
    assert!(left.ok().starts_with("hi-from-/nix/store/"), "{left}");
    assert!(left.ok().ends_with("\ncollected"), "{left}");
    assert!(naps(), "what runs goes on, until it opens one more file");
    drop(napping);

    // A root, which any build leaves behind, keeps it wherever it runs.
    let kept = machine.ssh_nix("alice", "nix-store --add naps");
    let path = kept.ok();
    machine
        .ssh_nix(
            "alice",
            &format!("nix-store --realise {path} --add-root ~/naps-root"),
        )
        .ok();
    on_second(&machine, &format!("nix-store --gc; test -e {path}")).ok();
}
