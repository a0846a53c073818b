//! Many at once, stopped or killed half-way, with threads: still one namespace
//! a user, nobody waits for another, and nothing of the caller is changed.

use std::collections::{BTreeMap, BTreeSet};
use std::thread::sleep;
use std::time::{Duration, Instant};

use tests::whereabouts::{COMMON, PROBE, Whereabouts};
use tests::{ENTER, LEAVE, Lines, Machine, Output, Status, User, machine_or_skip};

// ---- many at once

#[test]
fn forty_first_logins_at_once_are_in_one_namespace() {
    let machine = machine_or_skip!();
    set_up(&machine);
    first_logins_meet(&machine, 40);
}

#[test]
fn two_hundred_first_logins_at_once_are_in_one_namespace() {
    let machine = machine_or_skip!();
    set_up(&machine);
    first_logins_meet(&machine, 200);
}

#[test]
fn twenty_first_logins_by_ssh_at_once_are_in_one_namespace() {
    let machine = machine_or_skip!();
    set_up(&machine);
    let sessions: Vec<_> = (0..20)
        .map(|number| {
            let line = format!("{PROBE} {COMMON}/met.{number}; exec sleep 1000");
            machine.spawn_ssh("alice", &[], &line)
        })
        .collect();
    met_in_one_namespace(&machine, 20);
    drop(sessions);
}

/// The losers of a race give theirs up: round after round there is one.
#[test]
fn whoever_wins_the_race_there_is_one_namespace_each_time() {
    let machine = machine_or_skip!();
    set_up(&machine);
    for _ in 0..10 {
        first_logins_meet(&machine, 12);
        machine.run("pkill -9 -u alice").ok();
        machine.wait_until("alice's processes to end", || {
            machine
                .processes()
                .iter()
                .all(|it| !it.contains("pam-host"))
        });
        machine.run(&format!("rm -f {COMMON}/met.*")).ok();
    }
}

/// Opens that many sessions of alice's, all of which stay.
fn first_logins_meet(machine: &Machine, count: usize) {
    all_at_once(
        machine,
        &(0..count)
            .map(|number| {
                format!(
                    "pam-host host alice -- sh -c '{PROBE} {COMMON}/met.{number}; exec sleep 1000'"
                )
            })
            .collect::<Vec<_>>(),
    );
    met_in_one_namespace(machine, count);
}

/// Starts commands that all wait for a signal, and gives it.
fn all_at_once(machine: &Machine, commands: &[String]) {
    let mut script = String::from("pids=\n");
    for command in commands {
        script += &format!("sh -c 'kill -STOP $$; exec \"$@\"' - {command} >/dev/null 2>&1 &\n");
        script += "pids=\"$pids $!\"\n";
    }
    script += "for p in $pids; do while ! grep -q '^State:.T' /proc/$p/status; do sleep 0.01; done; done\n";
    script += "kill -CONT $pids\n";
    machine.write("/root/at-once", script, 0o755, &User::root());
    machine.run("sh /root/at-once").ok();
}

/// Waits until all have reported; the sessions are all still there.
#[track_caller]
fn met_in_one_namespace(machine: &Machine, count: usize) {
    let reports = reports(machine, count);
    let namespaces: BTreeSet<&str> = reports.iter().map(|it| it.namespace.as_str()).collect();
    assert_eq!(namespaces.len(), 1, "{namespaces:?}\n{}", machine.log());
    let uid = machine.uid("alice").to_string();
    assert!(reports.iter().all(|it| it.owner() == uid));
    let host = machine.where_the_host_is();
    assert!(!namespaces.contains(host.namespace.as_str()));
}

#[track_caller]
fn reports(machine: &Machine, count: usize) -> Vec<Whereabouts> {
    let report = |number| format!("{COMMON}/met.{number}");
    machine.wait_until("all to report", || {
        (0..count).all(|number| machine.exists(&report(number)))
    });
    (0..count)
        .map(|number| {
            let report = machine.read(&report(number));
            Whereabouts::parse(&report).expect("the probe says it all")
        })
        .collect()
}

