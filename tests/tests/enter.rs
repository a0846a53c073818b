//! `nix-ns enter`: the doors that PAM does not open, and what the program leaves
//! to the command.

use std::cell::Cell;

use tests::whereabouts::{COMMON, PROBE, Stay, Whereabouts};
use tests::{Lines, Machine, Status, User, machine_or_skip};

// ---- the doors

#[test]
fn su_and_runuser_without_the_lines() {
    let machine = &machine_or_skip!();
    let here = Here::set_up(machine);
    for service in ["su", "su-l", "runuser", "runuser-l"] {
        machine.pam_lines(service, Lines::None);
    }
    for door in [
        "su alice -c '#'",
        "su - alice -c '#'",
        "runuser -u alice -- sh -c '#'",
        "runuser -l alice -c '#'",
    ] {
        assert_eq!(here.leads(door, PROBE).nix, here.host_nix, "{door}");
        here.is_alices_own(door);
    }
}

#[test]
fn a_process_that_never_saw_pam() {
    let machine = &machine_or_skip!();
    let here = Here::set_up(machine);
    for door in [
        // As systemd starts a service with `User=`.
        "setpriv --reuid alice --regid alice --init-groups --reset-env sh -c '#'",
        "setpriv --reuid alice --regid alice --clear-groups --reset-env sh -c '#'",
        // Sessions of bob's and of root's, which lead on without the lines.
        "setpriv --reuid alice --regid alice --init-groups sh -c 'cd /nix; #'",
    ] {
        here.is_alices_own(door);
    }
}

/// The terminal multiplexer's server is on the host, and so is all in it.
#[test]
fn a_tmux_that_is_older_than_the_installation() {
    let machine = &machine_or_skip!();
    let here = Here::set_up(machine);
    machine
        .run_as("alice", "cd; tmux -L old new-session -d 'sleep 1000'")
        .ok();
    let tmux = |words: &str| machine.run_as("alice", &format!("cd; tmux -L old {words}"));
    let report = here.fresh_report();
    tmux(&format!("new-window 'nix-ns enter {PROBE} {report}'")).ok();
    let found = here.read_report(&report);
    assert_eq!(found.namespace, here.session.namespace, "{}", machine.log());
    tmux("kill-server").ok();
}

#[test]
fn somebody_elses_leftovers() {
    let machine = &machine_or_skip!();
    let here = Here::set_up(machine);
    machine.pam_lines("su", Lines::None);
    let bobs = machine.keep_by_ssh("bob");
    let inside = format!("nsenter -t {} -m", bobs.process);
    let on_bobs = here.leads(&format!("{inside} su alice -c '#'"), PROBE);
    assert_eq!(on_bobs.owner(), machine.uid("bob").to_string());
    here.is_alices_own(&format!("{inside} su alice -c '#'"));
    here.is_alices_own(&format!(
        "{inside} setpriv --reuid alice --regid alice --init-groups sh -c 'cd /nix; #'"
    ));
}

