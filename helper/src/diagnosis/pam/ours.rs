//! The module's lines and the guard in a stack.

use super::stack::{Line, Stack};

const OURS: &str = "pam_nixns";
/// What the guard looks for, whatever it looks with.
const GUARDED: &str = "/run/nix-ns/self/namespace";

impl Stack {
    pub(super) fn has_ours(&self) -> bool {
        self.leave().is_some() || self.enter().is_some()
    }

    pub(super) fn leave(&self) -> Option<usize> {
        self.lines.iter().position(Line::leaves)
    }

    pub(in crate::diagnosis) fn enter(&self) -> Option<usize> {
        self.lines.iter().rposition(Line::enters)
    }

    pub(super) fn has_guard(&self) -> bool {
        self.lines.iter().any(Line::guards)
    }
}

impl Line {
    pub(super) fn is_ours(&self) -> bool {
        self.module == OURS
    }

    pub(super) fn leaves(&self) -> bool {
        self.is_ours() && self.arguments.iter().any(|argument| argument == "leave")
    }

    pub(super) fn enters(&self) -> bool {
        self.is_ours() && !self.leaves()
    }

    pub(super) fn guards(&self) -> bool {
        self.module == "pam_exec" && self.arguments.iter().any(|argument| argument == GUARDED)
    }
}
