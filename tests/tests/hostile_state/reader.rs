//! The reader runs as the user. What if it were the user's own program, and what
//! can the user do to the real one while it works?

use std::time::Instant;

use tests::hostile::Family;
use tests::{Output, Status, User, machine_or_skip};

use super::bench::{Bench, PATIENCE, quoted, short};

const READER: &str = "/usr/libexec/nix-ns-reader";

/// What it says instead of an honest answer; see `lying-reader`.
const LIES: &[&str] = &[
    "directory /home/bob",
    "directory /home/bob/.local/share/nix",
    "directory /etc",
    "directory /",
    "directory /root",
    "directory /tmp",
    "directory /nix",
    "directory /run/nix-ns",
    "directory /run/nix-ns/self",
    "directory /proc/self",
    "directory /proc/self/fd",
    "directory /proc/1",
    "directory /sys",
    "directory /dev/shm",
    "directory /home/alice",
    "directory /home",
    "directory /tmp/alices",
    "directory /srv/common/alices",
    "directory /home/alice/open",
    "directory /home/alice/fuse",
    "open-directory /etc",
    "open-directory /proc/self",
    "reference /etc/passwd",
    "reference /home/alice/link",
    "reference /proc/self/exe",
    "reference /proc/self/root",
    "reference /proc/self/cwd",
    "file /etc/passwd",
    "file /proc/self/mountinfo",
    "file /home/alice/file",
    "device /dev/null",
    "device /dev/fuse",
    "removed",
    "socket",
    "its-own-socket",
    "pipe",
    "namespace",
    "other-mount",
    "other-mount-on-store /",
    "other-mount-on-store /etc",
    "other-mount-on-store /home/bob",
    "other-mount-named-like-home",
    "detached-tree /home/alice/tree .",
    "detached-tree /home/alice/tree home/alice/x",
    "detached-tree /etc .",
    "many 2",
    "many 253",
    "none",
    "huge",
    "garbage",
    "empty",
    "two",
    "roots-again",
    "not-started",
    "flood",
    "quit",
    "crash",
    "kill-parent",
    "slow",
    "text store - none\\n/etc",
    "text store 1:2:3:4:5 home\\n",
    "text store -",
    "text refused - none\\nMay 1 sshd[1]: root logged in\\n\\n",
    "text refused 18446744073709551616:0:0:0:0 none\\n",
    "text not-opted-in - none\\nmore",
    "text STORE - none\\n/",
    "text \\n\\n\\n",
];

/// With these she waits, and nobody else does.
const SILENT_LIES: &[&str] = &["silence", "stop"];

#[test]
fn a_reader_that_lies_brings_no_foreign_directory() {
    let bench = Bench::set_up(machine_or_skip!());
    let machine = &bench.machine;
    let mut family = Family::new("reader that lies");
    machine.install_program("lying-reader");
    machine
        .run(&format!(
            "cp {READER} /root/reader && install -m 0755 /usr/bin/lying-reader {READER}"
        ))
        .ok();
    machine
        .run("install -d -o alice /tmp/alices /srv/common/alices")
        .ok();
    let made = "mkdir -p ~/open ~/fuse ~/tree/home/alice/x; chmod 777 ~/open; ln -s /etc ~/link; touch ~/file";
    machine.run_as("alice", made).ok();
    // Hers, and she serves it: in the view that her logins begin in.
    let mut fuse = machine.spawn_as(
        "alice",
        "cd; exec forging-fuse ~/fuse - 1001 sh -c 'echo mounted; exec sleep 1000'",
    );
    fuse.until_it_says("mounted");
    bench.accept_mounts();
    // Or nothing below would show anything.
    family.case("the truth is believed", || {
        let truth = "directory /home/alice/.local/share/nix";
        let login = log_in(&bench, truth);
        let expected = format!("lie {} alice", bench.uid("alice"));
        (login.stdout.contains(&expected))
            .then_some(())
            .ok_or_else(|| short(&login))
    });
    for lie in LIES.iter().chain(SILENT_LIES) {
        family.case(lie, || {
            let begun = Instant::now();
            let login = log_in(&bench, lie);
            let took = begun.elapsed();
            let expected = format!("lie {} host", bench.uid("alice"));
            let silent = SILENT_LIES.contains(lie);
            if !login.stdout.contains(&expected) || login.status != Status::Exited(0) {
                return Err(format!("after {took:?}: {}", short(&login)));
            }
            if silent != (took.as_secs() >= 4) && took.as_secs() > 4 {
                return Err(format!("it took {took:?}"));
            }
            bench.host_is_unchanged()
        });
    }
    // Bob has no reader that tells the truth either.
    family.case("the others", || bench.all_log_in(&["carol", "root"]));
    bench
        .machine
        .run(&format!("install -m 0711 /root/reader {READER}"))
        .ok();
    drop(fuse);
    bench.accept_mounts();
    family.case("nothing of it is kept", || {
        bench.all_log_in(&["alice", "bob"])
    });
    family.finish();
}

