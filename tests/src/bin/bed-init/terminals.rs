//! The virtual terminals of the machine that this runs on, lent to the system.

use std::fs;
use std::io;

use tests::kernel::show_terminal;

/// As many as display managers take: the first is free for a login prompt, the
/// next ones are theirs.
const LENT: std::ops::RangeInclusive<u32> = 0..=12;
/// Which one is seen.
const SEEN: &str = "/sys/class/tty/tty0/active";

/// Gives back what was seen before when dropped.
pub struct Terminals {
    seen: u32,
}

impl Terminals {
    /// Takes note of which one is seen.
    pub fn lend() -> io::Result<Self> {
        let seen = fs::read_to_string(SEEN)?;
        let number = seen.trim().strip_prefix("tty").map(str::parse);
        let seen = number.and_then(Result::ok).ok_or_else(|| {
            io::Error::other(format!("no virtual terminal is seen, but {seen:?}"))
        })?;
        Ok(Self { seen })
    }

    /// How systemd-nspawn is told of them.
    pub fn options() -> Vec<String> {
        LENT.map(|number| format!("--bind=/dev/tty{number}"))
            .collect()
    }
}

impl Drop for Terminals {
    fn drop(&mut self) {
        if let Err(error) = show_terminal(self.seen) {
            eprintln!("terminal {} is not seen again: {error}", self.seen);
        }
    }
}
