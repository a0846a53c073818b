//! The registry is root's: alice cannot look into it, write to it, hold it up or
//! fill it.

use std::time::Duration;

use tests::hostile::Family;
use tests::{Machine, machine_or_skip};

use super::bench::{ALICE, Bench, DOORS, Doors, fails, quoted, succeeds};

/// All of these fail. `ID` is alice's directory.
const FORBIDDEN: &[&str] = &[
    "ls /run/nix-ns/1",
    "ls /run/nix-ns/1/ID",
    "cd /run/nix-ns/1",
    "cd /run/nix-ns/1/ID",
    "stat /run/nix-ns/1/ID",
    "readlink /run/nix-ns/1/ID/*",
    "exec 9</run/nix-ns/1",
    "flock -n /run/nix-ns/1 true",
    "flock -n /run/nix-ns/1/ID true",
    "touch /run/nix-ns/x",
    "mkdir /run/nix-ns/x",
    "mkdir /run/nix-ns/2",
    "ln -s x /run/nix-ns/x",
    "ln -s x /run/nix-ns/1/ID/session.u1.1.1",
    "ln /run/nix-ns/self/namespace /run/nix-ns/x",
    "mv /run/nix-ns/1 /run/nix-ns/2",
    "mv /run/nix-ns /run/x",
    "mv -T /tmp /run/nix-ns",
    "rmdir /run/nix-ns/self",
    "rm -rf /run/nix-ns/1",
    "rm /run/nix-ns/self/namespace",
    "ln -sf x /run/nix-ns/self/namespace",
    "touch /run/nix-ns/self/x",
    "mount -o remount,rw /run/nix-ns/self",
    "umount /run/nix-ns/self",
    "chmod 777 /run/nix-ns",
    "chmod 777 /run/nix-ns/1",
    "chown alice /run/nix-ns",
    "setfacl -m u:alice:rwx /run/nix-ns",
    "setfattr -n user.x -v 1 /run/nix-ns",
    "chattr +i /run/nix-ns",
    "mount --bind ~ /run/nix-ns",
    "mknod /run/nix-ns/x p",
    "mkfifo /run/nix-ns/1/ID/x",
    "cat /run/nix-ns/1/ID/../../self/namespace",
    "touch -h /run/nix-ns/self/namespace",
];

#[test]
fn alice_has_no_hand_in_the_registry() {
    let bench = Bench::set_up(machine_or_skip!());
    let machine = &bench.machine;
    let mut family = Family::new("registry");
    let stay = bench.alice_stays("env");
    let inside = bench.alice_with(stay.process);
    let directory = directory_of(machine, bench.uid("alice"));
    for (place, shell) in [
        ("in her session", inside.clone()),
        ("outside", format!("{ALICE} sh -c")),
    ] {
        let before = listing(machine);
        for line in FORBIDDEN {
            let line = line.replace("ID", &directory);
            family.case(&format!("{place}: {line}"), || {
                let output = machine.run(&format!("{shell} {}", quoted(&line)));
                fails(&output)?;
                let after = listing(machine);
                (before == after).then_some(()).ok_or(after)
            });
        }
    }
    // What she may open she may lock; nothing waits for it.
    for locked in ["/run/nix-ns", "/run/nix-ns/self", "/nix", "/run", "/"] {
        let lock = format!("exec flock {locked} sh -c 'echo locked; exec sleep 1000'");
        let mut holder = machine.spawn(&format!("{inside} {}", quoted(&lock)));
        holder.until_it_says("locked");
        bench.take(
            &mut family,
            &format!("a lock on {locked}"),
            &inside,
            &DOORS[2..4],
            Doors::Open,
        );
        family.case(&format!("a lock on {locked}: alice"), || {
            bench.all_log_in(&["alice"])
        });
    }
    family.finish();
}

