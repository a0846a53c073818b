//! Logins by ssh, in every way it has: on the user's own `/nix`, and on nobody
//! else's.

use std::collections::BTreeSet;

use tests::{Machine, Output, User, machine_or_skip, machine_with_alice_or_skip};

/// What a session says of its `/nix`: owner, device and inode.
const LOOK: &str = "stat -c %u:%d:%i /nix";
const NAMESPACE: &str = "readlink /proc/self/ns/mnt";

// ---- every way in

#[test]
fn a_command_by_ssh_is_on_the_users_nix() {
    let (machine, _) = machine_with_alice_or_skip!();
    let seen = machine.ssh("alice", LOOK).ok().to_owned();
    assert_eq!(seen, default_store(&machine, "alice"));
}

#[test]
fn a_command_on_a_terminal_is_on_the_users_nix() {
    let (machine, _) = machine_with_alice_or_skip!();
    let seen = machine.ssh_with("alice", &["-tt"], LOOK).ok().to_owned();
    assert_eq!(seen, default_store(&machine, "alice"));
}

#[test]
fn a_shell_that_is_typed_into_is_on_the_users_nix() {
    let (machine, _) = machine_with_alice_or_skip!();
    let typed = format!("printf '%s\\n' '{LOOK}' exit | ssh -tt alice@localhost");
    let shell = machine.run(&typed);
    let seen = default_store(&machine, "alice");
    assert!(shell.ok().contains(&seen), "{seen}: {shell}");
}

#[test]
fn sftp_is_on_the_users_nix() {
    let (machine, _) = machine_with_alice_or_skip!();
    machine.ssh("alice", "echo theirs >/nix/theirs").ok();
    let batch = r"printf 'get /nix/theirs /tmp/got\nput /etc/hostname /nix/sent\n'";
    machine
        .run(&format!("{batch} | sftp -b - alice@localhost"))
        .ok();
    assert_eq!(machine.read("/tmp/got"), "theirs\n");
    assert!(machine.exists("/home/alice/.local/share/nix/sent"));
}

#[test]
fn scp_is_on_the_users_nix_both_ways() {
    let (machine, _) = machine_with_alice_or_skip!();
    machine.ssh("alice", "echo theirs >/nix/theirs").ok();
    // -O: the old protocol, which anything on its standard output would break.
    for (option, name) in [("", "new"), ("-O", "old")] {
        let there = format!("scp -q {option} /etc/hostname alice@localhost:/nix/{name}");
        machine.run(&there).ok();
        assert!(machine.exists(&format!("/home/alice/.local/share/nix/{name}")));
        let back = format!("scp -q {option} alice@localhost:/nix/theirs /tmp/{name}");
        machine.run(&back).ok();
        assert_eq!(machine.read(&format!("/tmp/{name}")), "theirs\n");
    }
}

/// sshd changes its root directory after the session is open.
#[test]
fn sftp_in_a_jail_works_as_before() {
    let (machine, _) = machine_with_alice_or_skip!();
    let jail = "Match User alice\nChrootDirectory /srv/jail\nForceCommand internal-sftp\n";
    machine
        .run(&format!(
            "mkdir -m 755 /srv/jail && echo jailed >/srv/jail/file && \
             printf '{jail}' >>/etc/ssh/sshd_config"
        ))
        .ok();
    machine.restart_sshd_by("");
    let got = "echo 'get /file /tmp/got' | sftp -b - alice@localhost >&2 && cat /tmp/got";
    assert_eq!(machine.run(got).ok(), "jailed");
}

// ---- each their own

#[test]
fn two_at_once_have_one_each_and_cannot_see_the_others() {
    let (machine, _) = machine_with_alice_or_skip!();
    machine.nix_user("bob");
    machine
        .ssh("alice", "echo secret >/nix/file; chmod 711 /nix")
        .ok();
    let (_alices, _) = machine.stay_by_ssh("alice");
    let (_bobs, _) = machine.stay_by_ssh("bob");
    let alice = machine.ssh("alice", LOOK).ok().to_owned();
    let bob = machine.ssh("bob", LOOK).ok().to_owned();
    assert_eq!(alice, default_store(&machine, "alice"));
    assert_eq!(bob, default_store(&machine, "bob"));
    assert_ne!(alice, bob);
    assert_eq!(machine.ssh("bob", "find /nix -type f").ok(), "");
    machine
        .ssh("bob", "ls /home/alice/.local/share/nix")
        .fails();
    let mounts = machine.ssh("bob", "cat /proc/self/mountinfo");
    assert!(!mounts.ok().contains("alice"), "{mounts}");
}

