//! What a check found.

use std::fmt;

use serde::{Deserialize, Serialize};

/// How a check ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// As it should be.
    Ok,
    /// Worth knowing, and nobody's mistake.
    Note,
    /// Works, but not as well or as safely as it could.
    Warning,
    /// Keeps somebody from `/nix`, or `/nix` from being safe.
    Fault,
    /// Not to be found out with the rights of whoever asks, or from here.
    Unknown,
}

/// One condition, and what became of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// The stable name of the check.
    pub check: String,
    /// How it ended.
    pub outcome: Outcome,
    /// What was found: which file and line, which value. May hold foreign text.
    pub found: String,
    /// What to do about it; empty if there is nothing to do.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub remedy: String,
}

impl Finding {
    fn new(check: &str, outcome: Outcome, found: impl Into<String>, remedy: &str) -> Self {
        Self {
            check: check.to_owned(),
            outcome,
            found: found.into(),
            remedy: remedy.to_owned(),
        }
    }

    /// As it should be.
    pub fn ok(check: &str, found: impl Into<String>) -> Self {
        Self::new(check, Outcome::Ok, found, "")
    }

    /// Worth knowing.
    pub fn note(check: &str, found: impl Into<String>) -> Self {
        Self::new(check, Outcome::Note, found, "")
    }

    /// Not as well or as safe as it could be.
    pub fn warning(check: &str, found: impl Into<String>, remedy: &str) -> Self {
        Self::new(check, Outcome::Warning, found, remedy)
    }

    /// Wrong.
    pub fn fault(check: &str, found: impl Into<String>, remedy: &str) -> Self {
        Self::new(check, Outcome::Fault, found, remedy)
    }

    /// Fit for a terminal: file names, lines of files and what another process
    /// wrote are foreign text.
    #[must_use]
    pub fn printable(self) -> Self {
        Self {
            check: config::printable(&self.check),
            found: config::printable(&self.found),
            remedy: config::printable(&self.remedy),
            ..self
        }
    }

    /// Not to be found out.
    pub fn unknown(check: &str, why: impl Into<String>) -> Self {
        Self::new(check, Outcome::Unknown, why, "")
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Ok => "ok",
            Self::Note => "note",
            Self::Warning => "warning",
            Self::Fault => "FAULT",
            Self::Unknown => "unknown",
        })
    }
}
