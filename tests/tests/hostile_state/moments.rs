//! A su of alice's, stopped or killed at any moment: it holds nothing that anybody
//! else needs.

use std::thread::sleep;
use std::time::Duration;

use tests::hostile::Family;
use tests::{Machine, Status, machine_or_skip};

use super::bench::{Bench, quoted};

/// As many instants of each session as there is time for.
const INSTANTS: usize = 8;
const EVERYBODY: [&str; 4] = ["bob", "carol", "root", "alice"];

/// What she stops: with a session of hers to join, and without.
const VICTIMS: [(&str, &str, bool); 5] = [
    ("su bob, who is logged in,", "su bob -c true", true),
    ("su bob, who is not,", "su bob -c true", false),
    ("su alice, to join", "su alice -c true", true),
    ("su alice, to build", "su alice -c true", false),
    ("su to root", "su -c true", true),
];

#[test]
fn a_session_that_alice_stops_at_any_system_call_delays_nobody() {
    let bench = Bench::set_up(machine_or_skip!());
    let mut family = Family::new("stopped at a system call");
    for (name, line, joins) in VICTIMS {
        let alice = bench.alice_stays("env");
        let _bob = joins.then(|| bench.machine.keep_by_ssh("bob"));
        let shell = if joins {
            format!("nsenter -t {} -m", alice.process)
        } else {
            drop(alice);
            "nsenter -t 1 -m".to_owned()
        };
        let mut stops = 0;
        for instant in instants(&bench.machine, &shell, line) {
            family.case(&format!("{name} stopped at {instant}"), || {
                let trace =
                    format!("{shell} strace -u alice -o /dev/null -e inject={instant} {line}");
                let mut su = bench.machine.spawn(&trace);
                sleep(Duration::from_millis(150));
                stops += usize::from(su.runs());
                let done = bench.all_log_in(&EVERYBODY);
                bench
                    .machine
                    .run("pkill -9 -x su; pkill -9 -x strace; :")
                    .ok();
                done
            });
        }
        family.case(&format!("{name} was stopped"), || {
            (stops >= INSTANTS / 2)
                .then_some(())
                .ok_or_else(|| format!("{stops} times"))
        });
    }
    family.case("afterwards, by ssh", || bench.all_come_by_ssh());
    family.finish();
}

/// System calls of the whole session, spread evenly, from where the module is
/// loaded to its end, each as an injection of strace's: a signal that stops.
fn instants(machine: &Machine, shell: &str, line: &str) -> Vec<String> {
    machine
        .run(&format!("{shell} strace -u alice -o /root/trace {line}"))
        .ok();
    let trace = machine.read("/root/trace");
    let mut counts = std::collections::HashMap::new();
    let calls: Vec<String> = trace
        .lines()
        .filter_map(|call| {
            let (name, _) = call.split_once('(')?;
            let count: &mut u32 = counts.entry(name.to_owned()).or_default();
            *count += 1;
            let known = name
                .chars()
                .all(|c| c.is_ascii_lowercase() || c == '_' || c.is_ascii_digit());
            Some((known && name != "execve").then(|| format!("{name}:signal=STOP:when={count}")))
        })
        .collect::<Vec<_>>()
        .into_iter()
        .flatten()
        .collect();
    let begin = trace
        .lines()
        .position(|call| call.contains("pam_nixns.so"))
        .unwrap_or_default();
    let step = (calls.len().saturating_sub(begin) / INSTANTS).max(1);
    calls
        .into_iter()
        .skip(begin)
        .step_by(step)
        .take(INSTANTS)
        .collect()
}

/// As she can do it herself, at moments that she cannot choose.
#[test]
fn a_session_that_alice_stops_or_kills_at_random_delays_nobody() {
    let bench = Bench::set_up(machine_or_skip!());
    let machine = &bench.machine;
    let mut family = Family::new("stopped and killed at random");
    let alice = bench.alice_stays("env");
    let shell = bench.alice_with(alice.process);
    for to in ["bob", "alice", "root", "carol"] {
        for milliseconds in [1, 2, 3, 4, 5, 6, 8, 10, 13, 17, 22, 30] {
            for signal in ["STOP", "KILL"] {
                family.case(&format!("su {to}: SIG{signal} after {milliseconds} ms"), || {
                    let line = format!(
                        "cd /; su {to} -c true & sleep 0.0{milliseconds:02}; kill -{signal} $!; \
                         sleep 0.05; echo done; exec sleep 1000"
                    );
                    let mut su = machine.spawn(&format!("{shell} {}", quoted(&line)));
                    su.until_it_says("done");
                    let who: &[&str] = if to == "alice" { &["alice"] } else { &["bob", "alice"] };
                    let done = bench.all_log_in(who);
                    machine.run("pkill -9 -x su; :").ok();
                    done
                });
            }
        }
    }
    // The reader runs as alice: she may stop it, and waits for herself alone.
    family.case("her own reader, stopped as soon as it is there", || {
        let hunt = "while :; do pkill -STOP -x nix-ns-reader; pkill -STOP -f nix-ns-reader; done";
        let hunter = machine.spawn_as("alice", hunt);
        machine
            .run("touch /home/alice/.config/nix-ns/config.toml")
            .ok();
        let login = machine.run_within(Duration::from_secs(20), "pam-host host alice -- true");
        let done = bench.all_log_in(&["bob", "carol", "root"]);
        drop(hunter);
        machine.run("pkill -9 -x nix-ns-reader; :").ok();
        if login.status != Status::Exited(0) {
            return Err(format!("{login}"));
        }
        done
    });
    // So is the half of her ssh session that the server runs as her.
    for (what, signal) in [("stopped", "STOP"), ("killed", "KILL")] {
        family.case(
            &format!("her ssh session, {what} as soon as it is there"),
            || {
                let hunt = format!("while :; do pkill -{signal} -f '^sshd: alice'; done");
                let hunter = machine.spawn_as("alice", &hunt);
                let hunted: Vec<_> = (0..4)
                    .map(|_| machine.spawn_ssh("alice", &[], "true"))
                    .collect();
                sleep(Duration::from_millis(500));
                let done = bench.all_log_in(&EVERYBODY);
                drop((hunted, hunter));
                machine.run("pkill -9 -f '^sshd: alice'; :").ok();
                done
            },
        );
    }
    family.case("afterwards, by ssh", || bench.all_come_by_ssh());
    family.finish();
}
