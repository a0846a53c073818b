//! A command on one's own `/nix`, from a shell that has none.

use std::io;

use super::scene::{self, Scene};
use super::{Extent, Results, stopwatch};

/// The table.
pub const COMMANDS: &str = "commands";
/// The command alone.
pub const ALONE: &str = "true, alone";
/// Through the program that a site may make setuid root, into a namespace that
/// lives.
pub const SETUID: &str = "nix-ns enter, setuid nix-ns-enter";
/// By a user namespace.
pub const UNPRIVILEGED: &str = "nix-ns enter, no privilege";

/// Whether it is compared with.
#[must_use]
pub fn is_peer(name: &str) -> bool {
    ![ALONE, SETUID, UNPRIVILEGED].contains(&name)
}

/// Each in turn, as a user.
pub fn measure(extent: &Extent, results: &mut Results) -> io::Result<()> {
    let scene = Scene::set_up()?;
    let store = scene.store(scene::JOINER);
    let _held = scene.hold(1, &[scene::JOINER]);
    let there = |(_, work): &(&str, String)| {
        let program = work.split(',').next().unwrap_or_default();
        scene.machine().exists(program)
    };
    scene.run("chmod 4711 /usr/libexec/nix-ns-enter");
    let works = [
        (ALONE, "/usr/bin/true".to_owned()),
        (SETUID, "/usr/bin/nix-ns,enter,true".to_owned()),
        (
            UNPRIVILEGED,
            "/usr/bin/nix-ns,enter,--user-namespace,true".to_owned(),
        ),
        (
            "nix-user-chroot 2",
            format!("/usr/bin/nix-user-chroot,{store},/usr/bin/true"),
        ),
        (
            "bwrap",
            format!("/usr/bin/bwrap,--dev-bind,/,/,--bind,{store},/nix,true"),
        ),
        (
            // As nix-portable calls it.
            "nix-portable's bwrap",
            format!(
                "/usr/bin/bwrap,--bind,/usr,/usr,--bind,/etc,/etc,--symlink,usr/bin,/bin,\
                 --symlink,usr/lib,/lib,--symlink,usr/lib64,/lib64,--bind,/home,/home,\
                 --dev-bind,/dev,/dev,--proc,/proc,--bind,/tmp,/tmp,--bind,{store},/nix,true"
            ),
        ),
        ("proot", format!("/usr/bin/proot,-b,{store}:/nix,true")),
        (
            "nix-portable's proot",
            format!("/usr/bin/proot,-r,/,-b,/dev,-b,/proc,-b,{store}:/nix,true"),
        ),
    ];
    let works: Vec<_> = works.into_iter().filter(there).collect();
    let named: Vec<String> = works
        .iter()
        .enumerate()
        .map(|(number, (_, work))| format!("{number}={work}"))
        .collect();
    let rounds = (extent.rounds / 3).max(2);
    let script = format!("cd / && workload exec {rounds} {}", named.join(" "));
    let said = scene.run_as(scene::JOINER, &script);
    let times = stopwatch::by_name(&said);
    for (number, (name, _)) in works.iter().enumerate() {
        results.add(COMMANDS, name, 0, times[&number.to_string()].clone());
    }
    Ok(())
}
