//! One namespace for all sessions of a user: how the next session finds it,
//! when it must not take it, and what is left of it in the end.

use std::collections::BTreeSet;
use std::ffi::CString;
use std::fs::File;
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;
use std::thread::sleep;
use std::time::{Duration, Instant};

use tests::whereabouts::{COMMON, EXIT, PROBE, Stay, Whereabouts};
use tests::{ENTER, LEAVE, Lines, Machine, Status, User, at_this_pace, kernel, machine_or_skip};

// ---- joined by whatever comes

#[test]
fn the_channels_of_a_multiplexed_connection_are_in_the_shared_namespace() {
    let machine = machine_or_skip!();
    let quiet = Quiet::set_up(&machine);
    let first = machine.keep_by_ssh("alice");
    let shared = machine.where_ssh_leads("alice");
    let via = "-o ControlPath=/run/control";
    machine
        .run(&format!(
            "ssh {via} -o ControlMaster=yes -fN alice@localhost"
        ))
        .ok();
    for _ in 0..3 {
        let report = machine.run(&format!("ssh {via} alice@localhost '{PROBE} || :'"));
        let found = Whereabouts::parse(report.ok()).expect("the probe says it all");
        assert_eq!(found.namespace, shared.namespace);
    }
    machine
        .run(&format!("ssh {via} -O exit alice@localhost"))
        .ok();
    drop(first);
    quiet.again();
}

#[test]
fn a_forced_command_is_in_the_shared_namespace() {
    let machine = machine_or_skip!();
    let quiet = Quiet::set_up(&machine);
    let first = machine.keep_by_ssh("alice");
    let shared = machine.where_ssh_leads("alice");
    let keys = quiet.alice.home.clone() + "/.ssh/authorized_keys";
    let forced = format!("command=\"{PROBE} || :\" {}", machine.read(&keys));
    machine.write(&keys, forced, 0o600, &quiet.alice);
    let found = machine.where_ssh_leads("alice");
    assert_eq!((found.namespace, found.nix), (shared.namespace, shared.nix));
    drop(first);
    quiet.again();
}

#[test]
fn copying_programs_reach_the_users_own_nix() {
    let machine = machine_or_skip!();
    let quiet = Quiet::set_up(&machine);
    let store = "/home/alice/.local/share/nix";
    machine
        .ssh("alice", "git init -q --bare /nix/repository")
        .ok();
    for (copy, copied) in [
        (
            "rsync -a /etc/hosts alice@localhost:/nix/by-rsync",
            "by-rsync",
        ),
        ("scp -q /etc/hosts alice@localhost:/nix/by-scp", "by-scp"),
        (
            "echo put /etc/hosts /nix/by-sftp | sftp -q -b - alice@localhost",
            "by-sftp",
        ),
        (
            "git init -q -b main /root/r && cd /root/r && \
             git -c user.name=r -c user.email=r@r commit -q --allow-empty -m m && \
             git push -q alice@localhost:/nix/repository main && \
             git clone -q alice@localhost:/nix/repository /root/clone",
            "repository/refs/heads/main",
        ),
    ] {
        machine.run(copy).ok();
        let arrived = machine.run(&format!("stat -c %U {store}/{copied}"));
        assert_eq!(arrived.ok(), "alice", "{copy}");
    }
    assert_eq!(machine.run("ls -A /nix").ok(), "");
    quiet.again();
}

// ---- one view for all

#[test]
fn sessions_see_what_is_mounted_in_another_later() {
    let machine = machine_or_skip!();
    let quiet = Quiet::set_up(&machine);
    let first = machine.keep_by_ssh("alice");
    let alice = first.process;
    let second = machine.keep_by_ssh("alice");
    let later = second.process;
    machine.run("mkdir -p /srv/later").ok();
    let mounted = machine.run(&format!(
        "nsenter -t {alice} -m mount -t tmpfs -o mode=777 tmpfs /srv/later"
    ));
    mounted.ok();
    machine.ssh("alice", "touch /srv/later/file").ok();
    let seen = machine.run(&format!("nsenter -t {later} -m ls /srv/later"));
    assert_eq!(seen.ok(), "file");
    assert_eq!(machine.run("ls /srv/later").ok(), "");
    assert_eq!(machine.ssh("bob", "ls /srv/later").ok(), "");
    drop((first, second));
    quiet.again();
}

#[test]
fn sessions_see_each_others_fuse_mounts_and_the_host_does_not() {
    let machine = machine_or_skip!();
    let quiet = Quiet::set_up(&machine);
    let mounter = stay_with_mute_fuse(&machine, "~/fuse");
    let count = "grep -c ' /home/alice/fuse .* fuse' /proc/self/mountinfo || :";
    assert_eq!(machine.ssh("alice", count).ok(), "1");
    assert_eq!(machine.ssh("bob", count).ok(), "0");
    assert_eq!(machine.run(count).ok(), "0");
    drop(mounter);
    quiet.again();
}

#[test]
fn a_sandbox_works_inside() {
    let machine = machine_or_skip!();
    let quiet = Quiet::set_up(&machine);
    let inside = "touch /nix/file && bwrap --dev-bind / / --bind /nix /mnt ls /mnt/file";
    assert_eq!(machine.ssh("alice", inside).ok(), "/mnt/file");
    quiet.again();
}