/// `UsePAM no`, and the command that the site forces on everybody.
#[test]
fn an_ssh_server_without_pam() {
    let machine = &machine_or_skip!();
    let here = Here::set_up(machine);
    let plain = machine.read("/etc/ssh/sshd_config");
    // Without PAM, sshd takes an account without a password for a locked one.
    machine.run("usermod -p '*' alice").ok();
    let no_pam = plain.replace("UsePAM yes", "UsePAM no");
    machine.write("/etc/ssh/sshd_config", &no_pam, 0o644, &User::root());
    machine.restart_sshd_by("");
    assert_eq!(machine.where_ssh_leads("alice").nix, here.host_nix);
    let found = here.leads("ssh alice@localhost '#'", &enter(PROBE));
    assert_eq!(found.namespace, here.session.namespace);

    let forced = format!("{no_pam}ForceCommand nix-ns enter\n");
    machine.write("/etc/ssh/sshd_config", &forced, 0o644, &User::root());
    machine.restart_sshd_by("");
    assert_eq!(
        machine.where_ssh_leads("alice").namespace,
        here.session.namespace
    );
    // The client's command is run once, by the shell, and seen by nobody else.
    let command = "echo \"$0 $NIX_NS ${SSH_ORIGINAL_COMMAND-none}\"; exit 9";
    let answer = machine.ssh("alice", command);
    assert_eq!(answer.stdout.trim(), "/bin/bash 1 none", "{answer}");
    assert_eq!(answer.status, Status::Exited(9));
    let twice = machine.ssh("alice", "nix-ns enter readlink /proc/self/ns/mnt");
    assert_eq!(twice.ok(), here.session.namespace);
    // What copies files asks for a command of its own.
    machine
        .run("echo there >/srv/common/file; scp -q /srv/common/file alice@localhost:/nix/copied")
        .ok();
    machine
        .run("rsync -e ssh /srv/common/file alice@localhost:/nix/synced")
        .ok();
    let copied = machine.ssh("alice", "cat /nix/copied /nix/synced");
    assert_eq!(copied.ok(), "there\nthere");
    // And a login is one.
    let terminal = machine.run(
        "expect -c 'set timeout 20; spawn -noecho ssh -tt alice@localhost; \
         expect -re {[#$] $}; send \"echo is \\$0 \\$NIX_NS; exit\\r\"; expect eof'",
    );
    assert!(terminal.stdout.contains("is -bash 1"), "{terminal}");
}

/// As the manual has it: for a group, without those whose keys are restricted.
#[test]
fn a_command_forced_on_a_group_leaves_restricted_keys_as_they_are() {
    let machine = &machine_or_skip!();
    let here = Here::set_up(machine);
    machine
        .run(
            "groupadd nix-users; usermod -p '*' -aG nix-users alice; usermod -p '*' bob; \
             sed -i 's/UsePAM yes/UsePAM no/' /etc/ssh/sshd_config; \
             printf 'Match Group nix-users\nForceCommand nix-ns enter --or-without\n' \
                >>/etc/ssh/sshd_config; \
             for home in /root /home/bob; do \
                sed -i 's/^/command=\"echo restricted\" /' $home/.ssh/authorized_keys; done",
        )
        .ok();
    machine.restart_sshd_by("");
    let alice = machine.where_ssh_leads("alice");
    assert_eq!(alice.namespace, here.session.namespace);
    for who in ["root", "bob"] {
        assert_eq!(machine.ssh(who, "id").ok(), "restricted", "{who}");
    }
}

/// It knows nothing of PAM in Debian, and is what many small machines have.
#[test]
fn dropbear() {
    let machine = &machine_or_skip!();
    let here = Here::set_up(machine);
    machine
        .run("dropbearkey -t ed25519 -f /etc/ssh/dropbear_key >/dev/null 2>&1")
        .ok();
    let mut server =
        machine.spawn("exec dropbear -F -E -r /etc/ssh/dropbear_key -p 127.0.0.1:2222 2>&1");
    server.until_it_says("Not backgrounding");
    let door = "ssh -p 2222 alice@localhost '#'";
    assert_eq!(here.leads(door, PROBE).nix, here.host_nix);
    here.is_alices_own(door);
}

#[test]
fn an_account_that_is_not_in_passwd() {
    let machine = &machine_or_skip!();
    let here = Here::set_up(machine);
    machine.directory_user("erin", 20_000, "lab");
    let session = machine.keep_by_ssh("erin");
    let door = "setpriv --reuid erin --regid erin --init-groups --reset-env sh -c '#'";
    let found = here.leads(door, &enter(PROBE));
    assert_eq!(found.namespace, session.namespace);
    // The site may be about a group that only the account database knows, and
    // that the caller's own credentials do not show.
    let bare = "setpriv --reuid erin --regid erin --clear-groups --reset-env sh -c '#'";
    machine.configure_site("[users]\nallow_groups = [\"lab\"]\n");
    assert_eq!(here.leads(bare, &enter(PROBE)).namespace, session.namespace);
    machine.configure_site("[users]\ndeny_groups = [\"lab\"]\n");
    let denied = machine.run(&bare.replace('#', &enter("true")));
    assert!(denied.fails().contains("lab"), "{denied}");
}

