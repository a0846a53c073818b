//! `nix-ns doctor`, `status` and `list` on a machine where all is well, and on
//! one where a single thing is not.

use std::collections::BTreeSet;
use std::io::Write;
use std::time::Duration;

use tests::{ENTER, LEAVE, Machine, User, machine_or_skip};

const LEAVE_OR_GUARD: &str =
    "session [success=1 system_err=die abort=die default=ignore] pam_nixns.so leave";
const GUARD: &str = "session [success=ok default=die] pam_exec.so quiet /usr/bin/test ! -L /run/nix-ns/self/namespace";
const UNIX: &str = "session required pam_unix.so";
const HOOK: &str = "session optional pam_exec.so /usr/local/sbin/hook";

/// Longer than a doctor that waits for nothing, shorter than one that waits for
/// ever.
const BOUND: Duration = Duration::from_secs(40);

/// Asks about the host and alice, as root.
const AS_ROOT: &str = "nix-ns doctor --user alice";

/// A machine as the README sets one up, and alice on it, who has a configuration.
fn healthy(machine: Machine) -> (Machine, User) {
    let machine = machine.set_up();
    for service in ["su", "su-l", "sudo", "sudo-i", "polkit-1"] {
        machine.pam(service, &[LEAVE_OR_GUARD, GUARD, UNIX, ENTER]);
    }
    machine.pam("systemd-user", &[LEAVE, UNIX, ENTER]);
    let home = "mount -t tmpfs -o size=4g,nr_inodes=1m,mode=755 tmpfs /home";
    machine.run(home).ok();
    let alice = machine.nix_user("alice");
    (machine, alice)
}

/// A single thing that is not well.
struct Plant {
    /// The name of the check that must find it.
    check: &'static str,
    outcome: &'static str,
    /// What the finding says of it.
    says: &'static str,
    plant: String,
    undo: String,
}

fn plant(check: &'static str, outcome: &'static str, says: &'static str, how: [&str; 2]) -> Plant {
    Plant {
        check,
        outcome,
        says,
        plant: how[0].to_owned(),
        undo: how[1].to_owned(),
    }
}

/// Session lines in the place of a service's.
fn stack(
    check: &'static str,
    outcome: &'static str,
    says: &'static str,
    service: &str,
    lines: &[&str],
) -> Plant {
    let file = format!("/etc/pam.d/{service}");
    Plant {
        check,
        outcome,
        says,
        plant: format!(
            "cp -p {file} /tmp/stack; printf '%s\\n' '{}' > {file}",
            lines.join("' '")
        ),
        undo: format!("cp -p /tmp/stack {file}"),
    }
}

/// A text in the place of a file's, or of none.
fn text(
    check: &'static str,
    outcome: &'static str,
    says: &'static str,
    file: &str,
    text: &str,
) -> Plant {
    Plant {
        check,
        outcome,
        says,
        plant: format!(
            "rm -f /tmp/text; cp -p {file} /tmp/text 2>/dev/null; mkdir -p $(dirname {file}); printf '{text}' > {file}"
        ),
        undo: format!("rm -f {file}; test ! -e /tmp/text || cp -p /tmp/text {file}"),
    }
}

fn site(check: &'static str, outcome: &'static str, says: &'static str, content: &str) -> Plant {
    text(check, outcome, says, "/etc/nix-ns/config.toml", content)
}

const CONFIGURATION: &str = "/home/alice/.config/nix-ns/config.toml";

