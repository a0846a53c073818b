//! When there is no `/nix` to be had: the login goes on, nothing is mounted,
//! and one line of the log says what is wrong and how to mend it.

use std::time::{Duration, Instant};

use tests::{
    ENTER, LEAVE, Machine, Output, Status, User, at_this_pace, machine_with_alice_or_skip,
};

const NAMESPACE: &str = "readlink /proc/self/ns/mnt";
/// No login without a hung file server takes longer.
const SOON: Duration = Duration::from_secs(5);
/// Longest wait for a file server that does not answer, and the login around it.
const PATIENCE: Duration = Duration::from_secs(7);

// ---- the host's /nix

#[test]
fn a_host_without_nix_gives_none() {
    let (machine, _) = machine_with_alice_or_skip!();
    machine.run("rmdir /nix").ok();
    refused(&machine, &["no /nix", "mkdir -m 0755 /nix"]);
}

#[test]
fn a_link_in_the_place_of_nix_is_refused() {
    let (machine, _) = machine_with_alice_or_skip!();
    machine
        .run("rmdir /nix && mkdir /srv/nix && ln -s /srv/nix /nix")
        .ok();
    refused(&machine, &["/nix is a symbolic link", "empty directory"]);
    machine.configure_site("override_refusals = [\"host-nix-owner\", \"host-nix-not-empty\"]\n");
    refused(&machine, &["/nix is a symbolic link", "empty directory"]);
}

#[test]
fn a_file_in_the_place_of_nix_is_refused() {
    let (machine, _) = machine_with_alice_or_skip!();
    machine.run("rmdir /nix && touch /nix").ok();
    refused(&machine, &["/nix is not a directory", "empty directory"]);
}

#[test]
fn a_nix_that_is_not_roots_is_refused_unless_overridden() {
    let (machine, alice) = machine_with_alice_or_skip!();
    machine.run("chown alice /nix").ok();
    let uid = format!("/nix belongs to uid {}", alice.uid);
    refused_unless_overridden(&machine, "host-nix-owner", &[&uid, "chown root:root /nix"]);
}

#[test]
fn a_nix_that_others_can_write_is_refused_unless_overridden() {
    let (machine, _) = machine_with_alice_or_skip!();
    for mode in ["0775", "0757", "1777"] {
        machine.configure_site("");
        machine.run(&format!("chmod {mode} /nix")).ok();
        let found = format!("writable by others (mode {mode})");
        refused_unless_overridden(&machine, "host-nix-writable", &[&found, "chmod 0755 /nix"]);
    }
}

/// Somebody's Nix: multi-user, Determinate's, Debian's, another user's.
#[test]
fn a_nix_in_use_is_refused_unless_overridden() {
    let (machine, _) = machine_with_alice_or_skip!();
    for (make, unmake) in [
        ("mkdir /nix/store", "rmdir /nix/store"),
        ("touch /nix/.hidden", "rm /nix/.hidden"),
    ] {
        machine.configure_site("");
        machine.run(make).ok();
        refused_unless_overridden(&machine, "host-nix-not-empty", &["in use", "Uninstall"]);
        machine.run(unmake).ok();
    }
}

#[test]
fn nixos_is_refused_unless_overridden() {
    let (machine, _) = machine_with_alice_or_skip!();
    for (make, marker) in [
        ("touch", "/etc/NIXOS"),
        ("mkdir", "/run/wrappers"),
        ("ln -s /nowhere", "/run/current-system"),
    ] {
        machine.configure_site("");
        machine.run(&format!("{make} {marker}")).ok();
        refused_unless_overridden(&machine, "nixos", &["NixOS", marker]);
        machine.run(&format!("rm -r {marker}")).ok();
    }
}

