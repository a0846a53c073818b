//! A system that lacks something: nobody is locked out, and the log says what is
//! missing. What the lack of it keeps from working elsewhere is no business of
//! the module's.

use std::time::{Duration, Instant};

use tests::{ENTER, LEAVE, Machine, Output, Status, machine_or_skip};

/// Longer than any login, shorter than one that waits for what never comes.
const PATIENCE: Duration = Duration::from_secs(30);
/// What a session prints that begins.
const LOOK: &str = "stat -c %U:%m /nix";

/// Where a session that lacks something ends up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// With a `/nix`, all the same.
    Own,
    /// Without, and with this in the log.
    Without(&'static str),
}

fn set_up(machine: &Machine) {
    machine.install_module();
    machine.install_pam_host();
    machine.nix_user("alice");
    machine.pam("host", &[LEAVE, "session required pam_permit.so", ENTER]);
    // Once: the directory is there, as it is for everybody but at the first login.
    assert_eq!(login(machine, "exec"), "alice:/nix");
}

fn login(machine: &Machine, by: &str) -> String {
    seen(&machine.run(&format!("{by} pam-host host alice -- {LOOK}"))).to_owned()
}

/// What the session's command printed, if it ran.
fn seen(output: &Output) -> &str {
    output
        .stdout
        .lines()
        .find(|line| line.contains(":/"))
        .unwrap_or("nothing")
}

/// A login by something that takes a resource away, and one after it.
#[track_caller]
fn lacks(machine: &Machine, what: &str, by: &str, end: End) {
    let before = machine.module_log().len();
    let begun = Instant::now();
    let output = machine.run_within(PATIENCE, &format!("{by} pam-host host alice -- {LOOK}"));
    let log = machine.module_log().split_off(before);
    let took = begun.elapsed();
    assert_eq!(output.status, Status::Exited(0), "{what}: {output}");
    assert!(output.stdout.contains("open 0"), "{what}: {output}");
    match end {
        End::Own => assert_eq!(seen(&output), "alice:/nix", "{what}: {output}"),
        End::Without(why) => {
            assert_eq!(seen(&output), "root:/", "{what}: {output}");
            assert!(log.iter().any(|it| it.contains(why)), "{what}: {log:#?}");
        }
    }
    eprintln!("scarcity: {what}: {end:?}, in {took:.1?}");
}

#[test]
fn a_process_that_may_not_take_more_locks_nobody_out() {
    let machine = machine_or_skip!();
    set_up(&machine);
    let fresh = "rm -rf /run/nix-ns/1;";
    lacks(
        &machine,
        "no descriptor to spare",
        &format!("{fresh} ulimit -n 12; exec"),
        End::Own,
    );
    lacks(
        &machine,
        "hardly any descriptor",
        &format!("{fresh} ulimit -n 8; exec"),
        End::Without("EMFILE"),
    );
    lacks(
        &machine,
        "one less",
        "find /run/nix-ns/1 -type l ! -name references -delete; ulimit -n 7; exec",
        End::Without("recvmsg: ENOBUFS"),
    );
    lacks(
        &machine,
        "the same where privileged files are to be read",
        &format!("{fresh} ulimit -n 7; exec"),
        End::Without("cannot be read: Too many open files"),
    );
    lacks(
        &machine,
        "no process",
        &format!("{fresh} ulimit -u 1; exec"),
        End::Own,
    );
    lacks(
        &machine,
        "no file size",
        &format!("{fresh} ulimit -f 0; exec"),
        End::Own,
    );
    lacks(
        &machine,
        "no locked memory",
        &format!("{fresh} ulimit -l 0; exec"),
        End::Own,
    );
    lacks(
        &machine,
        "no pending signals",
        &format!("{fresh} ulimit -i 0; exec"),
        End::Own,
    );
}

#[test]
fn a_process_without_a_capability_locks_nobody_out() {
    let machine = machine_or_skip!();
    set_up(&machine);
    for (capability, end) in [
        ("cap_sys_admin", End::Without("CAP_SYS_ADMIN missing")),
        ("cap_sys_chroot", End::Without("CAP_SYS_CHROOT missing")),
        ("cap_sys_ptrace", End::Own),
        ("cap_sys_resource", End::Own),
        ("cap_kill", End::Own),
        ("cap_audit_write", End::Own),
    ] {
        let by = format!("capsh --drop={capability} -- -c 'exec \"$@\"' --");
        lacks(&machine, &format!("no {capability}"), &by, end);
    }
}