// ---- as long as a process lives in it

#[test]
fn a_namespace_lives_on_in_a_process_that_outlived_its_session() {
    let machine = machine_or_skip!();
    let quiet = Quiet::set_up(&machine);
    let survivor = leave_behind(&machine, "alice");
    let its = machine.namespace_of(survivor).expect("it lives");
    let found = machine.where_ssh_leads("alice");
    // Older kernels number namespaces by inodes alone, which are reused: there
    // a second one is built on the same directory.
    assert_eq!(found.namespace == its, namespaces_have_unique_numbers());
    let its_nix = machine.run(&format!("nsenter -t {survivor} -m stat -c %u:%d:%i /nix"));
    assert_eq!(its_nix.ok(), found.nix);
    machine.run(&format!("kill -9 {survivor}")).ok();
    quiet.again();
}

#[test]
fn a_terminal_multiplexer_is_found_again() {
    let machine = machine_or_skip!();
    let quiet = Quiet::set_up(&machine);
    machine.ssh("alice", "tmux new-session -d -s kept").ok();
    let ask = format!("tmux run-shell -t kept '{PROBE} || :'; :");
    machine.ssh("alice", &ask).ok();
    let report = machine.read(&format!("{COMMON}/report"));
    let multiplexed = Whereabouts::parse(&report).expect("the probe says it all");
    let found = machine.where_ssh_leads("alice");
    assert_eq!(found.nix, multiplexed.nix);
    if namespaces_have_unique_numbers() {
        assert_eq!(found.namespace, multiplexed.namespace);
    }
    machine.ssh("alice", "tmux kill-server").ok();
    quiet.again();
}

#[test]
fn when_all_are_gone_the_next_login_builds_anew() {
    let machine = machine_or_skip!();
    let quiet = Quiet::set_up(&machine);
    // A later namespace may have the inode number of an earlier one, but what
    // was mounted in that is gone.
    machine.run("mkdir /srv/later").ok();
    let first = machine.keep_by_ssh("alice");
    let alice = first.process;
    let mounted = format!("nsenter -t {alice} -m mount -t tmpfs tmpfs /srv/later");
    machine.run(&mounted).ok();
    let count = "grep -c ' /srv/later ' /proc/self/mountinfo || :";
    assert_eq!(machine.ssh("alice", count).ok(), "1");
    drop(first);
    machine.wait_until("the session to end", || {
        machine.namespace_of(alice).is_none()
    });
    quiet.wait_for_silence();
    assert_eq!(machine.ssh("alice", count).ok(), "0");
    assert_eq!(
        machine.where_ssh_leads("alice").owner(),
        quiet.alice.uid.to_string()
    );
    quiet.again();
}

#[test]
fn the_registry_does_not_grow_with_logins() {
    let machine = machine_or_skip!();
    let quiet = Quiet::set_up(&machine);
    for _ in 0..20 {
        machine.where_ssh_leads("alice");
    }
    quiet.wait_for_silence();
    let entries = entries(&machine, &quiet.alice);
    assert!(entries.len() <= 2, "{entries:#?}");
    quiet.again();
}

#[test]
fn the_registry_does_not_grow_with_sessions_that_are_killed() {
    let machine = machine_or_skip!();
    let quiet = Quiet::set_up(&machine);
    for _ in 0..20 {
        let session = machine.keep_by_ssh("alice");
        kill_monitor(&machine, session.process);
        drop(session);
    }
    quiet.wait_for_silence();
    machine.where_ssh_leads("alice");
    quiet.wait_for_silence();
    let entries = entries(&machine, &quiet.alice);
    assert!(entries.len() <= 3, "{entries:#?}");
    quiet.again();
}

// ---- what the registry must not be believed

#[test]
fn what_is_no_entry_of_ours_is_neither_believed_nor_removed() {
    let machine = machine_or_skip!();
    let quiet = Quiet::set_up(&machine);
    machine.where_ssh_leads("alice");
    quiet.wait_for_silence();
    let registry = registry_of(&machine, &quiet.alice);
    let strange = format!(
        "cd {registry} && ln -s nix-ns/2 namespace.1.2.3 && ln -s '' namespace.1.2.4 2>/dev/null; \
         ln -s x session.u1 && ln -s 1 session.u1.2.3 && mkdir namespace.5.6.7 && \
         touch session.u1.2 namespace.8.9.10 && mkfifo namespace.11.12.13 && \
         mkdir -p session.u9.9/full && ln -s 1 \"$(printf 'namespace.\\377\\n')\" && \
         ln -s nix-ns/1\\ uid=0 namespace.1.2.18446744073709551616"
    );
    machine.run(&strange).ok();
    let before: Vec<String> = entries(&machine, &quiet.alice)
        .into_iter()
        .filter(|entry| {
            let strange = ["namespace.1.2.", "namespace.11.12.", "namespace.5.6.7"];
            strange.iter().any(|name| entry.starts_with(name))
        })
        .collect();
    joins_as_ever(&machine, &quiet.alice);
    let after = entries(&machine, &quiet.alice);
    for entry in before {
        assert!(after.contains(&entry), "{entry} of {after:#?}");
    }
    machine
        .run(&format!(
            "rm -rf {registry} && install -d -m 2700 {registry}"
        ))
        .ok();
    joins_as_ever(&machine, &quiet.alice);
    quiet.again();
}

