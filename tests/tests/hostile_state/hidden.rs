//! Sandboxes around alice's session in which the marker cannot be seen. A setuid
//! program that makes them is a site's own; here root does it.

use tests::hostile::Family;
use tests::machine_or_skip;

use super::bench::{ALICE, Bench, Doors, FEW_DOORS, quoted};

/// What hides the marker, run as root of the sandbox.
const HIDDEN: [(&str, &str); 13] = [
    ("a marker in plain sight", ":"),
    (
        "a tmpfs over /run/nix-ns",
        "mount -t tmpfs none /run/nix-ns",
    ),
    ("a tmpfs over /run", "mount -t tmpfs none /run"),
    (
        "a tmpfs over the marker",
        "mount -t tmpfs none /run/nix-ns/self",
    ),
    (
        "an empty directory over the marker",
        "mount --bind /var/empty /run/nix-ns/self",
    ),
    (
        "an empty directory over /run/nix-ns",
        "mount --bind /var/empty /run/nix-ns",
    ),
    (
        "a /run with half a place for a marker",
        "mount -t tmpfs none /run && mkdir /run/nix-ns",
    ),
    (
        "a file in the place of the marker's directory",
        "mount -t tmpfs none /run && touch /run/nix-ns",
    ),
    (
        "a /run of alice's with a place for a marker",
        "mount --bind /home/alice/run /run",
    ),
    (
        "a /run without what is mounted in it",
        "mount --bind /run /run",
    ),
    ("a marker that was taken off", "umount /run/nix-ns/self"),
    (
        "a marker of nonsense",
        "mount -t tmpfs none /run && mkdir -p /run/nix-ns/self && \
         ln -s nonsense /run/nix-ns/self/namespace",
    ),
    (
        "a marker that is no link",
        "mount -t tmpfs none /run && mkdir -p /run/nix-ns/self/namespace",
    ),
];

/// How the sandbox is made, and what else it hides.
const SANDBOXES: [(&str, &str, &str); 4] = [
    ("", "unshare --mount", ":"),
    (
        "processes of its own",
        "unshare --mount --pid --fork --mount-proc",
        ":",
    ),
    (
        "processes of its own and the host's /proc",
        "unshare --mount --pid --fork",
        ":",
    ),
    ("no /proc", "unshare --mount", "mount -t tmpfs none /proc"),
];

#[test]
fn nobody_is_on_alices_nix_in_a_sandbox_that_hides_the_marker() {
    let bench = Bench::set_up(machine_or_skip!());
    let mut family = Family::new("hidden marker");
    bench
        .machine
        .run("mkdir -p /var/empty && install -d -o alice /home/alice/run /home/alice/run/nix-ns /home/alice/run/nix-ns/self")
        .ok();
    let alice = bench.alice_stays("env");
    let mut opened = 0;
    for (hidden, hide) in HIDDEN {
        for (also, sandbox, more) in SANDBOXES {
            let inner = format!("{hide} && {more} && exec {ALICE} sh -c \"$0\"");
            let shell = format!(
                "nsenter -t {} -m {sandbox} sh -c {}",
                alice.process,
                quoted(&inner)
            );
            let name = format!("{hidden}, {also}");
            family.case(&format!("{name}: alice herself"), || bench.is_hers(&shell));
            opened += bench.take(&mut family, &name, &shell, FEW_DOORS, Doors::MayStayShut);
        }
    }
    family.case("not every session is refused", || {
        (opened > HIDDEN.len() * FEW_DOORS.len())
            .then_some(())
            .ok_or_else(|| format!("{opened} doors opened"))
    });
    // What a first session leaves behind there must not fool a second one.
    for (hidden, hide) in HIDDEN {
        let inner = format!("{hide} && exec {ALICE} sh -c \"$0\"");
        let sandbox = SANDBOXES[1].1;
        let shell = format!(
            "nsenter -t {} -m {sandbox} sh -c {}",
            alice.process,
            quoted(&inner)
        );
        bench.take_with(
            &mut family,
            &format!("{hidden}, after bob was there"),
            &shell,
            "cd /; su bob -c true; #",
            FEW_DOORS,
            Doors::MayStayShut,
        );
    }
    family.case("afterwards, by ssh", || bench.all_come_by_ssh());
    family.finish();
}

/// Where there is no way out, nobody goes on: what is in the way, and from which
/// directory.
const NO_WAY_OUT: [(&str, &str, &str); 7] = [
    ("no /proc", "mount -t tmpfs none /proc", "/nix"),
    ("no /proc", "mount -t tmpfs none /proc", "/tmp"),
    ("no /proc and no /run", HIDE_BOTH, "/nix"),
    ("no /proc and no /run", HIDE_BOTH, "/tmp"),
    ("a hundred mounts on /nix", MANY_MOUNTS, "/"),
    (
        "a hundred mounts on the marker",
        "for i in $(seq 100); do mount -t tmpfs none /run/nix-ns/self || exit; done",
        "/",
    ),
    (
        "another's /proc",
        "mount --bind /home/alice /proc",
        "/home/alice",
    ),
];
const HIDE_BOTH: &str = "mount -t tmpfs none /run && mount -t tmpfs none /proc";
const MANY_MOUNTS: &str =
    "for i in $(seq 100); do mount --bind /home/alice/.local/share/nix /nix || exit; done";

#[test]
fn where_the_way_out_is_hidden_nobody_goes_on() {
    let bench = Bench::set_up(machine_or_skip!());
    let mut family = Family::new("hidden way out");
    let alice = bench.alice_stays("env");
    for (name, hide, directory) in NO_WAY_OUT {
        let inner = format!("{hide} && exec {ALICE} sh -c \"$0\"");
        let shell = format!(
            "nsenter -t {} -m unshare --mount sh -c {}",
            alice.process,
            quoted(&inner)
        );
        family.case(&format!("{name}: alice herself"), || bench.is_hers(&shell));
        bench.take_with(
            &mut family,
            &format!("{name}, from {directory}"),
            &shell,
            &format!("cd {directory} && #"),
            FEW_DOORS,
            Doors::MayStayShut,
        );
    }
    // A right that is missing, whoever took it away.
    for right in ["sys_admin", "sys_chroot"] {
        let shell = format!(
            "nsenter -t {} -m setpriv --bounding-set=-{right} {ALICE} sh -c",
            alice.process
        );
        bench.take(
            &mut family,
            &format!("no right to {right}"),
            &shell,
            FEW_DOORS,
            Doors::MayStayShut,
        );
    }
    family.finish();
}
