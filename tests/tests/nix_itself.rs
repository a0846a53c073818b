//! Nix itself, on a `/nix` that a login brought: what a user does on the first
//! day, and what goes wrong elsewhere.

use std::time::{Duration, Instant};

use tests::real_nix::{BUILD, SANDBOX};
use tests::{at_this_pace, machine_with_nix_or_skip};

#[test]
fn an_empty_store_is_initialised_at_once() {
    let (machine, _) = machine_with_nix_or_skip!();
    let begin = Instant::now();
    let script =
        "stat -c '%U %a' /nix; nix-store --init; stat -c '%U %a' /nix/store /nix/var/nix/db";
    let seen = machine.ssh_nix("alice", script);
    assert_eq!(seen.ok(), "alice 700\nalice 755\nalice 755");
    assert!(
        begin.elapsed() < at_this_pace(Duration::from_secs(5)),
        "{:?}",
        begin.elapsed()
    );
}

#[test]
fn a_build_runs_where_it_was_built() {
    let (machine, _) = machine_with_nix_or_skip!();
    let built = machine.ssh_nix(
        "alice",
        &format!("{BUILD} >&2 && ./r/bin/hello-ns && readlink r"),
    );
    let (said, path) = built.ok().split_once('\n').expect("two lines");
    assert_eq!(said, format!("hi-from-{path}"));
    assert!(
        path.starts_with("/nix/store/") && path.ends_with("-hello-ns"),
        "{path}"
    );
    assert!(machine.exists(&format!("/home/alice/.local/share{path}")));
    assert!(!machine.exists(path), "the host has it, too");
}

/// Nix makes a user namespace of its own for that, inside the session.
#[test]
fn a_sandboxed_build_works_inside() {
    let (machine, _) = machine_with_nix_or_skip!();
    let script = format!("nix-build {SANDBOX} hello.nix -o r >&2 && ./r/bin/hello-ns");
    let built = machine.ssh_nix("alice", &script);
    assert!(built.ok().starts_with("hi-from-/nix/store/"), "{built}");
}

#[test]
fn what_one_session_installs_the_next_one_has() {
    let (machine, _) = machine_with_nix_or_skip!();
    machine
        .ssh_nix("alice", "nix-env --option sandbox false -f hello.nix -i")
        .ok();
    let used = machine.ssh_nix(
        "alice",
        "PATH=~/.nix-profile/bin:$PATH; hello-ns; readlink -f ~/.nix-profile/bin/hello-ns",
    );
    let (said, path) = used.ok().split_once('\n').expect("two lines");
    let package = path
        .strip_suffix("/bin/hello-ns")
        .expect("the program's path");
    assert_eq!(said, format!("hi-from-{package}"));
    assert!(package.starts_with("/nix/store/"), "{package}");
    let listed = machine.ssh_nix("alice", "nix-env -q");
    assert_eq!(listed.ok(), "hello-ns");
}

#[test]
fn two_users_have_a_store_each() {
    let (machine, _) = machine_with_nix_or_skip!();
    let dave = machine.nix_user("dave");
    machine.write_hello(&dave);
    let (_alice, _) = machine.stay_by_ssh("alice");
    machine.ssh_nix("alice", BUILD).ok();
    assert_eq!(machine.ssh("dave", "find /nix -type f").ok(), "");
    machine
        .ssh("dave", "ls /home/alice/.local/share/nix")
        .fails();
    machine.ssh("dave", "ls ~alice/r/").fails();
    machine.ssh_nix("dave", BUILD).ok();
    let paths = ["alice", "dave"].map(|user| {
        let seen = machine.ssh(user, "readlink r; stat -c %U $(readlink r)");
        seen.ok().to_owned()
    });
    let [alice, dave] = paths
        .each_ref()
        .map(|seen| seen.split_once('\n').expect("two lines"));
    assert_eq!(
        alice.0, dave.0,
        "the same path, so that binary caches serve both"
    );
    assert_eq!((alice.1, dave.1), ("alice", "dave"));
}

