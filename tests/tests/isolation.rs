//! `nix-ns enter --isolation` and its like: what is kept apart, seen from inside,
//! and the ways round it that a program would try.

use tests::{Machine, Output, Status, User, machine_with_alice_or_skip};

const NOT_ENTERED: Status = Status::Exited(125);
const ISOLATED: [&str; 2] = ["hardened", "lockdown"];

/// Runs a script as alice, isolated, from outside any `/nix` of hers.
fn enter(machine: &Machine, options: &str, script: &str) -> Output {
    machine.run_as("alice", &entering(machine, options, script))
}

/// The command line for that.
fn entering(machine: &Machine, options: &str, script: &str) -> String {
    machine.write("/srv/common/script", script, 0o755, &User::root());
    format!("nix-ns enter {options} -- bash /srv/common/script")
}

// ---- processes

#[test]
fn only_ones_own_processes_are_seen_and_reached() {
    let (machine, _) = machine_with_alice_or_skip!();
    let (outside, number) = machine.stay("alice", |line| machine.spawn_as("alice", line));
    for tier in ISOLATED {
        let seen = enter(
            &machine,
            &format!("--isolation {tier}"),
            &format!(
                "echo $$; set -- /proc/[0-9]*; echo $#; kill -9 {number} 2>&1; ls /proc/{number} 2>&1"
            ),
        );
        let lines: Vec<&str> = seen.stdout.lines().collect();
        // The first process, and the shell.
        assert_eq!((lines[0], lines[1]), ("2", "2"), "{seen}");
        assert!(lines[2].contains("No such process"), "{seen}");
        assert!(lines[3].contains("No such file"), "{seen}");
    }
    assert!(machine.namespace_of(number).is_some());
    drop(outside);
}

#[test]
fn without_isolation_nothing_is_kept_apart() {
    let (machine, _) = machine_with_alice_or_skip!();
    let look = "readlink /proc/self/ns/pid /proc/self/ns/ipc /proc/self/ns/net; ls /tmp; \
                grep NoNewPrivs /proc/self/status";
    let outside = machine.run_as("alice", look);
    assert_eq!(enter(&machine, "", look).ok(), outside.ok());
    assert_eq!(enter(&machine, "--isolation none", look).ok(), outside.ok());
}

#[test]
fn the_hosts_proc_cannot_be_had_back() {
    let (machine, _) = machine_with_alice_or_skip!();
    // A chroot that somebody keeps, with a procfs of the host's.
    machine
        .run("mkdir -p /srv/chroot/proc && mount -t proc proc /srv/chroot/proc")
        .ok();
    for tier in ISOLATED {
        let seen = enter(
            &machine,
            &format!("--isolation {tier}"),
            "cat /proc/1/comm /srv/chroot/proc/1/comm
             umount /proc 2>&1; unshare -Ur umount /proc 2>&1; unshare -Urm umount /proc 2>&1
             unshare -Urm umount -l /proc 2>&1; unshare -Urm umount /srv/chroot/proc 2>&1
             unshare -Urm sh -c 'mkdir /tmp/root 2>/dev/null; mount --bind / /tmp/root && ls /tmp/root/proc' 2>&1
             unshare -Urm sh -c 'mount --rbind / /tmp/root && cat /tmp/root/proc/1/comm' 2>&1
             nsenter -t 1 -m true 2>&1; nsenter -t 1 -p true 2>&1
             ls /proc/1/root/ /proc/1/cwd/ /proc/1/fd/ 2>&1 | grep -c denied
             cat /proc/1/environ 2>&1 | tail -c 20
             unshare -Urm sh -c 'mount -t proc proc /proc 2>/dev/null; cat /proc/1/comm'",
        );
        let text = &seen.stdout;
        assert!(text.starts_with("nix-ns\nnix-ns\n"), "{seen}");
        assert!(text.ends_with("nix-ns\n"), "{seen}");
        assert!(!text.contains("machine-init"), "{seen}");
        assert!(
            text.contains("\n3\n"),
            "its descriptors, directories: {seen}"
        );
        assert!(text.matches("not mounted").count() >= 3, "{seen}");
        assert!(text.matches("Permission denied").count() >= 1, "{seen}");
    }
}

