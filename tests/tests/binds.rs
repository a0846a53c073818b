//! Directories of the host's that sessions find in a second place (`[binds]`):
//! a graphics driver, say.

use tests::{Machine, User, machine_or_skip};

const SITE: &str = "[binds]\n\"/run/opengl-driver\" = \"/srv/driver\"\n";
/// What an administrator does for it.
const PREPARED: &str = "install -d -m 755 /srv /srv/driver /srv/driver/lib /run/opengl-driver && \
                        echo code >/srv/driver/lib/libGL.so";
const LIBRARY: &str = "/run/opengl-driver/lib/libGL.so";

fn with_a_driver(machine: &Machine) {
    machine.run(PREPARED).ok();
    machine.configure_site(SITE);
}

#[test]
fn a_session_finds_it_read_only_and_the_host_does_not() {
    let machine = machine_or_skip!().set_up();
    let alice = machine.nix_user("alice");
    with_a_driver(&machine);
    let (anchor, _) = machine.stay_by_ssh("alice");
    let seen = machine.ssh(
        "alice",
        &format!(
            "cat {LIBRARY}; grep ' /run/opengl-driver ' /proc/self/mountinfo | cut -d' ' -f4-6; \
             umount /run/opengl-driver 2>/dev/null; cat {LIBRARY}; \
             unshare -Urm sh -c 'umount -l /run/opengl-driver || \
                mount -o remount,bind,rw /run/opengl-driver || mount -o remount,bind,suid /run/opengl-driver || \
                echo stays' 2>/dev/null"
        ),
    );
    let lines: Vec<&str> = seen.ok().lines().collect();
    assert_eq!(lines[0], "code", "{seen}");
    assert!(
        lines[1].starts_with("/srv/driver /run/opengl-driver ro,nosuid,nodev"),
        "{seen}"
    );
    assert_eq!(lines[2..], ["code", "stays"], "{seen}");
    // Not even root writes there, in that namespace.
    let as_root = format!(
        "nsenter -m -t {} touch /run/opengl-driver/x 2>&1",
        anchor.process
    );
    assert!(machine.run(&as_root).stdout.contains("Read-only"));
    assert_eq!(machine.run("ls -A /run/opengl-driver").ok(), "");
    assert!(!machine.mount_table().contains("opengl"));
    // Programs of others do not see it: they leave first.
    let bob = machine.user("bob");
    let others = format!(
        "sudo ls -A /run/opengl-driver; sudo -u {} ls -A /run/opengl-driver",
        bob.name
    );
    assert_eq!(machine.ssh("alice", &others).ok(), "");
    drop(anchor);
    // Who has no /nix of their own has none of this.
    machine.configure(&alice, "enable = false\n");
    machine.ssh("alice", &format!("cat {LIBRARY}")).fails();
}

#[test]
fn every_door_leads_to_it() {
    let machine = machine_or_skip!().set_up();
    machine.nix_user("alice");
    with_a_driver(&machine);
    machine.run("chmod 4711 /usr/libexec/nix-ns-enter").ok();
    for door in [
        format!("su alice -c 'cat {LIBRARY}'"),
        format!("su - alice -c 'cat {LIBRARY}'"),
        format!("setpriv --reuid alice --regid alice --init-groups nix-ns enter cat {LIBRARY}"),
        format!("ssh alice@localhost cat {LIBRARY}"),
        // By a user namespace, though the setuid program is there.
        format!(
            "setpriv --reuid alice --regid alice --init-groups \
             nix-ns enter --user-namespace cat {LIBRARY} 2>/dev/null"
        ),
        // On top of another tool's namespace, and there again.
        format!("unshare --mount su alice -c 'cat {LIBRARY}'"),
    ] {
        assert_eq!(machine.run(&door).ok(), "code", "{door}");
    }
    let again = format!("sudo unshare --mount su alice -c 'cat {LIBRARY}'");
    let (seen, log) = machine.logged_during(|| machine.ssh("alice", &again));
    assert_eq!(seen.ok(), "code");
    assert!(!log.iter().any(|line| line.contains("[binds]")), "{log:?}");
}

