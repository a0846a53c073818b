//! What ought to be, and whether it is.

use serde::Serialize;

use super::inside::{INSIDE, Place, WORKS};
use super::opening::{
    BUILD, BUILD_AFTER, BUSY, CLOSE, EMPTY, FLOOR_BUILD, FLOOR_JOIN, JOIN, MOUNT, NAMESPACE, OPEN,
};
use super::{Results, calls, crowd, disk, memory, shell, ssh};

/// One of them, judged.
#[derive(Debug, Clone, Serialize)]
pub struct Goal {
    /// What ought to be.
    pub wanted: String,
    /// What is.
    pub found: String,
    /// Whether that is enough.
    pub met: bool,
}

/// All for which there are numbers.
#[must_use]
pub fn judge(results: &Results) -> Vec<Goal> {
    let all = [
        joining(results),
        building(results),
        by_ssh(results).into_iter().collect(),
        commands(results),
        inside(results),
        mounting(results),
        memories(results),
        crowds(results),
    ];
    all.into_iter().flatten().collect()
}

fn goal(wanted: impl Into<String>, found: String, met: bool) -> Goal {
    Goal {
        wanted: wanted.into(),
        found,
        met,
    }
}

/// A ratio that ought to be at most so much.
fn at_most(wanted: &str, limit: f64, this: Option<f64>, that: Option<f64>) -> Option<Goal> {
    let ratio = this? / that?;
    Some(goal(wanted, format!("{ratio:.2} times"), ratio <= limit))
}

/// How many times as long the other takes, which ought to be at least so much.
fn faster(wanted: String, limit: f64, this: Option<f64>, that: Option<f64>) -> Option<Goal> {
    let ratio = that? / this?;
    Some(goal(wanted, format!("{ratio:.1} times"), ratio >= limit))
}

/// The numbers of mounts that were tried.
pub fn mounts(results: &Results) -> Vec<u64> {
    let of = results
        .measured
        .iter()
        .filter(|it| it.section == OPEN && it.name == EMPTY);
    of.map(|it| it.of).collect()
}

fn joining(results: &Results) -> Vec<Goal> {
    let mut goals = Vec::new();
    let counts = mounts(results);
    for &of in &counts {
        let open = |name| results.median_us(OPEN, name, of);
        goals.extend(at_most(
            &format!("join, {of} mounts: at most 1.5 times its calls in C"),
            1.5,
            open(JOIN)
                .zip(open(EMPTY))
                .map(|(join, empty)| join - empty),
            open(FLOOR_JOIN),
        ));
        goals.extend(open(JOIN).zip(open(EMPTY)).map(|(join, empty)| {
            let more = join - empty;
            let wanted = format!("join, {of} mounts: at most 40 us more than the empty stack");
            goal(wanted, format!("{more:.0} us more"), more <= 40.0)
        }));
        let times = match of {
            10_000.. => 500.0,
            1_000.. => 50.0,
            _ => 20.0,
        };
        let wanted = format!("join, {of} mounts: {times} times faster than pam_namespace");
        goals.extend(faster(wanted, times, open(JOIN), open(NAMESPACE)));
        let with_close = |name| Some(open(name)? + results.median_us(CLOSE, name, of)?);
        let wanted = format!("join and close, {of} mounts: 20 times faster than pam_mount");
        goals.extend(faster(wanted, 20.0, with_close(JOIN), with_close(MOUNT)));
    }
    if let (Some(&few), Some(&many)) = (counts.first(), counts.last()) {
        goals.extend(at_most(
            &format!("join: the same at {many} mounts as at {few}, by the processor's time"),
            1.2,
            results.median_us(BUSY, JOIN, many),
            results.median_us(BUSY, JOIN, few),
        ));
    }
    let all = results.fact(calls::CALLS, calls::ALL);
    goals.extend(all.map(|all| {
        goal(
            "join: at most 30 system calls",
            format!("{all:.0}"),
            all <= 30.0,
        )
    }));
    goals
}

