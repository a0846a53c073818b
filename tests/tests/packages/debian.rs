//! The Debian package, on booted systems as they are after their installation.

use std::fs;

use tests::bed::Bed;
use tests::package::workspace;
use tests::{Output, User};

use crate::house::{
    LOOK_AROUND, behind, doors_lead_to, leaves, nobody_is_on_a_nix, pam, the_doctor_finds_the_lines,
};

pub fn whoever_opts_in_has_a_nix_and_nobody_else_notices(bed: &Bed) {
    let noticed = |user| bed.ssh(user, LOOK_AROUND).ok().to_owned();
    let before = (noticed("bob"), noticed("root"));
    bed.install_package().ok();
    assert_eq!((noticed("bob"), noticed("root")), before);

    bed.ssh("alice", "nix-ns init").ok();
    let anchor = bed.keep_by_ssh("alice");
    doors_lead_to(bed, &anchor);
    let root = behind(bed, |probe| bed.ssh("alice", &format!("sudo {probe}")));
    assert_eq!(root.nix, bed.where_the_host_is().nix);
    assert_eq!((noticed("bob"), noticed("root")), before);
    the_doctor_finds_the_lines(bed);

    // Whoever opts in with something else than a configuration has none.
    let hostile = [
        "ln -s /etc/shadow",
        "mkfifo",
        "mkdir",
        "ln -s /dev/zero",
        "printf 'source_path = \"/etc\"' >",
        "printf 'source_path = \"../..\"' >",
        "head -c 100000 /dev/zero >",
    ];
    for made in hostile {
        let file = "~/.config/nix-ns/config.toml";
        bed.ssh(
            "bob",
            &format!("mkdir -p ~/.config/nix-ns && rm -rf {file} && {made} {file}"),
        )
        .ok();
        assert_eq!(bed.ssh("bob", "stat -c %U /nix").ok(), "root", "{made}");
    }
    assert!(!bed.log().contains("root:"), "a line of /etc/shadow");
    assert_eq!(bed.ssh("alice", "stat -c %U /nix").ok(), "alice");
}

pub fn sessions_live_through_an_upgrade_and_a_purge(bed: &Bed) {
    let before = everything(bed);
    bed.install_package().ok();
    bed.ssh("alice", "nix-ns init").ok();
    let anchor = bed.keep_by_ssh("alice");
    let inside = format!(
        "nsenter --target {} --mount stat -c %U /nix",
        anchor.process
    );
    assert_eq!(bed.run(&inside).ok(), "alice");
    let wired = pam(bed);

    bed.upgrade_package().ok();
    assert_eq!(pam(bed), wired);
    // dpkg puts a new file in place of the old one, which sshd goes on with.
    let old = "grep -l 'pam_nixns.so (deleted)' /proc/[0-9]*/maps";
    assert!(!bed.run(old).ok().is_empty());
    assert_eq!(bed.run(&inside).ok(), "alice");
    let later = behind(bed, |probe| bed.ssh("alice", probe));
    assert_eq!(later.namespace, anchor.namespace);

    let purged = bed.apt("purge nix-ns");
    purged.ok();
    says(&purged, "sessions that are on a user's /nix");
    assert_eq!(bed.run(&inside).ok(), "alice", "{purged}");
    assert!(bed.exists("/nix"));
    let without = behind(bed, |probe| bed.ssh("alice", probe));
    assert_eq!(without.nix, bed.where_the_host_is().nix);
    leaves(bed, anchor);

    bed.install_package().ok();
    assert_eq!(pam(bed), wired);
    assert_eq!(bed.ssh("alice", "stat -c %U /nix").ok(), "alice");
    bed.wait_until("alice to leave", || nobody_is_on_a_nix(bed));
    bed.apt("purge nix-ns").ok();
    assert_eq!(everything(bed), before);
    // Where it is a user's, and nobody's else.
    bed.run("test -d /home/alice/.local/share/nix").ok();
}

pub fn edits_of_the_administrators_are_left_alone(bed: &Bed) {
    let edit = "sed -i 's/^session.*pam_unix.so.*/&\\nsession optional pam_warn.so/' /etc/pam.d/common-session*";
    bed.run(edit).ok();
    let edited = pam(bed);
    let installed = bed.install_package();
    installed.ok();
    for said in [
        "Local modifications",
        ": common-session common-session-noninteractive,",
        "README.Debian",
    ] {
        says(&installed, said);
    }
    assert_eq!(pam(bed), edited);
    bed.ssh("alice", "nix-ns init").ok();
    assert_eq!(bed.ssh("alice", "stat -c %U /nix").ok(), "root");

    // As it says there.
    let lines = lines_of("PAM");
    let [leave, guard, enter] = &lines[..] else {
        panic!("three lines: {lines:?}")
    };
    for file in ["common-session", "common-session-noninteractive"] {
        let path = format!("/etc/pam.d/{file}");
        let text = format!("{leave}\n{guard}\n{}\n{enter}\n", bed.read(&path));
        bed.write(&path, text, 0o644, &User::root());
    }
    assert_eq!(bed.ssh("alice", "stat -c %U /nix").ok(), "alice");
    bed.upgrade_package().ok();
    let by_hand = pam(bed);
    let purged = bed.apt("purge nix-ns");
    purged.ok();
    let named =
        "take its lines out of /etc/pam.d/common-session /etc/pam.d/common-session-noninteractive";
    says(&purged, named);
    assert_eq!(pam(bed), by_hand);
    // What is left of it keeps nobody out.
    for user in ["alice", "bob"] {
        assert_eq!(
            bed.ssh(user, "sudo -u alice id -un; sudo id -un").ok(),
            "alice\nroot"
        );
    }
}

