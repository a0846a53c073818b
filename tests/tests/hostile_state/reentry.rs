//! The setuid program is alice's to call: with any words, environment, limits,
//! signals and descriptors, under any tracer, from any place, a thousand times
//! at once. Whatever she does, what runs in the end is hers, as her.

use std::collections::BTreeMap;
use std::time::Duration;

use tests::hostile::Family;
use tests::{Machine, Status, User, machine_or_skip};

use super::bench::{ALICE, Bench, Doors, Sight, fails, quoted, short};

const ENTER: &str = "/usr/libexec/nix-ns-enter";

#[test]
fn no_words_environment_or_limits_make_it_anybody_elses() {
    let bench = set_up(machine_or_skip!());
    let mut family = Family::new("re-entry, the caller");
    for (name, around) in STATES {
        attempt(&bench, &mut family, name, around, Doors::Open);
    }
    for (name, around) in HARSH_STATES {
        attempt(&bench, &mut family, name, around, Doors::MayStayShut);
    }
    for closed in [
        "<&-",
        ">&-",
        "2>&-",
        "<&- >&-",
        "<&- 2>&-",
        ">&- 2>&-",
        "<&- >&- 2>&-",
    ] {
        let around = format!("cd / && # {closed}");
        attempt(&bench, &mut family, closed, &around, Doors::Open);
    }
    for limit in [0, 1, 2, 3, 4, 5, 6, 8, 10, 12, 16, 24, 32, 48, 63, 64] {
        let around = format!("ulimit -n {limit} && #");
        attempt(&bench, &mut family, &around, &around, Doors::MayStayShut);
    }
    for limit in [
        0, 500, 1000, 2000, 4000, 6000, 8000, 12000, 16000, 32000, 64000,
    ] {
        for which in ["v", "d", "s"] {
            let around = format!("ulimit -{which} {limit} && #");
            attempt(&bench, &mut family, &around, &around, Doors::MayStayShut);
        }
    }
    for words in WORDS {
        let line = format!("cd / && {ENTER} {words}");
        family.case(&format!("words: {words}"), || {
            let (output, _, sights) = bench.look(&format!("{ALICE} sh -c"), &line);
            hers_alone(&bench, &sights).map_err(|what| format!("{what} {}", short(&output)))
        });
    }
    family.case("afterwards, everybody", || {
        bench.all_log_in(&["alice", "bob", "carol", "root"])?;
        bench.host_is_unchanged()
    });
    family.finish();
}

/// With these it still leads to her own.
const STATES: &[(&str, &str)] = &[
    ("nothing special", "cd / && #"),
    ("from her /nix", "cd ~/.local/share/nix && #"),
    ("files of no size", "ulimit -f 0; #"),
    ("no core files", "ulimit -c 0; #"),
    ("a umask of 0777", "umask 0777; #"),
    ("a umask of 0", "umask 0; #"),
    ("a low priority", "exec nice -n 19 #"),
    ("a session of its own", "exec setsid -w #"),
    (
        "signals ignored",
        "trap '' CHLD PIPE HUP INT QUIT TERM ALRM USR1 USR2 IO XFSZ TSTP TTIN TTOU; #",
    ),
    (
        "signals blocked",
        "exec perl -MPOSIX -e 'my $s = POSIX::SigSet->new; $s->fillset; \
         sigprocmask(SIG_BLOCK, $s); exec @ARGV' #",
    ),
    (
        "an alarm that is running",
        "exec perl -e '$SIG{ALRM} = \"IGNORE\"; alarm 1; exec @ARGV' #",
    ),
    (
        "an environment that leads elsewhere",
        "export LD_PRELOAD=/tmp/x.so LD_LIBRARY_PATH=/tmp LD_AUDIT=/tmp/x GCONV_PATH=/tmp \
         LOCPATH=/tmp TZ=:/tmp/zone TZDIR=/tmp HOSTALIASES=/tmp/h MALLOC_TRACE=/tmp/m \
         TMPDIR=/tmp RUST_BACKTRACE=full RUST_MIN_STACK=1 NIX_NS_READER=/tmp/payload \
         NIX_NS_ENTER=/tmp/payload HOME=/home/bob USER=bob LOGNAME=bob SHELL=/tmp/payload \
         XDG_CONFIG_HOME=/home/bob SUDO_UID=1002 SUDO_GID=1002 SUDO_USER=bob \
         SSH_ORIGINAL_COMMAND=/tmp/payload PATH=/tmp:$PATH; #",
    ),
    (
        "getent and the reader on her search path",
        "printf '#!/bin/sh\\necho bob:x:1002:1002::/home/bob:/bin/sh\\n' >/tmp/getent; \
         chmod +x /tmp/getent; cp /tmp/getent /tmp/nix-ns-reader; PATH=/tmp:$PATH; cd /tmp; #",
    ),
    (
        "by another name",
        "ln -sf @ENTER@ /tmp/sudo; cd /tmp; ./sudo whose-nix link; #",
    ),
    (
        "many descriptors",
        "exec perl -e 'open($f[$_], \"<\", \"/etc/passwd\") for 0..900; $^F = 10000; exec @ARGV' #",
    ),
];

