//! The module's lines and the guard in a stack.

use crate::stack::{Line, Stack};

const OURS: &str = "pam_nixns";
/// What the guard looks for, whatever it looks with.
const GUARDED: &str = "/run/nix-ns/self/namespace";

impl Stack {
    /// Whether either line of the module is in it.
    #[must_use]
    pub fn has_ours(&self) -> bool {
        self.leave().is_some() || self.enter().is_some()
    }

    /// Which line leaves, the first if there are several.
    #[must_use]
    pub fn leave(&self) -> Option<usize> {
        self.lines.iter().position(Line::leaves)
    }

    /// Which line enters, the last if there are several.
    #[must_use]
    pub fn enter(&self) -> Option<usize> {
        self.lines.iter().rposition(Line::enters)
    }

    /// Whether a line fails where a session is still on a user's `/nix`.
    #[must_use]
    pub fn has_guard(&self) -> bool {
        self.lines.iter().any(Line::guards)
    }
}

impl Line {
    /// Whether it is the module's.
    #[must_use]
    pub fn is_ours(&self) -> bool {
        self.module == OURS
    }

    /// Whether it leaves.
    #[must_use]
    pub fn leaves(&self) -> bool {
        self.is_ours() && self.arguments.iter().any(|argument| argument == "leave")
    }

    /// Whether it enters.
    #[must_use]
    pub fn enters(&self) -> bool {
        self.is_ours() && !self.leaves()
    }

    /// Whether it is the guard.
    #[must_use]
    pub fn guards(&self) -> bool {
        self.module == "pam_exec" && self.arguments.iter().any(|argument| argument == GUARDED)
    }
}