fn programs() -> Vec<Plant> {
    let module = "M=$(ls /lib/*/security/pam_nixns.so)";
    let reader = "/usr/libexec/nix-ns-reader";
    let both =
        |first: &str, second: &str| [format!("{module}; {first}"), format!("{module}; {second}")];
    let on_module = |check, says, first: &str, second: &str| {
        let [first, second] = both(first, second);
        plant(check, "FAULT", says, [&first, &second])
    };
    vec![
        on_module(
            "module.installed",
            "not in the PAM modules' directory",
            "mv $M /tmp/module",
            "mv /tmp/module ${M:-/lib/x86_64-linux-gnu/security/pam_nixns.so}",
        ),
        on_module(
            "module.permissions",
            "mode 0666",
            "chmod 0666 $M",
            "chmod 0644 $M",
        ),
        on_module(
            "module.permissions",
            "belongs to uid",
            "chown alice $M",
            "chown root $M",
        ),
        on_module(
            "module.symbols",
            "no pam_sm_open_session",
            "cp -p $M /tmp/module; cp /lib/*/libcrypt.so.1 $M",
            "cp -p /tmp/module $M",
        ),
        on_module(
            "module.symbols",
            "no pam_sm_open_session",
            "cp -p $M /tmp/module; truncate -s 100 $M",
            "cp -p /tmp/module $M",
        ),
        plant(
            "reader.installed",
            "FAULT",
            "No such file",
            [
                &format!("mv {reader} /tmp/reader"),
                &format!("mv /tmp/reader {reader}"),
            ],
        ),
        plant(
            "reader.permissions",
            "FAULT",
            "mode 0755",
            [
                &format!("chmod 0755 {reader}"),
                &format!("chmod 0711 {reader}"),
            ],
        ),
        plant(
            "reader.permissions",
            "FAULT",
            "users cannot run it",
            [
                &format!("chmod 0700 {reader}"),
                &format!("chmod 0711 {reader}"),
            ],
        ),
        plant(
            "reader.permissions",
            "FAULT",
            "belongs to uid",
            [
                &format!("chown alice {reader}"),
                &format!("chown root {reader}"),
            ],
        ),
        plant(
            "enter.installed",
            "FAULT",
            "setuid and",
            [
                "install -m 4777 /bin/true /usr/libexec/nix-ns-enter",
                "rm /usr/libexec/nix-ns-enter",
            ],
        ),
        plant(
            "run.directory",
            "FAULT",
            "forge",
            ["chmod 0777 /run/nix-ns", "chmod 0755 /run/nix-ns"],
        ),
    ]
}

fn stacks() -> Vec<Plant> {
    let optional = "session optional pam_nixns.so leave";
    let enter_before_hook = [LEAVE, UNIX, ENTER, HOOK];
    let jump = "session [success=1 default=ignore] pam_succeed_if.so quiet uid = 1";
    vec![
        stack(
            "pam.systemd-user",
            "FAULT",
            "systemd --user is not put",
            "systemd-user",
            &[UNIX],
        ),
        stack(
            "pam.lines",
            "FAULT",
            "sudo has no line that leaves",
            "sudo",
            &[UNIX, ENTER],
        ),
        stack(
            "pam.lines",
            "FAULT",
            "sshd enters and never leaves",
            "sshd",
            &[UNIX, ENTER],
        ),
        stack(
            "pam.lines",
            "warning",
            "cron has neither line",
            "cron",
            &[UNIX],
        ),
        stack(
            "pam.order",
            "FAULT",
            "before the line that leaves",
            "sshd",
            &[HOOK, LEAVE, UNIX, ENTER],
        ),
        stack(
            "pam.order",
            "FAULT",
            "after the line that enters",
            "sshd",
            &enter_before_hook,
        ),
        stack(
            "pam.control",
            "FAULT",
            "the session goes on",
            "sshd",
            &[optional, UNIX, ENTER],
        ),
        stack(
            "pam.control",
            "FAULT",
            "skips more than the guard",
            "sudo",
            &[LEAVE_OR_GUARD, UNIX, ENTER],
        ),
        stack(
            "pam.skipped",
            "FAULT",
            "pam_succeed_if may skip",
            "sshd",
            &[jump, LEAVE, UNIX, ENTER],
        ),
        stack(
            "pam.guard",
            "warning",
            "sudo has no guard",
            "sudo",
            &[LEAVE, UNIX, ENTER],
        ),
        stack(
            "pam.syntax",
            "FAULT",
            "includes gone",
            "sshd",
            &[LEAVE, "session include gone", ENTER],
        ),
        stack(
            "pam.arguments",
            "FAULT",
            "`leaf`",
            "sshd",
            &[LEAVE, UNIX, &format!("{ENTER} leaf")],
        ),
        stack(
            "pam.arguments",
            "FAULT",
            r"`\u{1b}[2J`",
            "sshd",
            &[LEAVE, UNIX, &format!("{ENTER} \u{1b}[2J")],
        ),
    ]
}