/// The hook of an uninstalled Nix is enough for root: whoever has a login
/// shell of root's in a session runs what the user put there.
#[test]
fn a_privileged_file_that_names_nix_is_refused_unless_overridden() {
    let (machine, _) = machine_with_alice_or_skip!();
    for (file, text) in [
        (
            "/etc/profile.d/nix.sh",
            "if [ -e /nix/x.sh ]; then . /nix/x.sh; fi",
        ),
        (
            "/etc/sudoers.d/nix",
            "Defaults secure_path=/usr/bin:/nix/bin",
        ),
        ("/etc/ld.so.conf.d/nix.conf", "/nix/lib"),
        ("/etc/environment", "PATH=/nix/bin:/usr/bin"),
        ("/root/.bashrc", "export PATH=/nix/bin:$PATH"),
    ] {
        machine.configure_site("");
        machine.run(&format!("cp -a {file} /tmp/before || :")).ok();
        machine.write(file, format!("{text}\n"), 0o644, &User::root());
        refused_unless_overridden(&machine, "privileged-reference", &[file, "Remove the line"]);
        let back = format!("rm {file}; test ! -e /tmp/before || mv /tmp/before {file}");
        machine.run(&back).ok();
    }
}

/// Debian's sshd runs such scripts as root, in the session.
#[test]
fn a_script_that_a_pam_stack_runs_must_not_name_nix_either() {
    let (machine, _) = machine_with_alice_or_skip!();
    let stack = "session optional pam_exec.so /usr/local/sbin/hook\n";
    machine.write("/etc/pam.d/other-service", stack, 0o644, &User::root());
    machine.write("/usr/local/sbin/hook", "#!/bin/sh\n", 0o755, &User::root());
    gets_one(&machine);
    let hook = "#!/bin/sh\nexec /nix/hook\n";
    machine.write("/usr/local/sbin/hook", hook, 0o755, &User::root());
    refused(&machine, &["/usr/local/sbin/hook:2", "Remove the line"]);
}

#[test]
fn another_users_login_shell_must_not_be_on_nix() {
    let (machine, _) = machine_with_alice_or_skip!();
    machine.user("bob");
    machine.run("usermod -s /nix/bin/fish bob 2>/dev/null").ok();
    refused(&machine, &["/etc/passwd", "/nix/bin/fish"]);
}

/// What was read before is remembered only as long as nothing changes.
#[test]
fn a_privileged_file_is_read_again_when_it_has_changed() {
    let (machine, _) = machine_with_alice_or_skip!();
    gets_one(&machine);
    let hook = "/etc/profile.d/nix.sh";
    machine.write(hook, ". /nix/x.sh\n", 0o644, &User::root());
    refused(&machine, &[hook]);
    machine.write(hook, ". /mix/x.sh\n", 0o644, &User::root());
    gets_one(&machine);
    machine.run(&format!("sed -i s/mix/nix/ {hook}")).ok();
    refused(&machine, &[hook]);
}

/// Whoever starts su chooses how many descriptors it may have.
#[test]
fn what_cannot_be_looked_at_among_privileged_files_may_name_nix() {
    let (machine, _) = machine_with_alice_or_skip!();
    machine.install_pam_host();
    machine.pam("host", &[LEAVE, "session required pam_permit.so", ENTER]);
    // What an uninstalled Nix of root's own leaves: nothing is where it leads.
    let link = "/root/.nix-profile";
    machine.run(&format!("ln -s /nix/profile {link}")).ok();
    for (place, failing) in [
        ("/etc/profile.d", "openat:error=EMFILE"),
        ("/etc/profile.d", "getdents64:error=EIO"),
        (link, "readlink,readlinkat:error=ENOMEM"),
    ] {
        let (login, log) = machine.logged_during(|| {
            machine.run(&format!(
                "strace -qq -o /dev/null -P {place} -e inject={failing} \
                 pam-host host alice -- {NAMESPACE}"
            ))
        });
        assert!(
            login.ok().contains(&host_namespace(&machine)),
            "{failing}: {login}"
        );
        let line = only(&log);
        assert!(
            line.contains(&format!("{place} cannot be read: ")) && !line.contains("s a directory"),
            "{failing}: {line}"
        );
    }
    refused(&machine, &[link]);
    machine.run(&format!("rm {link}")).ok();
    gets_one(&machine);
}

