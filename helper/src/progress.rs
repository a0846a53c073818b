//! How far something is: a bar on a terminal, now and then a line elsewhere.
//!
//! Without colour, so that there is none to switch off (`NO_COLOR`), and without
//! a crate: those that draw bars bring threads and a terminal library for what is
//! one line here.

use std::fmt;
use std::io::{self, IsTerminal, Write};
use std::time::{Duration, Instant};

/// As often as an eye can follow.
const REDRAW: Duration = Duration::from_millis(100);
/// As often as a log bears.
const NEXT_LINE: Duration = Duration::from_secs(10);
/// Of the bar alone; with the numbers it fits into 80 columns.
const BAR: u64 = 20;

/// How much of something there is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Amount {
    /// Files of any kind.
    pub files: u64,
    /// Bytes on the disk.
    pub bytes: u64,
}

impl fmt::Display for Amount {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Amount { files, bytes } = *self;
        let noun = if files == 1 { "file" } else { "files" };
        write!(formatter, "{} {noun}, {}", Number(files), Bytes(bytes))
    }
}

/// A number with commas.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Number(pub u64);

impl fmt::Display for Number {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = self.0.to_string();
        let mut left = digits.len();
        for digit in digits.chars() {
            write!(formatter, "{digit}")?;
            left = left.saturating_sub(1);
            if left > 0 && left % 3 == 0 {
                formatter.write_str(",")?;
            }
        }
        Ok(())
    }
}

/// A number of bytes, as `ls -h` shows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bytes(pub u64);

impl fmt::Display for Bytes {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shift = 0_u32;
        let mut units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"].into_iter();
        let mut unit = units.next().unwrap_or_default();
        while self.0.checked_shr(shift).is_some_and(|whole| whole >= 1024) {
            shift = shift.saturating_add(10);
            unit = units.next().unwrap_or_default();
        }
        if shift == 0 {
            return write!(formatter, "{} {unit}", self.0);
        }
        let tenths = u128::from(self.0)
            .saturating_mul(10)
            .checked_shr(shift)
            .unwrap_or_default();
        let (whole, tenth) = (tenths.div_euclid(10), tenths.rem_euclid(10));
        write!(formatter, "{whole}.{tenth} {unit}")
    }
}

/// Where progress is shown.
pub struct Screen<'a> {
    output: &'a mut dyn Write,
    terminal: bool,
}

impl<'a> Screen<'a> {
    /// Standard output, of which `output` is the writing end.
    pub fn stdout(output: &'a mut dyn Write) -> Self {
        let dumb = std::env::var_os("TERM").is_none_or(|kind| kind == "dumb");
        let terminal = io::stdout().is_terminal() && !dumb;
        Self { output, terminal }
    }

    /// One line of text.
    ///
    /// # Errors
    /// If nobody reads it.
    pub fn say(&mut self, line: fmt::Arguments) -> io::Result<()> {
        writeln!(self.output, "{line}")
    }

    /// A question, to be answered on the same line.
    ///
    /// # Errors
    /// If nobody reads it.
    pub fn ask(&mut self, question: fmt::Arguments) -> io::Result<()> {
        write!(self.output, "{question}")?;
        self.output.flush()
    }

    /// Begins to show how far something is: `doing` is "copying".
    pub fn progress(&mut self, doing: &'static str, total: Option<Amount>) -> Progress<'_> {
        let mut progress = Progress {
            output: self.output,
            terminal: self.terminal,
            doing,
            total,
            done: Amount::default(),
            next: Instant::now(),
        };
        // What is done at once needs no line in a log.
        if !progress.terminal {
            progress.pause();
        }
        progress
    }
}

/// How far something is.
pub struct Progress<'a> {
    output: &'a mut dyn Write,
    terminal: bool,
    doing: &'static str,
    total: Option<Amount>,
    done: Amount,
    next: Instant,
}