fn hosts() -> Vec<Plant> {
    let set_to_0 = "echo 0 > /tmp/zero; mount --bind /tmp/zero /proc/sys/user/max_user_namespaces";
    vec![
        plant(
            "host.nix",
            "FAULT",
            "this host has no /nix",
            ["rmdir /nix", "mkdir -m 0755 /nix"],
        ),
        plant(
            "host.nix",
            "FAULT",
            "symbolic link",
            ["rmdir /nix; ln -s /srv /nix", "rm /nix; mkdir -m 0755 /nix"],
        ),
        plant(
            "host.nix-owner",
            "FAULT",
            "belongs to uid",
            ["chown alice /nix", "chown root /nix"],
        ),
        plant(
            "host.nix-writable",
            "FAULT",
            "mode 0777",
            ["chmod 0777 /nix", "chmod 0755 /nix"],
        ),
        plant(
            "host.nix-not-empty",
            "FAULT",
            "in use (it holds store)",
            ["mkdir /nix/store", "rmdir /nix/store"],
        ),
        plant(
            "host.nixos",
            "FAULT",
            "/etc/NIXOS exists",
            ["touch /etc/NIXOS", "rm /etc/NIXOS"],
        ),
        text(
            "host.privileged-reference",
            "FAULT",
            "/etc/profile.d/nix.sh:2: . /nix/x.sh",
            "/etc/profile.d/nix.sh",
            "\\n. /nix/x.sh\\n",
        ),
        text(
            "host.systemd-units",
            "warning",
            "/etc/systemd/system/a.service:2: ExecStart=/nix/x",
            "/etc/systemd/system/a.service",
            "[Service]\\nExecStart=/nix/x\\n",
        ),
        text(
            "host.apparmor-profiles",
            "warning",
            "/etc/apparmor.d/nix:1",
            "/etc/apparmor.d/nix",
            "/nix/store/** ux,\\n",
        ),
        plant(
            "host.propagation",
            "warning",
            "private",
            ["mount --make-private /", "mount --make-shared /"],
        ),
        text(
            "doors.sudoers",
            "warning",
            "/etc/sudoers.d/none:1",
            "/etc/sudoers.d/none",
            "Defaults !pam_session\\n",
        ),
        text(
            "doors.sshd",
            "warning",
            "UsePAM no",
            "/etc/ssh/sshd_config",
            "UsePAM no\\n",
        ),
        plant(
            "doors.setuid",
            "note",
            "/usr/local/bin/door",
            [
                "install -m 4755 /bin/true /usr/local/bin/door",
                "rm /usr/local/bin/door",
            ],
        ),
        text(
            "doors.private-services",
            "warning",
            "cron.service has a mount namespace of its own",
            "/etc/systemd/system/cron.service.d/own.conf",
            "[Service]\\nPrivateTmp=yes\\n",
        ),
        text(
            "doors.slurm",
            "warning",
            "jobs get no /nix",
            "/etc/slurm/slurm.conf",
            "ClusterName=c\\n",
        ),
        plant(
            "nix.user-namespaces",
            "warning",
            "max_user_namespaces is 0",
            [set_to_0, "umount /proc/sys/user/max_user_namespaces"],
        ),
        site(
            "config.site",
            "FAULT",
            "config.toml:1:1: `enabled` is not a key",
            "enabled = true\\n",
        ),
        plant(
            "config.site",
            "FAULT",
            "may write it",
            [
                "chmod 0666 /etc/nix-ns/config.toml",
                "chmod 0644 /etc/nix-ns/config.toml",
            ],
        ),
        site(
            "config.enable",
            "warning",
            "nobody gets /nix",
            "enable = false\\n",
        ),
        site(
            "config.overrides",
            "warning",
            "nixos is overridden",
            "override_refusals = [\"nixos\"]\\n",
        ),
        site(
            "config.root-stays",
            "warning",
            "root stays in sudo",
            "[services.sudo]\\nroot = \"stay\"\\n",
        ),
    ]
}

