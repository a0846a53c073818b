//! `nix-ns enter` without any privilege: a user namespace in the place of PAM,
//! and the same `/nix` in it.

use tests::real_nix::SANDBOX;
use tests::{Lines, Machine, Output, Status, User, machine_with_alice_or_skip};

/// What a failure to enter exits with, as opposed to the program's own.
const NOT_ENTERED: Status = Status::Exited(125);

/// Enters as alice, whom no login put on her `/nix`, and runs a script there.
fn enter(machine: &Machine, script: &str) -> Output {
    machine.write("/srv/common/script", script, 0o755, &User::root());
    machine.run_as("alice", "nix-ns enter -- bash /srv/common/script")
}

/// What a refusal says; nothing was run.
#[track_caller]
fn refused(machine: &Machine) -> String {
    let output = enter(machine, "echo entered");
    assert_eq!(output.status, NOT_ENTERED, "{output}");
    assert_eq!(output.stdout, "", "{output}");
    output.stderr
}

// ---- the same /nix

#[test]
fn it_is_the_directory_and_the_person_of_a_login() {
    let (machine, _) = machine_with_alice_or_skip!();
    let look = "stat -c '%d:%i %U %a' /nix; findmnt -no FSROOT,OPTIONS /nix; id; \
                findmnt -no PROPAGATION /nix; findmnt -no PROPAGATION /home; touch /nix/seen";
    let login = machine.ssh("alice", look);
    let entered = enter(&machine, look);
    assert_eq!(entered.ok(), login.ok());
    assert!(entered.stdout.contains("nosuid,nodev"), "{entered}");
    assert_eq!(entered.stderr, "");
    assert!(machine.exists("/home/alice/.local/share/nix/seen"));
    assert_eq!(machine.run("ls -A /nix").ok(), "", "the host has it, too");
}

#[test]
fn the_caller_is_themselves_alone_and_has_no_capability() {
    let (machine, alice) = machine_with_alice_or_skip!();
    let seen = enter(
        &machine,
        "cat /proc/self/uid_map /proc/self/gid_map /proc/self/setgroups
         grep -E 'Cap(Inh|Prm|Eff|Amb)' /proc/self/status | tr -d ' \t' | cut -d: -f2 | sort -u
         echo $NIX_NS",
    );
    let words: Vec<&str> = seen.ok().split_whitespace().collect();
    let id = alice.uid.to_string();
    let none = "0000000000000000";
    assert_eq!(words, [&id, &id, "1", &id, &id, "1", "deny", none, "1"]);
}

#[test]
fn a_build_has_the_path_that_it_has_after_a_login() {
    let (machine, alice) = machine_with_alice_or_skip!();
    assert!(machine.has_nix(), "nix-bin is installed");
    machine.write_hello(&alice);
    let build = "cd; nix-build --option sandbox false hello.nix --no-out-link --check 2>/dev/null || \
                 nix-build --option sandbox false hello.nix -o r >&2; readlink r; ./r/bin/hello-ns";
    let build = format!("export NIX_CONFIG='substitute = false'; {build}");
    let entered = enter(&machine, &build);
    let login = machine.ssh_nix(
        "alice",
        "readlink r && ./r/bin/hello-ns && nix-store -q --hash r",
    );
    let built_after = machine.ssh_nix(
        "alice",
        "rm r; nix-store --delete --ignore-liveness $(readlink -f /nix/store/*hello-ns) >&2
         nix-build --option sandbox false hello.nix -o r >&2; readlink r && ./r/bin/hello-ns && nix-store -q --hash r",
    );
    assert_eq!(login.ok(), built_after.ok());
    assert!(login.ok().starts_with(entered.ok()), "{entered}{login}");
    assert!(entered.ok().starts_with("/nix/store/"), "{entered}");
}

/// Nix makes a user namespace of its own for that, inside this one.
#[test]
fn a_sandboxed_build_works_inside() {
    let (machine, alice) = machine_with_alice_or_skip!();
    machine.write_hello(&alice);
    for with_nix in [true, false] {
        if !with_nix {
            machine.run("rmdir /nix").ok();
        }
        let built = enter(
            &machine,
            &format!(
                "cd; export NIX_CONFIG='substitute = false'
                 nix-build {SANDBOX} hello.nix -o r{with_nix} >&2 && ./r{with_nix}/bin/hello-ns"
            ),
        );
        assert!(built.ok().starts_with("hi-from-/nix/store/"), "{built}");
    }
}