#[test]
fn a_proc_that_could_not_be_complete_is_an_error() {
    let (machine, _) = machine_with_alice_or_skip!();
    // As container managers do.
    machine.run("mount -t tmpfs -o ro x /proc/fs").ok();
    for tier in ISOLATED {
        let seen = enter(&machine, &format!("--isolation {tier}"), "echo entered");
        assert_eq!(
            (seen.status, seen.stdout.as_str()),
            (NOT_ENTERED, ""),
            "{seen}"
        );
        assert!(seen.stderr.contains("proc cannot be mounted"), "{seen}");
    }
}

#[test]
fn control_groups_cannot_be_written() {
    let (machine, _) = machine_with_alice_or_skip!();
    machine.run("mount -t cgroup2 none /sys/fs/cgroup").ok();
    let look = "findmnt -rno OPTIONS /sys/fs/cgroup | cut -d, -f1; \
                unshare -Ur mount -o remount,bind,rw /sys/fs/cgroup 2>/dev/null && echo possible";
    for tier in ISOLATED {
        let seen = enter(&machine, &format!("--isolation {tier}"), look);
        assert_eq!(seen.stdout, "ro\n", "{seen}");
    }
    let seen = enter(&machine, "--isolation none", look);
    assert_eq!(seen.stdout, "rw\n", "{seen}");
}

#[test]
fn exit_status_and_signals_pass_through() {
    let (machine, _) = machine_with_alice_or_skip!();
    for tier in ISOLATED {
        let ends = machine.run_as(
            "alice",
            &format!(
                "run() {{ nix-ns enter --isolation {tier} sh -c \"$1\"; echo $?; }}
                 run 'exit 0'; run 'exit 77'; run 'kill -KILL $$'; run 'kill -SEGV $$'; run 'kill -40 $$'"
            ),
        );
        let statuses: Vec<&str> = ends.ok().lines().collect();
        assert_eq!(statuses, ["0", "77", "137", "139", "168"], "{ends}");
        let mut waiting = machine.spawn_as(
            "alice",
            &format!(
                "nix-ns enter --isolation {tier} sh -c '
                     trap \"echo got TERM; exit 5\" TERM; trap \"echo got USR1\" USR1
                     echo ready; while :; do sleep 0.02; done' &
                 echo started $!; wait $!; echo $?; wait $!; echo $?"
            ),
        );
        waiting.until_it_says("ready");
        let nix_ns = "pgrep -u alice -o nix-ns";
        machine.run(&format!("kill -USR1 $({nix_ns})")).ok();
        waiting.until_it_says("got USR1");
        machine.run(&format!("kill -TERM $({nix_ns})")).ok();
        waiting.until_it_says("got TERM");
        assert!(waiting.finish().ok().lines().any(|line| line == "5"));
    }
}

/// However the process outside ends, nothing of the inside is left.
#[test]
fn nothing_is_left_when_either_end_is_gone() {
    let (machine, _) = machine_with_alice_or_skip!();
    let sleeps = || {
        let processes = machine.processes();
        processes
            .iter()
            .filter(|it| it.contains("sleep 4711"))
            .count()
    };
    // Left in the background, in a session of its own.
    let script = "setsid sleep 4711 & sleep 0.05; exit 3";
    let ended = enter(&machine, "--isolation hardened", script);
    assert_eq!(ended.status, Status::Exited(3), "{ended}");
    assert_eq!(sleeps(), 0);
    for victim in ["-o", "-n"] {
        let mut stays = machine.spawn_as(
            "alice",
            "nix-ns enter --isolation hardened sh -c 'setsid sleep 4711 & echo ready; wait'",
        );
        stays.until_it_says("ready");
        machine
            .run(&format!("kill -KILL $(pgrep {victim} -u alice -x nix-ns)"))
            .ok();
        machine.wait_until("all to end", || sleeps() == 0);
        let _ = stays.finish();
    }
}