fn users() -> Vec<Plant> {
    let c = CONFIGURATION;
    let own = |how: &str| format!("{how}; chown -h alice: {c}");
    let back = format!("rm -rf {c}; install -o alice -g alice -m 0644 /dev/null {c}");
    let on_configuration = |outcome, says, how: &str| {
        plant(
            "user.configuration",
            outcome,
            says,
            [&format!("rm {c}; {how}"), &back],
        )
    };
    let s = "/home/alice/.local/share/nix";
    let store =
        format!("install -d -o alice -g alice /home/alice/.local /home/alice/.local/share {s}");
    let gone = "rm -rf /home/alice/.local";
    let on_store = |check, outcome, says, how: &str| {
        plant(check, outcome, says, [&format!("{store}; {how}"), gone])
    };
    let on_mount = |check, outcome, says, options: &str, more: &str| {
        let mount = format!(
            "{store}; mount -t tmpfs -o uid=$(id -u alice),mode=700,{options} tmpfs {s}; {more}"
        );
        plant(
            check,
            outcome,
            says,
            [&mount, &format!("umount {s}; {gone}")],
        )
    };
    let second = "/home/alice/.local/share/nix/root/nix/store";
    vec![
        site(
            "user.selected",
            "warning",
            "denies user alice",
            "[users]\\ndeny_users = [\"alice\"]\\n",
        ),
        on_configuration("warning", "is not there", ":"),
        on_configuration(
            "warning",
            "enable = false",
            &own(&format!("echo enable = false > {c}")),
        ),
        on_configuration(
            "FAULT",
            "config.toml:1:1",
            &own(&format!("echo sourcepath = 1 > {c}")),
        ),
        on_configuration("FAULT", "not a regular file", &own(&format!("mkfifo {c}"))),
        on_configuration("FAULT", "larger than", &own(&format!("truncate -s 1T {c}"))),
        on_configuration(
            "FAULT",
            "may write it",
            &own(&format!("install -m 0666 /dev/null {c}")),
        ),
        on_configuration(
            "FAULT",
            "belongs to uid 1",
            &format!("install -o daemon /dev/null {c}"),
        ),
        on_configuration(
            "FAULT",
            "is a symlink into /nix",
            &own(&format!("ln -s /nix/store/x {c}")),
        ),
        on_configuration(
            "FAULT",
            "permission denied",
            &own(&format!("ln -s /etc/shadow {c}")),
        ),
        on_configuration(
            "FAULT",
            "\\u{1b}[2J",
            &own(&format!(r#"printf '%s\n' '"\u001b[2J" = 1' > {c}"#)),
        ),
        on_configuration(
            "FAULT",
            "is not below",
            &own(&format!("echo \"source_path = '/srv/x'\" > {c}")),
        ),
        on_store(
            "user.directory",
            "FAULT",
            "belongs to uid 0",
            &format!("chown root {s}"),
        ),
        on_store(
            "user.directory",
            "FAULT",
            "writable by others",
            &format!("chmod 0777 {s}"),
        ),
        on_store(
            "user.directory",
            "FAULT",
            "is a symbolic link",
            &format!("rmdir {s}; ln -s /tmp {s}"),
        ),
        on_store(
            "user.directory",
            "FAULT",
            "is not a directory",
            &format!("rmdir {s}; touch {s}"),
        ),
        on_store(
            "user.directory",
            "FAULT",
            ".local is not a directory",
            "rm -r /home/alice/.local; touch /home/alice/.local",
        ),
        on_store(
            "user.directory",
            "FAULT",
            ".local is a symbolic link",
            "rm -r /home/alice/.local; ln -s /home/alice/.config /home/alice/.local; chown -h alice /home/alice/.local",
        ),
        on_store(
            "user.directory",
            "FAULT",
            "may not make it",
            &format!("rmdir {s}; chown root /home/alice/.local/share"),
        ),
        on_mount("user.noexec", "FAULT", "noexec", "size=3g,noexec", ":"),
        on_mount("user.read-only", "FAULT", "read-only", "size=3g,ro", ":"),
        on_mount("user.space", "warning", "only 64 MiB", "size=64m", ":"),
        on_mount(
            "user.inodes",
            "warning",
            "more files fit",
            "size=3g,nr_inodes=1000",
            ":",
        ),
        on_store(
            "nix.second-store",
            "warning",
            "second store",
            &format!("mkdir -p {second}/x; chown -R alice: {s}"),
        ),
        text(
            "nix.store",
            "warning",
            "/etc/nix/nix.conf:1",
            "/etc/nix/nix.conf",
            "store = daemon\\n",
        ),
    ]
}

/// A line of the report: outcome, check, what is said.
fn line_of<'a>(report: &'a str, plant: &Plant) -> Option<&'a str> {
    report.lines().find(|line| {
        let mut words = line.split_whitespace();
        words.next() == Some(plant.outcome)
            && words.next() == Some(plant.check)
            && line.contains(plant.says)
    })
}