/// By whatever she is a member: the site may deny it.
#[test]
fn a_group_is_denied_even_if_the_process_has_it_not() {
    let machine = &machine_or_skip!();
    let _here = Here::set_up(machine);
    machine.configure_site("[users]\ndeny_groups = [\"alice\"]\n");
    let line = "setpriv --reuid alice --regid bob --clear-groups nix-ns enter true";
    let denied = machine.run(line);
    assert!(denied.fails().contains("denies group alice"), "{denied}");
}

/// As on an NFS server that squashes root: its root opens nothing there.
#[test]
fn a_home_that_root_cannot_read() {
    let machine = &machine_or_skip!();
    let here = Here::set_up(machine);
    let squashed = "capsh --drop=cap_dac_override,cap_dac_read_search -- -c 'su alice -c \"#\"'";
    machine.pam_lines("su", Lines::None);
    let no = machine.run("capsh --drop=cap_dac_override,cap_dac_read_search -- -c 'ls ~alice'");
    assert!(no.fails().contains("Permission denied"), "{no}");
    here.is_alices_own(squashed);
    machine.run("touch ~alice/.config/nix-ns/config.toml").ok();
    here.is_alices_own(squashed);
}

// ---- without the setuid bit: by sudo

#[test]
fn by_sudo_on_behalf_of_its_caller() {
    let machine = &machine_or_skip!();
    let here = Here::set_up(machine);
    machine.run("chmod 0711 /usr/libexec/nix-ns-enter").ok();
    machine.pam_lines("sudo", Lines::None);
    let door = "setpriv --reuid alice --regid alice --init-groups --reset-env sh -c '#'";
    let found = here.leads(door, &format!("sudo {}", enter(PROBE)));
    assert_eq!(found.namespace, here.session.namespace);
    assert_eq!(found.uid, machine.uid("alice"));
    let inside = machine.run_as(
        "alice",
        "sudo nix-ns enter sh -c 'echo $HOME $USER $LOGNAME $SHELL $(env | grep -c ^SUDO_); id'",
    );
    let expected = format!(
        "/home/alice alice alice /bin/bash 0\n{}",
        machine.run("id alice").ok()
    );
    assert_eq!(inside.ok(), expected);
    // The same by way of the module, which takes root's session off /nix first.
    machine.pam_lines("sudo", Lines::Both);
    let by_ssh = machine.ssh("alice", &format!("sudo {} || :", enter(PROBE)));
    let found = Whereabouts::parse(by_ssh.ok()).expect("it says all");
    assert_eq!(found.namespace, here.session.namespace);
}

#[test]
fn nobody_is_somebody_else_by_sudo() {
    let machine = &machine_or_skip!();
    let _here = Here::set_up(machine);
    let (alice, bob) = (machine.uid("alice"), machine.uid("bob"));
    let none = "root has no /nix of its own";
    let forged = "do not agree with any account";
    for (environment, why) in [
        (String::new(), none),
        (format!("SUDO_UID={alice}"), none),
        (format!("SUDO_UID={alice} SUDO_GID={alice}"), none),
        ("SUDO_UID=0 SUDO_GID=0 SUDO_USER=root".to_owned(), none),
        (
            format!("SUDO_UID={bob} SUDO_GID={bob} SUDO_USER=alice"),
            forged,
        ),
        (
            format!("SUDO_UID={bob} SUDO_GID={alice} SUDO_USER=bob"),
            forged,
        ),
        (
            format!("SUDO_UID=+{bob} SUDO_GID={bob} SUDO_USER=bob"),
            forged,
        ),
        ("SUDO_UID= SUDO_GID= SUDO_USER=".to_owned(), forged),
        (format!("SUDO_UID={bob} SUDO_GID= SUDO_USER=bob"), forged),
        (
            "SUDO_UID=4294967295 SUDO_GID=1 SUDO_USER=x".to_owned(),
            "no account",
        ),
        (
            "SUDO_UID=4000000001 SUDO_GID=1 SUDO_USER=x".to_owned(),
            "no account",
        ),
    ] {
        let refused = machine.run(&format!("env {environment} nix-ns enter id"));
        assert!(refused.fails().contains(why), "{environment}: {refused}");
        assert_eq!(refused.status, Status::Exited(125));
    }
}

