//! Namespaces that alice makes, or has made for her, in the hope that a session
//! is put into one of them.

use tests::hostile::Family;
use tests::whereabouts::Whereabouts;
use tests::{Background, machine_or_skip};

use super::bench::{ALICE, Bench, quoted};

/// Programs that alice leaves running; `#` is what she runs in them. With what
/// each of them covers `/nix` by.
const PLANTS: &[(&str, &str)] = &[
    ("a user namespace", "unshare -Urm sh -c \"#\""),
    (
        "a user namespace in which she is herself",
        "unshare -Um --map-current-user --keep-caps sh -c \"#\"",
    ),
    (
        "a user namespace in another",
        "unshare -Urm unshare -Urm sh -c \"#\"",
    ),
    (
        "a user namespace with processes of its own",
        "unshare -Urm --pid --fork --mount-proc sh -c \"#\"",
    ),
    (
        "a user namespace by the name of the ssh server",
        "unshare -Urm perl -e '$0 = \"sshd: alice [priv]\"; system(\"sh\", \"-c\", $ARGV[0])' \"#\"",
    ),
    (
        "a user namespace by the name of su",
        "unshare -Urm bash -c \"exec -a su sh -c \\\"#\\\"\"",
    ),
    (
        "bubblewrap",
        "bwrap --bind / / --dev /dev --proc /proc --tmpfs /nix sh -c \"#\"",
    ),
    (
        "bubblewrap with a directory of hers on /nix",
        "bwrap --bind / / --bind /home/alice /nix sh -c \"#\"",
    ),
    (
        "a FUSE of hers on /nix",
        "forging-fuse /nix - 1001 sh -c \"#\"",
    ),
    (
        "a mute FUSE of hers on /nix",
        "forging-fuse /nix - mute sh -c \"#\"",
    ),
    (
        "two thousand processes' worth of threads",
        "perl -e 'for (1..200) { fork or exec \"sleep\", 1000 } exec \"sh\", \"-c\", $ARGV[0]' \"#\"",
    ),
];

/// What root makes for her, as a setuid sandbox or a container's engine would.
const MADE_BY_ROOT: &[(&str, &str)] = &[
    ("a namespace", "unshare --mount"),
    (
        "a namespace with processes of its own",
        "unshare --mount --pid --fork --mount-proc",
    ),
    (
        "a namespace that is shared again",
        "unshare --mount --propagation shared",
    ),
];

#[test]
fn no_session_is_put_into_a_namespace_of_alices() {
    let bench = Bench::set_up(machine_or_skip!());
    let mut family = Family::new("planted namespaces");
    for (name, plant) in PLANTS {
        let stay = bench.alice_stays("env");
        let shell = bench.alice_with(stay.process);
        let right = bench.machine.where_ssh_leads("alice");
        let covered = "mount -t tmpfs none /nix 2>/dev/null; echo planted; exec sleep 1000";
        let line = format!("cd / && exec {}", plant.replace('#', covered));
        let mut planted = bench.machine.spawn(&format!("{shell} {}", quoted(&line)));
        planted.until_it_says("planted");
        judge(&bench, &mut family, name, &right, planted, || drop(stay));
    }
    for (name, make) in MADE_BY_ROOT {
        let stay = bench.alice_stays("env");
        let right = bench.machine.where_ssh_leads("alice");
        let mut planted = bench.machine.spawn(&format!(
            "nsenter -t {} -m {make} sh -c 'mount --bind /srv /nix; exec {ALICE} sh -c \
             \"echo planted; exec sleep 1000\"'",
            stay.process
        ));
        planted.until_it_says("planted");
        let name = format!("{name} that root made for her");
        judge(&bench, &mut family, &name, &right, planted, || drop(stay));
    }
    family.case("afterwards, by ssh", || bench.all_come_by_ssh());
    family.finish();
}

/// While her session lives, and when only the planted process does.
fn judge(
    bench: &Bench,
    family: &mut Family,
    name: &str,
    right: &Whereabouts,
    planted: Background,
    end_session: impl FnOnce(),
) {
    let machine = &bench.machine;
    family.case(&format!("{name}: alice logs in again"), || {
        let found = machine.where_ssh_leads("alice");
        (found.nix == right.nix)
            .then_some(())
            .ok_or_else(|| format!("{found:?} is not on {}", right.nix))
    });
    let all = ["bob", "carol", "root", "alice"];
    family.case(&format!("{name}: the others"), || bench.all_log_in(&all));
    end_session();
    family.case(&format!("{name}: alone"), || {
        let found = machine.where_ssh_leads("alice");
        (found.nix == right.nix)
            .then_some(())
            .ok_or_else(|| format!("{found:?} is not on {}", right.nix))
    });
    family.case(&format!("{name}: alone, the others"), || {
        bench.all_log_in(&all)?;
        bench.host_is_unchanged()
    });
    drop(planted);
    let ended =
        machine.run("pkill -9 -u alice; while pgrep -u alice >/dev/null; do sleep 0.01; done; :");
    ended.ok();
}
