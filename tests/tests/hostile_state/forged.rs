//! Whose `/nix` it is, forged: alice owns the directory, so setuid fusermount
//! mounts whatever she likes over it, and in a user namespace she is root.

use std::fs::File;
use std::os::fd::AsFd;
use std::path::Path;
use std::time::Instant;

use namespace::Linux;
use tests::hostile::Family;
use tests::whereabouts::Stay;
use tests::{kernel, machine_or_skip};

use super::bench::{Bench, DOORS, Doors, FEW_DOORS, fails, in_time, quoted, short};
use namespace::kernel::Files;

const ALLOW_OTHER: &str = "echo user_allow_other >>/etc/fuse.conf";

#[test]
fn a_file_system_of_alices_over_nix_forges_nobody() {
    let bench = Bench::set_up(machine_or_skip!());
    let mut family = Family::new("forged identity, fuse");
    let uid = |name| bench.uid(name).to_string();
    for (owner, number) in [
        ("root", uid("root")),
        ("bob", uid("bob")),
        ("alice", uid("alice")),
        ("carol", uid("carol")),
        ("nobody, as it is mute,", "mute".to_owned()),
    ] {
        let name = format!("a FUSE that belongs to {owner}");
        over_nix(&bench, &mut family, &name, &format!("- {number}"));
    }
    bench.machine.run(ALLOW_OTHER).ok();
    for (owner, options, number) in [
        ("root", "allow_other", uid("root")),
        ("bob", "allow_other", uid("bob")),
        (
            "root, with its permissions checked,",
            "allow_other,default_permissions",
            uid("root"),
        ),
        ("nobody, as it is mute,", "allow_other", "mute".to_owned()),
    ] {
        let name = format!("a FUSE for everybody that belongs to {owner}");
        over_nix(&bench, &mut family, &name, &format!("{options} {number}"));
    }
    over_nix_twice(&bench, &mut family);
    family.case("afterwards, by ssh", || bench.all_come_by_ssh());
    family.finish();
}

fn over_nix(bench: &Bench, family: &mut Family, name: &str, words: &str) {
    let stay = bench.alice_stays(&format!("forging-fuse /nix {words}"));
    let shell = bench.alice_with(stay.process);
    bench.take(family, name, &shell, DOORS, Doors::Open);
    let inside = |line: &str| {
        let begun = Instant::now();
        let output = bench
            .machine
            .run(&format!("{shell} {}", quoted(&format!("cd / && {line}"))));
        (output, begun.elapsed())
    };
    family.case(&format!("{name}: the others, and she elsewhere"), || {
        bench.all_log_in(&["bob", "carol", "root", "alice"])
    });
    family.case(&format!("{name}: from there, alice again"), || {
        let (output, took) = inside("su alice -c 'echo in'");
        in_time(took)?;
        (output.stdout.trim() == "in")
            .then_some(())
            .ok_or_else(|| short(&output))
    });
}

/// One file system on another, and one on a directory in it.
fn over_nix_twice(bench: &Bench, family: &mut Family) {
    let bob = bench.uid("bob");
    let stay = bench.alice_stays(&format!(
        "forging-fuse /nix allow_other 1001 forging-fuse /nix/store allow_other 0 \
         forging-fuse /nix allow_other {bob}"
    ));
    let shell = bench.alice_with(stay.process);
    let name = "a FUSE on a FUSE";
    bench.take(family, name, &shell, FEW_DOORS, Doors::Open);
}

/// Paths that say whose namespace it is, or that the way out leads through.
const ROOTS_PLACES: [&str; 10] = [
    "/run",
    "/run/nix-ns",
    "/run/nix-ns/1",
    "/run/nix-ns/self",
    "/run/nix-ns/self/namespace",
    "/",
    "/proc",
    "/etc",
    "/etc/nix-ns",
    "/usr/libexec",
];

#[test]
fn nothing_can_be_mounted_where_the_marker_is() {
    let bench = Bench::set_up(machine_or_skip!());
    bench.machine.run(ALLOW_OTHER).ok();
    let mut family = Family::new("forged identity, marker");
    let stay = bench.alice_stays("env");
    let shell = bench.alice_with(stay.process);
    let table = || {
        let path = format!("/proc/{}/mountinfo", stay.process);
        bench.machine.run(&format!("cat {path}")).stdout
    };
    let before = table();
    for place in ROOTS_PLACES {
        for line in [
            format!("forging-fuse {place} - 0 true"),
            format!("forging-fuse {place} allow_other,nonempty 0 true"),
            format!("cd {place} && forging-fuse . - 0 true"),
            format!("ln -sfn {place} ~/link && forging-fuse ~/link - 0 true"),
            format!("fusermount3 -u {place}"),
            format!("fusermount3 -uz {place}"),
            format!("umount -l {place}"),
            format!("mount --bind ~ {place}"),
        ] {
            family.case(&line, || {
                let output = bench.machine.run(&format!("{shell} {}", quoted(&line)));
                fails(&output)?;
                let after = table();
                (after == before).then_some(()).ok_or(after)
            });
        }
    }
    bench.take(&mut family, "and then", &shell, DOORS, Doors::Open);
    family.finish();
}