/// Cut at every tenth byte, as a writer killed half-way would leave it if it
/// wrote; and with every field changed.
#[test]
fn a_damaged_entry_keeps_nobody_out() {
    let machine = machine_or_skip!();
    let quiet = Quiet::set_up(&machine);
    let first = machine.keep_by_ssh("alice");
    let (name, text) = elected(&machine, &quiet.alice);
    let mut damaged: Vec<String> = (1..text.len())
        .step_by(25)
        .map(|end| text[..end].into())
        .collect();
    for (from, to) in [
        ("uid=", "uid=9"),
        ("namespace=u", "namespace=u9"),
        ("namespace=u", "namespace=i"),
        ("origin=u", "origin=u9"),
        ("nix=u", "nix=u9"),
        ("nix-ns/1", "nix-ns/2"),
        ("path=/home", "path=/nowhere"),
    ] {
        damaged.push(text.replacen(from, to, 1));
    }
    for damage in damaged {
        let link = format!("{}/{name}", registry_of(&machine, &quiet.alice));
        machine
            .run(&format!("rm -f {link}; ln -s '{damage}' {link}"))
            .ok();
        joins_as_ever(&machine, &quiet.alice);
    }
    drop(first);
    quiet.again();
}

/// A process number is soon another process's: here one of bob's.
#[test]
fn an_entry_whose_process_number_was_given_to_another_is_stale() {
    let machine = machine_or_skip!();
    let quiet = Quiet::set_up(&machine);
    let first = machine.keep_by_ssh("alice");
    let bobs = machine.keep_by_ssh("bob");
    let bob = bobs.process;
    let (_, record) = elected(&machine, &quiet.alice);
    let namespace = field(&record, "namespace");
    drop(first);
    machine.wait_until("alice's session to end", || {
        machine.run("pgrep -u alice").status != Status::Exited(0)
    });
    let forged = format!(
        "cd {} && ln -s \"$(stat -c %Y /proc/{bob})\" session.{namespace}.{bob}",
        registry_of(&machine, &quiet.alice)
    );
    machine.run(&forged).ok();
    joins_as_ever(&machine, &quiet.alice);
    drop(bobs);
    quiet.again();
}

/// A user can make a namespace, and a marker in it that says anything. Root
/// wrote down none of that; but were it written down, it would not be joined.
#[test]
fn a_namespace_that_a_user_made_is_not_joined() {
    let machine = machine_or_skip!();
    let quiet = Quiet::set_up(&machine);
    let first = machine.keep_by_ssh("alice");
    let (name, record) = elected(&machine, &quiet.alice);
    let planted = machine.keep(|line| {
        let inside = format!(
            "exec unshare --user --map-root-user --mount sh -c \
             'mount -t tmpfs tmpfs /run/nix-ns/self && {line}'"
        );
        machine.spawn_ssh("alice", &[], &inside)
    });
    let process = planted.process;
    let id = number_of_namespace(&machine, process);
    let nix = number_of_nix(&machine, process);
    let forged = record
        .replace(
            &format!("namespace={}", field(&record, "namespace")),
            &format!("namespace={id}"),
        )
        .replace(
            &format!(" nix={}", field(&record, "nix")),
            &format!(" nix={nix}"),
        );
    let marked = machine.run(&format!(
        "nsenter -t {process} -U -m ln -s '{forged}' /run/nix-ns/self/namespace && \
         cd {} && rm -f {name} session.* && ln -s '{forged}' {name} && \
         ln -s $(cut -d ' ' -f 22 /proc/{process}/stat) session.{id}.{process}",
        registry_of(&machine, &quiet.alice)
    ));
    marked.ok();
    let found = machine.where_ssh_leads("alice");
    assert_ne!(found.namespace, planted.namespace);
    assert_eq!(found.owner(), quiet.alice.uid.to_string());
    joins_as_ever(&machine, &quiet.alice);
    drop((first, planted));
    quiet.again();
}

/// Another module after ours makes a namespace of its own: the registered
/// process is not in ours any more.
#[test]
fn a_session_process_that_went_on_to_another_namespace_leads_nobody_there() {
    let machine = machine_or_skip!();
    let quiet = Quiet::set_up(&machine);
    machine.write(
        "/etc/security/namespace.conf",
        "/tmp /var/poly/ user root\n",
        0o644,
        &User::root(),
    );
    machine.run("install -d -m 000 /var/poly").ok();
    machine.pam(
        "later",
        &[LEAVE, ENTER, "session required pam_namespace.so"],
    );
    let wanderer =
        machine.keep(|line| machine.spawn(&format!("pam-host later alice -- sh -c '{line}'")));
    let found = machine.where_ssh_leads("alice");
    assert_ne!(found.namespace, wanderer.namespace);
    joins_as_ever(&machine, &quiet.alice);
    drop(wanderer);
    quiet.again();
}

