//! Logins by ssh, through the real sshd, with the module and without.

use std::io;

use super::samples::Samples;
use super::scene::{self, Scene};
use super::{Extent, Results};
use crate::User;

/// The table.
pub const SSH: &str = "ssh";
/// Through a server whose stack has both lines.
pub const WITH: &str = "ssh host true, with nix-ns";
/// Through one whose stack has not.
pub const WITHOUT: &str = "ssh host true, without";
/// How much the first takes longer than the second: mean.
pub const DIFFERENCE: &str = "difference, mean";
/// Lower and upper end of the interval that this is in.
pub const INTERVAL: [&str; 2] = [
    "difference, 95 % interval, from",
    "difference, 95 % interval, to",
];

/// The same server, called by another name: that is its PAM service, too.
const PLAIN: &str = "sshd-plain";

/// Both in turn, so that each pair meets the same machine.
pub fn measure(extent: &Extent, results: &mut Results) -> io::Result<()> {
    let scene = Scene::set_up()?;
    let machine = scene.machine();
    machine.sshd();
    machine.pam(
        PLAIN,
        &[
            "session required pam_unix.so",
            "session required pam_env.so",
        ],
    );
    let config = machine
        .read("/etc/ssh/sshd_config")
        .replace("127.0.0.1:22\n", "127.0.0.1:2222\n")
        .replace("/run/sshd.pid", "/run/sshd-plain.pid");
    machine.write("/etc/ssh/plain_config", config, 0o644, &User::root());
    scene.run(&format!(
        "cp /usr/sbin/sshd /usr/sbin/{PLAIN} && /usr/sbin/{PLAIN} -f /etc/ssh/plain_config"
    ));
    let _held = scene.hold(1, &[scene::JOINER]);
    let works = format!(
        "with=ssh,-p,22,{user}@localhost,true without=ssh,-p,2222,{user}@localhost,true",
        user = scene::JOINER
    );
    scene.run(&format!("workload exec 1 {works}"));
    let said = scene.run(&format!("workload exec {} {works}", extent.logins));
    let of = |name: &str| -> Samples {
        let lines = said.lines().filter_map(|line| line.split_once(' '));
        lines
            .filter(|(found, _)| *found == name)
            .filter_map(|(_, time)| time.parse().ok())
            .collect()
    };
    let (with, without) = (of("with"), of("without"));
    let (mean, half) = with.difference(&without);
    results.add(SSH, WITH, 0, with);
    results.add(SSH, WITHOUT, 0, without);
    results.note(SSH, DIFFERENCE, mean / 1e6, "ms");
    results.note(SSH, INTERVAL[0], (mean - half) / 1e6, "ms");
    results.note(SSH, INTERVAL[1], (mean + half) / 1e6, "ms");
    Ok(())
}
