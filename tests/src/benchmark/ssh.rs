//! Logins by ssh, through the real sshd, with the module and without.

use std::io;

use super::samples::Samples;
use super::scene::{self, Scene};
use super::{Extent, Results, stopwatch};
use crate::User;

/// The table.
pub const SSH: &str = "ssh";
/// With both lines in the server's stack.
pub const WITH: &str = "ssh host true, with nix-ns";
/// Without them.
pub const WITHOUT: &str = "ssh host true, without";
/// How much the first takes longer than the second: mean.
pub const DIFFERENCE: &str = "difference, mean";
/// Lower and upper end of the interval that this is in.
pub const INTERVAL: [&str; 2] = [
    "difference, 95 % interval, from",
    "difference, 95 % interval, to",
];

/// The stack of the server, which reads it anew for each login.
const STACK: &str = "/etc/pam.d/sshd";

/// Both in turn, so that each pair meets the same machine; at one and the same
/// server: each has a secret of its own, by which it delays every answer to a
/// user for 5 to 9 ms, doubled until that is more than the answer took (OpenSSH's
/// auth2.c, `user_specific_delay`). Two servers differ by more than what is
/// measured.
pub fn measure(extent: &Extent, results: &mut Results) -> io::Result<()> {
    let scene = Scene::set_up()?;
    let machine = scene.machine();
    machine.sshd();
    let with = machine.read(STACK);
    let without: String = with
        .lines()
        .filter(|line| !line.contains("pam_nixns.so"))
        .map(|line| format!("{line}\n"))
        .collect();
    let _held = scene.hold(1, &[scene::JOINER]);
    let log_in = |stack: &str| {
        machine.write(STACK, stack, 0o644, &User::root());
        let login = format!("workload exec 1 x=ssh,{}@localhost,true", scene::JOINER);
        stopwatch::by_name(&scene.run(&login))["x"].median()
    };
    log_in(&with);
    let (mut times_with, mut times_without) = (Samples::default(), Samples::default());
    for round in 0..extent.logins {
        // Nobody is always the second.
        if round % 2 == 0 {
            times_with.push(log_in(&with));
            times_without.push(log_in(&without));
        } else {
            times_without.push(log_in(&without));
            times_with.push(log_in(&with));
        }
    }
    let (mean, half) = times_with.difference(&times_without);
    results.add(SSH, WITH, 0, times_with);
    results.add(SSH, WITHOUT, 0, times_without);
    results.note(SSH, DIFFERENCE, mean / 1e6, "ms");
    results.note(SSH, INTERVAL[0], (mean - half) / 1e6, "ms");
    results.note(SSH, INTERVAL[1], (mean + half) / 1e6, "ms");
    Ok(())
}
