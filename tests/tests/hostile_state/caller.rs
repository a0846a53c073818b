//! What su and sudo inherit from alice: descriptors, limits, signals, the
//! environment, the directory, the tracer. All of it is hers to choose.

use std::time::Duration;

use tests::hostile::Family;
use tests::{ENTER, LEAVE, machine_or_skip};

use super::bench::{Bench, Door, Doors, FEW_DOORS, PATIENCE, door, quoted, short};

/// Without a shell before the command, which could mend what is broken.
const BARE_DOORS: &[Door] = &[
    door("root", "su root -c 'exec #'"),
    door("bob", "su bob -c 'exec #'"),
    door("carol", "su carol -c 'exec #'"),
    door("root", "sudo #"),
    door("carol", "sudo -u carol #"),
];

#[test]
fn no_state_of_the_caller_keeps_a_session_on_alices_nix() {
    let bench = Bench::set_up(machine_or_skip!());
    let mut family = Family::new("caller state");
    let stay = bench.alice_stays("env");
    let shell = bench.alice_with(stay.process);
    for (name, around) in STATES {
        bench.take_with(&mut family, name, &shell, around, BARE_DOORS, Doors::Open);
    }
    let mut opened = 0;
    for (name, around) in HARSH_STATES {
        let must = Doors::MayStayShut;
        opened += bench.take_with(&mut family, name, &shell, around, BARE_DOORS, must);
    }
    for closed in 1..8 {
        let redirections = closing(closed);
        let around = format!("cd / && # {redirections}");
        let name = format!("closed {redirections}");
        bench.take_with(&mut family, &name, &shell, &around, BARE_DOORS, Doors::Open);
    }
    for limit in 0..=12 {
        let around = format!("cd / && ulimit -n {limit} && #");
        let name = format!("ulimit -n {limit}");
        let must = Doors::MayStayShut;
        opened += bench.take_with(&mut family, &name, &shell, &around, FEW_DOORS, must);
    }
    on_the_host(&bench, &mut family, &shell);
    traced(&bench, &mut family, &shell);
    family.case("not every harsh state shuts every door", || {
        (opened > 50)
            .then_some(())
            .ok_or_else(|| format!("{opened} doors opened"))
    });
    family.case("afterwards, by ssh", || bench.all_come_by_ssh());
    family.finish();
}

/// File systems of hers that the host has, too, so that the way back to the
/// directory leads through them. They fall silent.
fn on_the_host(bench: &Bench, family: &mut Family, shell: &str) {
    let machine = &bench.machine;
    machine.run("echo user_allow_other >>/etc/fuse.conf").ok();
    for (options, doors) in [("-", BARE_DOORS), ("allow_other", &BARE_DOORS[..1])] {
        machine.run("rm -f /srv/common/gag").ok();
        let serve = format!(
            "mkdir -p /tmp/hosts && forging-fuse /tmp/hosts {options} 1001:/srv/common/gag \
             sh -c 'echo mounted; exec sleep 1000'"
        );
        let mut server = machine.spawn_as("alice", &serve);
        server.until_it_says("mounted");
        bench.accept_mounts();
        // By the end of the nap the kernel has to ask for the names again. A
        // shell's nap would not do: it looks where it is before it runs
        // anything, and so does root's, where PWD says.
        let around = "rm -f /srv/common/gag; cd /tmp/hosts/deep/er && exec /usr/bin/perl -e \
                      'open my $gag, \">\", \"/srv/common/gag\" or die; \
                      select undef, undef, undef, 1.2; delete $ENV{PWD}; exec @ARGV' #";
        let name =
            format!("a directory of the host's in a file system that falls silent, {options}");
        bench.take_with(family, &name, shell, around, doors, Doors::Open);
        drop(server);
        machine.run("umount -l /tmp/hosts").ok();
        bench.accept_mounts();
    }
}

fn closing(which: u32) -> String {
    let all = [(1, "0<&-"), (2, "1>&-"), (4, "2>&-")];
    let chosen = all.iter().filter(|(bit, _)| which & bit != 0);
    let words: Vec<&str> = chosen.map(|(_, word)| *word).collect();
    words.join(" ")
}