// ---- what it is to the command

#[test]
fn the_command_takes_its_place_and_its_answer_is_the_answer() {
    let machine = &machine_or_skip!();
    let _here = Here::set_up(machine);
    for (command, status) in [
        ("true", Status::Exited(0)),
        ("sh -c 'exit 77'", Status::Exited(77)),
        ("sh -c 'kill -TERM $$'", Status::Exited(128 + 15)),
        ("/nonexistent/x", Status::Exited(127)),
        ("no-such-command", Status::Exited(127)),
        ("/etc/passwd", Status::Exited(126)),
        ("-- sh -c 'exit 3'", Status::Exited(3)),
    ] {
        let output = machine.run_as("alice", &format!("nix-ns enter {command}; exit $?"));
        assert_eq!(output.status, status, "{command}: {output}");
    }
    // No parent is left behind: the process is the one that was started.
    let same = machine.run_as(
        "alice",
        "echo $$; exec nix-ns enter sh -c 'echo $$; readlink /proc/$$/exe'",
    );
    let lines: Vec<&str> = same.ok().lines().collect();
    assert_eq!(lines[0], lines[1], "{same}");
}

#[test]
fn everything_else_is_as_it_was() {
    let machine = &machine_or_skip!();
    let _here = Here::set_up(machine);
    let state = "cat /proc/self/status | grep -E '^(Sig|Cap|Umask|NoNewPrivs|Seccomp|Uid|Gid|Groups)' | \
         grep -v SigQ; ulimit -a; ls /proc/self/fd; pwd; env | sort";
    machine.write(
        "/usr/local/bin/state",
        format!("#!/bin/bash\n{state}\n"),
        0o755,
        &User::root(),
    );
    for around in [
        "#",
        "umask 0777; cd /var/log; #",
        "ulimit -f 0; #",
        "ulimit -S -n 100; ulimit -c 0; #",
        "trap '' PIPE CHLD USR1 INT; #",
        "exec 7</etc/passwd 9>/dev/null; #",
        "export PATH=/usr/bin:/bin A=1 TZ=:/etc/shadow RUST_BACKTRACE=full NIX_NS=0; #",
        "cd ~; #",
        "perl -e '$SIG{PIPE} = \"IGNORE\"; exec @ARGV' #",
        "perl -MPOSIX -e 'sigprocmask(SIG_BLOCK, POSIX::SigSet->new(SIGCHLD, SIGTERM, SIGPIPE)); exec @ARGV' #",
    ] {
        let run = |command: &str| {
            machine.run_as(
                "alice",
                &around.replace('#', &format!("{command} </dev/null")),
            )
        };
        let without = run("env NIX_NS=1 /usr/local/bin/state");
        let with = run("nix-ns enter /usr/local/bin/state");
        assert_eq!(with.ok(), without.ok(), "{around}: {with}");
    }
}

#[test]
fn closed_descriptors_and_no_words_at_all() {
    let machine = &machine_or_skip!();
    let here = Here::set_up(machine);
    let report = here.fresh_report();
    for closing in ["<&-", ">&-", "2>&-", "<&- >&-", "<&- >&- 2>&-"] {
        machine.run(&format!("rm -f {report}")).ok();
        let line = format!("/usr/libexec/nix-ns-enter {PROBE} {report} {closing} || :");
        let _ = machine.run_as("alice", &line);
        let found = here.read_report(&report);
        assert_eq!(found.namespace, here.session.namespace, "{closing}");
    }
    // Linux 5.18 and later make one word of none; earlier ones do not.
    let none = "perl -e 'syscall(59, my $p = \"/usr/libexec/nix-ns-enter\\0\", 0, 0)' </dev/null";
    let output = machine.run_as("alice", none);
    assert!(!output.stderr.contains("panic"), "{output}");
}