/// The offline stand-in for a binary cache of the world's.
#[test]
fn what_one_user_built_another_takes_from_a_signed_cache() {
    let (machine, _) = machine_with_nix_or_skip!();
    machine.nix_user("dave");
    let published = machine.ssh_nix(
        "alice",
        &format!(
            "{BUILD} >&2 && nix-store --generate-binary-cache-key k1 sk pk && \
             nix copy --to \"file:///tmp/cache?secret-key=$HOME/sk\" ./r && cp pk /tmp/pk && \
             chmod -R a+rX /tmp/cache /tmp/pk && readlink r"
        ),
    );
    let path = published.ok();
    let take = "nix-store --option substitute true --option substituters file:///tmp/cache";
    let unsigned = machine.ssh_nix("dave", &format!("{take} -r {path}"));
    assert!(
        unsigned.fails().contains("not signed by any of the keys"),
        "{unsigned}"
    );
    let taken = machine.ssh_nix(
        "dave",
        &format!(
            "{take} --option trusted-public-keys \"$(cat /tmp/pk)\" -r {path} >&2 && \
             stat -c %U {path} && {path}/bin/hello-ns"
        ),
    );
    assert_eq!(taken.ok(), format!("dave\nhi-from-{path}"));
}

/// The collector looks for programs in `/proc`, and all sessions of a user see
/// each other there.
#[test]
fn what_another_session_runs_is_not_collected() {
    let (machine, _) = machine_with_nix_or_skip!();
    let added = machine.ssh_nix("alice", "cp /bin/sleep naps && nix-store --add naps");
    let path = added.ok();
    let mut napping =
        machine.spawn_ssh("alice", &["-tt"], &format!("echo begun; exec {path} 1000"));
    napping.until_it_says("begun");
    machine.wait_until("the program to run", || {
        machine
            .processes()
            .iter()
            .any(|line| line.contains(&format!("{path} 1000")))
    });
    let roots = machine.ssh_nix("alice", "nix-store --gc --print-roots");
    assert!(roots.ok().contains(path), "{roots}");
    let stays = machine.ssh_nix("alice", &format!("nix-store --gc >&2; test -e {path}"));
    stays.ok();
    drop(napping);
    machine.wait_until("the program to end", || {
        !machine
            .processes()
            .iter()
            .any(|line| line.contains(&format!("{path} 1000")))
    });
    let gone = machine.ssh_nix("alice", &format!("nix-store --gc >&2; ! test -e {path}"));
    gone.ok();
}

/// A store that Nix's own fallback made on hosts without this module.
#[test]
fn a_store_of_nixs_own_fallback_is_taken_over() {
    let (machine, alice) = machine_with_nix_or_skip!();
    machine.run("echo text >/srv/common/file").ok();
    let local = "nix-store --store ~/.local/share/nix/root";
    machine.configure(&alice, "enable = false\n");
    let outside = machine.ssh_nix("alice", &format!("{local} --add /srv/common/file"));
    let path = outside.ok().to_owned();
    assert!(path.starts_with("/nix/store/"), "{outside}");
    machine.configure(&alice, "source_path = \"~/.local/share/nix/root/nix\"\n");
    let inside = machine.ssh_nix(
        "alice",
        &format!("cat {path}; nix-store -q --hash {path}; cp {path} other; nix-store --add other"),
    );
    let lines: Vec<&str> = inside.ok().lines().collect();
    assert_eq!(lines[0], "text", "{inside}");
    assert!(lines[1].starts_with("sha256:"), "{inside}");
    machine.configure(&alice, "enable = false\n");
    let back = machine.ssh_nix("alice", &format!("{local} -q --hash {}", lines[2]));
    assert!(back.ok().starts_with("sha256:"), "{back}");
}

/// Where a login brings no `/nix`, Nix says so, and the host stays clean.
#[test]
fn without_a_nix_of_ones_own_there_is_none() {
    let (machine, alice) = machine_with_nix_or_skip!();
    machine.configure(&alice, "enable = false\n");
    let refused = machine.ssh_nix("alice", "nix-store --init");
    assert!(refused.fails().contains("/nix"), "{refused}");
    assert_eq!(machine.run("ls -A /nix").ok(), "");
}