/// The second look at the home is the reader's, which allows itself to make
/// directories there.
#[test]
fn a_directory_that_cannot_be_made_for_want_of_a_descriptor_says_so() {
    let (machine, _) = machine_with_alice_or_skip!();
    machine.install_pam_host();
    machine.pam("host", &[LEAVE, "session required pam_permit.so", ENTER]);
    let (login, log) = machine.logged_during(|| {
        machine.run(
            "strace -f -qq -o /dev/null -P /home/alice -e inject=openat:error=EMFILE:when=2 \
             pam-host host alice",
        )
    });
    login.ok();
    let line = only(&log);
    assert!(line.contains("cannot be made"), "{line}");
    assert!(line.contains("Too many open files"), "{line}");
}

#[test]
fn what_only_looks_like_nix_in_a_privileged_file_is_harmless() {
    let (machine, _) = machine_with_alice_or_skip!();
    let harmless = "# unix, /unix/bin and /nixpkgs are others, and so is /usr/nix\n";
    machine.write("/etc/profile.d/others.sh", harmless, 0o644, &User::root());
    machine.run("mkfifo /etc/profile.d/fifo.sh").ok();
    gets_one(&machine);
}

#[test]
fn overriding_one_refusal_overrides_no_other() {
    let (machine, _) = machine_with_alice_or_skip!();
    machine.run("chmod 0777 /nix && touch /etc/NIXOS").ok();
    machine.configure_site("override_refusals = [\"host-nix-writable\"]\n");
    refused(&machine, &["NixOS"]);
    machine.configure_site("override_refusals = [\"nixos\"]\n");
    refused(&machine, &["writable by others"]);
}

/// An administrator installs Nix while a session lingers.
#[test]
fn a_nix_in_use_is_refused_while_a_session_runs_too() {
    let (machine, _) = machine_with_alice_or_skip!();
    let (_session, _) = machine.stay_by_ssh("alice");
    machine.run("mkdir /nix/store").ok();
    refused(&machine, &["in use"]);
}

// ---- the user's directory

#[test]
fn a_directory_of_another_users_is_refused() {
    let (machine, alice) = machine_with_alice_or_skip!();
    let bob = machine.user("bob");
    machine
        .run("mkdir -p /scratch/shared && chown bob /scratch/shared")
        .ok();
    machine.configure_site("roots = [\"/scratch\"]\n");
    machine.configure(&alice, "source_path = \"/scratch/shared\"\n");
    let found = format!("/scratch/shared belongs to uid {}", bob.uid);
    refused(&machine, &[&found, "of your own"]);
}

#[test]
fn a_directory_that_others_can_write_is_refused() {
    let (machine, _) = machine_with_alice_or_skip!();
    for mode in ["0777", "0775", "1777"] {
        let made = format!("mkdir -p ~/.local/share/nix && chmod {mode} ~/.local/share/nix");
        machine.run_as("alice", &made).ok();
        let found = format!("writable by others (mode {mode})");
        refused(
            &machine,
            &["/home/alice/.local/share/nix", &found, "chmod go-w"],
        );
    }
}

#[test]
fn a_link_on_the_way_is_refused_if_the_user_does_not_allow_it() {
    let (machine, alice) = machine_with_alice_or_skip!();
    let made = "mkdir -p ~/real/nix && ln -s ~/real ~/link && ln -s real/nix ~/last";
    machine.run_as("alice", made).ok();
    for (path, link) in [("link/nix", "link"), ("last", "last")] {
        machine.configure(&alice, &format!("source_path = \"{path}\"\n"));
        let found = format!("/home/alice/{link} is a symbolic link");
        refused(&machine, &[&found, "allow_symlinks = true"]);
    }
}

#[test]
fn a_directory_outside_what_the_site_allows_is_refused() {
    let (machine, alice) = machine_with_alice_or_skip!();
    machine.user("bob");
    let outside = [
        "/etc",
        "/",
        "/home/bob/nix",
        "/home",
        "/home/alicent",
        "/tmp/nix",
        "~",
    ];
    for path in outside {
        machine.configure(&alice, &format!("source_path = \"{path}\"\n"));
        refused(&machine, &["not below /home/alice", "source_path"]);
    }
}

