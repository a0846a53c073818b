//! Many users, many sessions, many at once: whether all is right, and how fast.

use std::collections::BTreeMap;
use std::io;

use super::samples::Samples;
use super::scene::{self, Scene};
use super::{Extent, Results};

/// The table.
pub const CROWD: &str = "a crowd";
/// Sessions of each user.
pub const SESSIONS: u32 = 3;
/// Sessions that were in the wrong namespace, or in none.
pub const WRONG: &str = "sessions that are not where they belong";
/// Of users who were logged in, each once more, at the same moment.
pub const JOINS: &str = "logins at once that join, nix-ns, a second";
/// Of users who were not.
pub const BUILDS: &str = "logins at once that build, nix-ns, a second";
/// One after the other, three a user.
pub const SERIES: &str = "sessions one after the other, nix-ns, a second";

/// What a session says of itself.
struct Session {
    user: String,
    open: u64,
    owner: u32,
    namespace: u64,
}

/// With this module, then with the peer.
pub fn measure(extent: &Extent, results: &mut Results) -> io::Result<()> {
    let Extent { crowd, at_once, .. } = *extent;
    let scene = Scene::set_up()?;
    scene.add_crowd(crowd + at_once);
    let mut wrong = 0;

    let begun = std::time::Instant::now();
    let series = scene.crowd("hold", scene::NIX_NS, SESSIONS, crowd, "");
    let seconds = begun.elapsed().as_secs_f64();
    let all = read(&series.said());
    assert_eq!(
        all.len() as u32,
        crowd * SESSIONS,
        "every session was opened"
    );
    let homes = where_all_are(&all, &mut wrong);
    results.note(CROWD, SERIES, all.len() as f64 / seconds, "");
    results.add(CROWD, "open, one after the other", 0, open(&all));

    let joins = scene.crowd("crowd", scene::NIX_NS, 1, at_once, "");
    let all = read(&joins.said());
    for session in &all {
        wrong += u32::from(homes.get(&session.user) != Some(&session.namespace));
    }
    results.note(CROWD, JOINS, a_second(&joins.said(), all.len()), "");
    results.add(CROWD, "open, at once, join", 0, open(&all));
    drop(joins);

    let range = format!("{crowd} {}", crowd + at_once);
    let builds = scene.crowd("crowd", scene::NIX_NS, 1, at_once, &range);
    let all = read(&builds.said());
    where_all_are(&all, &mut wrong);
    results.note(CROWD, BUILDS, a_second(&builds.said(), all.len()), "");
    results.add(CROWD, "open, at once, build", 0, open(&all));
    drop((builds, series));
    results.note(CROWD, WRONG, f64::from(wrong), "");

    let scene = Scene::set_up()?;
    scene.add_crowd(crowd);
    let begun = std::time::Instant::now();
    let series = scene.crowd("hold", scene::PAM_NAMESPACE, SESSIONS, crowd, "");
    let seconds = begun.elapsed().as_secs_f64();
    let count = read(&series.said()).len() as f64;
    let name = "sessions one after the other, pam_namespace, a second";
    results.note(CROWD, name, count / seconds, "");
    let once = scene.crowd("crowd", scene::PAM_NAMESPACE, 1, at_once, "");
    let all = read(&once.said());
    let name = "logins at once, pam_namespace, a second";
    results.note(CROWD, name, a_second(&once.said(), all.len()), "");
    results.add(CROWD, "open, at once, pam_namespace", 0, open(&all));
    Ok(())
}

/// The namespace of each user; those who are on another's `/nix`, or in a second
/// namespace, or in somebody else's, are wrong.
fn where_all_are(all: &[Session], wrong: &mut u32) -> BTreeMap<String, u64> {
    let mut homes: BTreeMap<String, u64> = BTreeMap::new();
    for session in all {
        let home = *homes
            .entry(session.user.clone())
            .or_insert(session.namespace);
        let is_own = format!("u{}", session.owner - scene::FIRST_OF_CROWD) == session.user;
        *wrong += u32::from(!is_own || home != session.namespace);
    }
    let mut namespaces: Vec<u64> = homes.values().copied().collect();
    namespaces.sort_unstable();
    namespaces.dedup();
    *wrong += (homes.len() - namespaces.len()) as u32;
    homes
}

fn read(said: &str) -> Vec<Session> {
    said.lines()
        .filter_map(|line| {
            let words: Vec<&str> = line.split(' ').collect();
            let [user, _start, open, owner, namespace] = words[..] else {
                return None;
            };
            Some(Session {
                user: user.to_owned(),
                open: open.parse().ok()?,
                owner: owner.parse().ok()?,
                namespace: namespace.parse().ok()?,
            })
        })
        .collect()
}

fn open(all: &[Session]) -> Samples {
    all.iter().map(|session| session.open).collect()
}

fn a_second(said: &str, count: usize) -> f64 {
    let nanoseconds = said.lines().find_map(|line| line.strip_prefix("all "));
    let nanoseconds: f64 = nanoseconds
        .and_then(|it| it.parse().ok())
        .expect("the crowd says how long it took");
    count as f64 / (nanoseconds / 1e9)
}