#[test]
fn in_ones_own_namespace_there_is_nothing_to_enter() {
    let (machine, _) = machine_with_alice_or_skip!();
    let look = "readlink /proc/self/ns/user /proc/self/ns/mnt";
    let twice = format!("{look}; nix-ns enter -- {look}; nix-ns enter nix-ns enter {look}");
    let (login, entered) = (machine.ssh("alice", &twice), enter(&machine, &twice));
    machine.run("rmdir /nix").ok();
    for seen in [login, entered, enter(&machine, &twice)] {
        let lines: Vec<&str> = seen.ok().lines().collect();
        assert_eq!(lines.len(), 6, "{seen}");
        assert_eq!((&lines[..2], &lines[..2]), (&lines[2..4], &lines[4..]));
    }
}

/// `su` whose stack lacks the lines leaves bob on alice's.
#[test]
fn from_somebody_elses_one_gets_ones_own() {
    let (machine, _) = machine_with_alice_or_skip!();
    machine.nix_user("bob");
    machine.pam_lines("su", Lines::None);
    let seen = machine.ssh(
        "alice",
        "su bob -c 'stat -c %U /nix; nix-ns enter stat -c %U /nix'",
    );
    assert_eq!(seen.ok(), "alice\nbob");
}

/// Where everything of root's shows as nobody's.
#[test]
fn inside_it_roots_files_are_still_roots() {
    let (machine, _) = machine_with_alice_or_skip!();
    machine.configure_site("roots = ['/site/%u']\nsource_path = '/site/%u/nix'\n");
    machine
        .run("mkdir -p /disk/alice && chown alice /disk/alice && ln -s /disk /site")
        .ok();
    let nested = "nix-ns enter -- stat -c %U /nix && nix-ns check >&2 && \
                  nix-ns enter --isolation lockdown nix-ns enter nix-ns enter --read-only stat -c %U /nix";
    for nix in ["", "rmdir /nix"] {
        machine.run(nix).ok();
        assert_eq!(enter(&machine, nested).ok(), "alice\nalice");
    }
    machine.run("mkdir /nix").ok();
    assert_eq!(
        machine
            .ssh(
                "alice",
                &format!("{nested}; nix-ns enter --read-only sh -c '{nested}'")
            )
            .ok(),
        "alice\nalice\nalice\nalice"
    );
    // In somebody else's user namespace, on a host that is fine.
    let foreign = machine.run_as(
        "alice",
        "bwrap --dev-bind / / nix-ns enter -- stat -c %U /nix; unshare -U --map-current-user nix-ns enter -- stat -c %U /nix",
    );
    assert_eq!(foreign.ok(), "alice\nalice");
    machine
        .run("chown bob: /etc/nix-ns/config.toml || chown 4000 /etc/nix-ns/config.toml")
        .ok();
    assert!(refused(&machine).contains("/etc/nix-ns/config.toml"));
}

#[test]
fn after_a_change_of_the_configuration_it_is_the_new_directory() {
    let (machine, _) = machine_with_alice_or_skip!();
    let seen = enter(
        &machine,
        "touch /nix/old; echo 'source_path = \"other\"' >~/.config/nix-ns/config.toml
         nix-ns enter find /nix -name old; nix-ns enter stat -c %i /nix ~/other",
    );
    let inodes: Vec<&str> = seen.ok().lines().collect();
    assert!(inodes.len() == 2 && inodes[0] == inodes[1], "{seen}");
}

// ---- a host without /nix

#[test]
fn a_host_without_nix_gets_one_inside_only() {
    let (machine, _) = machine_with_alice_or_skip!();
    machine
        .run("rmdir /nix; mkdir /host; echo there >/host/file; ln -s /srv /link; echo >/plain")
        .ok();
    let (names, mounts) = (
        machine.run("ls -A /").ok().to_owned(),
        machine.mount_table(),
    );
    let seen = enter(
        &machine,
        "ls -A / | grep -vx nix >/tmp/names; stat -c %U /nix; cat /host/file; readlink /link
         touch /nix/x /x /etc/x 2>&1 | sed 's/.*: //'; mkdir /y 2>&1 | sed 's/.*: //'
         findmnt -no OPTIONS /nix | cut -d, -f1-3; cat /tmp/names",
    );
    let expected = format!(
        "alice\nthere\n/srv\nRead-only file system\nPermission denied\nRead-only file system\n\
         rw,nosuid,nodev\n{names}"
    );
    assert_eq!(seen.ok(), expected);
    assert!(!machine.exists("/nix"));
    assert_eq!(machine.mount_table(), mounts);
    assert_eq!(machine.run("ls -A /").ok(), names);
}