#[test]
fn a_terminal_has_job_control() {
    let machine = &machine_or_skip!();
    let _here = Here::set_up(machine);
    let session = machine.run(
        "expect -c 'set timeout 20; spawn -noecho su alice -s /bin/bash; expect -re {[#$] $}; \
         send \"nix-ns enter\\r\"; expect -re {[#$] $}; \
         send \"sleep 1000\\r\"; sleep 0.5; send \"\\032\"; expect Stopped; \
         send \"kill %1; wait; echo st\\\"\\\"ill here\\r\"; expect \"still here\"; \
         send \"exit\\r\"; expect -re {[#$] $}; send \"exit\\r\"; expect eof'",
    );
    assert!(session.stdout.contains("Stopped"), "{session}");
    assert!(session.stdout.contains("still here"), "{session}");
    assert!(!session.stdout.contains("no job control"), "{session}");
}

#[test]
fn no_new_privileges_where_asked() {
    let machine = &machine_or_skip!();
    let _here = Here::set_up(machine);
    for (option, expected) in [("", "0"), ("--no-new-privs", "1")] {
        let line = format!("nix-ns enter {option} grep NoNewPrivs /proc/self/status");
        let said = machine.run_as("alice", &line);
        assert_eq!(said.ok(), format!("NoNewPrivs:\t{expected}"));
    }
    let sudo = machine.run_as("alice", "nix-ns enter sudo id -u");
    assert_eq!(sudo.ok(), "0", "setuid programs work as outside");
}

// ---- what the site learns

#[test]
fn the_log_says_who_entered_and_who_was_refused() {
    let machine = &machine_or_skip!();
    let _here = Here::set_up(machine);
    machine.run_as("alice", "nix-ns enter true").ok();
    machine.run_as("carol", "nix-ns enter true").fails();
    machine
        .run("setpriv --reuid 4242 --clear-groups nix-ns enter true")
        .fails();
    let log = machine.log();
    for expected in [
        "nix-ns-enter[",
        "/nix is /home/alice/.local/share/nix for alice (uid ",
        "service nix-ns-enter: joined",
        "refused for carol (uid ",
        "no user configuration",
        "refused for uid 4242: ",
    ] {
        assert!(log.contains(expected), "{expected}: {log}");
    }
    // Nobody reads it: that is no reason to keep anybody out.
    machine.run("rm /dev/log").ok();
    machine.run_as("alice", "nix-ns enter true").ok();
}

/// A reader of the log that has stopped, and a queue that is full.
#[test]
fn a_log_that_is_full_stops_nobody() {
    let machine = &machine_or_skip!();
    let _here = Here::set_up(machine);
    machine.run("rm /dev/log").ok();
    let mut full = machine.spawn(
        "exec perl -MSocket -e 'socket(my $s, AF_UNIX, SOCK_DGRAM, 0); \
         bind($s, sockaddr_un(\"/dev/log\")); chmod 0666, \"/dev/log\"; \
         socket(my $c, AF_UNIX, SOCK_DGRAM | 2048, 0); connect($c, sockaddr_un(\"/dev/log\")); \
         1 while defined send($c, \"x\", 0); $| = 1; print \"full\\n\"; sleep 1000'",
    );
    full.until_it_says("full");
    machine.run_as("alice", "nix-ns enter true").ok();
}

/// The session's environment is that of a login by PAM.
#[test]
fn what_the_profile_holds_is_found() {
    let machine = &machine_or_skip!();
    let here = Here::set_up(machine);
    machine
        .ssh("alice", "mkdir /nix/p; ln -s /nix/p ~/.nix-profile")
        .ok();
    let names = "$PATH $XDG_DATA_DIRS $NIX_PROFILES $NIX_NS";
    let asked = |line: &str| machine.run_as("alice", line).ok().to_owned();
    let found = asked(&format!("PATH=/usr/bin nix-ns enter sh -c 'echo {names}'"));
    assert_eq!(
        found,
        "/home/alice/.nix-profile/bin:/usr/bin \
         /usr/local/share:/usr/share:/home/alice/.nix-profile/share \
         /nix/var/nix/profiles/default /home/alice/.nix-profile 1"
    );
    drop(here);
}

// ---- when there is no way

