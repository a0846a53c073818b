//! The system calls of a session that joins.

use std::collections::BTreeMap;
use std::io;

use super::scene::{self, Scene};
use super::{Extent, Results};

/// The table.
pub const CALLS: &str = "calls";
/// All that the module makes or causes.
pub const ALL: &str = "all";
/// Of those, the account database's.
pub const ACCOUNT: &str = "of the C library, to look the account up";

/// Counts them by strace, between the module's first and the log line.
pub fn measure(_: &Extent, results: &mut Results) -> io::Result<()> {
    let scene = Scene::set_up()?;
    let _held = scene.hold(1, &[scene::JOINER]);
    let work = format!("x={}:{}", scene::NIX_NS, scene::JOINER);
    scene.run(&format!("pam-stopwatch time 2 {work}"));
    scene.run(&format!(
        "cd / && strace -f -s 60 -o /root/trace pam-stopwatch time 1 {work}"
    ));
    let trace = scene.machine().read("/root/trace");
    let calls = of_the_module(&trace);
    let account = calls
        .iter()
        .skip_while(|call| !call.contains("/etc/nsswitch.conf"))
        .take_while(|call| !call.contains("/run/nix-ns"))
        .count();
    results.note(CALLS, ALL, calls.len() as f64, "calls");
    results.note(CALLS, ACCOUNT, account as f64, "calls");
    let mut by_name: BTreeMap<&str, u32> = BTreeMap::new();
    for call in &calls {
        let name = call.split('(').next().unwrap_or_default();
        *by_name.entry(name).or_default() += 1;
    }
    for (name, count) in by_name {
        results.note(CALLS, name, f64::from(count), "calls");
    }
    Ok(())
}

/// From the first look for the marker, by the line that leaves, to the log line.
fn of_the_module(trace: &str) -> Vec<&str> {
    let calls: Vec<&str> = trace
        .lines()
        .filter_map(|line| Some(line.split_once(' ')?.1.trim()))
        .skip_while(|call| !call.contains("/run/nix-ns/self"))
        .collect();
    let logged = calls.iter().position(|call| call.starts_with("sendto("));
    calls[..=logged.expect("every session that joins is logged")].to_vec()
}
