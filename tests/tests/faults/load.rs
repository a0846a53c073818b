//! Many who log in at once, by a real ssh server, with the module and without.

use std::time::{Duration, Instant};

use tests::{Lines, Machine, machine_or_skip};

/// All logins together, on a machine that does other things besides.
const LIMIT: Duration = Duration::from_secs(900);
/// So many different people.
const PEOPLE: usize = 25;

/// What a crowd met.
struct Crowd {
    all: Duration,
    /// Of each, from the start to the end of the session.
    each: Vec<Duration>,
}

/// Everybody at once; each says whose `/nix` it is on.
fn crowd(machine: &Machine, count: usize, with: bool) -> Crowd {
    // As many as there are at the server's limit, and no more clients at a time
    // than a machine of this size can run.
    let script = format!(
        "rm -rf /srv/common/crowd; mkdir -p /srv/common/crowd; cd /srv/common/crowd
         number=0; while [ $number -lt {count} ]; do
           (begun=$(date +%s%N)
            ssh person$((number % {PEOPLE}))@localhost 'id -un; stat -c %U /nix' >$number.said 2>$number.failed
            echo $? $((($(date +%s%N) - begun) / 1000)) >$number.ended) &
           number=$((number + 1))
         done; wait"
    );
    let begun = Instant::now();
    machine.run_within(LIMIT, &script).ok();
    let all = begun.elapsed();
    let mut each = Vec::new();
    for number in 0..count {
        let said = machine.read(&format!("/srv/common/crowd/{number}.said"));
        let ended = machine.read(&format!("/srv/common/crowd/{number}.ended"));
        let failed = machine.read(&format!("/srv/common/crowd/{number}.failed"));
        let person = format!("person{}", number % PEOPLE);
        let nix = if with { &person } else { "root" };
        assert_eq!(
            said,
            format!("{person}\n{nix}\n"),
            "login {number}: {failed}"
        );
        let (code, micros) = ended.trim().split_once(' ').expect("two numbers");
        assert_eq!(code, "0", "login {number}: {failed}");
        each.push(Duration::from_micros(micros.parse().expect("a number")));
    }
    each.sort_unstable();
    Crowd { all, each }
}

fn compare(count: usize) {
    let machine = machine_or_skip!().set_up();
    for person in 0..PEOPLE {
        machine.nix_user(&format!("person{person}"));
    }
    let mounts = machine.mount_table();
    for with in [false, true, false, true] {
        let lines = if with { Lines::Both } else { Lines::None };
        machine.pam_lines("sshd", lines);
        let met = crowd(&machine, count, with);
        let at = |share: usize| met.each[(count - 1) * share / 100];
        eprintln!(
            "load: {count} logins at once of {PEOPLE} people, {} the module: 0 refused, 0 wrong, in {:.1?}; \
             from start to end of a session {:.1?} median, {:.1?} at 95 %, {:.1?} at most",
            if with { "with" } else { "without" },
            met.all,
            at(50),
            at(95),
            at(100),
        );
    }
    machine.wait_until("every session to end", || {
        !machine
            .processes()
            .iter()
            .any(|it| it.contains("sshd: person"))
    });
    assert_eq!(machine.mount_table(), mounts);
}

#[test]
fn nobody_is_refused_in_a_crowd() {
    compare(50);
}

mod long {
    #[test]
    fn nobody_is_refused_among_five_hundred() {
        super::compare(500);
    }
}