#[test]
fn all_of_a_users_sessions_are_in_one_namespace() {
    let (machine, _) = machine_with_alice_or_skip!();
    let (_first, _) = machine.stay_by_ssh("alice");
    let seen: BTreeSet<String> = (0..3)
        .map(|_| machine.ssh("alice", NAMESPACE).ok().to_owned())
        .collect();
    assert_eq!(seen.len(), 1, "{seen:?}");
    assert!(!seen.contains(&host_namespace(&machine)));
}

#[test]
fn the_host_keeps_its_own_nix_while_sessions_run() {
    let (machine, _) = machine_with_alice_or_skip!();
    let before = (machine.run(LOOK).ok().to_owned(), machine.mount_table());
    machine.ssh("alice", "touch /nix/file").ok();
    let (_session, _) = machine.stay_by_ssh("alice");
    assert_eq!(
        (machine.run(LOOK).ok().to_owned(), machine.mount_table()),
        before
    );
    assert_eq!(machine.run("ls -A /nix").ok(), "");
}

#[test]
fn nothing_is_left_after_the_last_logout() {
    let (machine, _) = machine_with_alice_or_skip!();
    machine.user("bob");
    let idle = commands(&machine);
    let is_idle = || commands(&machine) == idle;
    // What sshd itself leaves at a first login is not the question.
    machine.ssh("bob", "true").ok();
    machine.wait_until("bob's session to end", is_idle);
    let (mounts, files) = (machine.mount_table(), files(&machine));
    // On a terminal, whose end ends what runs on it.
    let (session, _) = machine.stay("alice", |line| machine.spawn_ssh("alice", &["-tt"], line));
    assert!(!is_idle());
    machine.ssh("alice", "mkdir /nix/store").ok();
    drop(session);
    machine.wait_until("alice's sessions to end", is_idle);
    assert_eq!(machine.mount_table(), mounts);
    let now = self::files(&machine);
    let unexpected: Vec<_> = now
        .difference(&files)
        .filter(|path| !path.starts_with("/run/nix-ns") && !path.starts_with("/home/alice/.local"))
        .filter(|path| !path.starts_with("/srv/common/"))
        .collect();
    assert!(unexpected.is_empty(), "{unexpected:?}");
    let lost: Vec<_> = files.difference(&now).collect();
    assert!(lost.is_empty(), "{lost:?}");
    let foreign = machine.run("find /run/nix-ns ! -user root -o -perm /022 ! -type l");
    assert_eq!(foreign.ok(), "");
}

// ---- the directory

#[test]
fn the_directory_is_made_for_the_user_alone_at_the_first_login() {
    let (machine, _) = machine_with_alice_or_skip!();
    let directories = "/home/alice/.local /home/alice/.local/share /home/alice/.local/share/nix";
    machine.run(&format!("ls -d {directories}")).fails();
    assert_eq!(
        machine.ssh("alice", "stat -c '%U:%G %a' /nix").ok(),
        "alice:alice 700"
    );
    let made = machine.run(&format!("stat -c '%U:%G %a' {directories}"));
    assert_eq!(made.ok(), ["alice:alice 700"; 3].join("\n"));
}

#[test]
fn a_directory_that_is_there_keeps_what_it_has() {
    let (machine, _) = machine_with_alice_or_skip!();
    let made = "mkdir -p ~/.local/share/nix && chmod 755 ~/.local/share/nix && \
                echo kept >~/.local/share/nix/file";
    machine.run_as("alice", made).ok();
    assert_eq!(
        machine.ssh("alice", "stat -c %a /nix; cat /nix/file").ok(),
        "755\nkept"
    );
}

#[test]
fn a_relative_source_path_is_below_the_home() {
    let (machine, alice) = machine_with_alice_or_skip!();
    machine.configure(&alice, "source_path = \"stores/mine\"\n");
    let seen = machine.ssh("alice", LOOK).ok().to_owned();
    assert_eq!(seen, look_at(&machine, "/home/alice/stores/mine"));
}