#[test]
fn a_kernel_that_gives_no_more_locks_nobody_out() {
    let machine = machine_or_skip!();
    set_up(&machine);
    // The application clones, too: for the command, after the module has.
    let times = |call| if call == "clone" { ":when=1" } else { "" };
    // By a filter as containers have: what it forbids is EPERM or ENOSYS.
    for (call, errno) in [
        ("unshare", "EPERM"),
        ("mount", "EPERM"),
        ("open_tree", "ENOSYS"),
        ("move_mount", "ENOSYS"),
        ("fsopen", "ENOSYS"),
        ("clone", "EAGAIN"),
        ("openat2", "ENOSYS"),
        ("statx", "EPERM"),
    ] {
        let by = format!(
            "rm -rf /run/nix-ns/1; exec strace -qq -o /dev/null -e inject={call}:error={errno}{}",
            times(call)
        );
        lacks(&machine, &format!("no {call}"), &by, End::Without(errno));
    }
    // Every kind of scarcity that all users of a system share.
    for (what, call, errno) in [
        ("as many mounts as fs.mount-max", "open_tree", "ENOSPC"),
        (
            "as many namespaces as user.max_mnt_namespaces",
            "unshare",
            "ENOSPC",
        ),
        ("as many files as fs.file-max", "fsopen", "ENFILE"),
        ("as many processes as kernel.pid_max", "clone", "EAGAIN"),
        ("no memory", "unshare", "ENOMEM"),
    ] {
        let by = format!(
            "rm -rf /run/nix-ns/1; exec strace -qq -o /dev/null -e inject={call}:error={errno}{}",
            times(call)
        );
        lacks(&machine, what, &by, End::Without(errno));
    }
}

#[test]
fn a_run_that_is_full_read_only_or_gone_locks_nobody_out() {
    let machine = machine_or_skip!();
    set_up(&machine);
    // On a mount of its own, for the login alone.
    let with = |mount: &str| {
        format!("exec unshare -m --propagation slave sh -c '{mount}; exec \"$@\"' --")
    };
    for (what, mount) in [
        (
            "/run full",
            "mount -t tmpfs -o size=4k,nr_inodes=2 full /run; mkdir /run/x",
        ),
        (
            "/run read-only",
            "mount -o bind /run /run; mount -o remount,bind,ro /run",
        ),
        ("no /run/nix-ns", "mount -t tmpfs new /run"),
    ] {
        let output = machine.run_within(
            PATIENCE,
            &format!("{} pam-host host alice -- {LOOK}", with(mount)),
        );
        assert!(output.stdout.contains("open 0"), "{what}: {output}");
        assert!(
            ["alice:/nix", "root:/"].contains(&seen(&output)),
            "{what}: {output}"
        );
        eprintln!("scarcity: {what}: {}", seen(&output));
    }
    // The same for everybody.
    let only = |made: &str| {
        format!(
            "mount -t tmpfs -o mode=755 only /run/nix-ns && {made} mount -o remount,ro /run/nix-ns"
        )
    };
    machine.run(&only("mkdir -m 755 /run/nix-ns/self &&")).ok();
    lacks(&machine, "/run read-only for all", "exec", End::Own);
    machine.run("umount /run/nix-ns").ok();
    machine.run(&only("")).ok();
    lacks(
        &machine,
        "nothing to put a marker on",
        "exec",
        End::Without("EROFS"),
    );
    machine.run("umount /run/nix-ns && rm -rf /run/nix-ns").ok();
    lacks(&machine, "/run/nix-ns gone", "exec", End::Own);
}

#[test]
fn a_home_that_is_full_or_read_only_locks_nobody_out() {
    let machine = machine_or_skip!();
    set_up(&machine);
    machine
        .run(
            "mount -t tmpfs -o nr_inodes=8,size=64k full /home/alice && \
        install -d -o alice -g alice /home/alice /home/alice/.config /home/alice/.config/nix-ns && \
        install -o alice -g alice /dev/null /home/alice/.config/nix-ns/config.toml && \
        chown alice /home/alice && \
        number=0; while touch /home/alice/$number 2>/dev/null; do number=$((number + 1)); done; true",
        )
        .ok();
    lacks(
        &machine,
        "a home that is full",
        "exec",
        End::Without("No space left"),
    );
    machine.run("umount /home/alice").ok();
    machine
        .run("mount -o bind /home/alice /home/alice && mount -o remount,bind,ro /home/alice")
        .ok();
    lacks(&machine, "a home that is read-only", "exec", End::Own);
    machine.run("umount /home/alice").ok();
}