/// Where `/run` is a container's, too, both number their threads from one, and
/// neither sees the other's.
#[test]
fn a_container_that_shares_run_has_a_namespace_of_its_own() {
    let machine = machine_or_skip!();
    let quiet = Quiet::set_up(&machine);
    let mut container = machine.spawn(
        "exec unshare --pid --mount --fork --kill-child --mount-proc \
         sh -c 'echo is up; exec sleep 4321'",
    );
    container.until_it_says("is up");
    let first = machine.run("pgrep -fx 'sleep 4321'");
    let inside = |line: &str| {
        let enter = format!("nsenter -t {} -p -m", first.ok());
        format!("{enter} pam-host host alice -- {line}")
    };
    let where_it_leads = || {
        let line = format!("sh -c '{PROBE} {COMMON}/inside || :'");
        machine.run(&inside(&line)).ok();
        Whereabouts::parse(&machine.read(&format!("{COMMON}/inside"))).expect("it said all")
    };
    let host = machine.keep_by_ssh("alice");
    let mut stays = machine.spawn(&inside("sh -c 'echo is in; exec sleep 4322'"));
    stays.until_it_says("is in");
    let there = where_it_leads();
    assert_eq!(there.owner(), quiet.alice.uid.to_string());
    assert_ne!(there.namespace, host.namespace);
    for _ in 0..3 {
        assert_eq!(machine.where_ssh_leads("alice").namespace, host.namespace);
        assert_eq!(where_it_leads(), there);
    }
    machine.run("pkill -9 -fx 'sleep 432[12]'").ok();
    drop((host, stays, container));
    quiet.again();
}

#[test]
fn a_number_given_to_another_user_opens_nothing_of_the_former_users() {
    let machine = machine_or_skip!();
    let quiet = Quiet::set_up(&machine);
    let survivor = leave_behind(&machine, "alice");
    let former = machine.where_ssh_leads("alice");
    let uid = quiet.alice.uid;
    machine.run("userdel --force alice").ok();
    let eve = machine.run(&format!(
        "(getent group {uid} || groupadd --gid {uid} eve) && useradd --uid {uid} --gid {uid} --shell /bin/bash \
         --create-home --skel /nonexistent eve && cp -r /home/alice/.ssh /home/eve/ && \
         chown -R {uid}:{uid} /home/eve"
    ));
    eve.ok();
    let without = machine.where_ssh_leads("eve");
    assert_eq!(without.nix, machine.where_the_host_is().nix);
    machine
        .run(&format!(
            "install -d -o {uid} -g {uid} /home/eve/.config /home/eve/.config/nix-ns && \
             install -o {uid} -g {uid} /dev/null /home/eve/.config/nix-ns/config.toml"
        ))
        .ok();
    let found = machine.where_ssh_leads("eve");
    assert_eq!(found.owner(), uid.to_string());
    assert_ne!(found.nix, former.nix);
    let its = machine.namespace_of(survivor).expect("it lives");
    assert_ne!(found.namespace, its);
    machine.run(&format!("kill -9 {survivor}")).ok();
    quiet.again();
}

// ---- what became of the directory

#[test]
fn a_store_directory_renamed_under_a_session_is_that_sessions_alone() {
    let machine = machine_or_skip!();
    let quiet = Quiet::set_up(&machine);
    let first = machine.keep_by_ssh("alice");
    let before = machine.where_ssh_leads("alice");
    machine
        .run_as("alice", "mv ~/.local/share/nix ~/.local/share/old")
        .ok();
    let found = machine.where_ssh_leads("alice");
    assert_ne!(
        found.nix, before.nix,
        "a new directory at the configured path"
    );
    assert_eq!(found.owner(), quiet.alice.uid.to_string());
    let at_path = machine.run("stat -c %u:%d:%i /home/alice/.local/share/nix");
    assert_eq!(at_path.ok(), found.nix);
    joins_as_ever(&machine, &quiet.alice);
    drop(first);
    quiet.again();
}

#[test]
fn a_store_directory_removed_under_a_session_is_made_anew_for_the_next() {
    let machine = machine_or_skip!();
    let quiet = Quiet::set_up(&machine);
    let first = machine.keep_by_ssh("alice");
    let before = machine.where_ssh_leads("alice");
    machine.run_as("alice", "rm -r ~/.local/share/nix").ok();
    machine.ssh("alice", "touch /nix/file").ok();
    let found = machine.where_ssh_leads("alice");
    assert_ne!(found.namespace, before.namespace);
    joins_as_ever(&machine, &quiet.alice);
    drop(first);
    quiet.again();
}

/// The user owns the directory, so setuid fusermount mounts on it. A server
/// that never answers must not delay her next login either.
#[test]
fn a_mute_fuse_of_the_users_over_nix_is_not_what_the_next_session_gets() {
    let machine = machine_or_skip!();
    let quiet = Quiet::set_up(&machine);
    let before = machine.where_ssh_leads("alice");
    let mounter = stay_with_mute_fuse(&machine, "/nix");
    let begun = Instant::now();
    let found = machine.where_ssh_leads("alice");
    assert!(
        begun.elapsed() < at_this_pace(Duration::from_secs(5)),
        "{:?}",
        begun.elapsed()
    );
    assert_eq!(found.nix, before.nix);
    let foreign = machine
        .spawn("su bob -c /bin/true")
        .finish_within(Duration::from_secs(5));
    foreign.ok();
    joins_as_ever(&machine, &quiet.alice);
    drop(mounter);
    quiet.again();
}

