//! `pam-stopwatch` in the machine, and what it says.

use std::collections::BTreeMap;
use std::time::Duration;

use super::samples::Samples;
use crate::Machine;

/// Longer than anything here takes on a loaded machine.
const LONG: Duration = Duration::from_secs(900);

/// What a session was timed by, one by one.
#[derive(Debug, Clone, Default)]
pub struct Times {
    /// `pam_start`.
    pub start: Samples,
    /// `pam_open_session`.
    pub open: Samples,
    /// How long the processor was busy with that, in the process itself.
    pub busy: Samples,
    /// `pam_close_session`.
    pub close: Samples,
}

/// Times each work `rounds` times, in turn with the others; by name.
#[track_caller]
pub fn time(machine: &Machine, rounds: u32, works: &[String]) -> BTreeMap<String, Times> {
    let script = format!("exec pam-stopwatch time {rounds} {}", works.join(" "));
    let output = machine.run_within(LONG, &script);
    let mut all: BTreeMap<String, Times> = BTreeMap::new();
    for line in output.ok().lines() {
        let words: Vec<&str> = line.split(' ').collect();
        let [name, numbers @ ..] = &words[..] else {
            continue;
        };
        let [start, open, busy, close] = numbers
            .iter()
            .map(|number| number.parse().expect("nanoseconds"))
            .collect::<Vec<u64>>()[..]
        else {
            panic!("four times: {line}");
        };
        let times = all.entry((*name).to_owned()).or_default();
        times.start.push(start);
        times.open.push(open);
        times.busy.push(busy);
        times.close.push(close);
    }
    all
}

/// Lines of a name and a time, by name.
#[must_use]
pub fn by_name(said: &str) -> BTreeMap<String, Samples> {
    let mut all: BTreeMap<String, Samples> = BTreeMap::new();
    for (name, time) in said.lines().filter_map(|line| line.split_once(' ')) {
        if let Ok(time) = time.parse() {
            all.entry(name.to_owned()).or_default().push(time);
        }
    }
    all
}

/// Lines of a time.
#[must_use]
pub fn plain(said: &str) -> Samples {
    said.lines().filter_map(|line| line.parse().ok()).collect()
}