/// The session goes on, with its /nix, and its administrator is told.
#[test]
fn what_cannot_be_had_is_said_in_the_log() {
    let machine = machine_or_skip!().set_up();
    machine.nix_user("alice");
    with_a_driver(&machine);
    machine.run("rm -r /srv/driver").ok();
    let (seen, log) = machine.logged_during(|| machine.ssh("alice", "stat -c %U /nix"));
    assert_eq!(seen.ok(), "alice");
    let said = "without a directory for alice (uid 1001)";
    let lines: Vec<_> = log.iter().filter(|line| line.contains(said)).collect();
    assert_eq!(lines.len(), 1, "{log:?}");
    assert!(
        lines[0].contains("/etc/nix-ns/config.toml: [binds]"),
        "{log:?}"
    );
    assert!(lines[0].contains("/srv/driver"), "{log:?}");
}

#[test]
fn other_binds_make_another_namespace_and_the_same_ones_do_not() {
    let machine = machine_or_skip!().set_up();
    machine.nix_user("alice");
    machine.run(PREPARED).ok();
    let first = machine.keep_by_ssh("alice");
    let site = |text: &str| machine.configure_site(text);
    // Nothing that matters to a session has changed.
    site("# nothing yet\n");
    assert_eq!(machine.where_ssh_leads("alice").namespace, first.namespace);
    site(SITE);
    let second = machine.keep_by_ssh("alice");
    assert_ne!(first.namespace, second.namespace);
    assert_eq!(machine.ssh("alice", &format!("cat {LIBRARY}")).ok(), "code");
    site(&format!("# the same\n{SITE}"));
    assert_eq!(machine.where_ssh_leads("alice").namespace, second.namespace);
    machine
        .run("cp -r /srv/driver /srv/other && echo newer >/srv/other/lib/libGL.so")
        .ok();
    site(&SITE.replace("/srv/driver", "/srv/other"));
    assert_eq!(
        machine.ssh("alice", &format!("cat {LIBRARY}")).ok(),
        "newer"
    );
    // The open session keeps what it has.
    let kept = format!("nsenter -m -t {} cat {LIBRARY}", second.process);
    assert_eq!(machine.run(&kept).ok(), "code");
    site("");
    machine.ssh("alice", &format!("cat {LIBRARY}")).fails();
}

#[test]
fn status_and_doctor_tell_of_it() {
    let machine = machine_or_skip!().set_up();
    machine.nix_user("alice");
    with_a_driver(&machine);
    let on_host = machine.run("nix-ns doctor");
    let well = "sessions find /srv/driver on /run/opengl-driver";
    assert!(on_host.stdout.contains(well), "{on_host}");
    let inside = machine.ssh(
        "alice",
        "nix-ns status; nix-ns status --json; nix-ns doctor",
    );
    assert!(
        inside.stdout.contains("bound:     /run/opengl-driver\n"),
        "{inside}"
    );
    assert!(inside.stdout.contains("\"bound\": true"), "{inside}");
    assert!(
        inside
            .stdout
            .contains("the site's directory is on /run/opengl-driver"),
        "{inside}"
    );
    machine.run("rmdir /run/opengl-driver").ok();
    let inside = machine.ssh("alice", "nix-ns status; nix-ns doctor");
    assert!(
        inside.stdout.contains("/run/opengl-driver is not there"),
        "{inside}"
    );
    assert!(
        inside.stdout.contains("does without the site's directory"),
        "{inside}"
    );
    let checked = machine.run("nix-ns check --site");
    assert!(
        checked
            .ok()
            .contains("[binds]\n\"/run/opengl-driver\" = \"/srv/driver\""),
        "{checked}"
    );
    machine.write(
        "/root/site.toml",
        SITE.replace("/run/opengl-driver", "/etc/x"),
        0o644,
        &User::root(),
    );
    let refused = machine.run("nix-ns check --site /root/site.toml");
    assert!(
        refused
            .fails()
            .contains("/root/site.toml:2:1: /etc/x cannot be the target"),
        "{refused}"
    );
}