/// With these, everybody's command still runs.
const STATES: &[(&str, &str)] = &[
    ("nothing special", "cd / && #"),
    ("a limit on files of 0", "cd / && ulimit -f 0 && #"),
    ("a limit on core files of 0", "cd / && ulimit -c 0 && #"),
    (
        "a limit on processes of 0",
        "cd / && ulimit -S -u 0 2>/dev/null; #",
    ),
    ("a small stack", "cd / && ulimit -s 256 && #"),
    ("a stack without end", "cd / && ulimit -s unlimited && #"),
    ("a umask of 0777", "cd / && umask 0777 && #"),
    ("a umask of 0", "cd / && umask 0 && #"),
    (
        "signals ignored",
        "cd / && trap '' CHLD PIPE HUP INT QUIT TERM ALRM USR1 USR2 IO XFSZ && #",
    ),
    (
        "signals ignored by env",
        "cd / && exec env --ignore-signal=CHLD,PIPE,ALRM sh -c \"#\"",
    ),
    ("a low priority", "cd / && exec nice -n 19 sh -c \"#\""),
    (
        "a low priority for disks",
        "cd / && exec ionice -c 3 sh -c \"#\"",
    ),
    (
        "no terminal and a session of its own",
        "cd / && exec setsid -w sh -c \"#\"",
    ),
    (
        "a terminal that hangs up",
        "cd / && exec script -qec \"# </dev/null >/dev/null 2>&1\" /dev/null",
    ),
    (
        "an environment that leads to /nix",
        "cd / && export LD_PRELOAD=/nix/x.so LD_LIBRARY_PATH=/nix LD_AUDIT=/nix/x.so \
         GCONV_PATH=/nix LOCPATH=/nix TZ=/nix/zone TZDIR=/nix NLSPATH=/nix/%N \
         HOSTALIASES=/nix/h RESOLV_HOST_CONF=/nix/r MALLOC_TRACE=/nix/m TMPDIR=/nix \
         NIX_NS_READER=/nix/payload NIX_NS_RUN=/nix NIX_NS=1 NIX_REMOTE=/nix \
         RUST_BACKTRACE=full RUST_LOG=trace RUST_MIN_STACK=1 PAM_USER=alice \
         XDG_CONFIG_HOME=/nix XDG_RUNTIME_DIR=/nix SUDO_UID=1001 2>/dev/null; #",
    ),
    (
        "a search path that leads to /nix",
        "cd / && ln -sf /usr/bin/true /nix/nix-ns-reader; P=$PATH; \
         PATH=/nix:$P && export PATH && #",
    ),
    (
        "a huge environment",
        "cd / && export HUGE1=$(head -c 120000 /dev/zero | tr '\\0' x) \
         HUGE2=$(head -c 120000 /dev/zero | tr '\\0' y) && #",
    ),
    (
        "ten thousand variables",
        "cd / && for i in $(seq 10000); do export V$i=$i; done && #",
    ),
    ("ten thousand words", "cd / && # $(seq 10000)"),
    (
        "a directory that is gone",
        "mkdir -p /tmp/gone && cd /tmp/gone && rmdir /tmp/gone && #",
    ),
    (
        "a directory on her /nix",
        "mkdir -p /nix/deep && cd /nix/deep && #",
    ),
    ("her /nix itself for a directory", "cd /nix && #"),
    (
        "a directory on her /nix that is gone",
        "mkdir -p /nix/gone && cd /nix/gone && rmdir /nix/gone && #",
    ),
    (
        "a directory deeper than a path can be",
        "cd /tmp && exec perl -e 'for (1..30) { mkdir \"d\" x 200; chdir \"d\" x 200 or die } \
         exec \"sh\", \"-c\", $ARGV[0]' \"#\"",
    ),
    ("her home for a directory", "cd /home/alice && #"),
    ("the marker for a directory", "cd /run/nix-ns/self && #"),
    ("another process's directory", "cd /proc/$$/cwd/ && #"),
    (
        "a process's root for a directory",
        "cd /proc/$$/root/nix && #",
    ),
    (
        "open directories of the namespace",
        "cd / && exec 5</nix 6</run/nix-ns/self 7</proc/self/ns 8</ && #",
    ),
    (
        "an open namespace of hers",
        "cd / && exec 5</proc/self/ns/mnt 6</proc/self/ns/user && #",
    ),
    (
        "two hundred open descriptors",
        "cd / && exec 3</nix && perl -e 'use POSIX; POSIX::dup2(3, $_) for 4..200; $^F=300; \
         exec(\"sh\", \"-c\", $ARGV[0])' \"#\"",
    ),
];

