//! Users who log in and out, become each other, edit and are killed, in any
//! order: after every step, everybody is where the design says.
//!
//! What the design says is [`model`]; what the program does comes from
//! `pam-soak`, in the machine. A sequence that goes wrong is made shorter as
//! long as it goes wrong, and printed with the seed.

mod driver;
mod kills;
mod model;
mod sessions;

use std::env;
use std::time::Instant;

use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestError, TestRng, TestRunner};
use tests::{ENTER, LEAVE, Machine, machine_or_skip};

use model::Step;
use sessions::Sessions;

/// As many as a machine with a queue of its own has.
const USERS: u32 = 200;
/// Steps between two moments at which nobody is logged in.
const LONGEST: usize = 400;

fn steps() -> impl Strategy<Value = Vec<Step>> {
    prop::collection::vec(model::step(), 1..LONGEST)
}

/// Until this many sessions were opened.
fn soak(sessions: u64) {
    let machine = machine_or_skip!();
    set_up(&machine, USERS);
    let (seed, bytes) = seed();
    eprintln!("soak: seed {seed}");
    let config = Config {
        cases: u32::MAX,
        failure_persistence: None,
        max_shrink_iters: 300,
        ..Config::default()
    };
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
    let mut runner = TestRunner::new_with_rng(config, rng);
    let sessions_of = std::cell::RefCell::new(Sessions::start(&machine, USERS));
    // Before anything is measured: caches fill up once.
    sessions_of.borrow_mut().warm_up();
    let before = sessions_of.borrow_mut().counts();
    let begun = Instant::now();
    let mut shown = 0;
    let strategy = steps();
    loop {
        let tree = strategy.new_tree(&mut runner).expect("any will do");
        let outcome = runner.run_one(tree, |steps: Vec<Step>| {
            let mut sessions = sessions_of.borrow_mut();
            sessions.try_all(&steps).map_err(TestCaseError::fail)
        });
        match outcome {
            Ok(_) => {}
            Err(TestError::Fail(why, steps)) => panic!("seed {seed}: {why}, after {steps:#?}"),
            Err(other) => panic!("{other}"),
        }
        let done = sessions_of.borrow().tally;
        if done.opened / 5000 > shown {
            shown = done.opened / 5000;
            eprintln!(
                "soak: {done}, {:?}, {}",
                begun.elapsed(),
                sessions_of.borrow_mut().counts()
            );
        }
        if done.opened >= sessions {
            break;
        }
    }
    let done = sessions_of.borrow().tally;
    let after = sessions_of.borrow_mut().counts();
    eprintln!("soak: {done}, in {:?}, 0 wrong", begun.elapsed());
    eprintln!("soak: before: {before}");
    eprintln!("soak: after: {after}");
    after.assert_flat(&before);
}

/// Where all chance comes from: a number, and what it is for the generator.
fn seed() -> (u64, [u8; 32]) {
    let seed: u64 = env::var("SOAK_SEED").map_or_else(
        |_| Instant::now().elapsed().as_nanos() as u64 ^ u64::from(std::process::id()) << 20,
        |seed| seed.parse().expect("SOAK_SEED is a number"),
    );
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    (seed, bytes)
}

fn set_up(machine: &Machine, users: u32) {
    machine.install_module();
    machine.install_program("pam-soak");
    machine.nix_users(users);
    let usual = "session required pam_permit.so";
    machine.pam("soak", &[LEAVE, usual, ENTER]);
    machine.pam("soak-enter", &[usual, ENTER]);
}

#[test]
fn everybody_is_where_the_design_says() {
    soak(1_500);
}

mod long {
    #[test]
    fn everybody_is_where_the_design_says_for_a_hundred_thousand_sessions() {
        super::soak(100_000);
    }
}