fn log_in(bench: &Bench, lie: &str) -> Output {
    let machine = &bench.machine;
    machine.write("/srv/common/lie", lie, 0o644, &User::root());
    let call = "pam-host host alice -- /usr/bin/whose-nix lie";
    machine.run_within(PATIENCE, call)
}

/// What alice tries on a process; `#` is its number. Not here: to stop it, to
/// kill it and to limit it (`prlimit`), all of which she may, as it is hers. Then
/// she has no `/nix`.
const TRIED: &[&str] = &[
    "strace -p #",
    "gdb -p # -batch -ex quit 2>&1 | grep -q 'New LWP\\|Reading symbols from /usr/libexec'",
    "head -c 1 /proc/#/mem",
    "grep . /proc/#/maps",
    "grep . /proc/#/environ",
    "grep . /proc/#/auxv",
    "ls -l /proc/#/fd/0",
    "ls /proc/#/fd",
    "ls /proc/#/fdinfo",
    "ls /proc/#/map_files",
    "grep . /proc/#/syscall",
    "grep . /proc/#/stack",
    "readlink /proc/#/exe",
    "readlink /proc/#/cwd",
    "readlink /proc/#/root",
    "readlink /proc/#/ns/mnt",
    "nsenter -t # -m true",
    "nsenter -t # -U true",
    "exec 9</proc/#/fd/0",
    "exec 9</proc/#/cwd",
    "echo 1 >/proc/#/clear_refs",
    "echo 1000 >/proc/#/oom_score_adj",
    "echo x >/proc/#/comm",
    // pidfd_getfd of pidfd_open
    "perl -e 'exit !(syscall(438, syscall(434, #, 0), 0, 0) >= 0)'",
    // process_vm_readv of nothing
    "perl -e 'exit !(syscall(310, #, \"\", 0, \"\", 0, 0) >= 0)'",
];

#[test]
fn the_reader_cannot_be_made_to_say_anything() {
    let bench = Bench::set_up(machine_or_skip!());
    let machine = &bench.machine;
    let mut family = Family::new("reader that is attacked");
    // What is tried must be what works on a process of hers that hides nothing.
    let plain = machine.spawn_as("alice", "exec sleep 1000");
    let own = wait_for(&bench, "sleep 1000");
    let worked = attack(&bench, &own);
    family.case("most of it works on what is hers", || {
        (worked.len() >= TRIED.len() / 2)
            .then_some(())
            .ok_or_else(|| format!("{worked:?}"))
    });
    drop(plain);
    for target in ["nix-ns-reader", "the process between"] {
        // Her home does not answer, so there is time.
        let mute = machine.mount_mute("/home/alice/.config");
        let login = machine.spawn("pam-host host alice -- /usr/bin/whose-nix attacked");
        let reader = wait_for(&bench, "^/usr/libexec/nix-ns-reader");
        family.case(&format!("{target}: bound to its user"), || {
            is_bound(&bench, &reader)
        });
        let victim = match target {
            "nix-ns-reader" => reader,
            _ => parent(&bench, &reader),
        };
        let worked = attack(&bench, &victim);
        for tried in TRIED {
            family.case(&format!("{target}: {tried}"), || {
                (!worked.iter().any(|it| it == tried))
                    .then_some(())
                    .ok_or_else(|| "it works".to_owned())
            });
        }
        family.case(&format!("{target}: and the login"), || {
            let login = login.finish_within(PATIENCE);
            let expected = format!("attacked {} host", bench.uid("alice"));
            (login.stdout.contains(&expected))
                .then_some(())
                .ok_or_else(|| short(&login))
        });
        drop(mute);
        machine.run("umount -l /home/alice/.config").ok();
    }
    family.finish();
}

#[test]
fn the_reader_ends_with_whoever_asked_it() {
    let bench = Bench::set_up(machine_or_skip!());
    let machine = &bench.machine;
    let mut family = Family::new("reader left alone");
    for killed in ["the process between", "the login"] {
        let mute = machine.mount_mute("/home/alice/.config");
        let login = machine.spawn("pam-host host alice -- /usr/bin/whose-nix alone");
        let reader = wait_for(&bench, "^/usr/libexec/nix-ns-reader");
        let between = parent(&bench, &reader);
        family.case(&format!("{killed}: holds nothing but a socket"), || {
            let held = machine.run(&format!("cd /proc/{between}/fd && readlink *"));
            let held: Vec<&str> = held.ok().lines().collect();
            matches!(held[..], [one] if one.starts_with("socket:"))
                .then_some(())
                .ok_or_else(|| format!("{held:?}"))
        });
        let victim = match killed {
            "the login" => parent(&bench, &between),
            _ => between.clone(),
        };
        family.case(killed, || {
            let living = format!("ps -o pid=,stat= -p {reader},{between} | grep -v Z");
            let kill = format!(
                "kill -KILL {victim}; \
                 for i in $(seq 300); do {living} >/dev/null || exit 0; sleep 0.01; done; {living}"
            );
            let left = machine.run(&kill).stdout;
            left.is_empty().then_some(()).ok_or(left)
        });
        drop(mute);
        drop(login);
        machine.run("umount -l /home/alice/.config; :").ok();
    }
    family.finish();
}