#[test]
fn orphans_are_reaped() {
    let (machine, _) = machine_with_alice_or_skip!();
    let seen = enter(
        &machine,
        "--isolation hardened",
        "for i in 1 2 3; do (sleep 0.01 & ); done
         until [ $(ls -d /proc/[0-9]* | wc -w) -le 4 ]; do sleep 0.01; done; echo reaped",
    );
    assert_eq!(seen.ok(), "reaped");
}

#[test]
fn a_terminal_stops_and_continues_the_job() {
    let (machine, _) = machine_with_alice_or_skip!();
    machine.run("usermod --shell /bin/bash alice").ok();
    for tier in ["none", "hardened"] {
        // What the job says, it says where it is: in the foreground.
        let job = "perl -e '$|=1; $SIG{CONT}=sub{print qq(con),qq(tinued\\n)}; print qq(be),qq(gun\\n); sleep 1 while 1'";
        // The terminal interrupts it once, and nobody passes that on.
        let counts = "perl -e '$|=1; $SIG{INT}=sub{$n++; print qq(in),qq(t$n\\n)}; print qq(be),qq(gun\\n); sleep 1 while 1'";
        let talk = format!(
            "set timeout 30; spawn -noecho setpriv --reuid alice --regid alice --init-groups \
             --reset-env bash --norc -i
             proc until {{text code}} {{ expect -ex $text {{}} timeout {{exit $code}} eof {{exit $code}} }}
             until {{$ }} 1; send {{nix-ns enter --isolation {tier} {job}}}; send \\r
             until begun 2; send \\x1a; until Stopped 3; until {{$ }} 3
             send fg\\r; until continued 4; send \\x03; until {{$ }} 5
             send {{echo code=$?}}; send \\r; until code=130 6; until {{$ }} 6
             send {{nix-ns enter --isolation {tier}}}; send \\r; until {{$ }} 7
             send {{{job}}}; send \\r; until begun 8; send \\x1a; until Stopped 9; until {{$ }} 9
             send {{kill -9 %1; ls /proc | grep -c ^[0-9]; exit 12}}; send \\r; until {{$ }} 10
             send {{echo code=$?}}; send \\r; until code=12 11
             send {{nix-ns enter --isolation {tier} {counts}}}; send \\r; until begun 12
             send \\x03; until int1 13; send \\x1a
             expect int2 {{exit 14}} Stopped {{}} timeout {{exit 15}}
             send {{kill -9 %1; exit}}; send \\r; until {{$ }} 16
             send exit\\r; expect eof {{}} timeout {{exit 17}}; exit 0"
        );
        machine.write("/srv/common/talk", &talk, 0o644, &User::root());
        machine.run("expect /srv/common/talk").ok();
    }
}

// ---- inter-process communication

#[test]
fn queues_and_memory_are_ones_own() {
    let (machine, _) = machine_with_alice_or_skip!();
    machine
        .run("mkdir -p /dev/mqueue && mount -t mqueue mqueue /dev/mqueue && chmod 1777 /dev/mqueue")
        .ok();
    machine
        .run_as(
            "alice",
            "ipcmk -M 4096 && ipcmk -Q && echo >/dev/shm/outside && : >/dev/mqueue/outside",
        )
        .ok();
    let look = "ipcs -m | grep -c alice; ipcs -q | grep -c alice; ls -A /dev/shm /dev/mqueue";
    let outside = machine.run_as("alice", look);
    assert!(outside.stdout.starts_with("1\n1\n"), "{outside}");
    for tier in ISOLATED {
        let script =
            format!("{look}; echo >/dev/shm/inside; : >/dev/mqueue/inside; ipcmk -M 1 >/dev/null");
        let seen = enter(&machine, &format!("--isolation {tier}"), &script);
        assert_eq!(seen.ok(), "0\n0\n/dev/mqueue:\n\n/dev/shm:");
    }
    assert_eq!(machine.run_as("alice", look).stdout, outside.stdout);
    let hidden = enter(
        &machine,
        "--isolation hardened",
        "unshare -Urm umount /dev/shm 2>&1; unshare -Urm umount /dev/mqueue 2>&1; ls /dev/shm /dev/mqueue",
    );
    assert!(!hidden.ok().contains("outside"), "{hidden}");
}

// ---- lockdown

