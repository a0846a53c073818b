//! Opens and closes PAM sessions, again and again, each time with another of
//! their system calls failing, or with the process killed there.
//!
//! ```text
//! pam-faults errors|kills all|distinct|some [WAY...]
//! ```
//!
//! Started by root, in a throw-away machine with the users alice, bob and carol
//! and the services of [`ways`]. Prints a line for each way a session can go,
//! `violation` lines, and the totals.

mod calls;
mod case;
mod host;
mod judge;
mod log;
#[path = "../pam-host/pam.rs"]
#[allow(dead_code, reason = "pam-host needs more of it")]
mod pam;
mod registry;
#[path = "../pam-host/state.rs"]
mod state;
mod watch;
mod ways;

use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;
use std::io::{self, Write};

use nix::errno::Errno;
use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::unistd::Pid;

use calls::Kind;
use case::{Half, Role, Spot};
use host::Host;
use judge::{Fate, Known};
use log::Log;
use registry::Registry;
use watch::Answer;
use ways::{NAMES, Way};

/// More entries than a user's registry has after one session that was cut off.
const FEW: usize = 8;

/// So many places on each way, where not all are wanted.
const SOME: usize = 130;

/// What is done at each system call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Attempt {
    Errors,
    Kills,
}

/// How much is tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Extent {
    /// Every error of every call.
    All,
    /// Every error of every distinct call, see [`distinct`]; every other call with
    /// one of its errors, each time another.
    Distinct,
    /// So many calls, the same way.
    Some,
}

/// What has happened on one way.
#[derive(Debug, Default)]
struct Tally {
    spots: usize,
    thorough: usize,
    kinds: BTreeSet<&'static str>,
    tried: usize,
    missed: usize,
    fates: BTreeMap<Fate, usize>,
    violations: Vec<String>,
}

fn main() -> Result<(), Box<dyn Error>> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let [attempt, extent, ways @ ..] = &words[..] else {
        return Err("pam-faults errors|kills all|distinct|some [WAY...]".into());
    };
    let attempt = match *attempt {
        "errors" => Attempt::Errors,
        "kills" => Attempt::Kills,
        other => return Err(format!("{other}?").into()),
    };
    let extent = match *extent {
        "all" => Extent::All,
        "distinct" => Extent::Distinct,
        "some" => Extent::Some,
        other => return Err(format!("{other}?").into()),
    };
    stay_on_one_processor()?;
    let log = Log::open()?;
    let mut total = Tally::default();
    let mut count = 0;
    for name in NAMES {
        if !ways.is_empty() && !ways.contains(&name) {
            continue;
        }
        let tally = try_way(name, attempt, extent, &log)?;
        print(&format!("{name}: {}", tally.words()));
        total.add(tally);
        count += 1;
    }
    let what = match attempt {
        Attempt::Errors => "errors",
        Attempt::Kills => "kills",
    };
    print(&format!("{what}: {count} ways, {}", total.words()));
    Ok(())
}

fn try_way(name: &'static str, attempt: Attempt, extent: Extent, log: &Log) -> io::Result<Tally> {
    let known = Known::look();
    let way = Way::prepare(name)?;
    let mut tally = Tally::default();
    let (order, spots) = record(&way, &known, log, &mut tally)?;
    for violation in &tally.violations {
        print(&format!("violation: {name}: {violation}"));
    }
    tally.spots = spots.len();
    let host = Host::look()?;
    let stride = match extent {
        Extent::Some => spots.len().div_ceil(SOME),
        Extent::All | Extent::Distinct => 1,
    };
    let thorough = match extent {
        Extent::All => spots.keys().copied().collect(),
        Extent::Distinct => distinct(&order),
        Extent::Some => BTreeSet::new(),
    };
    tally.thorough = thorough.len();
    for (number, (&spot, &kind)) in spots.iter().enumerate() {
        tally.kinds.insert(kind.name);
        if number % stride != 0 {
            continue;
        }
        let errors = match attempt {
            Attempt::Errors if thorough.contains(&spot) => kind.errors,
            Attempt::Errors => {
                let turn = number.checked_rem(kind.errors.len());
                turn.and_then(|turn| kind.errors.get(turn..=turn))
                    .unwrap_or_default()
            }
            Attempt::Kills => &[],
        };
        let mut failures: Vec<Option<Errno>> = errors.iter().copied().map(Some).collect();
        if attempt == Attempt::Kills {
            failures.push(None);
        }
        for failure in failures {
            let what = match failure {
                Some(errno) => format!("{errno:?} at {spot}"),
                None => format!("killed before {spot}"),
            };
            if let Err(why) = try_spot(&way, &known, &host, log, spot, failure, &mut tally) {
                print(&format!("violation: {name}: {what}: {why}"));
                tally.violations.push(format!("{what}: {why}"));
            }
        }
    }
    Ok(tally)
}

/// Every call of a session that nothing happens to.
fn record(
    way: &Way,
    known: &Known,
    log: &Log,
    tally: &mut Tally,
) -> io::Result<(Vec<Spot>, BTreeMap<Spot, Kind>)> {
    // Once before: what is made once is there then, such as the registry.
    for _ in 0..2 {
        way.again()?;
        case::run(way.session, |_, _| Answer::Kernels)?;
    }
    way.again()?;
    log.lines();
    let mut order = Vec::new();
    let mut spots = BTreeMap::new();
    let mut strange = BTreeSet::new();
    let outcome = case::run(way.session, |spot, call| {
        match calls::kind(call.number) {
            Some(kind) => {
                order.push(spot);
                spots.insert(spot, kind);
            }
            None => drop(strange.insert(call.number)),
        }
        Answer::Kernels
    })?;
    for number in strange {
        let what = format!("nobody has said what system call {number} may answer");
        tally.violations.push(what);
    }
    match known.judge(way, &outcome, None, Role::Host, &log.lines()) {
        Ok(Fate::Unharmed) => {}
        other => tally
            .violations
            .push(format!("with nothing failing: {other:?}")),
    }
    Ok((order, spots))
}