/// Even where the site allows everything.
#[test]
fn a_place_that_is_nobodys_store_is_refused() {
    let (machine, alice) = machine_with_alice_or_skip!();
    machine.configure_site("roots = [\"/\"]\n");
    for path in [
        "/proc/self",
        "/sys/fs",
        "/dev/shm",
        "/nix",
        "/nix/a",
        "/run/nix-ns/x",
    ] {
        machine.configure(&alice, &format!("source_path = \"{path}\"\n"));
        refused(&machine, &[path, "where none can be"]);
    }
    for path in ["/etc", "/root", "/usr/lib"] {
        machine.configure(&alice, &format!("source_path = \"{path}\"\n"));
        refused(&machine, &[path]);
    }
}

#[test]
fn a_path_with_dots_is_refused() {
    let (machine, alice) = machine_with_alice_or_skip!();
    for path in ["../bob", "a/../../bob", "%h/../bob"] {
        machine.configure(&alice, &format!("source_path = \"{path}\"\n"));
        refused(&machine, &["config.toml:1:15", "`..`"]);
    }
}

#[test]
fn what_is_no_directory_is_refused_and_never_waited_for() {
    let (machine, alice) = machine_with_alice_or_skip!();
    machine.run_as("alice", "mkfifo ~/fifo; touch ~/file").ok();
    for path in ["fifo", "fifo/nix", "file", "file/nix"] {
        machine.configure(&alice, &format!("source_path = \"{path}\"\n"));
        refused(&machine, &["is not a directory", "source_path"]);
    }
}

#[test]
fn a_directory_that_cannot_be_made_is_refused() {
    let (machine, alice) = machine_with_alice_or_skip!();
    machine.configure_site("roots = [\"/scratch\"]\n");
    machine.configure(&alice, "source_path = \"/scratch/alice\"\n");
    refused(&machine, &["/scratch"]);
    machine.run("mkdir /scratch").ok();
    refused(&machine, &["/scratch/alice cannot be made", "EACCES"]);
}

/// Swapped as fast as can be: what is on `/nix` is the user's own or the
/// host's, at every login.
#[test]
fn a_directory_that_is_swapped_for_a_link_never_brings_a_foreign_one() {
    const LOGINS: usize = 30;
    let (machine, alice) = machine_with_alice_or_skip!();
    machine.configure(&alice, "allow_symlinks = true\n");
    machine.run_as("alice", "mkdir -p ~/.local/share").ok();
    let _swapping = machine.spawn_as(
        "alice",
        "cd ~/.local/share; \
         while :; do rm -rf nix; ln -sT /etc nix; rm nix; mkdir nix; done 2>/dev/null",
    );
    let look = "stat -c '%u %i' /nix; ls -A /nix";
    let host = machine.run(look).ok().to_owned();
    let mut own = 0;
    for _ in 0..LOGINS {
        let seen = machine.ssh("alice", look);
        if seen.ok() != host {
            let uid = format!("{} ", alice.uid);
            assert!(seen.ok().starts_with(&uid), "{seen}");
            let theirs = seen.ok().lines().skip(1).find(|name| *name != "var");
            assert_eq!(theirs, None, "hers has nothing else: {seen}");
            own += 1;
        }
    }
    assert!(own < LOGINS, "the link was never there at the right moment");
}

// ---- the user's configuration

#[test]
fn what_is_no_file_is_refused_as_configuration_and_never_waited_for() {
    let (machine, _) = machine_with_alice_or_skip!();
    for make in [
        "mkfifo",
        "mkdir",
        "ln -s /dev/zero",
        "ln -s /dev/tty",
        "ln -s /dev/fuse",
    ] {
        put_in_place_of_configuration(&machine, make);
        refused(
            &machine,
            &["/home/alice/.config/nix-ns/config.toml", "regular file"],
        );
    }
}