#[test]
fn lockdown_has_a_loopback_and_no_other_interface() {
    let (machine, _) = machine_with_alice_or_skip!();
    machine
        .run("ip link add name outside0 type veth peer name outside1 && ip link set outside0 up")
        .ok();
    let look = "ip -o link | cut -d: -f2; ip -o -4 addr show dev lo | tr -s ' ' | cut -d' ' -f4";
    let seen = enter(&machine, "--isolation lockdown", look);
    assert_eq!(seen.ok(), "lo\n127.0.0.1/8");
    // The machine's own ssh server, on the same address, is not there.
    let server = enter(
        &machine,
        "--isolation lockdown",
        "exec 3<>/dev/tcp/127.0.0.1/22",
    );
    assert!(server.fails().contains("Connection refused"), "{server}");
    let hardened = enter(
        &machine,
        "--isolation hardened",
        "exec 3<>/dev/tcp/127.0.0.1/22",
    );
    hardened.ok();
    let abroad = enter(
        &machine,
        "--isolation lockdown",
        "exec 3<>/dev/tcp/192.0.2.1/22",
    );
    assert!(abroad.fails().contains("unreachable"), "{abroad}");
}

#[test]
fn lockdown_has_temporary_directories_of_its_own() {
    let (machine, alice) = machine_with_alice_or_skip!();
    let runtime = format!("/run/user/{}", alice.uid);
    machine
        .run(&format!(
            "install -d -o alice -m 0700 {runtime} && touch {runtime}/outside"
        ))
        .ok();
    machine
        .run("touch /tmp/outside /var/tmp/outside /dev/shm/outside; mkdir -m 1777 /tmp/dir")
        .ok();
    let look = format!(
        "stat -c '%n %a %U' /tmp /var/tmp /dev/shm {runtime}; ls -A /tmp /var/tmp /dev/shm {runtime} | grep side
         for it in /tmp /var/tmp /dev/shm {runtime}; do touch $it/inside || echo no; findmnt -no OPTIONS $it | tail -1; done
         for it in /tmp /var/tmp /dev/shm {runtime}; do
             umount $it 2>/dev/null || unshare -Ur umount $it 2>/dev/null || unshare -Urm umount $it 2>/dev/null
             unshare -Urm umount -l $it 2>/dev/null; ls -A $it; done"
    );
    let seen = enter(&machine, "--isolation lockdown", &look);
    let mut expected =
        format!("/tmp 1777 alice\n/var/tmp 1777 alice\n/dev/shm 1777 alice\n{runtime} 700 alice\n");
    for _ in 0..4 {
        expected += &format!("rw,nosuid,nodev,relatime,uid={0},gid={0}\n", alice.uid);
    }
    // The mode of a directory of 0700 is told, 01777 is what tmpfs has anyway.
    let said = seen.stdout.replace(",mode=700", "");
    assert_eq!(said, format!("{expected}inside\ninside\ninside\ninside\n"));
    assert!(!machine.exists("/tmp/inside"));
    // Hardened keeps /tmp.
    let kept = enter(&machine, "--isolation hardened", "ls /tmp");
    assert!(kept.ok().contains("outside"), "{kept}");
}

/// What the caller has open leads past every mount: a directory it stands in, a
/// descriptor it holds.
#[test]
fn what_was_open_before_leads_nowhere() {
    let (machine, _) = machine_with_alice_or_skip!();
    machine
        .run("mkdir -m 1777 /tmp/dir && touch /tmp/dir/outside /tmp/outside")
        .ok();
    let script = "pwd -P; ls -A; ls -A ..; ls -A /proc/self/fd/7/ /proc/self/fd/8/ /proc/1/fd/7/ 2>&1 | grep -c outside
                  ls /proc/self/fd | tr '\\n' ' '";
    let command = entering(&machine, "--isolation lockdown", script);
    let seen = machine.run_as(
        "alice",
        &format!("cd /tmp/dir && {command} 7</tmp 8</tmp/dir"),
    );
    let lines: Vec<&str> = seen.stdout.lines().collect();
    assert_eq!(lines[0], "/", "{seen}");
    assert!(!seen.stdout.contains("outside"), "{seen}");
    // ls itself has 3 open: the directory.
    assert_eq!(lines.last(), Some(&"0 1 2 3 "), "{seen}");
}