pub fn lines_beside_the_marks_stay_and_purge_restores_every_byte(bed: &Bed) {
    bed.run("echo 'session optional pam_warn.so # ours' >>/etc/pam.d/common-session")
        .ok();
    bed.run("sed -i 's/nullok/nullok # why/; s/umask=[0-9]*/&/' /etc/pam.d/common-auth")
        .ok();
    let before = pam(bed);
    bed.install_package().ok();
    let wired = pam(bed);
    assert_ne!(wired, before);
    bed.ssh("alice", "nix-ns init").ok();
    assert_eq!(bed.ssh("alice", "stat -c %U /nix").ok(), "alice");
    // A removal that goes wrong once the lines are out.
    bed.run("cd /var/lib/dpkg/info && cp nix-ns.prerm /root && echo 'exit 1' >>nix-ns.prerm")
        .ok();
    bed.apt("remove nix-ns").fails();
    assert_eq!(pam(bed), wired);
    bed.run("cp /root/nix-ns.prerm /var/lib/dpkg/info").ok();
    bed.apt("remove nix-ns").ok();
    assert_eq!(pam(bed), before);
    bed.install_package().ok();
    assert_eq!(bed.ssh("alice", "stat -c %U /nix").ok(), "alice");
    bed.apt("purge nix-ns").ok();
    assert_eq!(pam(bed), before);
}

pub fn a_package_that_is_unpacked_only_does_nothing(bed: &Bed) {
    let before = pam(bed);
    let noticed = bed.ssh("bob", LOOK_AROUND).ok().to_owned();
    bed.unpack_package().ok();
    assert_eq!(pam(bed), before);
    assert_eq!(bed.ssh("bob", LOOK_AROUND).ok(), noticed);
    bed.ssh("alice", "nix-ns init").ok();
    assert_eq!(
        bed.ssh("alice", "test ! -e /nix && sudo id -un").ok(),
        "root"
    );
    bed.run("dpkg --configure --pending").ok();
    assert_eq!(bed.ssh("alice", "stat -c %U /nix").ok(), "alice");

    // Broken afterwards: nobody has a /nix, and everybody gets in.
    let module = bed.run("ls /usr/lib/*/security/pam_nixns.so");
    let reader = "/usr/libexec/nix-ns-reader";
    for (broken, file) in [
        ("chmod 0", reader),
        ("rm", reader),
        ("truncate --size 0", module.ok()),
        ("truncate --size 4096", module.ok()),
        ("rm", module.ok()),
    ] {
        bed.run(&format!("{broken} {file}")).ok();
        bed.wait_until("alice to leave", || nobody_is_on_a_nix(bed));
        let seen = bed.ssh("alice", "stat -c %U /nix; sudo id -un");
        assert_eq!(seen.ok(), "root\nroot", "{broken} {file}");
        assert_eq!(bed.ssh("bob", "sudo id -un").ok(), "root", "{broken}");
    }
    bed.apt("install --reinstall /root/nix-ns.deb").ok();
    assert_eq!(bed.ssh("alice", "stat -c %U /nix").ok(), "alice");
}

/// One that a user has installed without any of this, say.
pub fn a_nix_that_was_there_stays_as_it_was(bed: &Bed) {
    bed.run("install -d -o bob -g bob -m 0700 /nix && install -d -o bob /nix/store")
        .ok();
    let look = "stat -c '%a %U %G' /nix /nix/store";
    let before = bed.run(look).ok().to_owned();
    bed.install_package().ok();
    bed.run("systemd-tmpfiles --create").ok();
    assert_eq!(bed.run(look).ok(), before);
    bed.ssh("alice", "nix-ns init").ok();
    assert_eq!(bed.ssh("alice", "stat -c %U /nix").ok(), "bob");
    let doctor = bed.run("nix-ns doctor --json");
    assert!(doctor.stdout.contains("host.nix-owner"), "{doctor}");
    bed.apt("purge nix-ns").ok();
    assert_eq!(bed.run(look).ok(), before);
}

