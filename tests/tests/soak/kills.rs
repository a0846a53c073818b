//! Logins in which a process is killed, whichever it is and whenever: the next
//! one is right.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use proptest::prelude::RngCore;
use proptest::test_runner::{RngAlgorithm, TestRng};
use tests::{Machine, machine_or_skip};

use crate::driver::Driver;
use crate::sessions::{Counts, identity};
use crate::{seed, set_up};

/// So many people, of whom about half are logged in at any time.
const PEOPLE: usize = 20;

/// Somebody's session that stays.
struct Stay {
    session: u32,
    place: String,
}

/// How a login goes for somebody who is logged in already, or not: as long as
/// the last that nobody disturbed.
#[derive(Clone, Copy)]
struct Usual {
    join: Duration,
    build: Duration,
}

fn kill(logins: usize) {
    let machine = machine_or_skip!();
    set_up(&machine, PEOPLE as u32);
    let mut driver = Driver::start(&machine);
    let (seed, bytes) = seed();
    let mut random = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
    let mut stays: BTreeMap<usize, Stay> = BTreeMap::new();
    let mut usual = Usual {
        join: Duration::from_millis(5),
        build: Duration::from_millis(20),
    };
    let mut killed: BTreeMap<String, usize> = BTreeMap::new();
    let mut next = 1;
    // Everybody once: what is made once is there then.
    for person in 0..PEOPLE {
        log_in(&machine, &mut driver, person, next, None);
        end(&mut driver, next);
        next += 1;
    }
    let before = Counts::of(&machine, &mut driver);
    let begun = Instant::now();
    for _ in 0..logins {
        let person = random.next_u32() as usize % PEOPLE;
        let stay = stays.get(&person);
        let takes = if stay.is_some() {
            usual.join
        } else {
            usual.build
        };
        let longest = u32::try_from(takes.as_micros()).expect("a moment") * 6 / 5;
        let after = random.next_u32() % longest.max(1);
        let which = random.next_u32() % 3;
        let said = driver.say(&format!("strike soak user{person} {after} {which}"));
        let (whom, end_of_it) = said.split_once(' ').unwrap_or((&said, ""));
        *killed.entry(whom.to_owned()).or_default() += 1;
        judge(&machine, &mut driver, person, stay, whom, end_of_it);
        let first = Instant::now();
        let place = log_in(&machine, &mut driver, person, next, stay);
        let took = first.elapsed();
        match stay {
            Some(_) => usual.join = took,
            None => usual.build = took,
        }
        settle(
            &mut driver,
            &mut stays,
            person,
            Stay {
                session: next,
                place,
            },
            &mut random,
        );
        next += 1;
    }
    for stay in std::mem::take(&mut stays).into_values() {
        end(&mut driver, stay.session);
    }
    machine.wait_until("all that was left to end", || {
        !machine
            .processes()
            .iter()
            .any(|it| it.contains("nix-ns-reader"))
    });
    let after = Counts::of(&machine, &mut driver);
    let words: Vec<String> = killed
        .iter()
        .map(|(whom, count)| format!("{count} {whom}"))
        .collect();
    eprintln!(
        "random kills: seed {seed}: {logins} logins with one process killed ({}), each with a right one after it, in {:?}, 0 wrong",
        words.join(", "),
        begun.elapsed()
    );
    eprintln!("random kills: before: {before}");
    eprintln!("random kills: after: {after}");
    after.assert_flat(&before);
    for whom in ["application", "child", "reader"] {
        let count = killed.get(whom).copied().unwrap_or_default();
        assert!(
            count * 30 > logins,
            "only {count} times the {whom}: {words:?}"
        );
    }
}

/// The login itself, if its application lives: it went on, with its own `/nix`
/// or with the host's.
fn judge(
    machine: &Machine,
    driver: &mut Driver,
    person: usize,
    stay: Option<&Stay>,
    whom: &str,
    end_of_it: &str,
) {
    // It may have ended before it was killed.
    if whom == "application" && end_of_it.is_empty() {
        return;
    }
    let place = end_of_it.strip_prefix("0 ");
    let place = place.unwrap_or_else(|| panic!("user{person}, {whom} killed: {end_of_it}"));
    let host = driver.say("host");
    let own = is_own(machine, person, place) && stay.is_none_or(|stay| stay.place == place);
    assert!(own || place == host, "user{person}, {whom} killed: {place}");
}

/// A login that nobody disturbs; answers where it is.
fn log_in(
    machine: &Machine,
    driver: &mut Driver,
    person: usize,
    session: u32,
    stay: Option<&Stay>,
) -> String {
    let said = driver.say(&format!("open {session} 0 soak user{person}"));
    let place = said.strip_prefix("0 ").map(str::to_owned);
    let place = place.unwrap_or_else(|| panic!("user{person} says {said}"));
    assert!(
        is_own(machine, person, &place),
        "user{person} is at {place}"
    );
    if let Some(stay) = stay {
        assert_eq!(place, stay.place, "user{person} is logged in there");
    }
    place
}

/// About half of the people stay.
fn settle(
    driver: &mut Driver,
    stays: &mut BTreeMap<usize, Stay>,
    person: usize,
    now: Stay,
    random: &mut TestRng,
) {
    if random.next_u32() % 2 == 0 {
        end(driver, now.session);
        if let Some(earlier) = stays.remove(&person) {
            end(driver, earlier.session);
        }
    } else if let Some(earlier) = stays.insert(person, now) {
        end(driver, earlier.session);
    }
}

fn end(driver: &mut Driver, session: u32) {
    assert_eq!(driver.say(&format!("kill {session}")), "");
}

fn is_own(machine: &Machine, person: usize, place: &str) -> bool {
    let store = identity(machine, &format!("/home/user{person}/.local/share/nix"));
    place.ends_with(&format!(" {store} true"))
}

/// One application that opens and closes sessions all day, as ftp servers do.
fn repeat(sessions: u32) {
    let machine = machine_or_skip!();
    set_up(&machine, PEOPLE as u32);
    let mut driver = Driver::start(&machine);
    let said = driver.say(&format!("repeat soak {PEOPLE} {sessions}"));
    eprintln!("one application, {sessions} sessions of {PEOPLE} people: {said}");
    let numbers: Vec<i64> = said.split(' ').filter_map(|it| it.parse().ok()).collect();
    let [
        descriptors_before,
        descriptors_after,
        memory_before,
        memory_after,
    ] = numbers[..]
    else {
        panic!("{said}");
    };
    assert_eq!(descriptors_after, descriptors_before, "descriptors");
    // Kilobytes; a word for each session would be more.
    let grown = memory_after - memory_before;
    assert!(grown <= 256, "its memory grew by {grown} kB");
}

#[test]
fn whoever_is_killed_in_a_login_the_next_is_right() {
    kill(400);
}

#[test]
fn an_application_that_opens_many_sessions_keeps_nothing_of_them() {
    repeat(400);
}

mod long {
    #[test]
    fn whoever_is_killed_in_ten_thousand_logins_the_next_is_right() {
        super::kill(10_000);
    }

    #[test]
    fn an_application_that_opens_ten_thousand_sessions_keeps_nothing_of_them() {
        super::repeat(10_000);
    }
}