#[test]
fn specifiers_stand_for_name_number_home_and_host() {
    let (machine, alice) = machine_with_alice_or_skip!();
    machine.configure(&alice, "source_path = \"%h/%u-%U-%H-100%%\"\n");
    let seen = machine.ssh("alice", LOOK).ok().to_owned();
    let name = format!("/home/alice/alice-{}-machine-100%", alice.uid);
    assert_eq!(seen, look_at(&machine, &name));
}

#[test]
fn the_site_may_allow_directories_outside_the_homes() {
    let (machine, _) = machine_with_alice_or_skip!();
    machine.configure_site("source_path = \"/scratch/%u/nix\"\nroots = [\"/scratch/%u\"]\n");
    machine
        .run("mkdir -p /scratch/alice && chown alice /scratch/alice")
        .ok();
    let seen = machine.ssh("alice", LOOK).ok().to_owned();
    assert_eq!(seen, look_at(&machine, "/scratch/alice/nix"));
}

/// Nobody need know who else has a directory there.
#[test]
fn where_the_directories_are_need_not_be_listed_by_their_users() {
    let (machine, _) = machine_with_alice_or_skip!();
    machine.configure_site("source_path = \"/scratch/%u\"\nroots = [\"/scratch\"]\n");
    machine
        .run("mkdir -m 711 /scratch && mkdir /scratch/alice && chown alice /scratch/alice")
        .ok();
    let seen = machine.ssh("alice", LOOK).ok().to_owned();
    assert_eq!(seen, look_at(&machine, "/scratch/alice"));
}

/// `/home -> /gpfs/home`, as clusters have it.
#[test]
fn a_home_behind_a_link_of_roots_is_followed() {
    let (machine, _) = machine_with_alice_or_skip!();
    machine
        .run(
            "mkdir -p /gpfs/home && mv /home/alice /gpfs/home/ && ln -s gpfs/home /people && \
             usermod -d /people/alice alice",
        )
        .ok();
    let seen = machine.ssh("alice", LOOK).ok().to_owned();
    assert_eq!(seen, look_at(&machine, "/gpfs/home/alice/.local/share/nix"));
}

#[test]
fn a_link_of_the_users_is_followed_where_the_user_allows_it() {
    let (machine, alice) = machine_with_alice_or_skip!();
    let made = machine.ssh(
        "alice",
        "mkdir -p ~/disk/nix ~/.local && ln -s ~/disk ~/link",
    );
    made.ok();
    let configuration = "source_path = \"link/nix\"\n";
    machine.configure(&alice, configuration);
    assert_eq!(
        machine.ssh("alice", NAMESPACE).ok(),
        host_namespace(&machine)
    );
    machine.configure(&alice, &format!("{configuration}allow_symlinks = true\n"));
    let seen = machine.ssh("alice", LOOK).ok().to_owned();
    assert_eq!(seen, look_at(&machine, "/home/alice/disk/nix"));
}

/// Whatever links there are: it stays below what the site allows.
#[test]
fn a_link_does_not_lead_out_of_what_the_site_allows() {
    let (machine, alice) = machine_with_alice_or_skip!();
    machine
        .run("mkdir -m 1777 /disk && mkdir /disk/nix && chown alice /disk/nix")
        .ok();
    machine.ssh("alice", "ln -s /disk ~/link").ok();
    machine.configure(
        &alice,
        "source_path = \"link/nix\"\nallow_symlinks = true\n",
    );
    assert_eq!(
        machine.ssh("alice", NAMESPACE).ok(),
        host_namespace(&machine)
    );
    machine.configure_site("roots = [\"%h\", \"/disk\"]\n");
    let seen = machine.ssh("alice", LOOK).ok().to_owned();
    assert_eq!(seen, look_at(&machine, "/disk/nix"));
}

/// The kernel escapes them in its mount table, and marks what is removed with
/// words that a name can have, too.
#[test]
fn a_directory_may_have_any_name_that_can_be_written() {
    let (machine, alice) = machine_with_alice_or_skip!();
    let names = [
        "two words",
        "ümlaut",
        r"back\slash",
        r"octal\040",
        "hash#",
        "gone (deleted)",
        "gone\u{a0}//deleted",
        "trailing/",
        "-dash",
        "'quote\"",
    ];
    for name in names {
        let written = name.replace('\\', r"\\").replace('"', "\\\"");
        machine.configure(&alice, &format!("source_path = \"{written}\"\n"));
        let seen = machine.ssh("alice", LOOK).ok().to_owned();
        let quoted = name.replace('\'', r"'\''");
        let path = format!("'/home/alice/{quoted}'");
        assert_eq!(seen, look_at(&machine, &path), "{name}");
    }
}