#[test]
fn every_planted_fault_is_found_by_its_name_and_gone_when_it_is_undone() {
    let (machine, _) = healthy(machine_or_skip!());
    machine.configure_site("");
    let plants = [programs(), stacks(), hosts(), users()];
    let mut table = String::from("\n");
    let mut wrong = Vec::new();
    for plant in plants.iter().flatten() {
        machine.run(&plant.plant).ok();
        let sick = machine.run_within(BOUND, AS_ROOT);
        machine.run(&plant.undo).ok();
        let well = machine.run_within(BOUND, AS_ROOT);
        let found = line_of(&sick.stdout, plant);
        let failed = sick.status != tests::Status::Exited(0);
        let result = match found {
            None => "NOT FOUND",
            Some(_) if line_of(&well.stdout, plant).is_some() => "NOT GONE",
            Some(_) if failed != (plant.outcome == "FAULT") => "WRONG STATUS",
            Some(_) => "found",
        };
        table.push_str(&format!(
            "{result:<12} {:<7} {:<26} {}\n",
            plant.outcome, plant.check, plant.says
        ));
        if result != "found" {
            wrong.push(format!(
                "{} ({}): {result}\n{}{sick}",
                plant.check, plant.says, plant.plant
            ));
        }
    }
    let _ = std::io::stderr().write_all(table.as_bytes());
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let checks: BTreeSet<&str> = plants.iter().flatten().map(|plant| plant.check).collect();
    assert!(checks.len() >= 25, "{checks:?}");
}

#[test]
fn a_healthy_machine_is_well_for_root_and_for_its_users() {
    let (machine, _) = healthy(machine_or_skip!());
    for report in [
        machine.run("nix-ns doctor"),
        machine.run(AS_ROOT),
        machine.ssh("alice", "nix-ns doctor"),
        machine.run("su - alice -c 'nix-ns doctor'"),
    ] {
        let text = report.ok();
        assert_eq!(text.lines().last(), Some("all well"), "{text}");
        assert!(!text.contains('\u{1b}'), "colours, and no terminal: {text}");
    }
    let json = machine.ssh("alice", "nix-ns doctor --json");
    assert!(json.ok().contains("\"well\": true"), "{json}");
}

/// The README's installation, in the stacks as Debian ships them: nothing in
/// them stands where it should not.
#[test]
fn debians_own_stacks_are_well() {
    let (machine, _) = healthy(machine_or_skip!());
    if !std::fs::exists("/etc/pam.d/common-session").unwrap_or_default() {
        return tests::skip(module_path!(), "needs the PAM stacks of Debian or Ubuntu");
    }
    machine.run("rm /etc/pam.d/*").ok();
    for entry in std::fs::read_dir("/etc/pam.d")
        .expect("it is there")
        .flatten()
    {
        let name = entry.file_name().into_string().expect("a service");
        let shipped = std::fs::read_to_string(entry.path()).expect("of the distribution");
        let text = if name.starts_with("common-session") {
            format!("{LEAVE_OR_GUARD}\n{GUARD}\n{shipped}\n{ENTER}\n")
        } else {
            shipped
        };
        machine.write(&format!("/etc/pam.d/{name}"), text, 0o644, &User::root());
    }
    let report = machine.run("nix-ns doctor");
    let text = report.ok();
    let worse = text.lines().filter(|line| line.starts_with("warning"));
    let worse: Vec<&str> = worse.collect();
    // Debian's runuser includes nothing: SECURITY.md names it.
    assert!(worse.iter().all(|line| line.contains("runuser")), "{text}");
    assert_eq!(worse.len(), 2, "{text}");
}