#[test]
fn mounts_of_the_hosts_come_along_with_their_flags_and_those_made_later() {
    let (machine, _) = machine_with_alice_or_skip!();
    machine.run(
        "rmdir /nix; mkdir -p /data/sub /data/later; mount -t tmpfs -o ro,noexec,nosuid x /data/sub",
    )
    .ok();
    let mut entered = machine.spawn_as(
        "alice",
        "nix-ns enter sh -c 'findmnt -no OPTIONS /data/sub; echo is there; \
         until [ -e /data/later/mark ]; do sleep 0.02; done; echo arrived'",
    );
    entered.until_it_says("is there");
    machine
        .run("mount -t tmpfs x /data/later && touch /data/later/mark")
        .ok();
    let seen = entered.finish();
    assert!(seen.ok().starts_with("ro,nosuid,noexec"), "{seen}");
    assert!(seen.ok().ends_with("arrived"), "{seen}");
}

// ---- what a login would refuse

#[test]
fn whoever_takes_no_part_gets_none_and_is_told_why() {
    let (machine, alice) = machine_with_alice_or_skip!();
    machine.configure(&alice, "enable = false\n");
    assert!(refused(&machine).contains("enable = false"));
    machine.configure(&alice, "enabled = false\n");
    assert!(refused(&machine).contains("config.toml:1:1: `enabled` is not a key"));
    machine.configure(&alice, "source_path = '/srv/common/x'\n");
    assert!(refused(&machine).contains("is not below"));
    machine.configure(&alice, "");
    for (site, why) in [
        ("enable = false\n", "enable = false"),
        ("[users]\ndeny_users = ['alice']\n", "denies user alice"),
        ("[users]\ndeny_groups = ['alice']\n", "denies group alice"),
        ("[users]\nuid_min = 5000\n", "outside the range"),
        ("bad = 1\n", "`bad` is not a key"),
    ] {
        machine.configure_site(site);
        let said = refused(&machine);
        assert!(said.contains(why), "{site}: {said}");
    }
    machine.configure_site("");
    machine
        .run("rm /home/alice/.config/nix-ns/config.toml")
        .ok();
    assert!(refused(&machine).contains("opt in"));
    let root = machine.run("nix-ns enter echo entered");
    assert_eq!(root.status, NOT_ENTERED, "{root}");
    assert!(
        root.fails().contains("root has no /nix of its own"),
        "{root}"
    );
}

#[test]
fn a_directory_that_fails_its_checks_is_refused() {
    let (machine, _) = machine_with_alice_or_skip!();
    let store = "/home/alice/.local/share/nix";
    machine
        .run(&format!("install -d -o alice -g alice -m 0777 {store}"))
        .ok();
    assert!(refused(&machine).contains("writable by others"));
    machine
        .run(&format!("chmod 0755 {store}; chown root {store}"))
        .ok();
    assert!(refused(&machine).contains("belongs to uid 0"));
    machine
        .run(&format!("rm -r {store}; chown -R alice /home/alice/.local"))
        .ok();
    machine.run_as("alice", &format!("ln -s /tmp {store}")).ok();
    assert!(refused(&machine).contains("symbolic link"));
}

#[test]
fn a_host_that_uses_nix_is_refused_as_by_a_login() {
    let (machine, _) = machine_with_alice_or_skip!();
    for (break_it, why, mend) in [
        ("touch /nix/x", "in use", "rm /nix/x"),
        ("chmod 0777 /nix", "writable by others", "chmod 0755 /nix"),
        ("chown alice /nix", "belongs to uid", "chown root /nix"),
        ("touch /etc/NIXOS", "NixOS", "rm /etc/NIXOS"),
        (
            "rmdir /nix; ln -s /srv /nix",
            "symbolic link",
            "rm /nix; mkdir /nix",
        ),
    ] {
        machine.run(break_it).ok();
        let said = refused(&machine);
        assert!(said.contains(why), "{break_it}: {said}");
        machine.run(mend).ok();
    }
    machine.run("touch /nix/x").ok();
    machine.configure_site("override_refusals = ['host-nix-not-empty']\n");
    assert_eq!(enter(&machine, "stat -c %U /nix").ok(), "alice");
}

#[test]
fn a_setuid_command_looks_at_nothing() {
    let (machine, _) = machine_with_alice_or_skip!();
    machine.run("chmod u+s /usr/bin/nix-ns").ok();
    assert!(refused(&machine).contains("must not be installed setuid"));
    assert!(!machine.exists("/home/alice/.local"));
}

// ---- what the kernel says no to