#[test]
fn fifty_users_at_once_get_fifty_directories() {
    let machine = machine_or_skip!();
    set_up(&machine);
    let users: Vec<User> = (0..50)
        .map(|it| machine.nix_user(&format!("user{it}")))
        .collect();
    let commands: Vec<String> = users
        .iter()
        .enumerate()
        .map(|(number, user)| {
            let stay = format!("{PROBE} {COMMON}/met.{number}; exec sleep 1000");
            format!("pam-host host {} -- sh -c '{stay}'", user.name)
        })
        .collect();
    all_at_once(&machine, &commands);
    let reports = reports(&machine, users.len());
    for (user, report) in users.iter().zip(&reports) {
        let directory = machine.run(&format!("stat -c %u:%d:%i {}/.local/share/nix", user.home));
        assert_eq!(directory.ok(), report.nix, "{}", user.name);
    }
    let namespaces: BTreeSet<&str> = reports.iter().map(|it| it.namespace.as_str()).collect();
    assert_eq!(namespaces.len(), users.len());
}

/// At the first login, pam_systemd has the user's service manager started,
/// whose own stack opens a session while the first stack is still running.
#[test]
fn a_session_opened_in_the_middle_of_another_is_in_the_same_namespace() {
    let machine = machine_or_skip!();
    set_up(&machine);
    machine.pam_lines("systemd-user", Lines::Both);
    let manager = format!(
        "#!/bin/sh\n\
         test $PAM_TYPE = open_session || exit 0\n\
         setsid pam-host systemd-user $PAM_USER -- \\\n    \
             sh -c '{PROBE} {COMMON}/manager; exec sleep 1000' >/dev/null 2>&1 </dev/null &\n\
         $1\n"
    );
    machine.write("/usr/local/bin/manager", manager, 0o755, &User::root());
    let report = format!("{COMMON}/manager");
    // Waited for, as pam_systemd does, and racing with the rest of the stack.
    let wait = format!("while ! test -e {report}; do sleep 0.01; done");
    machine.write(
        "/usr/local/bin/await",
        format!("#!/bin/sh\n{wait}\n"),
        0o755,
        &User::root(),
    );
    for then in ["await", "true"] {
        let hook = format!("session required pam_exec.so /usr/local/bin/manager {then}");
        machine.pam("sshd", &[LEAVE, &hook, ENTER]);
        let session = machine.keep_by_ssh("alice");
        machine.wait_until("the manager to report", || machine.exists(&report));
        let managers = Whereabouts::parse(&machine.read(&report)).expect("the probe says it all");
        assert_eq!(
            managers.namespace,
            session.namespace,
            "{then}: {}",
            machine.log()
        );
        drop(session);
        machine.run(&format!("pkill -9 -u alice; rm {report}")).ok();
        machine.wait_until("alice's processes to end", || {
            machine
                .processes()
                .iter()
                .all(|it| !it.contains("pam-host"))
        });
    }
}

/// The kernel limits the descriptors that processes of one user have sent and
/// nobody has received yet. A desktop has some, and so have many logins at once.
#[test]
fn descriptors_in_flight_of_a_user_do_not_cost_the_next_session_its_nix() {
    let machine = machine_or_skip!();
    set_up(&machine);
    machine.install_program("hold-descriptors");
    let mut holder = machine.spawn_as("alice", "exec hold-descriptors 300");
    holder.until_it_says("held");
    let found = machine.where_ssh_leads("alice");
    let uid = machine.uid("alice").to_string();
    assert_eq!(found.owner(), uid, "{}", machine.log());
}

// ---- stopped and killed

/// Alice may stop her own `su bob` at any instant, with whatever it holds.
#[test]
fn a_stopped_su_delays_nobody() {
    let machine = machine_or_skip!();
    set_up(&machine);
    machine.nix_user("dave");
    let alices = machine.keep_by_ssh("alice");
    let trace = |options: &str| {
        format!(
            "nsenter -t {} -m strace -u alice -o /root/trace {options} su bob -c true",
            alices.process
        )
    };
    machine.run(&trace("")).ok();
    let mut stops = 0;
    for instant in instants(&machine, 15) {
        // Held by its tracer, which is as stopped as by a signal.
        let options = instant("delay_enter=60s");
        let mut su = machine.spawn(&trace(&options));
        sleep(Duration::from_millis(300));
        // One system call more or less, and the last is never made.
        stops += u32::from(su.runs());
        let begun = Instant::now();
        for user in ["bob", "dave", "alice"] {
            let found = machine.where_ssh_leads(user);
            assert_eq!(found.owner(), machine.uid(user).to_string(), "{options}");
        }
        let took = begun.elapsed();
        assert!(took < Duration::from_secs(5), "{took:?} at {options}");
        machine.run("pkill -9 -x su; pkill -9 -x strace; :").ok();
        drop(su);
    }
    assert!(stops >= 10, "it was stopped {stops} times");
}