/// `capabilities(7)`, "Effect of user ID changes": what whoever calls `su` may have
/// switched off (`SECBIT_NO_SETUID_FIXUP`), and what `execve` would let it keep.
#[test]
fn the_reader_has_no_rights_whatever_its_caller_keeps() {
    const KEEPS: &str = "exec setpriv --inh-caps +dac_override,+kill --ambient-caps +dac_override,+kill \
                         --securebits +no_setuid_fixup pam-host host alice -- true";
    let bench = Bench::set_up(machine_or_skip!());
    let machine = &bench.machine;
    let mut family = Family::new("reader with rights");
    let mute = machine.mount_mute("/home/alice/.config");
    let login = machine.spawn(KEEPS);
    let reader = wait_for(&bench, "^/usr/libexec/nix-ns-reader");
    family.case("bound to its user", || is_bound(&bench, &reader));
    let asks = format!("grep CapAmb /proc/{}/status", parent(&bench, &reader));
    family.case("its caller keeps them", || {
        let kept = machine.run(&asks).stdout;
        // CAP_DAC_OVERRIDE and CAP_KILL.
        kept.ends_with("0000000000000022\n")
            .then_some(())
            .ok_or(kept)
    });
    drop(login);
    drop(mute);
    machine.run("umount -l /home/alice/.config").ok();
    family.finish();
}

/// It is its user for good, and makes no process, no file and no more rights.
fn is_bound(bench: &Bench, reader: &str) -> Result<(), String> {
    let found = bench.machine.run(&format!(
        "grep -hE '^(Uid|Gid|Groups|Umask|SigBlk|CapPrm|CapAmb|NoNewPrivs|Seccomp|Max [cpf])' \
         /proc/{reader}/status /proc/{reader}/limits | sed 's/[[:blank:]]\\+/ /g; s/ $//'; \
         echo session $(ps -o sid= -o tty= -p {reader}); readlink /proc/{reader}/cwd; \
         id -G alice | sed 's/^/Groups: /'"
    ));
    let alice = bench.uid("alice");
    let is = |what: &str| format!("{what}: {alice} {alice} {alice} {alice}");
    let (uid, gid) = (is("Uid"), is("Gid"));
    // Of a session of its own it is the first, without a terminal.
    let session = format!("session {reader} ?");
    let expected = [
        &uid,
        &gid,
        &session,
        "/",
        "Umask: 0077",
        // All that can be.
        "SigBlk: fffffffe7ffbfeff",
        "Max core file size 0 0 bytes",
        "Max cpu time 10 10 seconds",
        "CapPrm: 0000000000000000",
        "CapAmb: 0000000000000000",
        "NoNewPrivs: 1",
        "Seccomp: 2",
        "Max file size 0 0 bytes",
        "Max processes 0 0 processes",
    ];
    let lines: Vec<&str> = found.ok().lines().collect();
    let groups: Vec<_> = lines.iter().filter(|it| it.starts_with("Groups")).collect();
    let are_hers = matches!(groups[..], [of_it, of_hers] if of_it == of_hers);
    if are_hers && expected.iter().all(|it| lines.contains(it)) {
        Ok(())
    } else {
        Err(found.stdout)
    }
}

/// Tries everything at once, and tells what worked.
fn attack(bench: &Bench, victim: &str) -> Vec<&'static str> {
    let tries = TRIED.iter().enumerate().map(|(number, tried)| {
        let line = quoted(&tried.replace('#', victim));
        format!("timeout 2 bash -c {line} >/dev/null 2>&1 && echo worked {number} &")
    });
    let tries: Vec<String> = tries.collect();
    let line = format!("cd /; {}\nwait", tries.join("\n"));
    let output = bench.machine.run_as("alice", &line);
    let worked = output.stdout.lines().filter_map(|line| {
        let number: usize = line.strip_prefix("worked ")?.parse().ok()?;
        TRIED.get(number).copied()
    });
    worked.collect()
}

fn wait_for(bench: &Bench, command: &str) -> String {
    let find = format!(
        "for i in $(seq 200); do pgrep -u alice -f {} && exit; sleep 0.01; done; exit 1",
        quoted(command)
    );
    let found = bench.machine.run(&find);
    found.ok().lines().next().expect("a number").to_owned()
}

fn parent(bench: &Bench, process: &str) -> String {
    let parent = bench
        .machine
        .run(&format!("sed -n 's/^PPid:\t//p' /proc/{process}/status"));
    parent.ok().to_owned()
}