/// A user namespace that has all users and is not the host's, with a limit of its
/// own on those below it (`namespaces(7)`, "/proc/sys/user").
const LIMITED: &str = r#"#!/bin/sh -e
limit=$1; shift
unshare --user sleep 60 &
until [ "$(readlink /proc/$!/ns/user)" != "$(readlink /proc/self/ns/user)" ]; do sleep 0.02; done
for map in uid_map gid_map; do echo 0 0 65536 >/proc/$!/$map; done
code=0
nsenter --user --target $! unshare --mount --propagation unchanged sh -ec '
    echo '$limit' >/proc/sys/user/max_user_namespaces
    exec setpriv --reuid alice --regid alice --init-groups --reset-env "$@"' sh "$@" || code=$?
kill $!
exit $code
"#;

fn limited(machine: &Machine, limit: u32, command: &str) -> Output {
    machine.write("/usr/local/bin/limited", LIMITED, 0o755, &User::root());
    machine.run(&format!("limited {limit} {command}"))
}

#[test]
fn switched_off_user_namespaces_are_named() {
    let (machine, _) = machine_with_alice_or_skip!();
    let off = limited(&machine, 0, "nix-ns enter echo entered");
    assert_eq!(off.status, NOT_ENTERED, "{off}");
    assert!(off.stderr.contains("user.max_user_namespaces = 0"), "{off}");
    assert!(off.stderr.contains("PAM module"), "{off}");
    let one = limited(&machine, 1, "nix-ns enter stat -c %U /nix");
    assert_eq!(one.ok(), "alice");
}

/// Isolation takes two, and is not to be had with one: less would be silent.
#[test]
fn a_limit_that_is_too_low_for_isolation_is_an_error() {
    let (machine, _) = machine_with_alice_or_skip!();
    for wish in [
        "--read-only",
        "--isolation hardened",
        "--isolation lockdown",
    ] {
        let one = limited(&machine, 1, &format!("nix-ns enter {wish} echo entered"));
        assert_eq!(
            (one.status, one.stdout.as_str()),
            (NOT_ENTERED, ""),
            "{one}"
        );
        assert!(one.stderr.contains("as many as this host allows"), "{one}");
        let two = limited(&machine, 2, &format!("nix-ns enter {wish} echo entered"));
        assert_eq!(two.ok(), "entered");
    }
}

