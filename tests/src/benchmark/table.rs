//! The results as text that GitHub and a terminal show.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use super::{Results, goals};

/// All of it.
#[must_use]
pub fn print(results: &Results) -> String {
    let mut text = String::from("# What was measured\n\n");
    for (name, value) in &results.surroundings {
        let _ = writeln!(text, "- {name}: {value}");
    }
    text.push_str("\nMedian / 99th percentile; every list of samples is in `samples.json.gz`.\n");
    text.push_str("\n## Goals\n\n| goal | found | |\n|---|---|---|\n");
    for goal in goals::judge(results) {
        let met = if goal.met { "met" } else { "**not met**" };
        let _ = writeln!(text, "| {} | {} | {met} |", goal.wanted, goal.found);
    }
    for section in sections(results) {
        let _ = writeln!(text, "\n## {section}\n");
        lists(results, section, &mut text);
        numbers(results, section, &mut text);
    }
    text
}

/// In the order in which they were measured.
fn sections(results: &Results) -> Vec<&'static str> {
    let all = results.measured.iter().map(|it| it.section);
    let all = all.chain(results.facts.iter().map(|it| it.section));
    let mut seen = BTreeSet::new();
    all.filter(|section| seen.insert(*section)).collect()
}

fn lists(results: &Results, section: &str, text: &mut String) {
    let here = || results.measured.iter().filter(|it| it.section == section);
    let columns: BTreeSet<u64> = here().map(|it| it.of).collect();
    if columns.is_empty() {
        return;
    }
    let heads: Vec<String> = columns.iter().map(|of| head(*of)).collect();
    let _ = writeln!(text, "| | {} |", heads.join(" | "));
    let _ = writeln!(text, "|---|{}", "---:|".repeat(columns.len()));
    let mut seen = BTreeSet::new();
    for name in here().map(|it| it.name.as_str()) {
        if !seen.insert(name) {
            continue;
        }
        let cells: Vec<String> = columns
            .iter()
            .map(|of| {
                let samples = results.samples(section, name, *of);
                samples.map_or(String::new(), |samples| {
                    format!("{} / {}", time(samples.median()), time(samples.p99()))
                })
            })
            .collect();
        let _ = writeln!(text, "| {name} | {} |", cells.join(" | "));
    }
    text.push('\n');
}

fn head(of: u64) -> String {
    match of {
        0 => String::new(),
        of => of.to_string(),
    }
}

fn numbers(results: &Results, section: &str, text: &mut String) {
    let here: Vec<_> = results
        .facts
        .iter()
        .filter(|it| it.section == section)
        .collect();
    if here.is_empty() {
        return;
    }
    text.push_str("| | |\n|---|---:|\n");
    for fact in here {
        let value = if fact.value.fract() == 0.0 {
            format!("{:.0}", fact.value)
        } else {
            format!("{:.2}", fact.value)
        };
        let _ = writeln!(text, "| {} | {value} {} |", fact.name, fact.unit);
    }
}

/// With a unit that fits.
pub fn time(nanoseconds: u64) -> String {
    let time = nanoseconds as f64;
    match nanoseconds {
        0..10_000 => format!("{:.2} us", time / 1e3),
        10_000..1_000_000 => format!("{:.0} us", time / 1e3),
        1_000_000..10_000_000 => format!("{:.2} ms", time / 1e6),
        10_000_000..1_000_000_000 => format!("{:.0} ms", time / 1e6),
        _ => format!("{:.2} s", time / 1e9),
    }
}