/// A table that other programs rely on is whole.
#[test]
fn every_check_is_in_the_documentation() {
    let (machine, _) = healthy(machine_or_skip!());
    let documentation = include_str!("../../docs/diagnosis.md");
    let root = machine.run(AS_ROOT);
    let alice = machine.ssh("alice", "nix-ns doctor; nix-ns doctor --store");
    let planted = [programs(), stacks(), hosts(), users()];
    let planted = planted.iter().flatten().map(|plant| plant.check);
    let reported = [root.ok(), alice.ok()];
    let reported = reported.iter().flat_map(|text| text.lines());
    let reported = reported.filter_map(|line| line.split_whitespace().nth(1));
    for check in planted.chain(reported).filter(|word| word.contains('.')) {
        assert!(documentation.contains(&format!("`{check}`")), "{check}");
    }
}

#[test]
fn root_on_a_users_nix_is_told() {
    let (machine, _) = healthy(machine_or_skip!());
    machine.pam("sudo", &[UNIX]);
    let told = machine.ssh("alice", "sudo nix-ns doctor");
    assert!(told.stdout.contains("FAULT    session.namespace"), "{told}");
    assert!(told.stdout.contains("FAULT    pam.lines"), "{told}");
    let told = machine.ssh("alice", "sudo unshare -m nix-ns doctor --user alice");
    assert!(told.stdout.contains("FAULT    session.namespace"), "{told}");
    machine.configure_site("[services.sudo]\nroot = \"stay\"\n");
    let told = machine.ssh("alice", "sudo nix-ns doctor");
    assert!(told.stdout.contains("warning  session.namespace"), "{told}");
}

#[test]
fn a_session_without_its_nix_is_told() {
    let (machine, alice) = healthy(machine_or_skip!());
    let outside = machine.run_as("alice", "nix-ns doctor; nix-ns status");
    assert!(
        outside.stdout.contains("FAULT    session.namespace"),
        "{outside}"
    );
    assert!(
        outside
            .stdout
            .contains("this session has no /nix of its own"),
        "{outside}"
    );
    let script = "echo enable = true > ~/.config/nix-ns/config.toml; nix-ns status; nix-ns doctor";
    let changed = machine.ssh("alice", script);
    assert!(
        changed.stdout.contains("warning  session.fresh"),
        "{changed}"
    );
    assert!(
        changed.stdout.contains("changed:   /home/alice/"),
        "{changed}"
    );
    // Whoever is nobody's guest is told no fault.
    machine.configure(&alice, "enable = false");
    let disabled = machine.run_as("alice", "nix-ns doctor");
    assert!(
        disabled.ok().contains("note     session.namespace"),
        "{disabled}"
    );
}

/// The user's own FUSE, over the /nix that is theirs.
#[test]
fn what_a_user_mounts_over_nix_is_told() {
    let (machine, _) = healthy(machine_or_skip!());
    let stay = machine.keep_by_ssh("alice");
    let over = format!(
        "nsenter -t {} -m mount -t tmpfs -o nosuid,nodev x /nix",
        stay.process
    );
    machine.run(&over).ok();
    let told = machine.ssh("alice", "nix-ns doctor");
    // A login that finds /nix covered gets another namespace.
    told.ok();
    let script = format!(
        "nsenter -t {} -m setpriv --reuid alice --regid alice --init-groups nix-ns doctor",
        stay.process
    );
    let told = machine.run(&script);
    assert!(told.stdout.contains("FAULT    session.mount"), "{told}");
}

#[test]
fn a_dead_home_holds_up_no_doctor_and_hides_nothing_else() {
    let (machine, _) = healthy(machine_or_skip!());
    machine.run("chmod 0666 /run/nix-ns/self").ok();
    let _server = machine.mount_mute("/home/alice");
    for report in [
        machine.run_within(BOUND, AS_ROOT),
        machine.run_within(
            BOUND,
            "cd /; setpriv --reuid alice --regid alice --init-groups nix-ns doctor",
        ),
    ] {
        assert_eq!(report.status, tests::Status::Exited(1), "{report}");
        assert!(report.stdout.contains("FAULT    user.answers"), "{report}");
        assert!(report.stdout.contains("unknown  nix.store"), "{report}");
        assert!(report.stdout.contains("FAULT    run.directory"), "{report}");
    }
}