/// It may refuse in these.
const HARSH_STATES: &[(&str, &str)] = &[
    ("no processor time", "ulimit -t 0; #"),
    ("no processes", "ulimit -u 0; #"),
    ("one process", "ulimit -u 1; #"),
    ("no signals", "ulimit -i 0; #"),
    ("no locked memory", "ulimit -l 0; #"),
    ("no stack and no memory", "ulimit -s 64; ulimit -v 3000; #"),
    (
        "a directory that is gone",
        "mkdir -p /tmp/gone && cd /tmp/gone && rmdir /tmp/gone; #",
    ),
    (
        "a directory she may not read",
        "mkdir -p /tmp/shut && cd /tmp/shut && chmod 0 /tmp/shut; #",
    ),
    ("no_new_privs", "exec setpriv --no-new-privs #"),
    ("a tracer", "exec strace -f -o /tmp/trace #"),
    (
        "a tracer of its calls",
        "exec strace -f -e inject=setresuid:retval=0 -o /tmp/trace #",
    ),
    ("a user namespace", "exec unshare -U #"),
    ("root of a user namespace", "exec unshare -Ur #"),
    (
        "root of one with mounts of her own",
        "mkdir -p /tmp/site && printf 'enable = true\\nroots = [\"/\"]\\n' >/tmp/site/config.toml; \
         exec unshare -Urm sh -c 'mount --bind /tmp/site /etc/nix-ns; #'",
    ),
    (
        "root of one with processes of her own",
        "exec unshare -Urmpf --mount-proc sh -c '#'",
    ),
    ("a changed root", "exec unshare -Ur chroot / #"),
    (
        "a seccomp filter of her own, answering for the kernel",
        "exec strace -f --seccomp-bpf -e inject=setns:retval=0 -o /tmp/trace #",
    ),
    (
        "a copy of her own",
        "cp @ENTER@ /tmp/own 2>/dev/null; chmod 4755 /tmp/own 2>/dev/null; /tmp/own whose-nix own; #",
    ),
    (
        "a hard link",
        "ln @ENTER@ /tmp/hard 2>/dev/null; /tmp/hard whose-nix hard; #",
    ),
    (
        "a core file",
        "ulimit -c unlimited; cd /tmp; (sleep 0.01; pkill -SEGV -u alice nix-ns-enter) & #; ls /tmp/core* 2>/dev/null && exit 9",
    ),
];

/// Each after the program's name.
const WORDS: &[&str] = &[
    "--user bob whose-nix words",
    "--user=bob -- whose-nix words",
    "-u 0 whose-nix words",
    "-u bob whose-nix words",
    "--uid 1002 -- whose-nix words",
    "-- -u bob whose-nix words",
    "bob whose-nix words",
    "0 whose-nix words",
    "1002 whose-nix words",
    "root",
    "'' whose-nix words",
    "-- ''",
    "--no-new-privs --no-new-privs whose-nix words",
    "--no-new-privs sudo whose-nix words",
    "-- -- whose-nix words",
    "---- whose-nix words",
    "- whose-nix words",
    "--no-new-privs=1 whose-nix words",
    "--help",
    "--version",
    "\"$(printf 'whose-nix\\nwords')\"",
    "\"$(printf '\\377\\376')\"",
    "\"$(head -c 100000 /dev/zero | tr '\\0' a)\"",
    "whose-nix words $(seq 20000)",
    "/home/bob/x",
    "../../../../../../usr/bin/whose-nix words",
    "/proc/self/exe whose-nix words",
    "/proc/self/exe /proc/self/exe whose-nix words",
    "/usr/libexec/nix-ns-reader",
];

fn attempt(bench: &Bench, family: &mut Family, name: &str, around: &str, must: Doors) {
    family.case(name, || {
        let enter = format!("{ENTER} /usr/bin/whose-nix entered");
        let (before, after) = around.rsplit_once('#').unwrap_or((around, ""));
        let line = format!("{before}{enter}{after}").replace("@ENTER@", ENTER);
        let (output, _, sights) = bench.look(&format!("{ALICE} sh -c"), &line);
        hers_alone(bench, &sights)
            .and_then(|()| match (must, sights.is_empty()) {
                (Doors::Open, true) => Err("it is shut".to_owned()),
                _ => Ok(()),
            })
            .and_then(|()| match output.status {
                Status::Exited(9) => Err("a core file was left".to_owned()),
                _ => Ok(()),
            })
            .map_err(|what| format!("{what} {}", short(&output)))
    });
}