/// At every few system calls of the module: what is left half done keeps nobody
/// out, and the next logins share a namespace again.
#[test]
fn a_login_killed_at_any_instant_harms_no_later_one() {
    let machine = machine_or_skip!();
    set_up(&machine);
    let trace = |options: &str| format!("strace -o /root/trace {options} pam-host host alice");
    // The first scans the system's files, and makes calls that no later one does.
    machine.run(&trace("")).ok();
    machine.run(&trace("")).ok();
    let mounts = machine.mount_table();
    let mut kills = 0;
    for instant in instants(&machine, 30) {
        let options = instant("signal=SIGKILL");
        let killed = machine.run(&trace(&options));
        // One system call more or less, and the last is never made.
        kills += u32::from(killed.status != Status::Exited(0));
        let session = machine.keep_by_ssh("alice");
        let found = machine.where_ssh_leads("alice");
        assert_eq!(found.namespace, session.namespace, "killed at {options}");
        assert_eq!(found.owner(), machine.uid("alice").to_string());
        drop(session);
        assert_eq!(machine.mount_table(), mounts);
    }
    assert!(kills >= 10, "it was killed {kills} times");
    let entries = machine
        .run("ls /run/nix-ns/1/* | wc -l")
        .ok()
        .parse::<u32>();
    assert!(
        entries.as_ref().is_ok_and(|&count| count <= 6),
        "{entries:?}"
    );
}

#[test]
fn kills_at_random_instants_harm_no_later_login() {
    let machine = machine_or_skip!();
    set_up(&machine);
    let commands: Vec<String> = (0..30)
        .map(|number| {
            // From before the module is loaded to after it is done.
            let milliseconds = 2 + number % 10 * 3;
            format!(
                "timeout --signal KILL 0.{milliseconds:03} pam-host --times 50 host alice -- true"
            )
        })
        .collect();
    all_at_once(&machine, &commands);
    machine.wait_until("all to be killed", || {
        machine
            .processes()
            .iter()
            .all(|it| !it.contains("pam-host"))
    });
    first_logins_meet(&machine, 10);
}

/// Some system calls from the first of the module's to its last, by the trace
/// at `/root/trace`: what to tell strace to do something there.
fn instants(machine: &Machine, count: usize) -> Vec<impl Fn(&str) -> String + use<>> {
    let trace = machine.read("/root/trace");
    let calls: Vec<&str> = trace
        .lines()
        .filter(|line| line.starts_with(|it: char| it.is_ascii_lowercase()))
        .collect();
    let ours = |call: &&str| call.contains("nix-ns");
    let first = calls.iter().position(ours).expect("it looks there");
    let last = calls.iter().rposition(ours).expect("it looks there");
    let name = |call: &str| call.split('(').next().unwrap_or_default().to_owned();
    (first..=last)
        .step_by(((last - first) / count).max(1))
        .map(|index| {
            // strace counts each kind of call for itself.
            let kind = name(calls[index]);
            let same = calls[..=index].iter().filter(|call| name(call) == kind);
            let ordinal = same.count();
            move |what: &str| format!("-e inject={kind}:{what}:when={ordinal}")
        })
        .collect()
}

// ---- the caller

/// A state that nothing has by chance, so that a change shows.
const ODD: &str = "cd /srv/common && umask 0137 && exec 9</etc/hosts && \
    exec env --ignore-signal=USR1 --block-signal=USR2 setpriv --pdeathsig WINCH --";

#[test]
fn nothing_of_the_caller_is_changed_for_a_user_who_takes_no_part() {
    let machine = machine_or_skip!();
    set_up(&machine);
    let output = machine.run(&format!("{ODD} pam-host --state host carol"));
    for moment in ["opened", "closed"] {
        assert_eq!(changes(&output, moment), Vec::<String>::new(), "{output}");
    }
}