/// A command that a site forces on everybody is for those without a `/nix`, too.
#[test]
fn or_without_keeps_nobody_out() {
    let machine = &machine_or_skip!();
    let here = Here::set_up(machine);
    let forced = |who: &str| {
        let line = "SSH_ORIGINAL_COMMAND='id -un; stat -c %U /nix; echo $NIX_NS' \
                    nix-ns enter --or-without";
        match who {
            "root" => machine.run(line),
            who => machine.run_as(who, line),
        }
    };
    assert_eq!(forced("alice").ok(), "alice\nalice\n1");
    assert_eq!(forced("carol").ok(), "carol\nroot");
    // Who has a key of root's that is restricted to one command has no other.
    let refused = forced("root");
    assert_eq!(refused.status, Status::Exited(125), "{refused}");
    assert!(refused.stderr.contains("Match Group"), "{refused}");
    let own = machine.run("nix-ns enter --or-without stat -c %U /nix");
    assert_eq!(own.ok(), "root");
    here.configure_alice("enabel = true\n");
    assert_eq!(forced("alice").ok(), "alice\nroot");
    here.configure_alice("");
    for broken in [
        "chmod 0711 /usr/libexec/nix-ns-enter",
        "rm /usr/libexec/nix-ns-enter",
    ] {
        machine.run(broken).ok();
        assert_eq!(forced("alice").ok(), "alice\nalice\n1", "{broken}");
        assert_eq!(forced("carol").ok(), "carol\nroot", "{broken}");
    }
    let without = machine.run_as("alice", "nix-ns enter --or-without --read-only true");
    assert!(without.fails().contains("cannot be used with"), "{without}");
}

#[test]
fn what_is_in_the_way_is_said() {
    let machine = &machine_or_skip!();
    let here = Here::set_up(machine);
    let refused = |line: &str, words: &[&str]| {
        let output = machine.run_as("alice", line);
        assert_eq!(output.status, Status::Exited(125), "{line}: {output}");
        for word in words {
            assert!(output.stderr.contains(word), "{line}: {word}: {output}");
        }
    };
    here.configure_alice("enable = false\n");
    refused("nix-ns enter true", &["enable = false"]);
    here.configure_alice("enabel = true\n");
    refused("nix-ns enter true", &["config.toml:1:1", "enabel"]);
    here.configure_alice("");
    machine.configure_site("enable = false\n");
    refused("nix-ns enter true", &["site"]);
    machine.configure_site("enable = maybe\n");
    refused(
        "nix-ns enter true",
        &["site configuration", "the log says why"],
    );
    let logged = |text: &str| assert!(machine.log().contains(text), "{text}");
    logged("/etc/nix-ns/config.toml:1");
    machine.configure_site("[services.nix-ns-enter]\nskip = true\n");
    refused("nix-ns enter true", &["skips this service"]);
    machine.configure_site("");
    // Root's own file: what stands in it is for the log alone.
    machine
        .run("echo 'export TOKEN=hunter2 X=/nix/x' >/root/.bashrc; chmod 600 /root/.bashrc")
        .ok();
    machine.run("touch ~alice/.config/nix-ns/config.toml").ok();
    refused("nix-ns enter true", &["on this host", "the log says why"]);
    logged("/root/.bashrc:1");
    let told = machine.run_as("alice", "nix-ns enter true 2>&1; :");
    assert!(!told.ok().contains("hunter2"), "{told}");
    machine.run("rm /root/.bashrc").ok();
    refused(
        "ulimit -n 30; nix-ns enter true",
        &["open files", "ulimit -n"],
    );
    machine.run("rm /usr/libexec/nix-ns-reader").ok();
    machine.run("touch ~alice/.config/nix-ns/config.toml").ok();
    refused("nix-ns enter true", &["nix-ns-reader"]);
    refused("/usr/libexec/nix-ns-enter --user bob", &["--user", "usage"]);
}