#[test]
fn a_home_may_be_a_mount_of_another_directory() {
    let (machine, _) = machine_with_alice_or_skip!();
    machine
        .run(
            "mkdir -p '/disk/all homes' && mv /home/alice '/disk/all homes/' && \
             mount --bind '/disk/all homes' /home",
        )
        .ok();
    let seen = machine.ssh("alice", LOOK).ok().to_owned();
    assert_eq!(seen, default_store(&machine, "alice"));
    assert_eq!(
        seen,
        look_at(&machine, "'/disk/all homes/alice/.local/share/nix'")
    );
}

#[test]
fn a_directory_that_was_removed_is_made_anew_at_the_next_login() {
    let (machine, _) = machine_with_alice_or_skip!();
    let (_session, _) = machine.stay_by_ssh("alice");
    machine.run("rm -r /home/alice/.local/share/nix").ok();
    let seen = machine.ssh("alice", LOOK).ok().to_owned();
    assert_eq!(seen, default_store(&machine, "alice"));
}

/// As when an administrator moves homes to another disk.
#[test]
fn a_moved_home_counts_for_the_next_session() {
    let (machine, _) = machine_with_alice_or_skip!();
    machine.configure_site("opt_in = false\n");
    machine.run("rm -r /home/alice/.config").ok();
    let (_session, _) = machine.stay_by_ssh("alice");
    machine
        .run(
            "cp -a /home/alice /home/moved && \
             sed -i s,:/home/alice:,:/home/moved:, /etc/passwd",
        )
        .ok();
    let seen = machine.ssh("alice", LOOK).ok().to_owned();
    assert_eq!(seen, look_at(&machine, "/home/moved/.local/share/nix"));
}

#[test]
fn the_site_may_allow_many_places() {
    let (machine, alice) = machine_with_alice_or_skip!();
    let roots: Vec<String> = (1..=20)
        .map(|number| format!("\"/disk{number}\""))
        .collect();
    machine.configure_site(&format!("roots = [{}]\n", roots.join(", ")));
    machine
        .run("for n in $(seq 20); do install -d -o alice /disk$n; done")
        .ok();
    for number in [1, 16, 17, 20] {
        machine.configure(&alice, &format!("source_path = \"/disk{number}/nix\"\n"));
        let seen = machine.ssh("alice", LOOK).ok().to_owned();
        let path = format!("/disk{number}/nix");
        assert_eq!(seen, look_at(&machine, &path), "{path}: {}", machine.log());
    }
}

// ---- the configuration file

/// As stow and chezmoi set it up.
#[test]
fn a_configuration_may_be_a_link_to_ones_dotfiles() {
    let (machine, alice) = machine_with_alice_or_skip!();
    let dotfiles = "/home/alice/dotfiles/nix-ns/config.toml";
    machine.write(dotfiles, "source_path = \"linked\"\n", 0o644, &alice);
    machine
        .run(
            "rm -r /home/alice/.config/nix-ns && \
             ln -s ../dotfiles/nix-ns /home/alice/.config/nix-ns",
        )
        .ok();
    let seen = machine.ssh("alice", LOOK).ok().to_owned();
    assert_eq!(seen, look_at(&machine, "/home/alice/linked"));
}

/// As home-manager sets it up: hen and egg.
#[test]
fn a_configuration_that_is_a_link_into_the_store_is_explained() {
    let (machine, _) = machine_with_alice_or_skip!();
    let linked = "ln -sf /nix/store/0-home-manager-files/config.toml \
                  /home/alice/.config/nix-ns/config.toml";
    machine.run(linked).ok();
    let (login, log) = machine.logged_during(|| machine.ssh("alice", NAMESPACE));
    assert_eq!(login.ok(), host_namespace(&machine));
    let told = only(&log);
    assert!(told.contains("is a symlink into /nix"), "{told}");
    assert!(told.contains("outside the store"), "{told}");
}