/// From within that session, too, everybody else comes out.
#[test]
fn a_mute_fuse_over_nix_holds_nobody_in_that_session() {
    let machine = machine_or_skip!();
    let quiet = Quiet::set_up(&machine);
    let host = machine.where_the_host_is();
    let bobs = machine.where_ssh_leads("bob");
    let mounter = stay_with_mute_fuse(&machine, "/nix");
    let process = mounter.process;
    for door in [
        "su bob -c 'probe /srv/common/of-bob'",
        "su -c 'probe /srv/common/of-root'",
    ] {
        let went = machine.spawn(&format!(
            "nsenter -t {process} -m setpriv --reuid alice --regid alice --init-groups \
             --reset-env {door}"
        ));
        let went = went.finish_within(Duration::from_secs(5));
        assert_eq!(went.status, Status::Exited(EXIT), "{went}");
    }
    for (report, nix) in [("of-bob", &bobs.nix), ("of-root", &host.nix)] {
        let report = machine.read(&format!("{COMMON}/{report}"));
        let found = Whereabouts::parse(&report).expect("the probe says it all");
        assert_eq!(&found.nix, nix);
    }
    drop(mounter);
    quiet.again();
}

#[test]
fn something_bound_over_nix_is_not_what_the_next_session_gets() {
    let machine = machine_or_skip!();
    let quiet = Quiet::set_up(&machine);
    let first = machine.keep_by_ssh("alice");
    let alice = first.process;
    let before = machine.where_ssh_leads("alice");
    for change in ["mount --bind /home/alice /nix", "umount --lazy /nix /nix"] {
        let changed = machine.run(&format!("nsenter -t {alice} -m {change}"));
        changed.ok();
        let found = machine.where_ssh_leads("alice");
        assert_eq!(found.nix, before.nix, "{change}");
        assert_ne!(found.namespace, before.namespace, "{change}");
    }
    drop(first);
    quiet.again();
}

// ---- configurations that change

#[test]
fn an_edit_counts_for_new_logins_and_the_old_text_leads_back() {
    let machine = machine_or_skip!();
    let quiet = Quiet::set_up(&machine);
    let first = machine.keep_by_ssh("alice");
    let alice = first.process;
    let before = machine.where_ssh_leads("alice");
    machine.configure(&quiet.alice, "source_path = \"~/other\"\n");
    let edited = machine.where_ssh_leads("alice");
    assert_ne!(edited.nix, before.nix);
    let running = machine.run(&format!("nsenter -t {alice} -m stat -c %u:%d:%i /nix"));
    assert_eq!(running.ok(), before.nix, "a running session keeps its own");
    let second = machine.keep_by_ssh("alice");
    let shared = machine.where_ssh_leads("alice");
    assert_eq!(shared.nix, edited.nix);
    machine.configure(&quiet.alice, "");
    let back = machine.where_ssh_leads("alice");
    assert_eq!(back.namespace, before.namespace, "back to the old one");
    machine.configure(&quiet.alice, "source_path = \"other\" # again\n");
    let again = machine.where_ssh_leads("alice");
    assert_eq!(again.namespace, shared.namespace);
    drop((first, second));
    quiet.again();
}

#[test]
fn a_user_who_switches_it_off_is_on_the_host_from_the_next_login_on() {
    let machine = machine_or_skip!();
    let quiet = Quiet::set_up(&machine);
    let host = machine.where_the_host_is();
    let first = machine.keep_by_ssh("alice");
    let before = machine.where_ssh_leads("alice");
    machine.configure(&quiet.alice, "enable = false\n");
    assert_eq!(machine.where_ssh_leads("alice").namespace, host.namespace);
    machine.configure(&quiet.alice, "enable = true\n");
    assert_eq!(machine.where_ssh_leads("alice").namespace, before.namespace);
    machine.run("rm ~alice/.config/nix-ns/config.toml").ok();
    assert_eq!(machine.where_ssh_leads("alice").namespace, host.namespace);
    drop(first);
    quiet.again();
}

