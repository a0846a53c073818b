//! A bed with two people in it, and how it looks before and after.

use tests::bed::{Bed, Suite};
use tests::whereabouts::{COMMON, PROBE, Stay, Whereabouts};
use tests::{Output, User};

/// One of a suite's packages and no others.
pub fn boot(suite: Suite) -> Bed {
    furnish(Bed::boot(suite).unwrap_or_else(|error| panic!("{error}")))
}

/// Two people without a part in it, who may use sudo, and root.
pub fn furnish(bed: Bed) -> Bed {
    let now = "[Login]\nUserStopDelaySec=0\n";
    bed.write(
        "/etc/systemd/logind.conf.d/bed.conf",
        now,
        0o644,
        &User::root(),
    );
    bed.run("systemctl reload-or-restart systemd-logind").ok();
    bed.install_probe();
    bed.user("alice");
    bed.user("bob");
    bed
}

/// What a session is, but for what is another one's in every session.
pub const LOOK_AROUND: &str = "env | grep -Ev '^(SSH_|XDG_SESSION_ID|DBUS)' | sort; umask; id; ulimit -a; \
    readlink /proc/self/ns/mnt /proc/self/root; pwd; grep -E '^(Cap|NoNewPrivs|Seccomp|Sig[IC])' /proc/self/status; \
    ls -l /proc/self/fd | wc -l; cut -d' ' -f5 /proc/self/mountinfo | grep -v /run/user";

/// Where the probe is that something runs.
#[track_caller]
pub fn behind(bed: &Bed, open: impl FnOnce(&str) -> Output) -> Whereabouts {
    let file = format!("{COMMON}/behind");
    bed.run(&format!("rm -f {file}")).ok();
    let opened = open(&format!("{PROBE} {file}"));
    bed.wait_until(&format!("a report of {opened}"), || bed.exists(&file));
    Whereabouts::parse(&bed.read(&file)).unwrap_or_else(|| panic!("{opened}"))
}

/// Its name, and what opens it for a command line.
type Door<'a> = (&'a str, &'a dyn Fn(&str) -> Output);

/// Alice's sessions are all where this one is, whatever opens them.
#[track_caller]
pub fn doors_lead_to(bed: &Bed, anchor: &Stay) {
    let doors: [Door; 6] = [
        ("ssh", &|probe| bed.ssh("alice", probe)),
        ("su", &|probe| bed.run(&format!("su alice -c '{probe}'"))),
        ("su -", &|probe| {
            bed.run(&format!("su - alice -c '{probe}'"))
        }),
        ("sudo -u", &|probe| {
            bed.ssh("bob", &format!("sudo -u alice {probe}"))
        }),
        ("cron", &|probe| {
            bed.run(&format!(
                "echo '@reboot {probe}' | crontab -u alice - && rm -f /run/crond.reboot && \
                 systemctl restart cron"
            ))
        }),
        ("systemd --user", &|probe| {
            bed.ssh("alice", &format!("systemd-run --user --wait {probe} || :"))
        }),
    ];
    for (door, open) in doors {
        let found = behind(bed, open);
        assert_eq!(
            found.owner(),
            bed.uid("alice").to_string(),
            "{door}: {found:?}"
        );
        assert_eq!(found.namespace, anchor.namespace, "{door}: {found:?}");
    }
}

/// Every byte of the PAM stacks, and what pam-auth-update knows of them.
pub fn pam(bed: &Bed) -> String {
    let look = "cd / && find etc/pam.d var/lib/pam ! -name seen -printf '%p %m %U %G %l\\n' | sort; \
                find etc/pam.d var/lib/pam -type f ! -name seen -exec sha256sum {} + | sort";
    bed.run(look).ok().to_owned()
}

/// Ends a session, and waits until it has.
#[track_caller]
pub fn leaves(bed: &Bed, stay: Stay) {
    drop(stay);
    bed.wait_until("the session to end", || nobody_is_on_a_nix(bed));
    bed.wait_until("logind to know", || {
        bed.run("loginctl --no-legend list-users | grep -w alice || :")
            .ok()
            .is_empty()
    });
}

/// Whether no process has anything on `/nix`.
pub fn nobody_is_on_a_nix(bed: &Bed) -> bool {
    let there = "grep -ls ' /nix ' /proc/[0-9]*/mountinfo || :";
    bed.run(there).ok().is_empty()
}

/// Both lines where people come in, in order, and nothing wrong with them.
#[track_caller]
pub fn the_doctor_finds_the_lines(bed: &Bed) {
    let doctor = bed.run("nix-ns doctor");
    let services = doctor
        .stdout
        .lines()
        .find(|line| line.contains("both lines in"));
    let services = services.unwrap_or_else(|| panic!("{doctor}"));
    for service in [
        "sshd",
        "su",
        "su-l",
        "sudo",
        "sudo-i",
        "cron",
        "login",
        "systemd-user",
    ] {
        let named = services.split([' ', ',']).any(|word| word == service);
        assert!(named, "{service}: {doctor}");
    }
    for said in [
        "systemd --user enters",
        "leave first, enter last",
        "as in pam_nixns(8), or equivalent",
        "no other line skips the module's",
        "in every service that changes the user",
    ] {
        assert!(doctor.stdout.contains(said), "{said}: {doctor}");
    }
}
