//! What it costs the host to mount a disk while people are logged in: every
//! namespace that follows the host's mounts takes part.

use std::io;

use super::scene::{self, Scene};
use super::{Extent, Results, stopwatch};

/// The table.
pub const DISK: &str = "mounting a disk";
/// Sessions of each user.
pub const SESSIONS: u32 = 5;
/// Nobody is logged in.
pub const NOBODY: &str = "nobody logged in";
/// Sessions with no /nix.
pub const PLAIN: &str = "empty stack";
/// Sessions of this module's.
pub const OURS: &str = "nix-ns";
/// Sessions of the peer's.
pub const THEIRS: &str = "pam_namespace";

/// A memory file system is mounted on the host and taken off again.
pub fn measure(extent: &Extent, results: &mut Results) -> io::Result<()> {
    let most = extent.users_of_disk.iter().copied().max().unwrap_or(0);
    for (name, service) in [
        (NOBODY, None),
        (PLAIN, Some(scene::EMPTY)),
        (OURS, Some(scene::NIX_NS)),
        (THEIRS, Some(scene::PAM_NAMESPACE)),
    ] {
        let scene = Scene::set_up()?;
        scene.add_crowd(most);
        scene.run("mkdir /srv/disk");
        for &users in extent.users_of_disk {
            let held = service.map(|service| scene.crowd("hold", service, SESSIONS, users, ""));
            let rounds = extent.rounds;
            let said = scene.run(&format!("workload mount /srv/disk {rounds}"));
            results.add(DISK, name, users.into(), stopwatch::plain(&said));
            drop(held);
        }
    }
    Ok(())
}