/// What is a user's is looked at with that user's rights.
#[test]
fn root_looks_at_a_users_files_as_the_user() {
    let (machine, _) = healthy(machine_or_skip!());
    let link = format!(
        "rm {CONFIGURATION}; ln -s /srv/secret {CONFIGURATION}; chown -h alice {CONFIGURATION}"
    );
    machine.run(&link).ok();
    // What root reads by its groups alone counts as well.
    machine.write("/srv/secret", "secret = 1\n", 0o640, &User::root());
    for asked in [AS_ROOT, "nix-ns doctor --all-users"] {
        let report = machine.run(&format!("setpriv --groups 0 {asked}"));
        assert!(report.stdout.contains("permission denied"), "{report}");
        assert!(!report.stdout.contains("`secret`"), "{report}");
    }
}

#[test]
fn only_root_looks_at_others() {
    let (machine, _) = healthy(machine_or_skip!());
    machine.nix_user("bob");
    for asked in ["doctor --user bob", "doctor --all-users", "list"] {
        let refused = machine.ssh("alice", &format!("nix-ns {asked}"));
        assert!(refused.fails().contains("only root may"), "{refused}");
    }
    machine.run("nix-ns doctor --user nobody-here").fails();
}

#[test]
fn a_roll_out_is_foretold_a_line_an_account() {
    let (machine, _) = healthy(machine_or_skip!());
    machine.configure_site("opt_in = false\n");
    let bob = machine.user("bob");
    machine.user("carol");
    machine.run("usermod -d /nonexistent carol").ok();
    machine.write(
        &format!("{}/.config/nix-ns/config.toml", bob.home),
        "nonsense",
        0o644,
        &bob,
    );
    let told = machine.run("nix-ns doctor --all-users");
    let line = |user: &str| told.stdout.lines().find(|line| line.contains(user));
    assert!(line("alice").unwrap().starts_with("ok"), "{told}");
    assert!(line("alice").unwrap().contains("will be made"), "{told}");
    assert!(line("bob").unwrap().starts_with("FAULT"), "{told}");
    assert!(line("carol").unwrap().starts_with("FAULT"), "{told}");
    assert!(
        line("carol")
            .unwrap()
            .contains("/nonexistent is no directory"),
        "{told}"
    );
    assert!(line("daemon").is_none(), "{told}");
    assert!(
        !machine.exists("/home/alice/.local"),
        "made before its time"
    );
    told.fails();
}

#[test]
fn status_names_the_sessions_that_share_a_nix() {
    let (machine, _) = healthy(machine_or_skip!());
    let stay = machine.keep_by_ssh("alice");
    machine.nix_user("bob");
    let _other = machine.keep_by_ssh("bob");
    // Alice's, too, and older than her /nix.
    let mut outside = machine.spawn_as("alice", "echo is there; exec sleep 1000");
    outside.until_it_says("is there");
    let status = machine.ssh("alice", "nix-ns status");
    let text = status.ok();
    assert!(text.contains("the /nix of alice"), "{status}");
    assert!(
        text.contains("directory: /home/alice/.local/share/nix"),
        "{status}"
    );
    assert!(text.contains("nosuid,nodev"), "{status}");
    let sessions = text.lines().filter(|line| line.starts_with("session:"));
    let sessions: Vec<&str> = sessions.collect();
    assert_eq!(sessions.len(), 2, "{status}");
    let kept = format!("session:   {} ", stay.process);
    assert!(
        sessions.iter().any(|line| line.starts_with(&kept)),
        "{status}"
    );
    let json = machine.ssh("alice", "nix-ns status --json");
    assert!(json.ok().contains("\"place\": \"nix\""), "{json}");
    let host = machine.run("nix-ns status --json");
    assert!(host.ok().contains("\"place\": \"host\""), "{host}");
}

