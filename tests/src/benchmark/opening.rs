//! Opening a session: joining and building, beside what does the same.

use std::io;

use super::scene::{self, Scene};
use super::{Extent, Results, Samples, stopwatch};

/// `pam_open_session`.
pub const OPEN: &str = "open";
/// For how much of that the processor was busy, in the process itself.
pub const BUSY: &str = "open, processor";
/// `pam_close_session`.
pub const CLOSE: &str = "close";

/// The stack that does nothing.
pub const EMPTY: &str = "empty stack";
/// A session of a user who has a namespace.
pub const JOIN: &str = "nix-ns, join";
/// The same, of one who has a Nix profile.
pub const JOIN_PROFILE: &str = "nix-ns, join, with a profile";
/// The first session of a user.
pub const BUILD: &str = "nix-ns, build";
/// The same, from the moment on when the reader has answered.
pub const BUILD_AFTER: &str = "nix-ns, build, after the reader";
/// As it is set up usually.
pub const NAMESPACE: &str = "pam_namespace";
/// Without its script.
pub const NAMESPACE_BARE: &str = "pam_namespace, noinit";
/// With a bind mount.
pub const MOUNT: &str = "pam_mount";
/// To open a namespace and enter it.
pub const FLOOR_BARE: &str = "C: open, setns";
/// All calls of a join.
pub const FLOOR_JOIN: &str = "C: the calls of a join";
/// All calls of a build after the user's files were read.
pub const FLOOR_BUILD: &str = "C: the calls of a build";

/// Sessions of each kind, in turn, at each length of the mount table.
pub fn measure(extent: &Extent, results: &mut Results) -> io::Result<()> {
    let scene = Scene::set_up()?;
    let held = scene.hold(1, &[scene::JOINER, scene::PROFILED]);
    let member = scene.member(scene::JOINER);
    let works = [
        (EMPTY, format!("{}:{}", scene::EMPTY, scene::JOINER)),
        (JOIN, format!("{}:{}", scene::NIX_NS, scene::JOINER)),
        (
            JOIN_PROFILE,
            format!("{}:{}", scene::NIX_NS, scene::PROFILED),
        ),
        (FLOOR_BARE, format!("{},bare,{member}", scene::FLOOR)),
        (
            FLOOR_JOIN,
            format!("{},join,{}", scene::FLOOR, scene::JOINER),
        ),
        (
            NAMESPACE_BARE,
            format!("{}:{}", scene::PAM_NAMESPACE, scene::UNSCRIPTED),
        ),
        (
            NAMESPACE,
            format!("{}:{}", scene::PAM_NAMESPACE, scene::SCRIPTED),
        ),
        (BUILD, format!("{}:{}", scene::NIX_NS, scene::BUILDER)),
        (
            FLOOR_BUILD,
            format!("{},build,{}", scene::FLOOR, scene.store(scene::BUILDER)),
        ),
        (MOUNT, format!("{}:{}", scene::PAM_MOUNT, scene::MOUNTED)),
    ];
    let named: Vec<String> = works
        .iter()
        .enumerate()
        .map(|(number, (_, work))| format!("{number}={work}"))
        .collect();
    for &mounts in extent.mounts {
        scene.have_mounts(mounts);
        // What each does for the first time is no part of it.
        stopwatch::time(scene.machine(), 1, &named);
        let rounds = extent.rounds_at(mounts);
        let times = stopwatch::time(scene.machine(), rounds, &named);
        for (number, (name, _)) in works.iter().enumerate() {
            let times = &times[&number.to_string()];
            results.add(OPEN, name, mounts, times.open.clone());
            results.add(BUSY, name, mounts, times.busy.clone());
            results.add(CLOSE, name, mounts, times.close.clone());
        }
        let after = after_the_reader(&scene, rounds);
        results.add(OPEN, BUILD_AFTER, mounts, after);
    }
    drop(held);
    Ok(())
}

/// By a reader that says when it answers.
fn after_the_reader(scene: &Scene, rounds: u32) -> Samples {
    let work = format!("x={}:{}", scene::NIX_NS, scene::BUILDER);
    let store = scene.store(scene::BUILDER);
    let said = scene.run(&format!(
        "set -e; cd /usr/libexec
        mv nix-ns-reader nix-ns-reader-itself; cp /usr/bin/stamping-reader nix-ns-reader
        ln -sfn {store} /srv/store-of-builder
        rm -f /srv/answered; mkfifo /srv/answered; chmod 666 /srv/answered
        pam-stopwatch after /srv/answered 1 {work} >/dev/null
        pam-stopwatch after /srv/answered {rounds} {work}
        mv nix-ns-reader-itself nix-ns-reader"
    ));
    stopwatch::by_name(&said)["x"].clone()
}

impl Extent {
    /// Fewer where each takes long.
    fn rounds_at(&self, mounts: u64) -> u32 {
        let slower = u32::try_from(mounts / 1000).unwrap_or(u32::MAX).clamp(1, 3);
        (self.rounds / slower).max(3)
    }
}