#[test]
fn a_configuration_that_others_could_have_written_is_refused() {
    let (machine, _) = machine_with_alice_or_skip!();
    let file = "/home/alice/.config/nix-ns/config.toml";
    for mode in ["0666", "0664", "0646"] {
        machine.run(&format!("chmod {mode} {file}")).ok();
        refused(&machine, &[file, &format!("mode {mode}"), "chmod go-w"]);
    }
    let bob = machine.user("bob");
    machine
        .run(&format!("chmod 0644 {file} && chown bob {file}"))
        .ok();
    refused(
        &machine,
        &[
            file,
            &format!("belongs to uid {}", bob.uid),
            "write it anew",
        ],
    );
}

#[test]
fn a_configuration_of_a_hundred_megabytes_is_refused() {
    let (machine, _) = machine_with_alice_or_skip!();
    put_in_place_of_configuration(&machine, "truncate -s 100M");
    refused(&machine, &["config.toml", "larger than 65536 bytes"]);
}

#[test]
fn the_log_says_where_a_configuration_is_broken() {
    let (machine, alice) = machine_with_alice_or_skip!();
    for (text, place, what) in [
        ("enable = true\n  source_path = 7\n", "2:17", "string"),
        (
            "\n\nsourcepath = \"x\"\n",
            "3:1",
            "`sourcepath` is not a key",
        ),
        ("enable = yes\n", "1:10", ""),
        ("%!&\n", "1:", ""),
        ("source_path = \"%x\"\n", "1:15", "`%x`"),
        ("source_path = \"\"\n", "1:15", "empty"),
        ("enable = true\nenable = false\n", "2:1", "duplicate"),
    ] {
        machine.configure(&alice, text);
        let place = format!("/home/alice/.config/nix-ns/config.toml:{place}");
        refused(&machine, &[&place, what]);
    }
    machine
        .run(r"printf 'enable = \377' >/home/alice/.config/nix-ns/config.toml")
        .ok();
    refused(&machine, &["config.toml:1:10", "UTF-8"]);
}

/// Read with the user's rights, and nothing of it is shown.
#[test]
fn a_link_to_a_secret_file_discloses_nothing() {
    let (machine, _) = machine_with_alice_or_skip!();
    put_in_place_of_configuration(&machine, "ln -s /etc/shadow");
    let (_, line) = refused_with(&machine, &["config.toml", "permission denied"]);
    assert!(!line.contains("root:"), "{line}");
}

/// What a user writes cannot forge a line or move a cursor.
#[test]
fn nothing_a_user_writes_gets_into_the_log_as_it_is() {
    let (machine, alice) = machine_with_alice_or_skip!();
    machine.configure(&alice, "\"a\\u001b[2J\\nroot logged in\" = 1\n");
    let (login, line) = refused_with(&machine, &["config.toml:1:1"]);
    assert!(!line.contains("\\x1b") && !line.contains("\\n"), "{line}");
    assert!(!login.stdout.contains('\u{1b}'), "{login}");
    assert!(!login.stderr.contains('\u{1b}'), "{login}");
}

#[test]
fn a_link_that_leads_nowhere_is_told_from_no_configuration() {
    let (machine, _) = machine_with_alice_or_skip!();
    put_in_place_of_configuration(&machine, "ln -s /srv/gone.toml");
    refused(&machine, &["is a symlink to /srv/gone.toml", "not there"]);
}

// ---- what the user sees

#[test]
fn a_refusal_does_not_get_into_what_programs_exchange() {
    let (machine, alice) = machine_with_alice_or_skip!();
    machine.configure(&alice, "enable = 7\n");
    let command = machine.ssh("alice", "echo clean");
    assert_eq!(
        (command.stdout.as_str(), command.stderr.as_str()),
        ("clean\n", "")
    );
    for option in ["", "-O"] {
        let there = format!("scp -q {option} /etc/hostname alice@localhost:");
        assert_eq!(machine.run(&there).ok(), "");
        let back = format!("scp -q {option} alice@localhost:hostname /tmp/back");
        assert_eq!(machine.run(&back).ok(), "");
        machine
            .run("cmp /etc/hostname /tmp/back && rm /tmp/back")
            .ok();
    }
    machine
        .run("echo 'get hostname /tmp/back' | sftp -b - alice@localhost")
        .ok();
    machine.run("cmp /etc/hostname /tmp/back").ok();
}

