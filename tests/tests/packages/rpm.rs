//! The RPMs, put by Debian's rpm into a Debian whose stacks are laid out as
//! pam-config lays them out. Without what only a distribution of RPMs has: its
//! dependencies, authselect, its SELinux policy.

use std::env::consts::ARCH;
use std::fs;
use std::process::Command;

use tests::bed::Bed;
use tests::{Output, User};

use crate::house::{behind, leaves, nobody_is_on_a_nix, pam};

pub fn installed_and_enabled_it_gives_a_nix_and_removed_it_leaves_nothing(bed: &Bed) {
    lay_out(bed);
    let before = pam(bed);
    rpm(bed, "--install", &["nix-ns"]);
    assert_eq!(pam(bed), before);
    for (file, expected) in [
        ("/usr/lib64/security/pam_nixns.so", "644 root root"),
        ("/usr/libexec/nix-ns-reader", "711 root root"),
        ("/usr/libexec/nix-ns-enter", "711 root root"),
        ("/etc/nix-ns/config.toml", "644 root root"),
        ("/nix", "755 root root"),
    ] {
        let found = bed.run(&format!("stat -c '%a %U %G' {file}"));
        assert_eq!(found.ok(), expected, "{file}");
    }
    bed.ssh("alice", "nix-ns init").ok();
    assert_eq!(bed.ssh("alice", "stat -c %U /nix").ok(), "root");

    enable(bed).ok();
    enable(bed).ok();
    let anchor = bed.keep_by_ssh("alice");
    let manager = behind(bed, |probe| {
        bed.ssh("alice", &format!("systemd-run --user --wait {probe} || :"))
    });
    assert_eq!(manager.namespace, anchor.namespace);
    assert_eq!(bed.ssh("alice", "sudo stat -c %U /nix").ok(), "root");
    let doctor = bed.run("nix-ns doctor");
    for said in [
        "leave first, enter last",
        "as in pam_nixns(8), or equivalent",
    ] {
        assert!(doctor.stdout.contains(said), "{said}: {doctor}");
    }
    // As an upgrade does it.
    rpm(bed, "--upgrade --replacepkgs", &["nix-ns"]);
    let later = behind(bed, |probe| bed.ssh("alice", probe));
    assert_eq!(later.namespace, anchor.namespace);

    erase(bed, "nix-ns");
    assert_eq!(pam(bed), before);
    let inside = format!(
        "nsenter --target {} --mount stat -c %U /nix",
        anchor.process
    );
    assert_eq!(bed.run(&inside).ok(), "alice");
    leaves(bed, anchor);
    rpm(bed, "--install", &["nix-ns"]);
    erase(bed, "nix-ns");
    let left = "find / -xdev -path /home -prune -o -name '*nix*ns*' -print | grep -Ev '^/(proc|sys|root)/' || :";
    assert_eq!(
        bed.run(left).ok(),
        "/usr/lib/x86_64-linux-gnu/security/pam_nixns.so"
    );
    assert!(!bed.exists("/nix"));
}

pub fn the_setuid_package_makes_it_setuid_as_long_as_it_is_there(bed: &Bed) {
    let mode = || {
        bed.run("stat -c %a /usr/libexec/nix-ns-enter")
            .ok()
            .to_owned()
    };
    rpm(bed, "--install", &["nix-ns"]);
    assert_eq!(mode(), "711");
    rpm(bed, "--install", &["nix-ns-setuid", "nix-ns-selinux"]);
    assert_eq!(mode(), "4711");
    rpm(bed, "--upgrade --replacepkgs", &["nix-ns"]);
    assert_eq!(mode(), "4711");
    bed.run("chmod 0711 /usr/libexec/nix-ns-enter && systemd-tmpfiles --create")
        .ok();
    assert_eq!(mode(), "4711");
    assert!(nobody_is_on_a_nix(bed));
    erase(bed, "nix-ns-setuid");
    assert_eq!(mode(), "711");
}