/// What they say is remembered once they were left alone for two seconds
/// (`namespace/src/site_files.rs`); then nothing is read until one is another.
#[test]
fn a_change_of_what_is_remembered_of_the_sites_files_counts_for_new_logins() {
    const SILENT: &str = "#enable = false\n";
    let machine = machine_or_skip!();
    let quiet = Quiet::set_up(&machine);
    let host = machine.where_the_host_is();
    let first = machine.keep_by_ssh("alice");
    let before = machine.where_ssh_leads("alice");
    machine.run("cp /etc/login.defs /root/login.defs").ok();
    for change in [
        "printf 'enable = false\n#' >config.toml",
        "printf 'enable = false\n' >new; mv new config.toml",
        "printf 'enable = false\n' >new; ln -sf new config.toml",
        "chmod 666 config.toml",
        "chown daemon config.toml",
        "chmod 777 .; cp config.toml new; mv new config.toml",
        "sed -i 's/^UID_MIN.*/UID_MIN 59999/' /etc/login.defs",
    ] {
        machine.configure_site(SILENT);
        sleep(Duration::from_secs(2));
        for _ in 0..2 {
            assert_eq!(machine.where_ssh_leads("alice").namespace, before.namespace);
        }
        let memory = machine.run("readlink /run/nix-ns/1/site").ok().to_owned();
        assert!(!memory.contains("=-"), "{memory}");
        machine.run(&format!("cd /etc/nix-ns; {change}")).ok();
        let found = machine.where_ssh_leads("alice");
        assert_eq!(found.namespace, host.namespace, "{change}");
        machine
            .run("cd /etc/nix-ns; chmod 755 .; rm -f new config.toml; cat /root/login.defs >/etc/login.defs")
            .ok();
    }
    machine.configure_site(SILENT);
    assert_eq!(machine.where_ssh_leads("alice").namespace, before.namespace);
    drop(first);
    quiet.again();
}

#[test]
fn an_edit_of_the_sites_counts_for_new_logins() {
    let machine = machine_or_skip!();
    let quiet = Quiet::set_up(&machine);
    let host = machine.where_the_host_is();
    let site = |text: &str| {
        machine.write("/etc/nix-ns/config.toml", text, 0o644, &User::root());
    };
    let first = machine.keep_by_ssh("alice");
    let before = machine.where_ssh_leads("alice");
    site("source_path = \"~/elsewhere\"\n");
    let edited = machine.where_ssh_leads("alice");
    assert_ne!(edited.nix, before.nix);
    assert_eq!(edited.owner(), quiet.alice.uid.to_string());
    for text in [
        "enable = false\n",
        "[users]\ndeny_users = [\"alice\"]\n",
        "enable = maybe\n",
    ] {
        site(text);
        let found = machine.where_ssh_leads("alice");
        assert_eq!(found.namespace, host.namespace, "{text}");
        let left = machine.run(&format!("runuser -u alice -- {PROBE} || :"));
        left.ok();
    }
    site("# as before\n");
    assert_eq!(machine.where_ssh_leads("alice").namespace, before.namespace);
    drop(first);
    quiet.again();
}

/// The switch that turns everything off must not turn off leaving.
#[test]
fn nobody_stays_on_a_users_nix_when_the_site_switches_it_off() {
    let machine = machine_or_skip!();
    let quiet = Quiet::set_up(&machine);
    let host = machine.where_the_host_is();
    for text in ["enable = false\n", "this is no configuration\n"] {
        machine.run("rm -f /etc/nix-ns/config.toml").ok();
        let first = machine.keep_by_ssh("alice");
        let alice = first.process;
        machine.write("/etc/nix-ns/config.toml", text, 0o644, &User::root());
        for user in ["alice", "bob", "root"] {
            machine
                .run(&format!(
                    "nsenter -t {alice} -m runuser -u {user} -- {PROBE} || :"
                ))
                .ok();
            let report = machine.read(&format!("{COMMON}/report"));
            machine.run(&format!("rm {COMMON}/report")).ok();
            let found = Whereabouts::parse(&report).expect("the probe says it all");
            assert_eq!(found.nix, host.nix, "{user}, {text}");
        }
        drop(first);
        quiet.wait_for_silence();
    }
    quiet.again();
}

// ---- the end of a session

#[test]
fn a_session_whose_process_is_killed_leaves_nothing() {
    let machine = machine_or_skip!();
    let quiet = Quiet::set_up(&machine);
    let session = machine.keep_by_ssh("alice");
    kill_monitor(&machine, session.process);
    if namespaces_have_unique_numbers() {
        assert_eq!(
            machine.where_ssh_leads("alice").namespace,
            session.namespace
        );
    }
    drop(session);
    quiet.wait_for_silence();
    joins_as_ever(&machine, &quiet.alice);
    quiet.again();
}

/// `(sd-pam)` closes as the user.
#[test]
fn a_close_without_privileges_is_harmless() {
    let machine = machine_or_skip!();
    let quiet = Quiet::set_up(&machine);
    machine.install_program("pam-close-as-user");
    let first = machine.keep_by_ssh("alice");
    let closed = machine.run("pam-close-as-user host alice");
    assert_eq!(closed.ok(), "open 0\nclose 0");
    let found = machine.where_ssh_leads("alice");
    assert_eq!(found.namespace, first.namespace);
    drop(first);
    quiet.wait_for_silence();
    joins_as_ever(&machine, &quiet.alice);
    quiet.again();
}

/// su, login and others end their copy of the conversation in the child that
/// becomes the session, which is not the end of the session.
#[test]
fn the_end_of_the_conversation_in_a_child_is_not_the_end_of_the_session() {
    let machine = machine_or_skip!();
    let quiet = Quiet::set_up(&machine);
    let session = machine.keep(|line| machine.spawn(&format!("su alice -c '{line}'")));
    for _ in 0..2 {
        assert_eq!(
            machine.where_ssh_leads("alice").namespace,
            session.namespace
        );
    }
    drop(session);
    quiet.again();
}