/// Everything that ran was hers, and on no /nix but hers or the host's.
fn hers_alone(bench: &Bench, sights: &[Sight]) -> Result<(), String> {
    for sight in sights {
        bench.judge_one(sight)?;
        if sight.is_by(0) || sight.is_by(bench.uid("bob")) {
            return Err(format!("BREACH: {sight:?}"));
        }
    }
    Ok(())
}

#[test]
fn nobody_looks_into_it_or_stops_it_to_anybodys_harm() {
    let bench = set_up(machine_or_skip!());
    let machine = &bench.machine;
    let mut family = Family::new("re-entry, the moment");
    let alice = format!("{ALICE} sh -c");
    // It has rights for as long as her directory does not answer.
    let mute = machine.mount_mute("/home/alice/.local/share/nix");
    bench.accept_mounts();
    let held = "touch ~/.config/nix-ns/config.toml; ENTER true >/dev/null 2>&1 & p=$!; sleep 0.4; \
        [ \"$(stat -c %u /proc/$p)\" = 0 ] && echo seen; LOOK";
    for (name, look) in [
        ("its memory", "head -c 1 /proc/$p/mem && echo BREACH"),
        (
            "its mappings",
            "test -s /proc/$p/maps && cat /proc/$p/maps && echo BREACH",
        ),
        ("its descriptors", "ls /proc/$p/fd && echo BREACH"),
        ("its place", "readlink /proc/$p/cwd && echo BREACH"),
        ("its namespace", "readlink /proc/$p/ns/mnt && echo BREACH"),
        (
            "a tracer",
            "timeout 1 strace -p $p -o /tmp/attached; test -s /tmp/attached && echo BREACH",
        ),
        (
            "its children's memory",
            "for c in $(pgrep -P $p); do head -c 1 /proc/$c/mem && echo BREACH; done",
        ),
        ("stopped", "kill -STOP $p && echo BREACH"),
        ("killed", "kill -KILL $p && echo BREACH"),
        (
            "its child, stopped",
            "for c in $(pgrep -P $p); do kill -STOP $c && echo BREACH; done",
        ),
        ("its limits", "prlimit --pid $p --nofile=5 && echo BREACH"),
    ] {
        family.case(name, || {
            let line = held.replace("ENTER", ENTER).replace("LOOK", look);
            let output = machine.run_within(
                Duration::from_secs(50),
                &format!("{alice} {}", quoted(&line)),
            );
            if output.stdout.contains("BREACH") {
                return Err(format!("BREACH: {}", short(&output)));
            }
            let seen = output.stdout.contains("seen");
            seen.then_some(())
                .ok_or_else(|| format!("never caught with rights: {}", short(&output)))
        });
    }
    drop(mute);
    machine.run("umount -l /home/alice/.local/share/nix").ok();
    bench.accept_mounts();
    // It asks where the files alone do not say.
    let switch = machine.read("/etc/nsswitch.conf");
    machine
        .run("sed -i 's/^passwd:.*/passwd: files [NOTFOUND=return]/' /etc/nsswitch.conf && grep NOTFOUND /etc/nsswitch.conf")
        .ok();
    family.case("whom it asks about her", || {
        let output = machine.run_within(
            Duration::from_secs(50),
            &format!("{alice} {}", quoted(&WHOM_IT_ASKS.replace("ENTER", ENTER))),
        );
        if output.stdout.contains("BREACH") {
            return Err(format!("BREACH: {}", short(&output)));
        }
        let seen = output.stdout.matches("seen").count();
        (seen > 0)
            .then_some(())
            .ok_or_else(|| format!("never seen: {}", short(&output)))
    });
    machine.write("/etc/nsswitch.conf", switch, 0o644, &User::root());
    for (name, line) in [
        (
            "killed at any moment",
            "for i in $(seq 200); do timeout -s KILL 0.00$((i % 10)) ENTER true; done",
        ),
        (
            "stopped and gone on",
            "for i in $(seq 60); do ENTER true & kill -STOP $!; kill -CONT $!; wait $!; done",
        ),
        (
            "a hundred at once",
            "for i in $(seq 100); do ENTER whose-nix crowd & done; wait",
        ),
        (
            "while the configuration changes",
            "(while :; do echo 'source_path = \"~/b\"' >~/.config/nix-ns/config.toml; : >~/.config/nix-ns/config.toml; done) & l=$!; \
             for i in $(seq 40); do ENTER whose-nix edit; done; kill $l; : >~/.config/nix-ns/config.toml",
        ),
        (
            "while the directory becomes bob's and back",
            "mkdir -p ~/d; cp -r ~/.local/share/nix ~/d/own; ln -s /home/bob/.local/share/nix ~/d/bobs; ln -sfn own ~/d/nix; \
             printf 'source_path = \"~/d/nix\"\\nallow_symlinks = true\\n' >~/.config/nix-ns/config.toml; \
             (while :; do ln -sfn bobs ~/d/nix; ln -sfn own ~/d/nix; done) & l=$!; \
             for i in $(seq 40); do touch ~/.config/nix-ns/config.toml; ENTER whose-nix swap; done; kill $l; : >~/.config/nix-ns/config.toml",
        ),
    ] {
        family.case(name, || {
            let line = line.replace("ENTER", ENTER);
            let (output, _, sights) = bench.look(&alice, &format!("{{ {line}; }} 2>/dev/null"));
            hers_alone(&bench, &sights).map_err(|what| format!("{what} {}", short(&output)))?;
            bench.all_log_in(&["alice", "bob", "carol", "root"])?;
            bench.host_is_unchanged()
        });
    }
    family.case("the program cannot be read", || {
        fails(&machine.run(&format!("{alice} 'head -c 1 {ENTER}'")))
    });
    family.finish();
}