/// With these, not to run is an answer, too.
const HARSH_STATES: &[(&str, &str)] = &[
    (
        "her tracer",
        "cd / && exec strace -f -o /dev/null sh -c \"#\"",
    ),
    (
        "no new privileges",
        "cd / && exec setpriv --no-new-privs sh -c \"#\"",
    ),
    (
        "signals blocked",
        "cd / && exec env --block-signal sh -c \"#\"",
    ),
    (
        "SIGCHLD blocked",
        "cd / && exec env --block-signal=CHLD,ALRM sh -c \"#\"",
    ),
    ("no processor time", "cd / && ulimit -t 0; #"),
    ("no locked memory", "cd / && ulimit -l 0; #"),
    ("a tiny stack", "cd / && ulimit -s 64 && #"),
    ("little data", "cd / && ulimit -d 2000 && #"),
    (
        "no message queues",
        "cd / && prlimit --msgqueue=0 sh -c \"#\"",
    ),
    (
        "no pending signals",
        "cd / && prlimit --sigpending=0 sh -c \"#\"",
    ),
    ("idle scheduling", "cd / && exec chrt -i 0 sh -c \"#\""),
    (
        "a directory in a file system of hers that falls silent",
        "cd /; fusermount3 -uzq /tmp/hers; mkdir -p /tmp/hers; rm -f /srv/common/gag && \
         forging-fuse /tmp/hers - 1001:/srv/common/gag \
         sh -c \"cd /tmp/hers/deep && touch /srv/common/gag && #\"",
    ),
    (
        "a directory in a file system of hers that only she may see",
        "cd /; fusermount3 -uzq /tmp/hers; mkdir -p /tmp/hers && \
         forging-fuse /tmp/hers - 1001 sh -c \"cd /tmp/hers/deep/er && #\"",
    ),
    (
        "a directory in a file system of hers that says it is root's",
        "cd /; fusermount3 -uzq /tmp/hers; mkdir -p /tmp/hers && \
         forging-fuse /tmp/hers - 0 sh -c \"cd /tmp/hers/deep/er && #\"",
    ),
    (
        "killed after a moment",
        "cd / && timeout -s KILL 0.02 sh -c \"#\"",
    ),
];

/// The two lines alone, whatever else README may come to say of them.
const PLAIN_LEAVE: &str =
    "session [success=ok system_err=die abort=die default=ignore] pam_nixns.so leave";
const PLAIN_ENTER: &str =
    "session [success=ok system_err=die abort=die default=ignore] pam_nixns.so";
/// Where Linux-PAM cannot even load the module, it goes on with the next line.
/// This one then stops the session, if it is on somebody's `/nix`.
const LEAVE_OR_BE_GUARDED: &str =
    "session [success=1 system_err=die abort=die default=ignore] pam_nixns.so leave";
const GUARD: &str = "session [success=ok default=die] pam_exec.so quiet /usr/bin/test ! -L /run/nix-ns/self/namespace";

/// A limit for `ulimit`, from, to, in steps of so much, and a door to try it at.
const LITTLE_MEMORY: &[(&str, u32, u32, usize, Door)] = &[
    ("-v", 3000, 9000, 100, door("carol", "su carol -c 'exec #'")),
    ("-v", 3000, 9000, 100, door("root", "su root -c 'exec #'")),
    ("-v", 4000, 9000, 100, door("carol", "sudo -u carol #")),
    ("-d", 200, 700, 25, door("carol", "su carol -c 'exec #'")),
    ("-d", 200, 700, 25, door("root", "su root -c 'exec #'")),
    ("-d", 500, 1200, 50, door("root", "sudo #")),
];

#[test]
fn no_limit_on_memory_brings_anybody_past_the_guard() {
    let bench = Bench::set_up(machine_or_skip!());
    let machine = &bench.machine;
    let mut family = Family::new("caller state, memory");
    let stacks = |session: &[&str]| {
        for service in ["su", "su-l", "sudo", "sudo-i"] {
            machine.pam(service, session);
        }
    };
    let stay = bench.alice_stays("env");
    let shell = bench.alice_with(stay.process);
    // What it is good for: without it, some of them do get there.
    stacks(&[PLAIN_LEAVE, "session required pam_unix.so", PLAIN_ENTER]);
    family.case("without the guard there are limits that do", || {
        let past = LITTLE_MEMORY[..1]
            .iter()
            .flat_map(|limit| with_little(&bench, &shell, limit));
        let past = past.filter(|(_, outcome)| outcome.is_err()).count();
        (past > 0)
            .then_some(())
            .ok_or_else(|| "none does".to_owned())
    });
    // The lightest stack there can be: nothing else fails before.
    for between in [
        "session required pam_unix.so",
        "session required pam_permit.so",
    ] {
        stacks(&[LEAVE_OR_BE_GUARDED, GUARD, between, PLAIN_ENTER]);
        for limit in LITTLE_MEMORY {
            for (name, outcome) in with_little(&bench, &shell, limit) {
                family.case(&format!("{between}: {name}"), || outcome);
            }
        }
    }
    bench.take(
        &mut family,
        "with the guard",
        &shell,
        FEW_DOORS,
        Doors::Open,
    );
    drop(stay);
    machine.run("find / -xdev -name pam_nixns.so -delete").ok();
    for name in ["carol", "bob", "root"] {
        family.case(&format!("without the module's file: {name}"), || {
            let login = machine.run(&format!("su {name} -c 'whose-nix without'"));
            let expected = format!("without {} host", bench.uid(name));
            (login.stdout.trim() == expected)
                .then_some(())
                .ok_or_else(|| short(&login))
        });
    }
    family.finish();
}