#[test]
fn a_refusal_is_shown_in_a_shell() {
    let (machine, alice) = machine_with_alice_or_skip!();
    machine.configure(&alice, "enable = 7\n");
    let shell = machine.run("echo exit | ssh -tt alice@localhost");
    let told = shell
        .ok()
        .matches("nix-ns: this session has no /nix")
        .count();
    assert_eq!(told, 1, "{shell}");
    assert!(shell.ok().contains("config.toml:1:10"), "{shell}");
}

// ---- the site's configuration

#[test]
fn with_a_broken_site_configuration_everybody_logs_in_and_nobody_gets_a_nix() {
    let (machine, _) = machine_with_alice_or_skip!();
    machine.user("bob");
    for (text, place) in [
        ("\nenable = maybe\n", "2:10"),
        ("[users]\ndeny_group = []\n", "2:1"),
        ("override_refusals = [\"nixos\", \"everything\"]\n", "1:31"),
        ("roots = [\"%h\", \"relative\"]\n", "1:16"),
        ("[services.sshd]\nroot = \"go\"\n", "2:8"),
    ] {
        machine.configure_site(text);
        let place = format!("/etc/nix-ns/config.toml:{place}");
        refused(&machine, &[&place, "nobody gets /nix"]);
        for user in ["bob", "root"] {
            assert_eq!(machine.ssh(user, NAMESPACE).ok(), host_namespace(&machine));
        }
    }
}

#[test]
fn a_site_configuration_that_others_could_have_written_is_refused() {
    let (machine, _) = machine_with_alice_or_skip!();
    machine.configure_site("");
    let (directory, file) = ("/etc/nix-ns", "/etc/nix-ns/config.toml");
    // Where it is counts when it is read: a file that is known to say nothing is not.
    let anew = format!("touch {file}");
    for (spoil, mend, found) in [
        (
            format!("chmod 0666 {file}"),
            format!("chmod 0644 {file}"),
            "mode 0666",
        ),
        (
            format!("chown alice {file}"),
            format!("chown root {file}"),
            "belongs to uid",
        ),
        (
            format!("chmod 0777 {directory}; {anew}"),
            format!("chmod 0755 {directory}"),
            "mode 0777",
        ),
        (
            format!("chown alice {directory}; {anew}"),
            format!("chown root {directory}"),
            "must be root's",
        ),
        (
            format!("rm {file} && mkfifo {file}"),
            format!("rm {file} && touch {file}"),
            "not a regular file",
        ),
    ] {
        machine.run(&spoil).ok();
        refused(&machine, &[file, found, "nobody gets /nix"]);
        machine.run(&mend).ok();
        gets_one(&machine);
    }
}

#[test]
fn a_user_configuration_that_others_could_exchange_is_refused_and_check_says_the_same() {
    let (machine, _) = machine_with_alice_or_skip!();
    for directory in ["/home/alice/.config", "/home/alice/.config/nix-ns"] {
        machine.run(&format!("chmod 0775 {directory}")).ok();
        let found = format!("others can change {directory} (owner uid 1001, mode 0775)");
        let mend = format!("`chmod go-w {directory}`");
        refused(&machine, &[&found, &mend]);
        let check = machine.run_as("alice", "nix-ns check");
        assert_eq!(check.status, Status::Exited(1), "{check}");
        assert!(
            check.stderr.contains(&found) && check.stderr.contains(&mend),
            "{check}"
        );
        machine.run(&format!("chmod go-w {directory}")).ok();
        machine.run_as("alice", "nix-ns check").ok();
        gets_one(&machine);
    }
}

#[test]
fn root_still_leaves_a_users_nix_with_a_broken_site_configuration() {
    let (machine, _) = machine_with_alice_or_skip!();
    let mut session = machine.spawn_ssh(
        "alice",
        &[],
        &format!(
            "{NAMESPACE}; while ! test -e /tmp/go; do sleep 0.02; done; \
             sudo {NAMESPACE}; su -c '{NAMESPACE}'; su - -c '{NAMESPACE}'"
        ),
    );
    session.until_it_says("mnt:[");
    machine.configure_site("enable = maybe\n");
    machine.run("touch /tmp/go").ok();
    let seen = session.finish();
    let seen: Vec<&str> = seen.ok().lines().collect();
    let host = host_namespace(&machine);
    assert_eq!(seen[1..], [host.as_str(); 3]);
    assert_ne!(seen[0], host);
}