/// A sandbox, a security module, an exhausted kernel: any call may be refused.
#[test]
fn a_kernel_that_refuses_makes_it_nobody_elses() {
    let bench = set_up(machine_or_skip!());
    let machine = &bench.machine;
    let mut family = Family::new("re-entry, the kernel");
    let entered = format!("{ENTER} /usr/bin/whose-nix refused");
    let mut ran = 0;
    for edit in ["true", "touch /home/alice/.config/nix-ns/config.toml"] {
        machine
            .run(&format!(
                "{edit}; exec strace -u alice -o /root/calls {entered}"
            ))
            .ok();
        for (call, count) in calls(&machine.read("/root/calls")) {
            for number in 1..=count.min(2) {
                let name = format!("{call} {number} after {edit}");
                family.case(&name, || {
                    let line = format!(
                        "{edit}; exec strace -u alice -o /dev/null \
                         -e inject={call}:error=EPERM:when={number} {entered}"
                    );
                    let (output, _, sights) = bench.look("sh -c", &line);
                    ran += sights.len();
                    hers_alone(&bench, &sights).map_err(|what| format!("{what} {}", short(&output)))
                });
            }
        }
    }
    // One that says it has done what it has not.
    for call in ["setresuid", "setresgid", "capset", "setns", "prctl"] {
        family.case(&format!("{call} does nothing"), || {
            let line =
                format!("exec strace -u alice -o /dev/null -e inject={call}:retval=0 {entered}");
            let (output, _, sights) = bench.look("sh -c", &line);
            hers_alone(&bench, &sights).map_err(|what| format!("{what} {}", short(&output)))
        });
    }
    family.case("it ran in spite of some", || {
        (ran > 10)
            .then_some(())
            .ok_or_else(|| format!("{ran} times"))
    });
    family.case("afterwards, everybody", || {
        bench.all_log_in(&["alice", "bob", "carol", "root"])?;
        bench.host_is_unchanged()
    });
    family.finish();
}

/// Which calls the program makes, and how often, until the command runs.
fn calls(trace: &str) -> BTreeMap<&str, usize> {
    let mut counts = BTreeMap::new();
    for line in trace.lines().skip(1) {
        if line.starts_with("execve(") {
            break;
        }
        if let Some((name, _)) = line.split_once('(') {
            *counts.entry(name).or_default() += 1;
        }
    }
    counts
}

/// She reaches for the program that looks her account up: were it hers to trace,
/// she could answer in its place, and be a member of what the site allows.
const WHOM_IT_ASKS: &str = r#"perl -e '
    for (1..300) {
        my $p = fork // next;
        if (!$p) { exec "ENTER", "true" }
        select undef, undef, undef, rand(0.008);
        open my $h, "<", "/proc/$p/task/$p/children" or next;
        for my $c (split " ", <$h> // "") {
            open my $n, "<", "/proc/$c/comm" or next;
            next unless (<$n> // "") =~ /getent/;
            print "seen\n";
            print "BREACH\n" if open my $m, "<", "/proc/$c/mem";
        }
        waitpid $p, 0;
    }'"#;

#[track_caller]
fn set_up(machine: Machine) -> Bench {
    let bench = Bench::set_up(machine);
    bench.machine.run(&format!("chmod 4711 {ENTER}")).ok();
    bench
}
