//! How long things take, beside what they replace: all in one run, in a
//! throw-away machine.
//!
//! - [`scene`]: that machine, with [`peers`] and a PAM service for each.
//! - `opening`, `ssh`, `shell`, `inside`, `disk`, `memory`, `crowd`, `calls`: what
//!   is measured, a table each.
//! - [`stopwatch`]: sessions that are timed; [`samples`]: what they amount to.
//! - [`results`]: all of it; [`goals`]: what it ought to be; [`table`] and
//!   [`picture`]: how it is shown.

mod calls;
mod crowd;
mod disk;
mod goals;
mod inside;
mod memory;
mod opening;
mod peers;
mod picture;
mod results;
mod samples;
mod scene;
mod shell;
mod ssh;
mod stopwatch;
mod surroundings;
mod table;

use std::io::{self, Write};

pub use results::Results;
pub use samples::Samples;

/// Measures what makes a table.
type Measure = fn(&Extent, &mut Results) -> io::Result<()>;

/// How much is measured.
#[derive(Debug, Clone, Copy)]
pub struct Extent {
    /// Sessions of each kind, at each number of mounts.
    pub rounds: u32,
    /// Lengths of the host's mount table.
    pub mounts: &'static [u64],
    /// Logins by ssh, with and without.
    pub logins: u32,
    /// Files that are read inside.
    pub files: u32,
    /// Processes that are started inside.
    pub processes: u32,
    /// How often all work inside is done.
    pub works: u32,
    /// Users that are logged in while a disk is mounted.
    pub users_of_disk: &'static [u32],
    /// Users of the crowd.
    pub crowd: u32,
    /// How many of them log in at the same moment.
    pub at_once: u32,
    /// Whether peers are wanted that have to be built first.
    pub all_peers: bool,
}

impl Extent {
    /// What the table in the README is made of: a few minutes.
    pub const FULL: Self = Self {
        rounds: 300,
        mounts: &[26, 100, 1_000, 10_000],
        logins: 100,
        files: 100_000,
        processes: 10_000,
        works: 5,
        users_of_disk: &[10, 40],
        crowd: 2_000,
        at_once: 500,
        all_peers: true,
    };
    /// Whether everything can be measured: a few seconds, and no number worth
    /// reading.
    pub const QUICK: Self = Self {
        rounds: 3,
        mounts: &[26, 100],
        logins: 2,
        files: 200,
        processes: 20,
        works: 1,
        users_of_disk: &[3],
        crowd: 12,
        at_once: 6,
        all_peers: false,
    };
}

/// Measures everything.
///
/// # Errors
///
/// When there can be no machine, or a peer cannot be had.
///
/// # Panics
///
/// When something does not do what it is to be measured by.
pub fn run(extent: &Extent) -> io::Result<Results> {
    peers::fetch(extent.all_peers)?;
    let mut results = Results::new(surroundings::describe());
    let sections: [(&str, Measure); 8] = [
        ("sessions", opening::measure),
        ("calls", calls::measure),
        ("ssh", ssh::measure),
        ("commands", shell::measure),
        ("work inside", inside::measure),
        ("mounting a disk", disk::measure),
        ("memory", memory::measure),
        ("a crowd", crowd::measure),
    ];
    for (name, measure) in sections {
        let _ = writeln!(io::stderr(), "measuring: {name}");
        measure(extent, &mut results)?;
    }
    Ok(results)
}