#[test]
fn an_edited_configuration_counts_for_the_next_session() {
    let (machine, alice) = machine_with_alice_or_skip!();
    let (_session, process) = machine.stay_by_ssh("alice");
    let first = machine.namespace_of(process);
    machine.configure(&alice, "source_path = \"other\"\n");
    let seen = machine.ssh("alice", LOOK).ok().to_owned();
    assert_eq!(seen, look_at(&machine, "/home/alice/other"));
    assert_eq!(
        machine.namespace_of(process),
        first,
        "the old session keeps its own"
    );
    machine.configure(&alice, "");
    let back = machine.ssh("alice", NAMESPACE).ok().to_owned();
    assert_eq!(Some(back), first, "the old directory is the old namespace");
}

// ---- who takes part

#[test]
fn who_has_no_configuration_is_left_alone() {
    let machine = machine_or_skip!().set_up();
    machine.user("bob");
    left_alone(&machine, "bob");
    assert!(!machine.exists("/home/bob/.local"));
}

/// Some distributions ship theirs below /usr, and some systems have none.
#[test]
fn who_is_a_person_is_known_wherever_login_defs_is() {
    let (machine, alice) = machine_with_alice_or_skip!();
    let is_person = || machine.ssh("alice", LOOK).ok() == default_store(&machine, "alice");
    machine
        .run("mkdir -p /usr/etc && mv /etc/login.defs /usr/etc/login.defs")
        .ok();
    assert!(is_person());
    let more = alice.uid.saturating_add(1);
    machine
        .run(&format!(
            "sed -i 's/^UID_MIN.*/UID_MIN {more}/' /usr/etc/login.defs"
        ))
        .ok();
    assert!(!is_person());
    let check = machine.run_as("alice", "nix-ns check");
    let outside = format!("is outside the range {more} to");
    assert!(check.stdout.contains(&outside), "{check}");
    machine.run("rm /usr/etc/login.defs").ok();
    assert!(is_person());
}

#[test]
fn check_names_the_root_that_a_directory_is_below_in_whatever_order_they_are() {
    let (machine, _) = machine_with_alice_or_skip!();
    for roots in [r#"["/srv", "%h"]"#, r#"["%h", "/srv"]"#] {
        machine.configure_site(&format!("roots = {roots}\n"));
        let check = machine.run_as("alice", "nix-ns check");
        assert!(check.ok().contains("/nix (below %h)"), "{roots}: {check}");
    }
}

#[test]
fn root_is_left_alone_whatever_roots_home_holds() {
    let machine = machine_or_skip!().set_up();
    machine
        .run("mkdir -p /root/.config/nix-ns && touch /root/.config/nix-ns/config.toml")
        .ok();
    left_alone(&machine, "root");
}

#[test]
fn another_name_of_roots_is_left_alone() {
    let machine = machine_or_skip!().set_up();
    let admin = machine.nix_user("admin");
    machine.configure_site("opt_in = false\n[users]\nuid_min = 0\nallow_users = [\"admin\"]\n");
    takes_part(&machine, "admin");
    machine
        .run(&format!(
            "sed -i s/^admin:x:{}:/admin:x:0:/ /etc/passwd && chown -R root /home/admin",
            admin.uid
        ))
        .ok();
    left_alone(&machine, "admin");
}

#[test]
fn who_has_no_home_logs_in() {
    let machine = machine_or_skip!().set_up();
    machine.install_pam_host();
    machine.pam("probe", &[tests::ENTER, "session required pam_permit.so"]);
    machine.user("ghost");
    machine.run("rm -r /home/ghost").ok();
    let call = "probe ghost -- readlink /proc/self/ns/mnt";
    let expected = format!("open 0\n{}\ncommand 0\nclose 0", host_namespace(&machine));
    let (opened, log) = machine.logged_during(|| machine.pam_host(call));
    assert_eq!(opened.ok(), expected);
    assert_eq!(log, [""; 0], "ghost has no configuration either");
    machine.configure_site("opt_in = false\n");
    let (opened, log) = machine.logged_during(|| machine.pam_host(call));
    assert!(opened.ok().contains(&expected), "{opened}");
    assert!(only(&log).contains("/home/ghost"), "{log:?}");
}

