//! The Debian package, on systems with a desktop: a display manager, and every
//! other door, with nothing edited.

use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

use tests::bed::{Bed, DESKTOPS, Suite, X_SERVER};
use tests::whereabouts::{COMMON, PROBE, Stay, Whereabouts};
use tests::{User, skip};

use crate::house::{doors_lead_to, furnish};

/// Where a kernel has virtual terminals.
const TERMINALS: &str = "/dev/tty0";
/// Longer than a desktop takes to appear on a loaded machine without graphics.
const SLOW: Duration = Duration::from_secs(90);

/// None where there is nothing to sit in front of.
pub fn boot(suite: Suite, test: &str) -> Option<Bed> {
    if !Path::new(TERMINALS).exists() {
        skip(test, "no virtual terminals on this machine");
        return None;
    }
    let bed = Bed::boot_with_seat(suite, &[DESKTOPS]);
    Some(furnish(bed.unwrap_or_else(|error| panic!("{error}"))))
}

pub fn whoever_opts_in_has_a_nix_there_too_and_nobody_else_notices(bed: &Bed) {
    bed.install_package().ok();
    bed.ssh("alice", "nix-ns init").ok();
    let anchor = bed.keep_by_ssh("alice");
    let found = at_the_desktop_of(bed, "alice");
    assert_eq!(found.owner(), bed.uid("alice").to_string(), "{found:?}");
    assert_eq!(found.namespace, anchor.namespace, "{found:?}");
    everything_runs_there(bed, &anchor);
    doors_lead_to(bed, &anchor);

    let found = at_the_desktop_of(bed, "bob");
    let host = bed.where_the_host_is();
    assert_eq!(found.owner(), host.owner(), "{found:?}");
    assert_eq!(found.namespace, host.namespace, "{found:?}");
}

/// Where a user finds themselves whom lightdm logs in as it starts.
#[track_caller]
fn at_the_desktop_of(bed: &Bed, user: &str) -> Whereabouts {
    let root = User::root();
    let seat =
        format!("[Seat:*]\nxserver-command={X_SERVER}\nuser-session=xfce\nautologin-user={user}\n");
    bed.write("/etc/lightdm/lightdm.conf.d/bed.conf", seat, 0o644, &root);
    let file = format!("{COMMON}/desktop.{user}");
    let probe = format!("[Desktop Entry]\nType=Application\nName=Probe\nExec={PROBE} {file}\n");
    bed.write("/etc/xdg/autostart/probe.desktop", probe, 0o644, &root);
    // lightdm waits for servers of its own that are gone already.
    let patience = "[Service]\nTimeoutStopSec=5\n";
    let unit = "/etc/systemd/system/lightdm.service.d/bed.conf";
    bed.write(unit, patience, 0o644, &root);
    bed.run("systemctl daemon-reload && systemctl restart lightdm")
        .ok();
    let began = Instant::now();
    while !bed.exists(&file) {
        let log = || bed.log();
        assert!(began.elapsed() < SLOW, "no desktop of {user}'s: {}", log());
        sleep(Duration::from_millis(200));
    }
    Whereabouts::parse(&bed.read(&file)).expect("the probe's report")
}

/// Every process of alice's is in the namespace of that session of hers, and
/// those of a desktop are many.
#[track_caller]
fn everything_runs_there(bed: &Bed, anchor: &Stay) {
    let spaces = bed.run(
        "for it in $(pgrep -u alice); do readlink /proc/$it/ns/mnt || :; done | sort | uniq -c",
    );
    let spaces = spaces.ok();
    assert_eq!(spaces.lines().count(), 1, "{spaces}");
    let (count, space) = spaces.trim().split_once(' ').expect("a number and a name");
    assert_eq!(space, anchor.namespace);
    assert!(count.parse::<u32>().is_ok_and(|it| it > 5), "{count}");
}
