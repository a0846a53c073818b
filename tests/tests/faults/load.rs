//! Many who log in at once, by a real ssh server, with the module and without.

use std::fs;
use std::thread::sleep;
use std::time::{Duration, Instant};

use tests::{Lines, Machine, machine_or_skip};

/// All logins together, on a machine that does other things besides.
const LIMIT: Duration = Duration::from_secs(1500);
/// So many different people.
const PEOPLE: usize = 25;
/// Everything that those who log in write, and what they wait at.
const CROWD: &str = "/srv/common/crowd";

/// What a crowd met.
struct Crowd {
    /// Until everybody was in.
    all: Duration,
    /// Of each, from the start of the client to the first command of the session.
    each: Vec<Duration>,
    /// Sessions that were open at the moment when everybody was in.
    open: usize,
}

/// Everybody at once; each says whose `/nix` it is on, and stays until all are
/// there.
fn crowd(machine: &Machine, count: usize, with: bool) -> Crowd {
    let anew = format!("rm -rf {CROWD} && mkdir -p {CROWD} && mkfifo -m 644 {CROWD}/gate");
    machine.run(&anew).ok();
    let script = format!(
        "cd {CROWD}; number=0; while [ $number -lt {count} ]; do
           (date +%s%N >$number.begun
            ssh person$((number % {PEOPLE}))@localhost 'id -un; stat -c %U /nix; date +%s%N; cat {CROWD}/gate' \
              >$number.said 2>$number.failed
            echo $? >$number.ended) &
           number=$((number + 1))
         done; wait"
    );
    let begun = Instant::now();
    let everybody = machine.spawn(&script);
    await_all(machine, count);
    let all = begun.elapsed();
    let open = sessions(machine);
    // Opens it, and closes it again: whoever waits reads the end of it. Some are
    // still about to wait.
    let gate = machine.spawn(&format!("while :; do : >{CROWD}/gate; sleep 0.1; done"));
    everybody.finish_within(LIMIT).ok();
    drop(gate);
    let mut each: Vec<Duration> = (0..count)
        .map(|number| {
            let person = format!("person{}", number % PEOPLE);
            login(
                machine,
                number,
                &person,
                if with { &person } else { "root" },
            )
        })
        .collect();
    each.sort_unstable();
    Crowd { all, each, open }
}

/// Waits until everybody is in, or one has ended, which is too early.
fn await_all(machine: &Machine, count: usize) {
    let directory = format!("/proc/{}/root{CROWD}", machine.init());
    let deadline = Instant::now() + LIMIT;
    loop {
        let (mut there, mut ended) = (0, 0);
        for entry in fs::read_dir(&directory).into_iter().flatten().flatten() {
            let path = entry.path();
            match path.extension().and_then(|it| it.to_str()) {
                Some("ended") => ended += 1,
                Some("said") => {
                    let said = fs::read_to_string(&path).unwrap_or_default();
                    there += usize::from(said.lines().count() == 3 && said.ends_with('\n'));
                }
                _ => {}
            }
        }
        if there == count {
            return;
        }
        let failed = || machine.run(&format!("cat {CROWD}/*.failed | sort | uniq -c"));
        assert!(ended == 0, "{ended} ended, {there} are in: {}", failed());
        assert!(Instant::now() < deadline, "{there} are in: {}", failed());
        sleep(Duration::from_millis(300));
    }
}

/// How many ssh sessions there are: the process of each that is its person's.
fn sessions(machine: &Machine) -> usize {
    let processes = machine.processes();
    let of_person = |it: &&String| it.contains(": person") && it.contains("@notty");
    processes.iter().filter(of_person).count()
}

/// One of the crowd: was right, and took so long.
fn login(machine: &Machine, number: usize, person: &str, nix: &str) -> Duration {
    let read = |what: &str| machine.read(&format!("{CROWD}/{number}.{what}"));
    let (said, failed) = (read("said"), read("failed"));
    let lines: Vec<&str> = said.lines().collect();
    let [user, owner, entered] = lines[..] else {
        panic!("login {number}: {said}{failed}");
    };
    assert_eq!((user, owner), (person, nix), "login {number}: {failed}");
    assert_eq!(read("ended").trim(), "0", "login {number}: {failed}");
    let nanoseconds = |text: &str| text.trim().parse::<u64>().expect("a number");
    Duration::from_nanos(nanoseconds(entered) - nanoseconds(&read("begun")))
}

fn compare(count: usize, rounds: &[bool]) {
    let machine = machine_or_skip!().set_up();
    // On a slow machine the last of a crowd waits longer than the two minutes
    // that sshd gives anybody, with the module or without.
    machine
        .run("echo LoginGraceTime 1500 >>/etc/ssh/sshd_config")
        .ok();
    machine.restart_sshd_by("exec");
    for person in 0..PEOPLE {
        machine.nix_user(&format!("person{person}"));
    }
    let mounts = machine.mount_table();
    for &with in rounds {
        let lines = if with { Lines::Both } else { Lines::None };
        machine.pam_lines("sshd", lines);
        let met = crowd(&machine, count, with);
        assert_eq!(met.open, count, "all are there at once");
        let at = |share: usize| met.each[(count - 1) * share / 100];
        eprintln!(
            "load: {count} logins at once of {PEOPLE} people, {} the module: 0 refused, 0 wrong, {} sessions \
             open together after {:.1?}; from the start of a client to its first command {:.1?} median, \
             {:.1?} at 95 %, {:.1?} at most",
            if with { "with" } else { "without" },
            met.open,
            met.all,
            at(50),
            at(95),
            at(100),
        );
        machine.wait_until_within(LIMIT, "every session to end", || sessions(&machine) == 0);
    }
    assert_eq!(machine.mount_table(), mounts);
}

#[test]
fn nobody_is_refused_in_a_crowd() {
    compare(50, &[false, true, false, true]);
}

mod long {
    #[test]
    fn nobody_is_refused_among_five_hundred() {
        super::compare(500, &[false, true]);
    }
}