#[test]
fn a_system_account_is_left_alone() {
    let machine = machine_or_skip!().set_up();
    let service = machine.nix_user("service");
    machine
        .run(&format!(
            "usermod -u 450 service && chown -R 450:{} /home/service",
            service.gid
        ))
        .ok();
    left_alone(&machine, "service");
}

#[test]
fn everybody_selected_takes_part_where_nobody_has_to_opt_in() {
    let machine = machine_or_skip!().set_up();
    machine.configure_site("opt_in = false\n");
    let carol = machine.user("carol");
    let seen = machine.ssh("carol", LOOK).ok().to_owned();
    assert_eq!(seen, default_store(&machine, "carol"));
    left_alone(&machine, "root");
    machine.configure(&carol, "enable = false\n");
    left_alone(&machine, "carol");
}

#[test]
fn a_denied_group_and_a_denied_user_are_left_alone() {
    let (machine, _) = machine_with_alice_or_skip!();
    machine.nix_user("bob");
    machine.nix_user("carol");
    machine
        .run("groupadd guests && usermod -aG guests alice")
        .ok();
    machine.configure_site("[users]\ndeny_groups = [\"guests\"]\ndeny_users = [\"bob\"]\n");
    left_alone(&machine, "alice");
    left_alone(&machine, "bob");
    takes_part(&machine, "carol");
}

/// Larger than what libpam looks a group up in.
#[test]
fn a_denied_group_may_have_a_crowd_of_members() {
    let (machine, _) = machine_with_alice_or_skip!();
    machine.nix_user("carol");
    machine
        .run("echo \"crowd:x:4999:$(seq -f member%05g -s, 60000),alice\" >>/etc/group")
        .ok();
    machine.configure_site("[users]\ndeny_groups = [\"crowd\", \"no-such-group\"]\n");
    left_alone(&machine, "alice");
    takes_part(&machine, "carol");
}

#[test]
fn only_who_is_on_an_allow_list_takes_part_if_there_is_one() {
    let (machine, _) = machine_with_alice_or_skip!();
    machine.nix_user("bob");
    machine.nix_user("carol");
    machine
        .run("groupadd nixers && usermod -aG nixers alice")
        .ok();
    machine.configure_site("[users]\nallow_groups = [\"nixers\"]\nallow_users = [\"bob\"]\n");
    takes_part(&machine, "alice");
    takes_part(&machine, "bob");
    left_alone(&machine, "carol");
}

#[test]
fn only_who_is_in_the_range_of_numbers_takes_part() {
    let (machine, alice) = machine_with_alice_or_skip!();
    let bob = machine.nix_user("bob");
    machine.configure_site(&format!("[users]\nuid_min = {}\n", bob.uid));
    left_alone(&machine, "alice");
    takes_part(&machine, "bob");
    machine.configure_site(&format!("[users]\nuid_max = {}\n", alice.uid));
    takes_part(&machine, "alice");
    left_alone(&machine, "bob");
}

#[test]
fn one_line_of_the_sites_switches_everything_off() {
    let (machine, _) = machine_with_alice_or_skip!();
    takes_part(&machine, "alice");
    machine.configure_site("enable = false\n");
    left_alone(&machine, "alice");
}

#[test]
fn a_service_may_be_skipped() {
    let (machine, _) = machine_with_alice_or_skip!();
    machine.configure_site("[services.sshd]\nskip = true\n");
    left_alone(&machine, "alice");
    let by_su = machine.run(&format!("su alice -c '{LOOK}'"));
    assert_eq!(by_su.ok(), default_store(&machine, "alice"));
}

#[test]
fn a_strict_site_fails_the_session_that_should_have_a_nix_and_no_other() {
    let (machine, alice) = machine_with_alice_or_skip!();
    machine.configure_site("strict = true\n");
    machine.nix_user("bob");
    machine.user("carol");
    machine.configure(&alice, "enable =\n");
    let (refused, log) = machine.logged_during(|| machine.ssh("alice", "echo in"));
    refused.fails();
    assert!(!refused.stdout.contains("in\n"), "{refused}");
    assert!(only(&log).contains("config.toml:1:"), "{log:?}");
    takes_part(&machine, "bob");
    left_alone(&machine, "carol");
    left_alone(&machine, "root");
    machine.configure(&alice, "");
    takes_part(&machine, "alice");
}