/// Tries a door with each of these limits, all in one shell of alice's.
fn with_little(
    bench: &Bench,
    shell: &str,
    (limit, from, to, step, door): &(&str, u32, u32, usize, Door),
) -> Vec<(String, Result<(), String>)> {
    let line = door.line.replace('#', "/usr/bin/whose-nix little$v");
    let line = format!(
        "cd /; for v in $(seq {from} {step} {to}); do (ulimit {limit} $v; {line}) 2>/dev/null; done; :"
    );
    // The number of the limit is to be in the command.
    let line = line.replace(
        "'exec /usr/bin/whose-nix little$v'",
        "\"exec /usr/bin/whose-nix little$v\"",
    );
    let (output, took, sights) = bench.look(shell, &line);
    let mut outcomes: Vec<_> = (*from..=*to)
        .step_by(*step)
        .map(|value| {
            let tag = format!("little{value}");
            let seen: Vec<_> = sights
                .iter()
                .filter(|sight| sight.is_tagged(&tag))
                .cloned()
                .collect();
            let judged = bench.judge(door.to, &tag, &seen, Doors::MayStayShut);
            (format!("ulimit {limit} {value}, {}", door.line), judged)
        })
        .collect();
    let enough = || {
        let some = !sights.is_empty() && took < PATIENCE * 2;
        some.then_some(())
            .ok_or_else(|| format!("nobody comes: {}", short(&output)))
    };
    outcomes.push((
        format!("ulimit {limit}, {}: the last ones come", door.line),
        enough(),
    ));
    outcomes
}

/// The lines as README has them, without the guard.
#[test]
fn with_any_number_of_descriptors_the_plain_lines_are_enough() {
    let bench = Bench::set_up(machine_or_skip!());
    let machine = &bench.machine;
    let mut family = Family::new("caller state, optional stack");
    // Nothing else in the stack stops a session that cannot load its modules.
    let stack = [LEAVE, "session optional pam_unix.so", ENTER];
    for service in ["su", "su-l", "sudo", "sudo-i"] {
        machine.pam(service, &stack);
    }
    let stay = bench.alice_stays("env");
    let shell = bench.alice_with(stay.process);
    for limit in 3..=12 {
        let around = format!("cd / && ulimit -n {limit} && #");
        let name = format!("ulimit -n {limit}");
        let must = Doors::MayStayShut;
        bench.take_with(&mut family, &name, &shell, &around, FEW_DOORS, must);
    }
    family.finish();
}

/// The kernel lets nobody look into a program of root's.
fn traced(bench: &Bench, family: &mut Family, shell: &str) {
    for name in ["root", "bob", "carol"] {
        for what in [
            "strace -p #",
            "gdb -p # -batch",
            "cat /proc/#/mem",
            "cat /proc/#/maps",
            "ls -l /proc/#/fd",
            "readlink /proc/#/ns/mnt",
            "readlink /proc/#/cwd",
            "nsenter -t # -U true",
        ] {
            family.case(&format!("su {name}: {what}"), || {
                let what = what.replace('#', "$victim");
                let line = format!(
                    "cd /; su {name} -c 'sleep 2' & sleep 0.3; \
                     victim=$(pgrep -P $! -x su || pgrep -x su | head -1); victim=${{victim:-$!}}; \
                     timeout 2 {what} >/dev/null 2>&1 && echo TRACED; kill $victim"
                );
                let output = bench.machine.run_within(
                    Duration::from_secs(8),
                    &format!("{shell} {}", quoted(&line)),
                );
                let traced = output.stdout.contains("TRACED");
                (!traced).then_some(()).ok_or_else(|| short(&output))
            });
        }
    }
}