// ---- the system around it

/// As on an NFS server that squashes root.
#[test]
fn a_home_that_root_cannot_read_is_no_hindrance() {
    let (machine, _) = machine_with_alice_or_skip!();
    machine.restart_sshd_by("capsh --drop=cap_dac_override,cap_dac_read_search -- -c");
    let seen = machine.ssh("alice", "stat -c '%U %a' /nix");
    assert_eq!(seen.ok(), "alice 700");
    let by_root = machine.ssh("root", "cat /home/alice/.config/nix-ns/config.toml");
    assert!(by_root.fails().contains("Permission denied"), "{by_root}");
}

#[test]
fn the_log_names_the_capability_that_is_missing() {
    let (machine, _) = machine_with_alice_or_skip!();
    machine.restart_sshd_by("capsh --drop=cap_sys_admin -- -c");
    refused(&machine, &["CAP_SYS_ADMIN missing", "skip"]);
}

#[test]
fn the_log_says_that_the_reader_is_missing() {
    let (machine, _) = machine_with_alice_or_skip!();
    machine.run("rm /usr/libexec/nix-ns-reader").ok();
    refused(&machine, &["nix-ns-reader", "/usr/libexec/nix-ns-reader"]);
}

#[test]
fn a_reader_that_talks_nonsense_is_not_believed() {
    let (machine, _) = machine_with_alice_or_skip!();
    for script in [
        "true",
        "head -c 100000 /dev/zero >&0",
        "echo hello >&0; kill -9 $$",
    ] {
        let reader = format!("#!/bin/sh\n{script}\n");
        machine.write("/usr/libexec/nix-ns-reader", reader, 0o755, &User::root());
        refused(&machine, &["nix-ns-reader"]);
    }
}

#[test]
fn a_directory_that_does_not_answer_holds_up_a_login_only_for_a_while() {
    let (machine, _) = machine_with_alice_or_skip!();
    machine.nix_user("bob");
    machine.run_as("alice", "mkdir -p ~/.local/share/nix").ok();
    let _mute = machine.mount_mute("/home/alice/.local/share/nix");
    let (login, log) = machine.logged_during(|| {
        let begin = Instant::now();
        let mut held_up = machine.spawn_ssh("alice", &[], NAMESPACE);
        std::thread::sleep(Duration::from_secs(1));
        let meanwhile = Instant::now();
        assert_eq!(machine.ssh("bob", "stat -c %U /nix").ok(), "bob");
        assert!(
            meanwhile.elapsed() < at_this_pace(Duration::from_secs(2)),
            "bob had to wait"
        );
        assert!(held_up.runs(), "alice did not have to");
        let login = held_up.finish_within(PATIENCE);
        assert!(
            begin.elapsed() < at_this_pace(PATIENCE),
            "{:?}",
            begin.elapsed()
        );
        login
    });
    assert_eq!(login.ok(), host_namespace(&machine));
    let of_alice: Vec<_> = log.iter().filter(|line| line.contains("alice")).collect();
    assert_eq!(of_alice.len(), 1, "{log:?}");
    assert!(of_alice[0].contains("did not answer"), "{log:?}");
}

#[test]
fn a_configuration_that_does_not_answer_fails_a_session_where_the_site_is_strict() {
    let (machine, _) = machine_with_alice_or_skip!();
    machine.configure_site("strict = true\n");
    let _mute = machine.mount_mute("/home/alice/.config");
    let call = "ssh alice@localhost echo in";
    let (login, log) = machine.logged_during(|| machine.run_within(PATIENCE, call));
    assert!(
        matches!(login.status, tests::Status::Exited(254 | 255)),
        "{login}"
    );
    assert!(!login.stdout.contains("in\n"), "{login}");
    assert!(only(&log).contains("did not answer"), "{log:?}");
}