#[test]
fn alice_cannot_fill_the_registry() {
    let bench = Bench::set_up(machine_or_skip!());
    let machine = &bench.machine;
    let mut family = Family::new("registry, filled");
    let uid = bench.uid("alice");
    let stay = bench.alice_stays("env");
    let shell = bench.alice_with(stay.process);
    for (name, line) in [
        (
            "logins of hers, killed after a moment",
            "for i in $(seq 200); do timeout -s KILL 0.0$((i % 7 + 1)) su alice -c true; done",
        ),
        (
            "logins of hers, killed when they are there",
            "for i in $(seq 150); do su alice -c 'kill -9 $PPID' & done; wait",
        ),
        (
            "logins of hers after edits, killed after a moment",
            "for i in $(seq 150); do touch ~/.config/nix-ns/config.toml; \
             timeout -s KILL 0.0$((i % 7 + 1)) su alice -c true; done",
        ),
    ] {
        family.case(name, || {
            let _ = machine.run_within(
                Duration::from_secs(50),
                &format!("{shell} {}", quoted(&format!("{{ {line}; }} 2>/dev/null"))),
            );
            bounded(machine, uid)
        });
        family.case(&format!("{name}: the others"), || {
            bench.all_log_in(&["bob", "carol", "root", "alice"])
        });
    }
    // Bob's directory is no place for what alice does either.
    family.case("logins of bob's that alice kills", || {
        let line = "for i in $(seq 100); do timeout -s KILL 0.0$((i % 7 + 1)) su bob -c true; done";
        let _ = machine.run_within(
            Duration::from_secs(50),
            &format!("{shell} {}", quoted(&format!("{{ {line}; }} 2>/dev/null"))),
        );
        bench.all_log_in(&["bob"])?;
        bounded(machine, bench.uid("bob"))
    });
    many_sessions(&bench, &mut family, &shell);
    killed_between_two_calls(&bench, &mut family);
    family.finish();
}

fn many_sessions(bench: &Bench, family: &mut Family, shell: &str) {
    const MANY: usize = 150;
    let machine = &bench.machine;
    let line =
        format!("for i in $(seq {MANY}); do su alice -c 'echo in; exec sleep 1000' & done; wait");
    let crowd = machine.spawn(&format!("{shell} {}", quoted(&line)));
    machine.wait_until("a crowd", || {
        let sleeping = machine.run("pgrep -c -u alice -x sleep");
        sleeping.stdout.trim().parse().unwrap_or(0) >= MANY
    });
    family.case("very many sessions: the others", || {
        bench.all_log_in(&["bob", "carol", "root", "alice"])
    });
    drop(crowd);
    machine
        .run("pkill -9 -u alice -x su; pkill -9 -u alice -x sleep; :")
        .ok();
    family.case("very many sessions, all killed", || {
        machine.wait_until("the crowd to be gone", || {
            machine.run("pgrep -u alice -x su").stdout.is_empty()
        });
        bench.all_log_in(&["alice"])?;
        bounded(machine, bench.uid("alice"))
    });
}

/// A signal that comes at the worst moment, again and again: between making an
/// entry and giving it its name, or taking the old one away.
fn killed_between_two_calls(bench: &Bench, family: &mut Family) {
    const TIMES: usize = 30;
    let machine = &bench.machine;
    let uid = bench.uid("alice");
    for (call, count) in [
        ("symlinkat", 1),
        ("symlinkat", 2),
        ("renameat", 1),
        ("unlinkat", 1),
        ("unlinkat", 2),
        ("unlinkat", 3),
    ] {
        for edit in ["touch /home/alice/.config/nix-ns/config.toml", "true"] {
            family.case(
                &format!("killed at {call} {count} after {edit}, {TIMES} times"),
                || {
                    let before = count_entries(machine, uid);
                    let line = format!(
                        "for i in $(seq {TIMES}); do {edit}; \
                         strace -o /dev/null -e inject={call}:signal=KILL:when={count} \
                         pam-host host alice >/dev/null 2>&1; done; :"
                    );
                    succeeds(&machine.run_within(Duration::from_secs(55), &line))?;
                    bench.all_log_in(&["alice"])?;
                    let after = count_entries(machine, uid);
                    (after < before + TIMES / 3)
                        .then_some(())
                        .ok_or_else(|| format!("{before} entries became {after}"))
                },
            );
        }
    }
}

fn listing(machine: &Machine) -> String {
    let listed =
        machine.run("find /run/nix-ns -printf '%P %m %u %l\\n' | sort; stat -c %a /run/nix-ns");
    listed.ok().to_owned()
}

fn directory_of(machine: &Machine, uid: u32) -> String {
    let own = machine.run("stat -Lc %i /proc/1/ns/pid");
    format!("{uid}.{}", own.ok())
}

fn count_entries(machine: &Machine, uid: u32) -> usize {
    let directory = directory_of(machine, uid);
    let listed = machine.run(&format!("ls -A /run/nix-ns/1/{directory}"));
    listed.ok().lines().count()
}

/// After her next login, however many of hers were killed at one moment: as
/// many as are looked at one by one, and some.
fn bounded(machine: &Machine, uid: u32) -> Result<(), String> {
    succeeds(&machine.run(&format!("su \"$(id -nu {uid})\" -c true")))?;
    let entries = count_entries(machine, uid);
    (entries <= 40)
        .then_some(())
        .ok_or_else(|| format!("{entries} entries"))
}
