//! Memory: of the process that opens a session, of the programs, of the kernel.

use std::fs;
use std::io;

use super::scene::{self, Scene};
use super::{Extent, Results};

/// The table.
pub const MEMORY: &str = "memory";
/// What the module adds to a process in which it opened a session.
pub const MODULE: &str = "pam_nixns.so in the process of a session that joins, resident";
/// Of that, what no other process shares.
pub const MODULE_PRIVATE: &str = "pam_nixns.so there, private";
/// Of the kernel's, for each user with one session.
pub const USER: &str = "kernel, for each user's first session, more than an empty stack's";
/// For each further session.
pub const SESSION: &str = "kernel, for each further session, more than an empty stack's";

/// How many users, and sessions, the kernel's memory is divided by.
const MANY: u32 = 100;

/// All of it.
pub fn measure(extent: &Extent, results: &mut Results) -> io::Result<()> {
    in_process(results)?;
    let many = MANY.min(extent.crowd);
    let empty = kernel_memory(scene::EMPTY, many)?;
    for (service, user, session) in [
        (scene::NIX_NS, USER, SESSION),
        (
            scene::PAM_NAMESPACE,
            "kernel, pam_namespace, first session",
            "kernel, pam_namespace, further session",
        ),
    ] {
        let [first, further] = kernel_memory(service, many)?;
        results.note(MEMORY, user, first - empty[0], "KiB");
        results.note(MEMORY, session, further - empty[1], "KiB");
    }
    Ok(())
}

fn in_process(results: &mut Results) -> io::Result<()> {
    let scene = Scene::set_up()?;
    let _held = scene.hold(1, &[scene::JOINER]);
    let said = scene.run(&format!(
        "pam-stopwatch memory {EMPTY}={EMPTY}:alice {OURS}={OURS}:alice {THEIRS}={THEIRS}:dave {MOUNT}={MOUNT}:erin",
        EMPTY = scene::EMPTY,
        OURS = scene::NIX_NS,
        THEIRS = scene::PAM_NAMESPACE,
        MOUNT = scene::PAM_MOUNT,
    ));
    let field = |name: &str, field: &str| -> f64 {
        said.lines()
            .filter_map(|line| line.strip_prefix(name)?.strip_prefix(' '))
            .filter_map(|line| line.strip_prefix(field)?.strip_prefix(' '))
            .filter_map(|number| number.parse::<f64>().ok())
            .sum()
    };
    let private = |name: &str| field(name, "Private_Dirty") + field(name, "Private_Clean");
    for (name, service) in [
        (MODULE, scene::NIX_NS),
        ("pam_namespace.so, the same", scene::PAM_NAMESPACE),
        ("pam_mount.so, the same", scene::PAM_MOUNT),
    ] {
        let more = field(service, "Rss") - field(scene::EMPTY, "Rss");
        results.note(MEMORY, name, more, "KiB");
    }
    let more = private(scene::NIX_NS) - private(scene::EMPTY);
    results.note(MEMORY, MODULE_PRIVATE, more, "KiB");
    Ok(())
}

/// Kibibytes that the kernel takes for a user's first session, and for each of
/// four more.
fn kernel_memory(service: &str, users: u32) -> io::Result<[f64; 2]> {
    let scene = Scene::set_up()?;
    scene.add_crowd(users);
    // What is allocated once, and by whoever is first.
    drop(scene.crowd("hold", service, 1, users, ""));
    let before = settled();
    let first = scene.crowd("hold", service, 1, users, "");
    let with_one = settled();
    let further = scene.crowd("hold", service, 4, users, "");
    let with_five = settled();
    drop((first, further));
    let each = |before: f64, after: f64, count: u32| (after - before) / f64::from(count);
    Ok([
        each(before, with_one, users),
        each(with_one, with_five, 4 * users),
    ])
}

/// What the kernel's allocators have given out, in kibibytes, once it does not
/// become less any more.
fn settled() -> f64 {
    let mut last = f64::MAX;
    loop {
        let now = allocated();
        if now >= last * 0.9995 {
            return now;
        }
        last = now;
        std::thread::sleep(std::time::Duration::from_millis(700));
    }
}

fn allocated() -> f64 {
    let text = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let of = |name: &str| -> f64 {
        text.lines()
            .find_map(|line| line.strip_prefix(name)?.strip_suffix(" kB"))
            .and_then(|number| number.trim().parse().ok())
            .unwrap_or_default()
    };
    of("SUnreclaim:") + of("Percpu:")
}