#[test]
fn a_proc_that_is_hidden_or_gone_locks_nobody_out() {
    let machine = machine_or_skip!();
    set_up(&machine);
    machine.run("mount -o remount,hidepid=2 /proc").ok();
    lacks(&machine, "/proc with hidepid=2", "exec", End::Own);
    machine.run("mount -o remount,hidepid=0 /proc").ok();
    let by =
        "exec unshare -m --propagation slave sh -c 'mount -t tmpfs none /proc; exec \"$@\"' --";
    lacks(&machine, "no /proc", by, End::Without("statx: ENOENT"));
}

#[test]
fn a_clock_that_jumps_locks_nobody_out() {
    let machine = machine_or_skip!();
    set_up(&machine);
    let mut first = machine.spawn("pam-host host alice -- sh -c 'echo in; sleep 100'");
    first.until_it_says("in");
    // Entries from the future, and from long ago.
    for date in ["2099-01-01", "1980-01-01"] {
        machine
            .run(&format!(
                "find /run/nix-ns/1 /home/alice -exec touch -h -d {date} {{}} +"
            ))
            .ok();
        lacks(&machine, date, "exec", End::Own);
    }
}

// ---- the log

/// A receiver that has stopped: `syslog(3)` waits for it for ever.
#[test]
fn a_log_that_is_stuck_holds_up_nobody_for_long() {
    let machine = machine_or_skip!();
    set_up(&machine);
    machine.run("mv /dev/log /dev/log.before").ok();
    // Listens, and never reads; filled up to the brim.
    let mut stuck = machine.spawn(
        "exec perl -MSocket -e '
            socket(my $log, AF_UNIX, SOCK_DGRAM, 0) or die;
            bind($log, pack_sockaddr_un(\"/dev/log\")) or die;
            socket(my $full, AF_UNIX, SOCK_DGRAM, 0) or die;
            connect($full, pack_sockaddr_un(\"/dev/log\")) or die;
            1 while defined send($full, \"x\", MSG_DONTWAIT);
            $| = 1; print \"full\\n\"; sleep 1000'",
    );
    stuck.until_it_says("full");
    // Linux-PAM's own modules, and the application, would wait: there are none.
    let begun = Instant::now();
    let output = machine.run_within(PATIENCE, &format!("pam-host host alice -- {LOOK}"));
    assert_eq!(output.status, Status::Exited(0), "{output}");
    assert_eq!(seen(&output), "alice:/nix", "{output}");
    eprintln!(
        "scarcity: a log that is stuck: Own, in {:.1?}",
        begun.elapsed()
    );
    drop(stuck);
    machine
        .run("rm -f /dev/log; mv /dev/log.before /dev/log")
        .ok();
    lacks(&machine, "a log that works again", "exec", End::Own);
}

#[test]
fn a_system_without_a_log_locks_nobody_out() {
    let machine = machine_or_skip!();
    set_up(&machine);
    machine.run("mv /dev/log /dev/log.before").ok();
    assert_eq!(login(&machine, "exec"), "alice:/nix");
    eprintln!("scarcity: no log: Own");
    // A socket that nobody listens at.
    machine
        .run("perl -MSocket -e 'socket(my $s, AF_UNIX, SOCK_DGRAM, 0); bind($s, pack_sockaddr_un(\"/dev/log\"))'")
        .ok();
    assert_eq!(login(&machine, "exec"), "alice:/nix");
    eprintln!("scarcity: a log that nobody reads: Own");
    // One of the old kind.
    machine.run("rm /dev/log").ok();
    let old = machine.spawn(
        "exec perl -MSocket -e 'socket(my $s, AF_UNIX, SOCK_STREAM, 0); \
         bind($s, pack_sockaddr_un(\"/dev/log\")); listen($s, 9); sleep 1000'",
    );
    machine.wait_until("the old kind to listen", || machine.exists("/dev/log"));
    assert_eq!(login(&machine, "exec"), "alice:/nix");
    eprintln!("scarcity: a log of the old kind: Own");
    drop(old);
    machine
        .run("rm -f /dev/log; mv /dev/log.before /dev/log")
        .ok();
}