#[test]
fn nothing_of_the_caller_is_changed_for_a_user_who_is_refused() {
    let machine = machine_or_skip!();
    set_up(&machine);
    machine.run_as("alice", "mkdir -p ~/.local/share/nix").ok();
    for (refusal, mend) in [
        (
            "chmod o+w ~alice/.local/share/nix",
            "chmod o-w ~alice/.local/share/nix",
        ),
        ("touch /nix/file", "rm /nix/file"),
        (
            "echo 'nonsense =' >~alice/.config/nix-ns/config.toml",
            ": >~alice/.config/nix-ns/config.toml",
        ),
        (
            "mv /usr/libexec/nix-ns-reader /root/",
            "mv /root/nix-ns-reader /usr/libexec/",
        ),
    ] {
        machine.run(refusal).ok();
        let output = machine.run(&format!("{ODD} pam-host --state host alice"));
        assert!(output.log.contains("no /nix for alice"), "{output}");
        for moment in ["opened", "closed"] {
            assert_eq!(
                changes(&output, moment),
                Vec::<String>::new(),
                "{refusal}: {output}"
            );
        }
        machine.run(mend).ok();
    }
}

#[test]
fn nothing_of_the_caller_but_its_namespace_is_changed_by_building_and_by_joining() {
    let machine = machine_or_skip!();
    set_up(&machine);
    let built = machine.run(&format!("{ODD} pam-host --state host alice"));
    let session = machine.keep_by_ssh("alice");
    let joined = machine.run(&format!("{ODD} pam-host --state host alice"));
    for output in [&built, &joined] {
        assert_eq!(changes(output, "opened"), ["namespace"], "{output}");
        assert_eq!(changes(output, "closed"), Vec::<String>::new(), "{output}");
    }
    let opened = state(&joined, "opened");
    assert_eq!(opened["namespace"], session.namespace);
}

/// A login program that gets a SIGCHLD, or finds a child when it waits for
/// anybody, may take it for the end of the session.
#[test]
fn the_caller_is_not_told_of_the_reader() {
    let machine = machine_or_skip!();
    set_up(&machine);
    let trace = "strace -f -qq -e trace=execve,wait4 -e signal=SIGCHLD -o /tmp/trace";
    machine.run(&format!("{trace} pam-host host alice")).ok();
    let trace = machine.read("/tmp/trace");
    let host = trace
        .split_ascii_whitespace()
        .next()
        .expect("pam-host itself");
    let told: Vec<&str> = trace
        .lines()
        .filter(|line| line.starts_with(host) && line.contains("SIGCHLD"))
        .collect();
    assert!(trace.contains("nix-ns-reader"), "{trace}");
    assert!(told.is_empty(), "{trace}");
}

/// Nor does it keep one, dead or alive, for which it was not given the time to
/// wait: whoever waits for it is interrupted.
#[test]
fn the_caller_has_no_child_where_waiting_for_it_fails() {
    let machine = machine_or_skip!();
    set_up(&machine);
    // The reader's child is slow to die: it is traced, too.
    let trace = "strace -f -qq -o /dev/null -e trace=poll -e inject=poll:error=ENOMEM";
    for _ in 0..10 {
        let output = machine.run(&format!("{trace} pam-host --state host alice"));
        assert_eq!(state(&output, "opened")["children"], "", "{output}");
    }
}

#[test]
fn nothing_of_the_caller_but_its_namespace_is_changed_by_leaving() {
    let machine = machine_or_skip!();
    set_up(&machine);
    let session = machine.keep_by_ssh("alice");
    let output = machine.run(&format!(
        "nsenter -t {} -m sh -c '{ODD} pam-host --state host root'",
        session.process
    ));
    assert_eq!(changes(&output, "opened"), ["namespace"], "{output}");
    assert_eq!(
        state(&output, "opened")["namespace"],
        machine.where_the_host_is().namespace
    );
}

/// Setuid programs are started by users, who choose what is open and how much
/// may be.
#[test]
fn su_works_with_few_descriptors_no_file_size_and_closed_streams() {
    let machine = machine_or_skip!();
    set_up(&machine);
    let bobs = machine.keep_by_ssh("bob");
    let report = format!("{COMMON}/limited");
    for limits in [
        "ulimit -n 10",
        "exec <&-",
        "exec 2>&-",
        "exec <&- 2>&-",
        "umask 0777",
        "ulimit -f 0",
    ] {
        // Over a pipe: a file-size limit is the session's, too.
        let line = format!(
            "mkfifo -m 666 {report}; {{ {limits}; su bob -c 'readlink /proc/self/ns/mnt >{report}'; }} & \
             timeout 10 cat {report}; rm {report}"
        );
        let output = machine.ssh("alice", &line);
        assert_eq!(output.ok(), bobs.namespace, "{limits} {output}");
    }
}

