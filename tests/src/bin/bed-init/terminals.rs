//! The virtual terminals of the machine that this runs on, lent to the system.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};

use nix::fcntl::{Flock, FlockArg};
use tests::bed::CACHE;
use tests::kernel::show_terminal;

/// As many as display managers take: the first is free for a login prompt, the
/// next ones are theirs.
const LENT: std::ops::RangeInclusive<u32> = 0..=12;
/// Which one is seen.
const SEEN: &str = "/sys/class/tty/tty0/active";

/// Gives back what was seen before when dropped, and then lets others have them.
pub struct Terminals {
    seen: u32,
    held: Flock<File>,
}

impl Terminals {
    /// Waits until nobody else has them, and takes note of which one is seen: of
    /// this system's own, and not of one that ended before it could give back.
    pub fn lend() -> io::Result<Self> {
        let path = format!("{CACHE}/terminals.lock");
        let mut options = OpenOptions::new();
        let file = options.read(true).append(true).create(true).open(path)?;
        let mut held = Flock::lock(file, FlockArg::LockExclusive).map_err(|(_, error)| error)?;
        let mut noted = String::new();
        held.read_to_string(&mut noted)?;
        if let Ok(seen) = noted.parse() {
            return Ok(Self { seen, held });
        }
        let seen = seen()?;
        write!(held, "{seen}")?;
        Ok(Self { seen, held })
    }

    /// How systemd-nspawn is told of them.
    pub fn options() -> Vec<String> {
        LENT.map(|number| format!("--bind=/dev/tty{number}"))
            .collect()
    }
}

fn seen() -> io::Result<u32> {
    let seen = fs::read_to_string(SEEN)?;
    let number = seen.trim().strip_prefix("tty").map(str::parse);
    number
        .and_then(Result::ok)
        .ok_or_else(|| io::Error::other(format!("no virtual terminal is seen, but {seen:?}")))
}

impl Drop for Terminals {
    fn drop(&mut self) {
        let shown = show_terminal(self.seen);
        if let Err(error) = shown.and_then(|()| self.held.set_len(0)) {
            eprintln!("terminal {} is not seen again: {error}", self.seen);
        }
    }
}