/// As OSTree has it: a root directory that not even root can write.
pub fn an_image_gets_its_mount_point_at_boot(bed: &Bed) {
    bed.install_package().ok();
    let start = "systemctl start nix-ns-mount-point.service";
    bed.run("rmdir /nix && chattr +i / && touch /run/ostree-booted")
        .ok();
    bed.run("mkdir /nix").fails();
    bed.run(start).ok();
    assert_eq!(bed.run("stat -c '%a %U' /nix").ok(), "755 root");
    bed.run("mkdir /another").fails();
    bed.ssh("alice", "nix-ns init").ok();
    assert_eq!(bed.ssh("alice", "stat -c %U /nix").ok(), "alice");

    // On a system that is none, not even tried.
    bed.run(&format!(
        "rm /run/ostree-booted && chattr -i / && rmdir /nix && {start}"
    ))
    .ok();
    assert!(!bed.exists("/nix"));
}

pub fn choices_of_the_administrators_outlive_an_upgrade(bed: &Bed) {
    bed.install_package().ok();
    let enter = "/usr/libexec/nix-ns-enter";
    let setuid = lines_starting("dpkg-statoverride");
    bed.run(&setuid.join("\n")).ok();
    bed.run("pam-auth-update --disable nix-ns nix-ns-leave")
        .ok();
    bed.run("echo 'enable = false' >>/etc/nix-ns/config.toml")
        .ok();
    let chosen = pam(bed);
    bed.upgrade_package().ok();
    assert_eq!(bed.run(&format!("stat -c %a {enter}")).ok(), "4711");
    assert_eq!(pam(bed), chosen);
    assert!(!bed.read("/etc/pam.d/common-session").contains("nixns"));
    assert!(
        bed.read("/etc/nix-ns/config.toml")
            .contains("enable = false")
    );
    bed.run("pam-auth-update --enable nix-ns nix-ns-leave").ok();
    assert!(bed.read("/etc/pam.d/common-session").contains("nixns"));
}

pub fn programs_of_sshds_run_on_the_host_where_the_site_wants_that(bed: &Bed) {
    bed.install_package().ok();
    bed.ssh("alice", "nix-ns init").ok();
    let anchor = bed.keep_by_ssh("alice");
    let motd = "#!/bin/sh\nreadlink /proc/self/ns/mnt >/run/motd-was-in\n";
    bed.write("/etc/update-motd.d/99-look", motd, 0o755, &User::root());
    let motd_was_in = || {
        let found = behind(bed, |probe| bed.ssh("alice", probe));
        assert_eq!(found.namespace, anchor.namespace);
        bed.read("/run/motd-was-in").trim().to_owned()
    };
    // Later ones have it before common-session.
    if ["bookworm", "trixie"].contains(&bed.suite.name) {
        assert_eq!(motd_was_in(), anchor.namespace);
    }

    let lines = lines_of("Where sshd runs programs");
    let [leave, enter] = &lines[..] else {
        panic!("two lines: {lines:?}")
    };
    let text = bed.read("/etc/pam.d/sshd");
    let include = "@include common-session\n";
    assert!(text.contains(include), "{text}");
    let text = text.replace(include, &format!("{include}{leave}\n"));
    bed.write(
        "/etc/pam.d/sshd",
        format!("{text}\n{enter}\n"),
        0o644,
        &User::root(),
    );
    assert_eq!(motd_was_in(), bed.where_the_host_is().namespace);
    the_doctor_finds_the_lines(bed);
}

// ---- tools

/// apt puts both streams of a package's into one.
#[track_caller]
fn says(output: &Output, text: &str) {
    let said = output.stdout.contains(text) || output.stderr.contains(text);
    assert!(said, "{text:?}: {output}");
}

/// Every file of the system, but for those that log or remember what happened;
/// and every byte of the stacks.
fn everything(bed: &Bed) -> String {
    let look = "cd / && find . -xdev ( -path ./home -o -path ./root -o -path ./tmp -o -path ./srv -o -path ./proc \
                -o -path ./sys -o -path ./run -o -path ./dev -o -path ./var/log -o -path ./var/cache \
                -o -path ./var/lib/dpkg -o -path ./var/lib/apt -o -path ./var/lib/systemd -o -path ./var/tmp \
                -o -path ./var/spool ) -prune -o -printf '%p %m %U %G %l\\n' | sort";
    let look = look.replace('(', "\\(").replace(')', "\\)");
    format!("{}\n{}", bed.run(&look).ok(), pam(bed))
}

/// The PAM lines in a section of what the package tells administrators.
fn lines_of(section: &str) -> Vec<String> {
    let text = readme();
    let (_, rest) = text.split_once(&format!("\n{section}")).expect("a heading");
    let (_, rest) = rest.split_once("\n--").expect("underlined");
    let end = rest.find("\n--").unwrap_or(rest.len());
    let lines = rest[..end].lines().map(str::trim);
    lines
        .filter(|line| line.starts_with("session ["))
        .map(str::to_owned)
        .collect()
}

fn lines_starting(word: &str) -> Vec<String> {
    let lines = readme();
    let lines = lines.lines().filter_map(|line| line.strip_prefix("  "));
    lines
        .filter(|line| line.starts_with(word))
        .map(str::to_owned)
        .collect()
}

fn readme() -> String {
    fs::read_to_string(workspace().join("packaging/debian/README.Debian")).expect("of this project")
}
