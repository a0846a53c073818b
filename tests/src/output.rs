//! What a command did.

use std::fmt;

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// By itself, with this code.
    Exited(i32),
    /// By this signal.
    Killed(i32),
    /// Not in time; it was killed.
    TimedOut,
}

/// How a command ended and what it printed.
#[derive(Debug, Clone)]
#[must_use]
pub struct Output {
    /// The command, as a shell would show it.
    pub command: String,
    /// How it ended.
    pub status: Status,
    /// What it printed to its standard output.
    pub stdout: String,
    /// What it printed to its standard error.
    pub stderr: String,
    /// The machine's log at that moment, for whoever reads a failure (of a
    /// booted machine, only if there was one).
    pub log: String,
}

impl Output {
    /// What the command printed, without white space at the ends.
    ///
    /// # Panics
    ///
    /// Unless it exited with 0.
    #[track_caller]
    pub fn ok(&self) -> &str {
        let succeeded = self.status == Status::Exited(0);
        assert!(succeeded, "should have succeeded: {self}");
        self.stdout.trim()
    }

    /// What the command complained of, without white space at the ends.
    ///
    /// # Panics
    ///
    /// Unless it exited with another code than 0.
    #[track_caller]
    pub fn fails(&self) -> &str {
        let failed = matches!(self.status, Status::Exited(code) if code != 0);
        assert!(failed, "should have failed: {self}");
        self.stderr.trim()
    }
}

impl fmt::Display for Output {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}\n{:?}", self.command, self.status)?;
        for (name, text) in [
            ("stdout", &self.stdout),
            ("stderr", &self.stderr),
            ("machine's log", &self.log),
        ] {
            writeln!(f, "--- {name}\n{}", text.trim_end())?;
        }
        Ok(())
    }
}
