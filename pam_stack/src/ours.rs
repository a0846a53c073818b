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

#[cfg(test)]
mod tests {
    use super::*;

    fn stack(lines: &[&str]) -> Stack {
        let root = tempfile::tempdir().unwrap();
        let directory = root.path().join("etc/pam.d");
        std::fs::create_dir_all(&directory).unwrap();
        std::fs::write(directory.join("sshd"), lines.join("\n")).unwrap();
        Stack::read(root.path(), "sshd").unwrap()
    }

    const LEAVE: &str = "session required /lib/security/pam_nixns.so debug leave";
    const ENTER: &str = "session required pam_nixns.so debug";
    const GUARD: &str =
        "session required pam_exec.so /usr/bin/test ! -L /run/nix-ns/self/namespace";
    const OTHER: &str = "session required pam_exec.so /usr/bin/test leave";

    #[test]
    fn the_first_line_leaves_and_the_last_one_enters() {
        let stack = stack(&[OTHER, LEAVE, LEAVE, OTHER, ENTER, ENTER, OTHER]);
        assert_eq!((stack.leave(), stack.enter()), (Some(1), Some(5)));
        assert!(stack.has_ours() && !stack.has_guard());
        let ours: Vec<bool> = stack.lines.iter().map(Line::is_ours).collect();
        assert_eq!(ours, [false, true, true, false, true, true, false]);
    }

    #[test]
    fn either_line_is_the_modules() {
        assert!(stack(&[LEAVE]).has_ours() && stack(&[LEAVE]).enter().is_none());
        assert!(stack(&[ENTER]).has_ours() && stack(&[ENTER]).leave().is_none());
        assert!(!stack(&[OTHER, GUARD]).has_ours());
    }

    #[test]
    fn the_guard_is_what_looks_for_the_marker() {
        assert!(stack(&[OTHER, GUARD]).has_guard());
        let other = "session required pam_warn.so /run/nix-ns/self/namespace";
        assert!(!stack(&[OTHER, other, LEAVE]).has_guard());
    }
}