#[test]
fn list_tells_root_who_has_a_nix() {
    let (machine, alice) = healthy(machine_or_skip!());
    assert_eq!(machine.run("nix-ns list").ok(), "");
    let stay = machine.keep_by_ssh("alice");
    let fill = "head -c 5M /dev/zero > /nix/a; ln /nix/a /nix/b; mkfifo /nix/fifo";
    machine.ssh("alice", fill).ok();
    let listed = machine.run("nix-ns list --sizes");
    let text = listed.ok();
    assert!(
        text.starts_with(&format!("alice ({})", alice.uid)),
        "{listed}"
    );
    assert!(
        text.contains("/home/alice/.local/share/nix  5 MiB  "),
        "{listed}"
    );
    assert!(text.contains(" sshd"), "{listed}");
    let outliving = "setsid sleep 1000 >/dev/null 2>&1 </dev/null & echo $!";
    let outliving = machine.ssh("alice", outliving).ok().to_owned();
    drop(stay);
    // On an older kernel such a process is not found again.
    let doctor = machine.run("nix-ns doctor");
    if doctor.stdout.contains("ok       kernel.namespace-ids") {
        machine.wait_until("only the process to be left", || {
            let listed = machine.run("nix-ns list");
            listed.ok().ends_with("outlived their session")
        });
    }
    let end = format!("kill {outliving}; mkdir /run/nix-ns/1/1.7");
    machine.run(&end).ok();
    let others = machine.run("nix-ns list");
    assert!(others.ok().contains("(1)  in a container"), "{others}");
    machine.run("rmdir /run/nix-ns/1/1.7").ok();
    machine.wait_until("the session to end", || {
        machine.run("nix-ns list").ok().ends_with("no session")
    });
}

/// A name in /proc is whatever its process says.
#[test]
fn names_steer_no_terminal() {
    let (machine, _) = healthy(machine_or_skip!());
    let script = r#"cp /bin/sleep $(printf '/tmp/\033[2J'); setsid /tmp/*2J 60 >/dev/null 2>&1 & sleep 0.5; nix-ns status; nix-ns status --json"#;
    let status = machine.ssh("alice", script);
    assert!(status.ok().contains(r"\u{1b}[2J"), "{status}");
    assert!(!status.stdout.contains('\u{1b}'), "{status}");
}

#[test]
fn what_does_not_belong_into_a_store_is_found() {
    let (machine, _) = healthy(machine_or_skip!());
    if !machine.has_nix() {
        return tests::skip(module_path!(), "needs Nix");
    }
    let with = |script: &str| machine.ssh_nix("alice", script);
    with("nix-store --init; echo x > x; nix-store --add x").ok();
    let well = with("nix-ns doctor --store");
    assert!(well.ok().contains("--verify finds nothing"), "{well}");
    for (check, plant) in [
        ("store.setuid", "cp /bin/true /nix/a; chmod 4755 /nix/a"),
        ("store.special", "mkfifo /nix/a"),
        ("store.writable", "touch /nix/a; chmod 0666 /nix/a"),
        ("store.readable", "mkdir -m 0 /nix/a"),
    ] {
        let found = with(&format!("{plant}; nix-ns doctor --store"));
        assert!(
            found.stdout.contains(&format!("FAULT    {check}")),
            "{found}"
        );
        found.fails();
        with("chmod 700 /nix/a 2>/dev/null; rm -rf /nix/a").ok();
    }
    machine
        .run("touch /home/alice/.local/share/nix/foreign")
        .ok();
    let foreign = with("nix-ns doctor --store");
    assert!(foreign.stdout.contains("FAULT    store.owner"), "{foreign}");
    machine.run("rm /home/alice/.local/share/nix/foreign").ok();
    let broken = with("head -c 1M /dev/urandom > /nix/var/nix/db/db.sqlite; nix-ns doctor --store");
    assert!(
        broken.stdout.contains("FAULT    store.database"),
        "{broken}"
    );
    let outside = machine.run_as("alice", "nix-ns doctor --store");
    assert!(outside.stdout.contains("unknown  store.mount"), "{outside}");
}