/// A filter of system calls, as a container's: one call answers EPERM.
fn without_call(call: u32, command: &str) -> String {
    let prctl = if cfg!(target_arch = "x86_64") {
        157
    } else {
        167
    };
    format!(
        "perl -e '
            my $filter = pack(\"SCCL\", 0x20, 0, 0, 0) . pack(\"SCCL\", 0x15, 0, 1, {call})
                . pack(\"SCCL\", 0x06, 0, 0, 0x50001) . pack(\"SCCL\", 0x06, 0, 0, 0x7fff0000);
            syscall({prctl}, 38, 1, 0, 0, 0) == 0 or die;
            syscall({prctl}, 22, 2, pack(\"Sx6P\", 4, $filter)) == 0 or die;
            exec @ARGV' {command}"
    )
}

#[test]
fn a_filter_of_system_calls_is_named() {
    let (machine, _) = machine_with_alice_or_skip!();
    let unshare = if cfg!(target_arch = "x86_64") {
        272
    } else {
        97
    };
    let filtered = machine.run_as("alice", &without_call(unshare, "nix-ns enter echo entered"));
    assert_eq!(filtered.status, NOT_ENTERED, "{filtered}");
    assert!(filtered.stderr.contains("seccomp"), "{filtered}");
    // Later calls, too: what was made until then is gone with the process.
    let mount = if cfg!(target_arch = "x86_64") {
        165
    } else {
        40
    };
    for wish in ["", "--isolation lockdown"] {
        let command = format!("nix-ns enter {wish} echo entered");
        let filtered = machine.run_as("alice", &without_call(mount, &command));
        assert_eq!(filtered.status, NOT_ENTERED, "{filtered}");
        assert_eq!(filtered.stdout, "");
    }
}

#[test]
fn a_chroot_is_named() {
    let (machine, _) = machine_with_alice_or_skip!();
    machine.run(
        "mkdir /jail; for it in bin etc home lib lib64 usr run proc dev sbin; do \
         [ -e /$it ] && mkdir -p /jail/$it && mount --rbind /$it /jail/$it; done; mkdir -p /jail/nix",
    )
    .ok();
    let inside = machine.run(
        "chroot /jail setpriv --reuid alice --regid alice --init-groups --reset-env \
         nix-ns enter echo entered",
    );
    assert_eq!(inside.status, NOT_ENTERED, "{inside}");
    assert!(inside.stderr.contains("chroot"), "{inside}");
}

// ---- the program

#[test]
fn the_program_takes_the_place_of_the_command() {
    let (machine, _) = machine_with_alice_or_skip!();
    let pids = machine.run_as("alice", "echo $$; exec nix-ns enter sh -c 'echo $$'");
    let (before, after) = pids.ok().split_once('\n').expect("two lines");
    assert_eq!(before, after);
    let ends = machine.run_as(
        "alice",
        "nix-ns enter sh -c 'exit 9'; echo $?; nix-ns enter sh -c 'kill -TERM $$'; echo $?
         nix-ns enter /nowhere; echo $?; nix-ns enter /etc/passwd; echo $?",
    );
    assert_eq!(ends.ok(), "9\n143\n127\n126");
    // Found where it is looked for: inside.
    let found = machine.run_as(
        "alice",
        "mkdir -p ~/.local/share/nix/bin && cp /bin/echo ~/.local/share/nix/bin/from-nix && \
         PATH=/nix/bin:$PATH && exec nix-ns enter from-nix -n --version",
    );
    assert_eq!(found.ok(), "--version");
}

#[test]
fn without_a_program_it_is_the_shell_of_the_account() {
    let (machine, _) = machine_with_alice_or_skip!();
    let shell = "#!/bin/sh\necho \"$0 $NIX_NS $*\"\n";
    machine.write("/usr/local/bin/shell", shell, 0o755, &User::root());
    machine
        .run("usermod --shell /usr/local/bin/shell alice")
        .ok();
    let seen = machine.run_as("alice", "SHELL=/bin/false nix-ns enter");
    assert_eq!(seen.ok(), "/usr/local/bin/shell 1");
    machine.run("usermod --shell /bin/bash alice").ok();
    let named = machine.run_as(
        "alice",
        "echo 'echo $0; shopt -q login_shell || echo plain' | nix-ns enter",
    );
    assert_eq!(named.ok(), "-bash");
}

#[test]
fn the_working_directory_is_kept_if_it_is_the_same_one() {
    let (machine, _) = machine_with_alice_or_skip!();
    machine.run("mkdir -p /srv/common/dir").ok();
    for removed in ["", "rmdir /nix"] {
        machine.run(removed).ok();
        let kept = machine.run_as("alice", "cd /srv/common/dir && nix-ns enter pwd -P");
        assert_eq!(kept.ok(), "/srv/common/dir", "{removed}");
    }
    machine.run("mkdir /nix").ok();
    let covered = machine.run_as(
        "alice",
        "cd /nix && nix-ns enter sh -c 'pwd -P; ls -di /nix .'",
    );
    let lines: Vec<&str> = covered.ok().lines().collect();
    assert_eq!(lines[0], "/", "{covered}");
    let gone = machine.run_as(
        "alice",
        "mkdir /srv/common/gone && cd /srv/common/gone && rmdir ../gone && nix-ns enter pwd -P",
    );
    assert_eq!(gone.ok(), "/");
}

#[test]
fn a_person_is_told_what_does_not_work_and_a_program_is_not() {
    let (machine, _) = machine_with_alice_or_skip!();
    let person = machine.run_as(
        "alice",
        "script -qec 'nix-ns enter nix-ns enter true' /dev/null",
    );
    let said = "in here, setuid programs";
    assert_eq!(person.ok().matches(said).count(), 1, "{person}");
    assert_eq!(enter(&machine, "true").stderr, "");
    let sudo = enter(&machine, "sudo -n id -u");
    sudo.fails();
    let login = machine.ssh("alice", "sudo -n id -u");
    assert_eq!(login.ok(), "0");
}

/// Root who goes into such a namespace from outside cannot come off its `/nix`,
/// as its mounts are locked together (`mount_namespaces(7)`): no session starts.
#[test]
fn what_root_starts_in_there_never_runs_on_the_users_nix() {
    let (machine, _) = machine_with_alice_or_skip!();
    machine.nix_user("bob");
    let (entered, process) = machine.stay("alice", |line| {
        machine.spawn_as("alice", &format!("nix-ns enter sh -c '{line}'"))
    });
    for user in ["bob", "root"] {
        let door = format!("nsenter -t {process} -m -- su {user} -c 'echo entered'");
        let (output, log) = machine.logged_during(|| machine.run(&door));
        output.fails();
        assert_eq!(output.stdout, "");
        assert!(
            log.iter().any(|it| it.contains("must not start")),
            "{log:?}"
        );
    }
    drop(entered);
}