// ---- read-only

/// Ways to write that a program would find.
const WRITE: &str = "
    try() { \"$@\" >/dev/null 2>&1 && echo \"possible: $*\"; }
    try touch /nix/x; try touch /nix/sub/x; try rm -f /nix/there
    try touch ~/.local/share/nix/x; try touch /srv/alias/alice/.local/share/nix/x
    for way in '' 'unshare -Ur' 'unshare -Urm'; do
        for place in /nix /nix/sub ~/.local/share/nix; do
            try $way mount -o remount,rw,bind $place; try $way mount -o remount,rw $place
            try $way umount $place; try $way umount -l $place
        done
    done
    unshare -Urm sh -c '
        mkdir /tmp/a; mount --rbind /nix /tmp/a && touch /tmp/a/x && echo possible: bind
        mount -o remount,bind,rw /tmp/a; touch /tmp/a/x && echo possible: remounted bind
        mount --move /nix /tmp/a && echo possible: move
        mount --bind ~/.local /tmp/a && touch /tmp/a/share/nix/x && echo possible: uncover
        ' >/tmp/tried 2>/dev/null
    cat /tmp/tried
    mv ~/.local ~/.moved; try touch ~/.moved/share/nix/x; mv ~/.moved ~/.local
    nsenter -t $PPID -m -U true 2>/dev/null && echo possible: nsenter
    echo tried";

#[test]
fn what_is_read_only_stays_so_by_every_way_in() {
    let (machine, alice) = machine_with_alice_or_skip!();
    let store = "/home/alice/.local/share/nix";
    machine
        .run_as(
            "alice",
            &format!("mkdir -p {store}/sub && touch {store}/there"),
        )
        .ok();
    machine
        .run(&format!(
            "mount -t tmpfs -o mode=1777 x {store}/sub; mkdir -p /srv/alias && mount --bind /home /srv/alias"
        ))
        .ok();
    for options in [
        "--read-only",
        "--read-only --isolation hardened",
        "--read-only --isolation lockdown",
    ] {
        let seen = enter(&machine, options, WRITE);
        assert_eq!(seen.ok(), "tried", "{options}");
        let flags = enter(
            &machine,
            options,
            "findmnt -Rno OPTIONS /nix | cut -d, -f1-3",
        );
        assert_eq!(flags.ok(), "ro,nosuid,nodev\nro,nosuid,nodev", "{options}");
        let reads = enter(&machine, options, "cat /nix/there && echo read");
        assert_eq!(reads.ok(), "read");
    }
    machine.run("umount /home/alice/.local/share/nix/sub").ok();
    // On top of what a login gives, too.
    machine.write("/srv/common/script", WRITE, 0o755, &alice);
    let login = machine.ssh("alice", "nix-ns enter --read-only bash /srv/common/script");
    assert_eq!(login.ok(), "tried");
    let login = machine.ssh("alice", "touch /nix/x ~/.local/share/nix/y && ls /nix");
    assert_eq!(login.ok(), "sub\nthere\nx\ny");
}

/// Enters the namespaces of a process, mounts something, and takes `/nix` off.
const INTRUDE: &str = r#"
my ($setns, $mount, $umount) = `uname -m` =~ /x86_64/ ? (308, 165, 166) : (268, 40, 39);
my @namespaces = map { open my $it, '<', "/proc/$ARGV[0]/ns/$_" or die "$_: $!"; $it } qw(user mnt);
for (@namespaces) { syscall($setns, fileno $_, 0) == 0 or die "setns: $!" }
my ($source, $place, $kind, $nix) = qw(x /srv tmpfs /nix);
print syscall($mount, $source, $place, $kind, 0, 0) == 0 ? 'capable' : "not capable: $!";
print ', /nix ', syscall($umount, $nix, 2) == 0 ? 'gone' : 'stays';
"#;

/// Whoever owns a user namespace has every capability in it, from outside. That
/// takes nothing off in the second one, whose mounts are the first one's.
#[test]
fn mounts_are_locked_even_for_the_owner_of_the_namespace() {
    let (machine, _) = machine_with_alice_or_skip!();
    machine.write("/srv/common/intrude", INTRUDE, 0o644, &User::root());
    for (options, locked) in [
        ("--read-only", true),
        ("--isolation hardened", true),
        ("--isolation none", false),
    ] {
        let stays = format!("nix-ns enter {options} sh -c 'echo ready; exec sleep 4712'");
        let mut entered = machine.spawn_as("alice", &stays);
        entered.until_it_says("ready");
        let program = machine.run("pgrep -u alice -nx 'sh|sleep'");
        let intrude = format!("perl /srv/common/intrude {}", program.ok());
        let said = machine.run_as("alice", &intrude);
        let nix = if locked { "stays" } else { "gone" };
        assert_eq!(said.ok(), format!("capable, /nix {nix}"), "{options}");
        drop(entered);
        machine.wait_until("it to end", || {
            !machine
                .processes()
                .iter()
                .any(|it| it.ends_with("sleep 4712"))
        });
    }
}

#[test]
fn writing_is_possible_where_nobody_asked_for_less() {
    let (machine, _) = machine_with_alice_or_skip!();
    machine
        .run_as("alice", "mkdir -p ~/.local/share/nix/sub")
        .ok();
    let seen = enter(&machine, "--isolation lockdown", WRITE);
    assert!(seen.ok().contains("possible: touch /nix/x"), "{seen}");
    assert!(seen.ok().contains("possible: bind"), "{seen}");
    assert!(!seen.ok().contains("umount"), "{seen}");
}

// ---- flags

/// The administrator's `noexec` and `ro` outlive every step.
#[test]
fn no_mount_loses_a_flag() {
    let (machine, _) = machine_with_alice_or_skip!();
    machine
        .run(
            "mkdir /srv/ro; mount -t tmpfs -o ro,noexec x /srv/ro
             mount -o remount,bind,noexec,noatime /home",
        )
        .ok();
    let table = "findmnt -rno TARGET,OPTIONS | sed 's/,\\(lowerdir\\|mode\\|uid\\|gid\\).*//' | grep -v '^/nix' | sort";
    for nix in ["", "rmdir /nix"] {
        machine.run(nix).ok();
        let outside = machine.run(table).ok().to_owned();
        for tier in ["none", "hardened", "lockdown"] {
            let options = format!("--isolation {tier}");
            let inside = enter(&machine, &options, table);
            let of_home = enter(
                &machine,
                &options,
                "findmnt -no OPTIONS /nix; cp /bin/true /nix; /nix/true",
            );
            assert!(
                of_home.stdout.starts_with("rw,nosuid,nodev,noexec,noatime"),
                "{of_home}"
            );
            assert!(of_home.fails().contains("Permission denied"), "{of_home}");
            for line in outside.lines().filter(|line| !line.starts_with("/ ")) {
                assert!(
                    inside.ok().lines().any(|it| it == line),
                    "{tier}: {line}\n{inside}"
                );
            }
        }
    }
}

#[test]
fn file_capabilities_count_for_nothing() {
    let (machine, _) = machine_with_alice_or_skip!();
    machine
        .run("cp $(command -v umount) /srv/common/umount && setcap cap_sys_admin+ep /srv/common/umount")
        .ok();
    for options in [
        "--isolation hardened",
        "--isolation lockdown",
        "--read-only",
    ] {
        let seen = enter(
            &machine,
            options,
            "/srv/common/umount /nix; grep NoNewPrivs /proc/self/status; findmnt -no FSROOT /nix",
        );
        assert!(seen.ok().contains("NoNewPrivs:\t1"), "{seen}");
        assert!(seen.ok().ends_with("/alice/.local/share/nix"), "{seen}");
    }
}

// ---- ranges of ids

fn ranges(machine: &Machine, uids: &str, gids: &str) {
    machine.write("/etc/subuid", uids, 0o644, &User::root());
    machine.write("/etc/subgid", gids, 0o644, &User::root());
}

#[test]
fn ranges_of_ids_are_mapped_to_themselves_and_can_be_used() {
    let (machine, alice) = machine_with_alice_or_skip!();
    ranges(
        &machine,
        "bob:100000:65536\nalice:165536:70000\n",
        &format!("{}:300000:5\n", alice.uid),
    );
    let id = alice.uid.to_string();
    for options in [
        "",
        "--isolation hardened",
        "--read-only",
        "--isolation lockdown",
    ] {
        let seen = enter(
            &machine,
            &format!("--id-ranges {options}"),
            "cat /proc/self/uid_map /proc/self/gid_map /proc/self/setgroups; id -u
             setpriv --reuid 165537 id -u; setpriv --regid 300004 --keep-groups id -g
             setpriv --reuid 100000 id -u 2>/dev/null; setpriv --reuid 0 id -u 2>/dev/null; setpriv --clear-groups id 2>/dev/null",
        );
        let words: Vec<&str> = seen.stdout.split_whitespace().collect();
        let expected = [
            &id, &id, "1", "165536", "165536", "65536", &id, &id, "1", "300000", "300000", "5",
            "deny", &id, "165537", "300004",
        ];
        assert_eq!(words, expected, "{options}: {seen}");
    }
}

#[test]
fn ranges_that_must_not_be_mapped_are_refused_with_their_line() {
    let (machine, _) = machine_with_alice_or_skip!();
    let fine = "alice:165536:65536\n";
    for (line, why) in [
        ("alice:165536:0", "no ids"),
        ("alice:0:65536", "accounts of the system"),
        ("alice:1002:1", "accounts of the system"),
        ("alice:4294967295:2", "highest id"),
        ("alice:165536:99999999999", "not an id"),
        ("alice:100001:5\nbob:100000:65536", "somebody else's"),
    ] {
        for (file, uids, gids) in [("subuid", line, fine), ("subgid", fine, line)] {
            ranges(
                &machine,
                &format!("# first\n{uids}\n"),
                &format!("# first\n{gids}\n"),
            );
            let seen = enter(&machine, "--id-ranges", "echo entered");
            assert_eq!(
                (seen.status, seen.stdout.as_str()),
                (NOT_ENTERED, ""),
                "{seen}"
            );
            let place = format!("/etc/{file}:2: ");
            assert!(
                seen.stderr.contains(&place) && seen.stderr.contains(why),
                "{line}: {seen}"
            );
        }
    }
    ranges(&machine, "", "");
    let none = enter(&machine, "--id-ranges", "echo entered");
    assert!(none.fails().contains("no range of ids for alice"), "{none}");
    ranges(&machine, fine, fine);
    machine.run("chmod u-s /usr/bin/newuidmap").ok();
    let mapper = enter(&machine, "--id-ranges", "echo entered");
    assert_eq!(mapper.status, NOT_ENTERED, "{mapper}");
    assert!(
        mapper.stderr.contains("newuidmap could not map"),
        "{mapper}"
    );
}

// ---- on top of a login

#[test]
fn isolation_on_top_of_a_login_is_the_same() {
    let (machine, _) = machine_with_alice_or_skip!();
    let look = "'stat -c %U /nix; touch /nix/x; set -- /proc/[0-9]*; echo $#; ip -o link | wc -l; ls -A /tmp | wc -l'";
    let seen = machine.ssh(
        "alice",
        &format!("nix-ns enter --isolation lockdown sh -c {look}"),
    );
    assert_eq!(seen.ok(), "alice\n2\n1\n0");
    let nested = machine.ssh(
        "alice",
        &format!(
            "nix-ns enter --isolation hardened nix-ns enter --isolation lockdown sh -c {look}"
        ),
    );
    assert_eq!(nested.ok(), "alice\n2\n1\n0");
    let again = machine.ssh(
        "alice",
        "nix-ns enter --isolation lockdown nix-ns enter stat -c %U /nix",
    );
    assert_eq!(again.ok(), "alice");
}

#[test]
fn an_unknown_tier_is_refused() {
    let (machine, _) = machine_with_alice_or_skip!();
    let unknown = enter(&machine, "--isolation paranoid", "echo entered");
    assert_eq!(unknown.status, Status::Exited(2), "{unknown}");
    assert!(unknown.stderr.contains("lockdown"), "{unknown}");
}