// ---- what works inside, and what must not

#[test]
fn setuid_programs_of_the_system_work_inside() {
    let (machine, _) = machine_with_alice_or_skip!();
    machine
        .run("cp /usr/bin/id /usr/local/bin/setuid-id && chmod 4755 /usr/local/bin/setuid-id")
        .ok();
    assert_eq!(machine.ssh("alice", "setuid-id -u").ok(), "0");
    assert_eq!(machine.ssh("alice", "sudo id -u").ok(), "0");
    machine.ssh("alice", "ping -c 1 -W 5 127.0.0.1").ok();
}

#[test]
fn a_setuid_file_in_the_store_is_an_ordinary_one() {
    let (machine, alice) = machine_with_alice_or_skip!();
    machine.ssh("alice", "true").ok();
    let store = "/home/alice/.local/share/nix";
    machine
        .run(&format!(
            "cp /usr/bin/id {store}/id && chmod 4755 {store}/id"
        ))
        .ok();
    assert_eq!(
        machine.ssh("alice", "/nix/id -u").ok(),
        alice.uid.to_string()
    );
    // Else this test would pass for another reason.
    assert_eq!(machine.ssh("alice", "~/.local/share/nix/id -u").ok(), "0");
}

#[test]
fn a_device_in_the_store_is_no_device() {
    let (machine, _) = machine_with_alice_or_skip!();
    machine.ssh("alice", "true").ok();
    machine
        .run("mknod -m 666 /home/alice/.local/share/nix/zero c 1 5")
        .ok();
    let opened = machine.ssh("alice", "head -c 1 /nix/zero");
    assert!(opened.fails().contains("Permission denied"), "{opened}");
    machine
        .ssh("alice", "head -c 1 ~/.local/share/nix/zero")
        .ok();
}

#[test]
fn a_user_can_neither_peel_off_nor_loosen_the_mount() {
    let (machine, _) = machine_with_alice_or_skip!();
    let (_session, _) = machine.stay_by_ssh("alice");
    let before = machine.ssh(
        "alice",
        "grep -E ' (/nix|/run/nix-ns/self) ' /proc/self/mountinfo",
    );
    assert_eq!(before.ok().lines().count(), 2, "{before}");
    for attempt in [
        "umount /nix",
        "umount -l /nix",
        "umount -l /run/nix-ns/self",
        "fusermount3 -u /nix",
        "unshare -Urm umount /nix",
        "unshare -Urm umount -l /nix",
        "unshare -Urm mount -o remount,bind,suid /nix",
        "unshare -Urm mount -o remount,bind,dev /nix",
        "unshare -Urm umount -l /run/nix-ns/self",
        "unshare -Urm mount -o remount,bind,rw /run/nix-ns/self",
        "mount --bind /tmp /nix",
        "mount -o remount,suid /nix",
        "touch /run/nix-ns/self/file",
    ] {
        machine.ssh("alice", attempt).fails();
    }
    // Its teeth: a user may do these things as such.
    machine
        .ssh("alice", "unshare -Urm mount --bind /tmp /mnt")
        .ok();
    let after = machine.ssh(
        "alice",
        "grep -E ' (/nix|/run/nix-ns/self) ' /proc/self/mountinfo",
    );
    assert_eq!(after.ok(), before.ok());
}

/// What the host mounts later arrives, what a session mounts stays inside.
#[test]
fn mounts_go_in_and_never_out() {
    let (machine, alice) = machine_with_alice_or_skip!();
    let runtime = format!("/run/user/{}", alice.uid);
    machine.run(&format!("mkdir -p {runtime} /mnt/disk")).ok();
    let (_session, process) = machine.stay_by_ssh("alice");
    for place in [runtime.as_str(), "/mnt/disk"] {
        machine
            .run(&format!(
                "mount -t tmpfs tmpfs {place} && touch {place}/arrived"
            ))
            .ok();
        machine.ssh("alice", &format!("stat {place}/arrived")).ok();
        machine.run(&format!("umount {place}")).ok();
        machine
            .ssh("alice", &format!("stat {place}/arrived"))
            .fails();
    }
    let before = machine.mount_table();
    let inside = format!("nsenter -t {process} -m mount -t tmpfs tmpfs /mnt/disk");
    machine.run(&inside).ok();
    machine.ssh("alice", "mountpoint /mnt/disk").ok();
    assert_eq!(machine.mount_table(), before);
}