/// What she can do as root of a user namespace, before she asks su or sudo.
const AS_ROOT_OF_HERS: [(&str, &str); 10] = [
    ("nothing", ":"),
    ("a /nix of hers", "mount --bind ~ /nix"),
    ("a tmpfs over /nix", "mount -t tmpfs none /nix"),
    ("a tmpfs over /run", "mount -t tmpfs none /run"),
    (
        "a tmpfs over /run/nix-ns",
        "mount -t tmpfs none /run/nix-ns",
    ),
    (
        "a tmpfs over the marker",
        "mount -t tmpfs none /run/nix-ns/self",
    ),
    (
        "a marker of hers",
        "mount -t tmpfs none /run/nix-ns/self && \
         ln -s \"$(cat /srv/common/forged)\" /run/nix-ns/self/namespace",
    ),
    (
        "a /run with a marker of hers",
        "mount -t tmpfs none /run && mkdir -p /run/nix-ns/self && \
         ln -s \"$(cat /srv/common/forged)\" /run/nix-ns/self/namespace",
    ),
    (
        "stacks of hers",
        "mount -t tmpfs none /etc/pam.d && \
         for s in su sudo; do echo 'session optional pam_permit.so' >/etc/pam.d/$s; done",
    ),
    (
        "seventy mounts on /nix",
        "for i in $(seq 70); do mount -t tmpfs none /nix || exit; done",
    ),
];

/// How she becomes it.
const USER_NAMESPACES: [(&str, &str); 4] = [
    ("unshare -Urm", "unshare -Urm"),
    (
        "unshare -Urm with numbers of others",
        "unshare -Um --map-root-user --map-users=100000,1,65535",
    ),
    ("unshare -Urmpf", "unshare -Urm --pid --fork --mount-proc"),
    (
        "unshare -Um as herself",
        "unshare -Um --map-current-user --keep-caps",
    ),
];

/// An administrator looks into a user namespace of alice's, and goes on by a door
/// of PAM's: there, root is real, and the marker may be alice's.
#[test]
fn a_marker_of_alices_fools_no_administrator() {
    let bench = Bench::set_up(machine_or_skip!());
    let machine = &bench.machine;
    let mut family = Family::new("forged identity, forged marker");
    let stay = bench.alice_stays("env");
    in_user_namespaces(&bench, &mut family, &stay);
    let marker = machine.run(&format!(
        "nsenter -t {} -m readlink /run/nix-ns/self/namespace",
        stay.process
    ));
    let marker = marker.ok().to_owned();
    for (what, prepare) in AS_ROOT_OF_HERS {
        for owner in ["bob", "alice", "root"] {
            for origin in ["as it is", "another"] {
                let forged = what.ends_with("a marker of hers");
                if !forged && (owner, origin) != ("bob", "as it is") {
                    continue;
                }
                machine.run("rm -f /srv/common/forged").ok();
                let begin = format!(
                    "while ! test -e /srv/common/forged; do sleep 0.01; done; {prepare}; \
                     echo prepared >/srv/common/ready"
                );
                let place = machine.keep(|line| {
                    let shell = bench.alice_with(stay.process);
                    let inner = format!("{{ {begin}; }} 2>/dev/null & {line}");
                    let line = format!("exec unshare -Urm sh -c {}", quoted(&inner));
                    machine.spawn(&format!("{shell} {}", quoted(&line)))
                });
                let text = forge(&bench, &marker, place.process, owner, origin);
                let ready = "/srv/common/ready";
                machine.run(&format!("rm -f {ready}")).ok();
                let forge = format!(
                    "printf %s {} >/srv/common/forged.new; mv /srv/common/forged.new /srv/common/forged",
                    quoted(&text)
                );
                machine.run(&forge).ok();
                machine.wait_until("alice to prepare", || machine.exists(ready));
                let shell = format!("nsenter -t {} -m sh -c", place.process);
                let name = format!("{what} ({owner}'s, origin {origin})");
                bench.take(&mut family, &name, &shell, FEW_DOORS, Doors::MayStayShut);
                let shell = format!("nsenter -t {} -m -U sh -c", place.process);
                let name = format!("{name}, in the user namespace");
                bench.take(&mut family, &name, &shell, FEW_DOORS, Doors::MayStayShut);
            }
        }
    }
    family.case("afterwards, by ssh", || bench.all_come_by_ssh());
    family.finish();
}