/// Of a login that reads a hundred files of the host's, a few lines make a
/// thousand calls. Calls of the same name that the same process makes between
/// the same others, three before and three after, are taken for the same line's:
/// of those the first, the middle and the last.
fn distinct(order: &[Spot]) -> BTreeSet<Spot> {
    const AROUND: usize = 3;
    let mut chosen = BTreeSet::new();
    for role in [Role::Host, Role::Between, Role::Reader] {
        let calls: Vec<Spot> = order.iter().filter(|it| it.role == role).copied().collect();
        let names: Vec<&str> = calls.iter().map(|it| it.name).collect();
        let mut alike: BTreeMap<_, Vec<Spot>> = BTreeMap::new();
        for (place, &call) in calls.iter().enumerate() {
            let before = &names[place.saturating_sub(AROUND)..place];
            let after = &names[place + 1..names.len().min(place + 1 + AROUND)];
            alike
                .entry((before, call.name, after))
                .or_default()
                .push(call);
        }
        for group in alike.values() {
            chosen.extend([0, group.len() / 2, group.len() - 1].map(|it| group[it]));
        }
    }
    chosen
}

fn try_spot(
    way: &Way,
    known: &Known,
    host: &Host,
    log: &Log,
    spot: Spot,
    failure: Option<Errno>,
    tally: &mut Tally,
) -> Result<(), String> {
    way.again().map_err(|e| format!("before it: {e}"))?;
    log.lines();
    let mut hit = false;
    let outcome = case::run(way.session, |now, _| {
        if hit || now != spot {
            return Answer::Kernels;
        }
        hit = true;
        failure.map_or(Answer::Death, Answer::Error)
    })
    .map_err(|e| format!("it cannot be watched: {e}"))?;
    if !hit {
        // Another run, another path: a reader that is late, say.
        tally.missed += 1;
        return Ok(());
    }
    tally.tried += 1;
    let lines = log.lines();
    if failure.is_some() || spot.role != Role::Host {
        let fate = known.judge(way, &outcome, failure, spot.role, &lines)?;
        *tally.fates.entry(fate).or_default() += 1;
    } else if !outcome.gone {
        return Err("a process of it was still there after a long time".to_owned());
    }
    if let Some(difference) = host.difference().map_err(|e| format!("the host: {e}"))? {
        return Err(format!("left behind: {difference}"));
    }
    the_next_is_right(way, known, log).map_err(|e| format!("the next login: {e}"))?;
    match Registry::look()
        .map_err(|e| format!("the registry: {e}"))?
        .len()
    {
        few if few <= FEW => Ok(()),
        many => Err(format!("{many} entries in the registry")),
    }
}

/// The next login of the same user, with nothing failing.
fn the_next_is_right(way: &Way, known: &Known, log: &Log) -> Result<(), String> {
    if way.session.half == Half::Close {
        return Ok(());
    }
    let report = case::run_freely(way.session).map_err(|error| error.to_string())?;
    let outcome = case::Outcome {
        report,
        status: nix::sys::wait::WaitStatus::StillAlive,
        gone: true,
    };
    match known.judge(way, &outcome, None, Role::Host, &[]) {
        Ok(Fate::Unharmed) => Ok(()),
        other => Err(format!("{other:?}, {:?}", log.lines())),
    }
}

impl Tally {
    fn words(&self) -> String {
        let fate = |fate| self.fates.get(&fate).copied().unwrap_or_default();
        format!(
            "{} system calls of {} kinds, {} of them thoroughly, {} injections ({} unharmed, {} apart, {} without /nix, {} stopped, {} aborted), {} not reached, {} violations",
            self.spots,
            self.kinds.len(),
            self.thorough,
            self.tried,
            fate(Fate::Unharmed),
            fate(Fate::Apart),
            fate(Fate::Without),
            fate(Fate::Stopped),
            fate(Fate::Aborted),
            self.missed,
            self.violations.len(),
        )
    }

    fn add(&mut self, other: Self) {
        self.spots += other.spots;
        self.thorough += other.thorough;
        self.kinds.extend(other.kinds);
        self.tried += other.tried;
        self.missed += other.missed;
        for (fate, count) in other.fates {
            *self.fates.entry(fate).or_default() += count;
        }
        self.violations.extend(other.violations);
    }
}

/// Whoever asks waits for the answer: two processors would only take turns.
fn stay_on_one_processor() -> nix::Result<()> {
    let mut one = CpuSet::new();
    let usable = sched_getaffinity(Pid::from_raw(0))?;
    let usable: Vec<usize> = (0..CpuSet::count())
        .filter(|it| usable.is_set(*it) == Ok(true))
        .collect();
    // Several of these at a time are not all to be on the same.
    let turn = usize::try_from(Pid::parent().as_raw()).unwrap_or_default();
    let chosen = turn
        .checked_rem(usable.len())
        .and_then(|turn| usable.get(turn));
    one.set(chosen.copied().unwrap_or_default())?;
    sched_setaffinity(Pid::from_raw(0), &one)
}

/// What a module has for the user is no result.
fn say(_line: &str) {}

/// At once: whoever reads it waits for it.
fn print(line: &str) {
    let mut output = io::stdout().lock();
    let _ = writeln!(output, "{line}");
    let _ = output.flush();
}