pub fn stacks_that_somebody_has_edited_are_left_alone(bed: &Bed) {
    lay_out(bed);
    rpm(bed, "--install", &["nix-ns"]);
    let stack = "/etc/pam.d/common-session";
    bed.run(&format!("rm {stack} && cp {stack}-pc {stack}"))
        .ok();
    let before = pam(bed);
    let refused = enable(bed);
    assert!(refused.fails().contains("by hand"), "{refused}");
    assert_eq!(pam(bed), before);
    let line = "session optional pam_nixns.so";
    bed.write(
        stack,
        format!("{}{line}\n", bed.read(stack)),
        0o644,
        &User::root(),
    );
    let by_hand = pam(bed);
    let erased = erase(bed, "nix-ns");
    assert!(erased.contains(&format!("left in {stack}")), "{erased}");
    assert_eq!(pam(bed), by_hand);
    assert_eq!(bed.ssh("alice", "sudo id -un").ok(), "root");
}

// ---- tools

const RPM: &str = "/opt/rpm/run";

/// The form that pam-config gives the stacks that all services include.
#[track_caller]
fn lay_out(bed: &Bed) {
    let to_pam_config = "cd /etc/pam.d && rm common-session-noninteractive && \
        sed -i 's/-noninteractive//' $(grep -ls noninteractive * /usr/lib/pam.d/*) && \
        mv common-session common-session-pc && ln -s common-session-pc common-session";
    bed.run(to_pam_config).ok();
    // Where Debian's libpam looks.
    bed.run("ln -s /usr/lib64/security/pam_nixns.so /usr/lib/x86_64-linux-gnu/security/")
        .ok();
}

fn enable(bed: &Bed) -> Output {
    bed.run("nix-ns-pam enable")
}

/// Installs, and runs the scriptlets, by an rpm that is none of the bed's.
#[track_caller]
fn rpm(bed: &Bed, how: &str, packages: &[&str]) {
    let version = env!("CARGO_PKG_VERSION");
    let mut files = Vec::new();
    for package in packages {
        let own = *package == "nix-ns";
        let architecture = if own { ARCH } else { "noarch" };
        let file = format!("{package}-{version}-1.{architecture}.rpm");
        let bytes = fs::read(tests::package::rpms().join(&file)).expect("it is built");
        bed.write(&format!("/root/{file}"), bytes, 0o644, &User::root());
        files.push(format!("/root/{file}"));
    }
    if !bed.exists(RPM) {
        bring_rpm(bed);
    }
    run(bed, &format!("{how} {}", files.join(" ")));
}

/// What it said.
#[track_caller]
fn erase(bed: &Bed, package: &str) -> String {
    run(bed, &format!("--erase {package}"))
}

/// Without the dependencies, which only a distribution of RPMs has.
#[track_caller]
fn run(bed: &Bed, words: &str) -> String {
    let output = bed.run(&format!("{RPM} {words} --nodeps"));
    output.ok();
    for complaint in ["scriptlet failed", "not found"] {
        assert!(!output.stderr.contains(complaint), "{output}");
    }
    output.stderr
}

/// The host's, with all that it needs of the host's, where nothing else of the
/// bed's finds it.
#[track_caller]
fn bring_rpm(bed: &Bed) {
    let packed = Command::new("sh")
        .args([
            "-c",
            "tar -ch --transform 's,^usr/lib/rpm,config,;s,^\\(usr/\\)*\\(bin\\|lib64\\|lib/[^/]*\\)/,,' -C / usr/bin/rpm usr/lib/rpm \
             $(ldd /usr/bin/rpm | grep -o '/[^ ]*' | cut -c 2-)",
        ])
        .output()
        .expect("there is a shell");
    assert!(packed.status.success(), "{packed:?}");
    bed.write("/root/rpm.tar", packed.stdout, 0o644, &User::root());
    bed.run("mkdir /opt/rpm && tar -C /opt/rpm -xf /root/rpm.tar")
        .ok();
    let script = "#!/bin/sh\nexec env RPM_CONFIGDIR=/opt/rpm/config /opt/rpm/ld-linux-*.so.* \
                  --library-path /opt/rpm /opt/rpm/rpm --force-debian \"$@\"\n";
    bed.write(RPM, script, 0o755, &User::root());
}