fn building(results: &Results) -> Vec<Goal> {
    let mut goals = Vec::new();
    for of in mounts(results) {
        let open = |name| results.median_us(OPEN, name, of);
        for peer in [NAMESPACE, MOUNT] {
            let wanted = format!("build, {of} mounts: not slower than {peer}");
            goals.extend(at_most(&wanted, 1.0, open(BUILD), open(peer)));
        }
        let wanted =
            format!("build, {of} mounts, after the reader: at most 1.5 times its calls in C");
        goals.extend(at_most(&wanted, 1.5, open(BUILD_AFTER), open(FLOOR_BUILD)));
    }
    goals
}

fn by_ssh(results: &Results) -> Option<Goal> {
    let [from, to] = ssh::INTERVAL.map(|name| results.fact(ssh::SSH, name));
    let (from, to) = (from?, to?);
    Some(goal(
        "ssh host true: 95 % interval of the difference contains 0 or lies below 1 ms",
        format!("{from:.2} to {to:.2} ms"),
        from <= 0.0 && to >= 0.0 || to < 1.0,
    ))
}

fn commands(results: &Results) -> Vec<Goal> {
    let median = |name: &str| results.median_us(shell::COMMANDS, name, 0);
    let peers = results
        .measured
        .iter()
        .filter(|it| it.section == shell::COMMANDS && shell::is_peer(&it.name));
    peers
        .flat_map(|peer| {
            [shell::SETUID, shell::UNPRIVILEGED].map(|ours| {
                let wanted = format!("{ours}: faster than {}", peer.name);
                faster(wanted, 1.0, median(ours), median(&peer.name))
            })
        })
        .flatten()
        .collect()
}

fn inside(results: &Results) -> Vec<Goal> {
    let of = |work: &str, place: Place| {
        results.median_us(INSIDE, &format!("{work}, {}", place.name()), 0)
    };
    let goals = WORKS.map(|work| {
        let wanted = format!("{work} on /nix: as outside (1.00, give or take 0.03)");
        at_most(
            &wanted,
            1.03,
            of(work, Place::OnNix),
            of(work, Place::Outside),
        )
    });
    goals.into_iter().flatten().collect()
}

fn mounting(results: &Results) -> Vec<Goal> {
    let counts = results
        .measured
        .iter()
        .filter(|it| it.section == disk::DISK && it.name == disk::OURS)
        .map(|it| it.of);
    counts
        .filter_map(|users| {
            let more = |name| {
                let plain = results.median_us(disk::DISK, disk::PLAIN, users)?;
                Some(results.median_us(disk::DISK, name, users)? - plain)
            };
            let wanted = format!(
                "mounting a disk, {users} users with {} sessions each: 5 times less is added than by pam_namespace",
                disk::SESSIONS
            );
            // A little less than five, as the mount itself is measured, too.
            faster(wanted, 4.5, more(disk::OURS), more(disk::THEIRS))
        })
        .collect()
}

fn memories(results: &Results) -> Vec<Goal> {
    let fact = |name| results.fact(memory::MEMORY, name);
    let module = fact(memory::MODULE).map(|size| {
        let wanted = "memory: the module adds less than 1 MiB to the process";
        goal(wanted, format!("{size:.0} KiB"), size < 1024.0)
    });
    let session = fact(memory::SESSION).map(|size| {
        let wanted = "memory: nothing of the kernel's for a further session (less than 4 KiB)";
        goal(wanted, format!("{size:.1} KiB"), size < 4.0)
    });
    module.into_iter().chain(session).collect()
}

fn crowds(results: &Results) -> Vec<Goal> {
    let wrong = results.fact(crowd::CROWD, crowd::WRONG).map(|wrong| {
        goal(
            "a crowd: every session where it belongs",
            format!("{wrong:.0} wrong"),
            wrong == 0.0,
        )
    });
    wrong.into_iter().collect()
}