/// No setuid program of root's works there: not even to be refused.
fn in_user_namespaces(bench: &Bench, family: &mut Family, stay: &Stay) {
    let machine = &bench.machine;
    machine
        .run("echo alice:100000:65536 | tee /etc/subuid >/etc/subgid")
        .ok();
    for (how, unshare) in USER_NAMESPACES {
        for (what, prepare) in AS_ROOT_OF_HERS {
            let inner = format!("{{ {prepare}; }} 2>/dev/null; exec sh -c \"$0\"");
            let shell = format!(
                "{} {}",
                bench.alice_with(stay.process),
                quoted(&format!("exec {unshare} sh -c {} \"$0\"", quoted(&inner)))
            );
            let name = format!("{how}, {what}");
            family.case(&format!("{name}: alice herself"), || bench.is_hers(&shell));
            bench.take(family, &name, &shell, FEW_DOORS, Doors::MayStayShut);
        }
    }
}

/// The text of a marker for a process's namespace: alice knows all of it.
fn forge(bench: &Bench, marker: &str, process: u32, owner: &str, origin: &str) -> String {
    let process = format!("/proc/{}/root/proc/{process}", bench.machine.init());
    let namespace = File::open(format!("{process}/ns/mnt")).expect("it lives");
    let number = kernel::namespace_id(namespace.as_fd());
    let root = Linux.remembered(Path::new(&format!("{process}/root/")));
    let root = root.expect("it lives").mount;
    let words = marker.split(' ').map(|word| {
        let Some((key, _)) = word.split_once('=') else {
            return word.to_owned();
        };
        match (key, number) {
            ("uid", _) => format!("uid={}", bench.uid(owner)),
            ("namespace", Ok(number)) => format!("namespace=u{number}"),
            ("origin", _) if origin == "another" => "origin=u1".to_owned(),
            ("root", _) => format!("root={root}"),
            _ => word.to_owned(),
        }
    });
    words.collect::<Vec<_>>().join(" ")
}

/// With numbers of others that root has given her, she may give files away.
#[test]
fn a_nix_that_was_given_away_is_nobodys() {
    let bench = Bench::set_up(machine_or_skip!());
    let machine = &bench.machine;
    let mut family = Family::new("forged identity, owner");
    let bob = bench.uid("bob");
    // The second is a mistake of an administrator's.
    for (whose, range) in [
        ("a number of her own", "100000:65536"),
        ("bob", &format!("{bob}:1")),
    ] {
        machine
            .run(&format!(
                "echo alice:{range} | tee /etc/subuid >/etc/subgid"
            ))
            .ok();
        let stay = bench.alice_stays("env");
        let shell = bench.alice_with(stay.process);
        let (first, _) = range.split_once(':').expect("a range");
        let give = format!(
            "unshare -U --map-root-user --map-users={first},1,1 chown 1 /nix && stat -c %u /nix"
        );
        family.case(&format!("/nix is given to {whose}"), || {
            let output = machine.run(&format!("{shell} {}", quoted(&give)));
            let owner: u32 = output.ok().parse().expect("a number");
            (owner != bench.uid("alice"))
                .then_some(())
                .ok_or_else(|| short(&output))
        });
        for door in DOORS {
            let line = door.line.replace('#', "whose-nix given");
            family.case(&format!("/nix is given to {whose}: {}", door.line), || {
                let (output, took, sights) = bench.look(&shell, &format!("cd / && {line}"));
                in_time(took)?;
                let judged = bench.judge(door.to, "given", &sights, Doors::Open);
                judged.map_err(|what| format!("{what}; {}", short(&output)))
            });
        }
        family.case(&format!("/nix is given to {whose}: the others"), || {
            bench.all_log_in(&["bob", "carol", "root"])?;
            bench.host_is_unchanged()
        });
        family.case(&format!("/nix is given to {whose}: alice logs in"), || {
            // It is still the directory that she has chosen, or none.
            let login = machine.ssh("alice", "whose-nix given");
            let own = ["host", "alice"].map(|nix| format!("given {} {nix}", bench.uid("alice")));
            own.contains(&login.stdout.trim().to_owned())
                .then_some(())
                .ok_or_else(|| short(&login))
        });
        drop(stay);
        machine
            .run("chown alice: /home/alice/.local/share/nix")
            .ok();
    }
    family.finish();
}