#[test]
fn a_mount_in_the_session_does_not_come_out_in_the_home() {
    let (machine, _) = machine_with_alice_or_skip!();
    let (_session, process) = machine.stay_by_ssh("alice");
    machine.ssh("alice", "mkdir /nix/place").ok();
    let before = machine.mount_table();
    machine
        .run(&format!(
            "nsenter -t {process} -m mount -t tmpfs tmpfs /nix/place"
        ))
        .ok();
    assert_eq!(machine.mount_table(), before);
    machine.ssh("alice", "mountpoint /nix/place").ok();
    machine
        .ssh("alice", "mountpoint ~/.local/share/nix/place")
        .fails();
}

#[test]
fn what_is_mounted_without_execution_stays_so() {
    let (machine, alice) = machine_with_alice_or_skip!();
    mount_on_store(&machine, &alice, "noexec");
    let script = r"printf '#!/bin/sh\n' >/nix/script && chmod +x /nix/script && /nix/script";
    let run = machine.ssh("alice", script);
    assert!(run.fails().contains("Permission denied"), "{run}");
    let options = "findmnt -no OPTIONS /nix";
    assert!(machine.ssh("alice", options).ok().contains("noexec"));
}

#[test]
fn what_is_mounted_read_only_stays_so() {
    let (machine, alice) = machine_with_alice_or_skip!();
    mount_on_store(&machine, &alice, "ro");
    let written = machine.ssh("alice", "touch /nix/file");
    assert!(
        written.fails().contains("Read-only file system"),
        "{written}"
    );
    assert_eq!(machine.ssh("alice", "stat -c %U /nix").ok(), "alice");
}

// ---- tools

#[track_caller]
fn takes_part(machine: &Machine, user: &str) {
    let seen = machine.ssh(user, LOOK).ok().to_owned();
    assert_eq!(seen, default_store(machine, user), "{user}");
}

/// In the host's namespace, with the host's `/nix`, and without a word.
#[track_caller]
fn left_alone(machine: &Machine, user: &str) {
    let look = || machine.ssh(user, &format!("{NAMESPACE}; {LOOK}"));
    let (seen, log): (Output, _) = machine.logged_during(look);
    let host = machine.run(&format!("{NAMESPACE}; {LOOK}"));
    assert_eq!(seen.ok(), host.ok(), "{user}");
    assert_eq!(log, [""; 0], "{user}");
}

fn host_namespace(machine: &Machine) -> String {
    machine.run(NAMESPACE).ok().to_owned()
}

/// Owner, device and inode of a user's directory, where it is by default.
#[track_caller]
fn default_store(machine: &Machine, user: &str) -> String {
    look_at(machine, &format!("/home/{user}/.local/share/nix"))
}

#[track_caller]
fn look_at(machine: &Machine, path: &str) -> String {
    machine
        .run(&format!("stat -c %u:%d:%i {path}"))
        .ok()
        .to_owned()
}

#[track_caller]
fn only(log: &[String]) -> &str {
    let [line] = log else {
        panic!("should be one line: {log:#?}");
    };
    line
}

/// Mounts a file system on a user's store directory.
#[track_caller]
fn mount_on_store(machine: &Machine, user: &User, option: &str) {
    let name = &user.name;
    machine
        .run(&format!(
            "install -d -o {name} -g {name} /home/{name}/.local /home/{name}/.local/share \
             /home/{name}/.local/share/nix && \
             mount -t tmpfs -o {option},uid={},mode=700 tmpfs /home/{name}/.local/share/nix",
            user.uid
        ))
        .ok();
}

/// What runs, without the numbers.
fn commands(machine: &Machine) -> Vec<String> {
    let processes = machine.processes();
    let mut commands: Vec<String> = processes
        .iter()
        .filter_map(|line| Some(line.split_once(' ')?.1.to_owned()))
        .collect();
    commands.sort();
    commands
}

/// Every file that a session could leave behind.
fn files(machine: &Machine) -> BTreeSet<String> {
    let found = machine.run("find /dev /etc /home /nix /root /run /srv /tmp /var | sort");
    found.ok().lines().map(str::to_owned).collect()
}