/// Swapped as fast as can be for what must not be read, or would be waited for.
#[test]
fn a_configuration_that_is_swapped_holds_up_nobody_and_discloses_nothing() {
    let (machine, _) = machine_with_alice_or_skip!();
    let _swapping = machine.spawn_as(
        "alice",
        "cd ~/.config/nix-ns; while :; do \
         rm config.toml; ln -s /etc/shadow config.toml; rm config.toml; mkfifo config.toml; \
         rm config.toml; echo 'enable = true' >config.toml; done 2>/dev/null",
    );
    for _ in 0..20 {
        let begin = Instant::now();
        machine.ssh("alice", "true").ok();
        assert!(
            begin.elapsed() < at_this_pace(SOON),
            "{:?}",
            begin.elapsed()
        );
    }
    let log = machine.module_log();
    assert!(log.len() <= 20, "{log:#?}");
    assert!(log.iter().all(|line| !line.contains("root:")), "{log:#?}");
}

/// Not by ssh: sshd itself waits for the home, for the keys in it.
#[test]
fn a_home_that_does_not_answer_holds_up_a_login_only_for_a_while() {
    let (machine, _) = machine_with_alice_or_skip!();
    machine.install_pam_host();
    machine.pam("probe", &[LEAVE, "session required pam_permit.so", ENTER]);
    let _mute = machine.mount_mute("/home/alice");
    for _ in 0..2 {
        let call = "pam-host probe alice -- readlink /proc/self/ns/mnt";
        let (opened, log) = machine.logged_during(|| machine.run_within(PATIENCE, call));
        let expected = format!("open 0\n{}\ncommand 0\nclose 0", host_namespace(&machine));
        assert_eq!(opened.ok(), expected);
        assert!(only(&log).contains("did not answer"), "{log:?}");
    }
}

// ---- tools

/// Logs alice in, who gets nothing mounted and one line in the log, with all of
/// these in it.
#[track_caller]
fn refused(machine: &Machine, told: &[&str]) {
    drop(refused_with(machine, told));
}

/// The login, and the line.
#[track_caller]
fn refused_with(machine: &Machine, told: &[&str]) -> (Output, String) {
    let begin = Instant::now();
    let mounts = machine.mount_table();
    let (login, log) = machine.logged_during(|| machine.ssh("alice", NAMESPACE));
    assert_eq!(login.ok(), host_namespace(machine), "{told:?}");
    assert!(
        begin.elapsed() < at_this_pace(SOON),
        "{:?}: {told:?}",
        begin.elapsed()
    );
    assert_eq!(machine.mount_table(), mounts);
    let line = only(&log);
    assert!(line.contains("no /nix for alice"), "{line}");
    for part in told {
        assert!(line.contains(part), "{part:?} is not in {line}");
    }
    (login, line.into())
}

#[track_caller]
fn refused_unless_overridden(machine: &Machine, refusal: &str, told: &[&str]) {
    refused(machine, told);
    machine.configure_site(&format!("override_refusals = [\"{refusal}\"]\n"));
    gets_one(machine);
}

#[track_caller]
fn gets_one(machine: &Machine) {
    let seen = machine.ssh("alice", &format!("{NAMESPACE}; stat -c %U /nix"));
    let (namespace, owner) = seen.ok().split_once('\n').expect("two lines");
    assert_ne!(namespace, host_namespace(machine), "{seen}");
    assert_eq!(owner, "alice", "{seen}");
}

/// Runs, as alice, a command with the path of her configuration as its last
/// word.
#[track_caller]
fn put_in_place_of_configuration(machine: &Machine, make: &str) {
    let file = "~/.config/nix-ns/config.toml";
    machine
        .run("chown alice /home/alice/.config /home/alice/.config/nix-ns")
        .ok();
    machine
        .run_as("alice", &format!("rm -rf {file} && {make} {file}"))
        .ok();
}

fn host_namespace(machine: &Machine) -> String {
    machine.run(NAMESPACE).ok().to_owned()
}

#[track_caller]
fn only(log: &[String]) -> &str {
    let [line] = log else {
        panic!("should be one line: {log:#?}");
    };
    line
}