impl Progress<'_> {
    /// One file more is done.
    ///
    /// # Errors
    /// If nobody reads it.
    pub fn add(&mut self, bytes: u64) -> io::Result<()> {
        self.done.files = self.done.files.saturating_add(1);
        self.done.bytes = self.done.bytes.saturating_add(bytes);
        if Instant::now() < self.next {
            return Ok(());
        }
        self.pause();
        self.show()
    }

    /// Takes the bar away, and tells how much was done.
    ///
    /// # Errors
    /// If nobody reads it.
    pub fn finish(self) -> io::Result<Amount> {
        if self.terminal {
            write!(self.output, "\r\x1b[K")?;
            self.output.flush()?;
        }
        Ok(self.done)
    }

    fn pause(&mut self) {
        let pause = if self.terminal { REDRAW } else { NEXT_LINE };
        let now = Instant::now();
        self.next = now.checked_add(pause).unwrap_or(now);
    }

    fn show(&mut self) -> io::Result<()> {
        let line = self.line();
        if self.terminal {
            write!(self.output, "\r{line}\x1b[K")?;
            self.output.flush()
        } else {
            writeln!(self.output, "{line}")
        }
    }

    fn line(&self) -> String {
        let Some(total) = self.total else {
            return format!("{}: {}", self.doing, self.done);
        };
        let share = |of: u64| {
            let done = u128::from(self.done.files).saturating_mul(of.into());
            let share = done.checked_div(total.files.into()).unwrap_or_default();
            // What is counted may have grown since.
            u64::try_from(share).unwrap_or(of).min(of)
        };
        let filled = usize::try_from(share(BAR)).unwrap_or_default();
        let width = usize::try_from(BAR).unwrap_or_default();
        let bar = format!("{:width$}", "#".repeat(filled));
        format!("{} [{bar}] {:3}% {}", self.doing, share(100), self.done)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_commas() {
        for (number, text) in [
            (0, "0"),
            (999, "999"),
            (1000, "1,000"),
            (12_345, "12,345"),
            (1_234_567, "1,234,567"),
            (u64::MAX, "18,446,744,073,709,551,615"),
        ] {
            assert_eq!(Number(number).to_string(), text);
        }
    }

    #[test]
    fn bytes_have_units() {
        for (bytes, text) in [
            (0, "0 B"),
            (1023, "1023 B"),
            (1024, "1.0 KiB"),
            (3_435_973_837, "3.2 GiB"),
            (1 << 20, "1.0 MiB"),
            (u64::MAX, "15.9 EiB"),
        ] {
            assert_eq!(Bytes(bytes).to_string(), text);
        }
    }

    fn shown(terminal: bool, total: Option<u64>, files: u64) -> String {
        let mut output = Vec::new();
        let mut screen = Screen {
            output: &mut output,
            terminal,
        };
        let total = total.map(|files| Amount { files, bytes: 0 });
        let mut progress = screen.progress("copying", total);
        progress.done.files = files;
        progress.next = Instant::now();
        progress.add(2048).unwrap();
        // Too soon for another.
        progress.add(0).unwrap();
        assert_eq!(progress.finish().unwrap().bytes, 2048);
        String::from_utf8(output).unwrap()
    }

    #[test]
    fn a_terminal_gets_a_bar_in_one_line() {
        assert_eq!(
            shown(true, Some(10), 4),
            "\rcopying [##########          ]  50% 5 files, 2.0 KiB\x1b[K\r\x1b[K"
        );
        assert!(shown(true, Some(10), 500).contains("[####################] 100%"));
        assert!(shown(true, Some(0), 0).contains("  0%"));
        assert_eq!(
            shown(true, None, 0),
            "\rcopying: 1 file, 2.0 KiB\x1b[K\r\x1b[K"
        );
    }

    #[test]
    fn a_log_gets_a_line() {
        assert_eq!(shown(false, None, 4), "copying: 5 files, 2.0 KiB\n");
        let mut output = Vec::new();
        let mut screen = Screen {
            output: &mut output,
            terminal: false,
        };
        screen.progress("copying", None).add(1).unwrap();
        assert!(output.is_empty(), "for what is done at once");
    }
}