/// The values at a moment, by name.
fn state(output: &Output, moment: &str) -> BTreeMap<String, String> {
    let all: BTreeMap<_, _> = output
        .ok()
        .lines()
        .filter_map(|line| line.strip_prefix(moment)?.trim_start().split_once('='))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    assert!(all.len() > 20, "it tells a lot: {output}");
    all
}

/// What is not as it was before the session was opened.
fn changes(output: &Output, moment: &str) -> Vec<String> {
    let (before, now) = (state(output, "before"), state(output, moment));
    assert_eq!(before.len(), now.len(), "{output}");
    now.into_iter()
        .filter(|(name, value)| before.get(name) != Some(value))
        .map(|(name, _)| name)
        .collect()
}

// ---- callers with threads

#[test]
fn a_caller_with_threads_is_refused_unless_its_service_is_known_for_it() {
    let machine = machine_or_skip!();
    set_up(&machine);
    let host = machine.where_the_host_is().namespace;
    for (service, enters) in [("login", false), ("lightdm", true), ("gdm-password", true)] {
        machine.pam_lines(service, Lines::Both);
        let output = machine.pam_host(&format!(
            "--second-thread --state {service} alice -- stat -c %U /nix"
        ));
        let owner = if enters { "\nalice\n" } else { "\nroot\n" };
        assert!(output.ok().contains(owner), "{service}: {output}");
        assert_eq!(
            state(&output, "opened")["namespace"] != host,
            enters,
            "{service}"
        );
        let other = format!("other thread {host}");
        assert!(output.ok().contains(&other), "{service}: {output}");
        let refused = output.log.contains(&format!(
            "pam_nixns({service}:session): no /nix for alice (uid {}), service {service}: the calling process has 2 threads",
            machine.uid("alice")
        ));
        assert_eq!(refused, !enters, "{service}: {output}");
    }
}

#[test]
fn a_caller_with_threads_joins_where_it_is_allowed_to() {
    let machine = machine_or_skip!();
    set_up(&machine);
    machine.pam_lines("lightdm", Lines::Both);
    let session = machine.keep_by_ssh("alice");
    for how in [
        "--second-thread",
        "--from-thread",
        "--from-thread --second-thread",
    ] {
        let output = machine.pam_host(&format!(
            "{how} lightdm alice -- readlink /proc/self/ns/mnt"
        ));
        assert!(output.ok().contains(&session.namespace), "{how}: {output}");
    }
}

/// Whatever the service: nobody stays on another's /nix for having threads.
#[test]
fn a_caller_with_threads_always_leaves() {
    let machine = machine_or_skip!();
    set_up(&machine);
    let host = machine.where_the_host_is();
    let session = machine.keep_by_ssh("alice");
    for lines in [Lines::Both, Lines::EnterOnly, Lines::LeaveOnly] {
        machine.pam_lines("login", lines);
        for how in [
            "--second-thread",
            "--from-thread",
            "--from-thread --second-thread",
        ] {
            for user in ["root", "carol", "bob"] {
                let output = machine.run(&format!(
                    "nsenter -t {} -m pam-host {how} login {user} -- {PROBE}",
                    session.process
                ));
                let found = machine.read(&format!("{COMMON}/report"));
                let found = Whereabouts::parse(&found).expect("the probe says it all");
                assert_eq!(found.nix, host.nix, "{lines:?}, {how}, {user}: {output}");
                machine.run(&format!("rm {COMMON}/report")).ok();
            }
        }
    }
}

/// The thread that runs on is moved by nobody.
#[test]
fn leaving_moves_no_other_thread() {
    let machine = machine_or_skip!();
    set_up(&machine);
    let session = machine.keep_by_ssh("alice");
    let output = machine.run(&format!(
        "nsenter -t {} -m pam-host --second-thread --from-thread login root -- true",
        session.process
    ));
    let other = format!("other thread {}", session.namespace);
    assert!(output.ok().contains(&other), "{output}");
}

fn set_up(machine: &Machine) {
    machine.install_module();
    machine.install_probe();
    machine.install_pam_host();
    machine.pam_lines("host", Lines::Both);
    machine.nix_user("alice");
    machine.nix_user("bob");
    machine.user("carol");
    machine.sshd();
}