// ---- what joining costs

#[test]
fn joining_makes_no_namespace_and_no_process_and_asks_no_file_server() {
    let machine = machine_or_skip!();
    let quiet = Quiet::set_up(&machine);
    let first = machine.keep_by_ssh("alice");
    let calls = calls_of_a_join(&machine);
    let text = calls.join("\n");
    assert!(text.contains("setns("), "it joined: {text}");
    for call in [
        "unshare(CLONE_NEWNS",
        "clone(",
        "clone3(",
        "fork(",
        "execve(",
        "mount",
    ] {
        let made: Vec<&String> = calls.iter().filter(|it| it.starts_with(call)).collect();
        assert!(made.is_empty(), "{call}: {made:?}");
    }
    // A look at what is below a home, or at the user's /nix, is answered from
    // memory: by a descriptor that opens nothing, and without a question to a
    // server. The host's /nix, which is looked into before, is root's.
    let inside = calls.iter().position(|call| call.starts_with("setns("));
    for call in calls.iter().enumerate().filter_map(|(number, call)| {
        let users =
            call.contains("\"/home/alice") || call.contains("\"/nix\"") && Some(number) > inside;
        users.then_some(call)
    }) {
        let cached = call.contains("RESOLVE_CACHED")
            || call.contains("AT_STATX_DONT_SYNC")
            || call.starts_with("open") && call.contains("O_PATH");
        assert!(cached, "{call}");
    }
    drop(first);
    quiet.again();
}

#[test]
fn joining_does_the_same_however_many_mounts_there_are() {
    let machine = machine_or_skip!();
    let quiet = Quiet::set_up(&machine);
    let first = machine.keep_by_ssh("alice");
    let names = |calls: Vec<String>| -> Vec<String> {
        calls
            .into_iter()
            .map(|call| call.split('(').next().unwrap_or_default().to_owned())
            .collect()
    };
    // The first may fill a cache.
    calls_of_a_join(&machine);
    let few = names(calls_of_a_join(&machine));
    machine
        .run("for i in $(seq 300); do mkdir /srv/m$i; mount -t tmpfs tmpfs /srv/m$i; done")
        .ok();
    let many = names(calls_of_a_join(&machine));
    assert_eq!(few, many);
    machine
        .run("for i in $(seq 300); do umount /srv/m$i; done")
        .ok();
    drop(first);
    quiet.again();
}

/// The system calls of a session's opening, from the module's on: a line each,
/// without the thread's number.
fn calls_of_a_join(machine: &Machine) -> Vec<String> {
    machine
        .run("strace -f -s 200 -o /root/trace pam-host --silent host alice")
        .ok();
    let trace = machine.read("/root/trace");
    let begin = "write(1, \"close ";
    trace
        .lines()
        .filter_map(|line| Some(line.split_once(' ')?.1.trim().to_owned()))
        .skip_while(|call| !call.contains("/etc/pam.d/host"))
        .take_while(|call| !call.starts_with(begin))
        .collect()
}

// ---- tools

/// A FUSE file system that nobody serves, on a directory of the caller's, until
/// its command ends: to mount is setuid fusermount's job, to answer would be ours.
const MUTE_FUSE: &str = r#"#!/usr/bin/perl
use Socket;
socketpair(my $ours, my $theirs, AF_UNIX, SOCK_STREAM, 0) or die;
fcntl($_, 2, 0) or die for $ours, $theirs;
$ENV{_FUSE_COMMFD} = fileno($theirs);
system("fusermount3", "-o", "fsname=mute", "--", $ARGV[0]) == 0 or die;
shift;
exec @ARGV;
"#;

/// Opens a session of alice's in which that is mounted on a directory.
fn stay_with_mute_fuse<'machine>(machine: &'machine Machine, point: &str) -> Stay<'machine> {
    machine.keep(|line| {
        let line = format!("mkdir -p {point}; exec mute-fuse {point} sh -c '{line}'");
        machine.spawn_ssh("alice", &[], &line)
    })
}

/// A machine with people on it, and what it is like when nobody is logged in.
struct Quiet<'machine> {
    machine: &'machine Machine,
    alice: User,
    mounts: String,
    processes: BTreeSet<String>,
}

impl<'machine> Quiet<'machine> {
    fn set_up(machine: &'machine Machine) -> Self {
        machine.install_module();
        machine.install_probe();
        machine.install_pam_host();
        machine.pam_lines("host", Lines::Both);
        machine.write("/usr/local/bin/mute-fuse", MUTE_FUSE, 0o755, &User::root());
        let alice = machine.nix_user("alice");
        machine.nix_user("bob");
        machine.sshd();
        Self {
            machine,
            alice,
            mounts: machine.mount_table(),
            processes: machine.processes().into_iter().collect(),
        }
    }

    /// Waits until nobody is logged in any more and nothing is left running.
    #[track_caller]
    fn wait_for_silence(&self) {
        self.machine.wait_until("every session to end", || {
            let now: BTreeSet<String> = self.machine.processes().into_iter().collect();
            now == self.processes
        });
    }

