//! That the benchmark measures what it says. No time is looked at: this machine
//! may be busy.

use std::fs;
use std::process::Command;

use tests::benchmark::{Extent, run};
use tests::root_or_skip;

#[test]
fn everything_is_measured_and_kept() {
    if !root_or_skip("benchmark: everything_is_measured_and_kept") {
        return;
    }
    let results = run(&Extent::QUICK).expect("root can measure");
    for section in [
        "open",
        "open, processor",
        "close",
        "calls",
        "ssh",
        "commands",
        "work inside",
        "mounting a disk",
        "memory",
        "a crowd",
    ] {
        let lists = results.measured.iter().any(|it| it.section == section);
        let numbers = results.facts.iter().any(|it| it.section == section);
        assert!(lists || numbers, "nothing was measured of: {section}");
    }
    for list in &results.measured {
        let none = list.samples.all().is_empty();
        assert!(!none, "{} has no samples of {}", list.section, list.name);
    }
    // The one number that no load changes.
    let wrong = results.fact("a crowd", "sessions that are not where they belong");
    assert_eq!(wrong, Some(0.0));

    let directory = tempfile::tempdir().expect("there is room");
    results.keep(directory.path()).expect("there is room");
    let read = |name: &str| fs::read_to_string(directory.path().join(name)).expect("was kept");
    assert!(read("table.md").contains("| nix-ns, join |"));
    assert!(read("picture.svg").ends_with("</svg>\n"));
    let summary: serde_json::Value = serde_json::from_str(&read("results.json")).expect("JSON");
    assert!(summary["goals"].as_array().is_some_and(|it| it.len() > 20));
    let samples = Command::new("gzip")
        .args(["-dc", "samples.json.gz"])
        .current_dir(&directory)
        .output()
        .expect("gzip is everywhere");
    let samples: serde_json::Value = serde_json::from_slice(&samples.stdout).expect("JSON");
    assert_eq!(
        samples.as_array().map(Vec::len),
        Some(results.measured.len())
    );
}