/// It would be a way out of a sandbox.
#[test]
fn nobody_is_led_out_of_another_tools_namespace() {
    let machine = &machine_or_skip!();
    let here = Here::set_up(machine);
    let inside = format!("nsenter -t {} -m", here.session.process);
    let alice = "setpriv --reuid alice --regid alice --init-groups --reset-env sh -c";
    for (place, line) in [
        ("a private one", format!("unshare --mount {alice} '#'")),
        (
            "a copy of hers",
            format!("{inside} unshare --mount {alice} '#'"),
        ),
        (
            "a copy of hers without its marker",
            format!("{inside} unshare --mount sh -c \"umount /run/nix-ns/self; {alice} '#'\""),
        ),
        (
            "one in which a directory was hidden",
            format!("unshare --mount sh -c \"mount -t tmpfs x /srv/common; {alice} '#'\""),
        ),
    ] {
        let output = machine.run(&line.replace('#', &enter("true")));
        assert!(
            output.fails().contains("another tool's"),
            "{place}: {output}"
        );
    }
    let chroot = format!(
        "mkdir -p /srv/root && mount --rbind / /srv/root && mount --make-rprivate /srv/root && chroot /srv/root {alice} '{}'; \
         status=$?; umount -l /srv/root; exit $status",
        enter("true")
    );
    for (place, line, why) in [
        ("on the host", "sh", "another root directory"),
        ("in hers", &format!("{inside} sh"), "another tool's"),
    ] {
        let chrooted = machine.run(&format!("{line} -c \"{}\"", chroot.replace('$', "\\$")));
        assert!(chrooted.fails().contains(why), "{place}: {chrooted}");
    }
    // What alice makes of her own is no place from which a setuid program works.
    let own = machine.run_as("alice", &format!("unshare -Ur {}", enter("id -u")));
    assert_ne!(own.stdout.trim(), "0");
}

// ---- what is used above

/// A machine on which alice is logged in by ssh and the program is setuid.
struct Here<'machine> {
    machine: &'machine Machine,
    session: Stay<'machine>,
    host_nix: String,
    reports: Cell<u32>,
}

impl<'machine> Here<'machine> {
    #[track_caller]
    fn set_up(machine: &'machine Machine) -> Self {
        machine.install_module();
        machine.install_probe();
        machine.sshd();
        machine.run("chmod 4711 /usr/libexec/nix-ns-enter").ok();
        machine.nix_user("alice");
        machine.nix_user("bob");
        machine.user("carol");
        Self {
            machine,
            session: machine.keep_by_ssh("alice"),
            host_nix: machine.where_the_host_is().nix,
            reports: Cell::new(0),
        }
    }

    fn fresh_report(&self) -> String {
        let number = self.reports.get();
        self.reports.set(number + 1);
        format!("{COMMON}/entered.{number}")
    }

    /// Waits for it: a terminal's window is not waited for.
    #[track_caller]
    fn read_report(&self, report: &str) -> Whereabouts {
        let machine = self.machine;
        machine.wait_until("a report", || machine.exists(report));
        Whereabouts::parse(&machine.read(report)).expect("the probe says it all")
    }

    /// Where a command comes out, put in the place of `#`.
    #[track_caller]
    fn leads(&self, door: &str, command: &str) -> Whereabouts {
        let report = self.fresh_report();
        let line = door.replace('#', &format!("{command} {report} || :"));
        self.machine.run(&line).ok();
        self.read_report(&report)
    }

    /// Behind this door, `nix-ns enter` leads to where ssh has led alice.
    #[track_caller]
    fn is_alices_own(&self, door: &str) {
        let found = self.leads(door, &enter(PROBE));
        let log = self.machine.log();
        assert_eq!(found.namespace, self.session.namespace, "{door}: {log}");
        assert_eq!(found.uid, self.machine.uid("alice"), "{door}");
        assert_eq!(found.owner(), found.uid.to_string(), "{door}");
    }

    #[track_caller]
    fn configure_alice(&self, text: &str) {
        let uid = self.machine.uid("alice");
        let alice = User {
            name: "alice".into(),
            uid,
            gid: uid,
            home: "/home/alice".into(),
        };
        self.machine.configure(&alice, text);
    }
}

fn enter(command: &str) -> String {
    format!("nix-ns enter {command}")
}