    /// The host is as it was, and all that is left is a registry of root's.
    #[track_caller]
    fn again(&self) {
        self.wait_for_silence();
        assert_eq!(self.machine.mount_table(), self.mounts);
        let strange = self.machine.run(
            "find /run/nix-ns ! -user root -o ! -group root -o -perm /022 ! -type l \
             -o -path '/run/nix-ns/1*' -type d -perm /077 | head",
        );
        assert_eq!(strange.ok(), "");
    }
}

fn registry_of(machine: &Machine, user: &User) -> String {
    let own = machine.run("stat -Lc %i /proc/1/ns/pid");
    format!("/run/nix-ns/1/{}.{}", user.uid, own.ok())
}

fn entries(machine: &Machine, user: &User) -> Vec<String> {
    let listed = machine.run(&format!("ls -A {}", registry_of(machine, user)));
    listed.ok().lines().map(str::to_owned).collect()
}

/// The one elected namespace of a user's: name and text of its entry.
#[track_caller]
fn elected(machine: &Machine, user: &User) -> (String, String) {
    let all = entries(machine, user);
    let of_namespaces: Vec<&String> = all
        .iter()
        .filter(|name| name.starts_with("namespace."))
        .collect();
    let [name] = of_namespaces.as_slice() else {
        panic!("one, not {all:#?}");
    };
    let text = machine.run(&format!("readlink {}/{name}", registry_of(machine, user)));
    ((*name).clone(), text.ok().to_owned())
}

/// The value of a field of an entry.
#[track_caller]
fn field(record: &str, key: &str) -> String {
    let value = record
        .split(' ')
        .find_map(|word| word.strip_prefix(key)?.strip_prefix('='));
    value.expect("every entry has it").to_owned()
}

/// How the registry writes the number of a process's namespace.
fn number_of_namespace(machine: &Machine, process: u32) -> String {
    let path = format!("/proc/{}/root/proc/{process}/ns/mnt", machine.init());
    let namespace = File::open(path).expect("it lives");
    kernel::namespace_id(namespace.as_fd()).map_or_else(
        |_| {
            let file = namespace.metadata().expect("it is open");
            format!("i{}", file.ino())
        },
        |id| format!("u{id}"),
    )
}

/// How the registry writes the number of the mount on `/nix` of a process.
fn number_of_nix(machine: &Machine, process: u32) -> String {
    // include/uapi/linux/stat.h; the second since Linux 6.8.
    const STATX_MNT_ID: u32 = 0x1000;
    const STATX_MNT_ID_UNIQUE: u32 = 0x4000;
    let path = format!("/proc/{}/root/proc/{process}/root/nix", machine.init());
    let path = CString::new(path).expect("no NUL in it");
    let nix = kernel::statx(&path, 0, STATX_MNT_ID | STATX_MNT_ID_UNIQUE).expect("it is there");
    let kind = if nix.stx_mask & STATX_MNT_ID_UNIQUE == 0 {
        'r'
    } else {
        'u'
    };
    format!("{kind}{}", nix.stx_mnt_id)
}

fn namespaces_have_unique_numbers() -> bool {
    let own = File::open("/proc/self/ns/mnt").expect("procfs is mounted");
    kernel::namespace_id(own.as_fd()).is_ok()
}

/// Whatever was found there: a session of the user's gets her directory, and a
/// second one joins it.
#[track_caller]
fn joins_as_ever(machine: &Machine, user: &User) {
    let session = machine.keep_by_ssh(&user.name);
    let found = machine.where_ssh_leads(&user.name);
    assert_eq!(found.namespace, session.namespace, "{}", machine.log());
    assert_eq!(found.owner(), user.uid.to_string(), "{}", machine.log());
    let at_path = machine.run(&format!("stat -c %u:%d:%i {}/.local/share/nix", user.home));
    assert_eq!(at_path.ok(), found.nix);
    let process = session.process;
    drop(session);
    machine.wait_until("the session to end", || {
        machine.namespace_of(process).is_none()
    });
}

/// Starts a process in a user's session that outlives it.
#[track_caller]
fn leave_behind(machine: &Machine, user: &str) -> u32 {
    let file = format!("{COMMON}/survivor");
    let line = format!(
        "nohup setsid sh -c 'echo $$ >{file}; exec sleep 1000' >/dev/null 2>&1 </dev/null & \
         while ! test -s {file}; do sleep 0.01; done"
    );
    machine.ssh(user, &line).ok();
    machine.wait_until("the session's server to end", || {
        !machine
            .processes()
            .iter()
            .any(|it| it.contains("sshd: alice"))
    });
    machine.read(&file).trim().parse().expect("a number")
}

/// Kills the privileged process of an ssh session, by its shell's number.
#[track_caller]
fn kill_monitor(machine: &Machine, shell: u32) {
    let parent = |of: &str| format!("$(sed -n 's/^PPid:\t//p' /proc/{of}/status)");
    let killed = machine.run(&format!(
        "server={}; monitor={}; kill -9 $monitor $server",
        parent(&shell.to_string()),
        parent("$server")
    ));
    killed.ok();
}
