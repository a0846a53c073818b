//! The module's lines and the guard in a stack.

use crate::stack::{Line, Stack};

const OURS: &str = "pam_nixns";
/// What the guard looks for, whatever it looks with.
const GUARDED: &str = "/run/nix-ns/self/namespace";

/// Whose `/nix` a line's module runs on, once the lines before it have run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum View {
    /// That of whoever called.
    Callers,
    /// The host's.
    Hosts,
    /// That of the user who logs in.
    Users,
}

impl View {
    /// What it is behind that line.
    #[must_use]
    pub fn behind(self, line: &Line) -> Self {
        if line.leaves() {
            Self::Hosts
        } else if line.enters() {
            Self::Users
        } else {
            self
        }
    }
}

impl Stack {
    /// Every line, and on whose `/nix` its module runs.
    pub fn views(&self) -> impl Iterator<Item = (View, &Line)> {
        self.lines.iter().scan(View::Callers, |view, line| {
            let before = *view;
            *view = view.behind(line);
            Some((before, line))
        })
    }

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
    fn whose_nix_it_is_follows_from_the_last_line_of_ours() {
        use View::{Callers, Hosts, Users};
        let stack = stack(&[
            OTHER, LEAVE, OTHER, ENTER, OTHER, LEAVE, OTHER, ENTER, OTHER,
        ]);
        let others = stack.views().filter(|(_, line)| !line.is_ours());
        let views: Vec<View> = others.map(|(view, _)| view).collect();
        assert_eq!(views, [Callers, Hosts, Users, Hosts, Users]);
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
