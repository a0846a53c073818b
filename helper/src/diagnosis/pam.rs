//! Whether every door has both of the module's lines, and has them right.
//!
//! | module | concept |
//! |---|---|
//! | `door` | services that people come in through |
//! | `presence` | which of them have the lines |
//! | `order` | what stands outside the two lines |
//! | `answers` | what a stack makes of the module's answers |
//! | `skipped` | other lines that jump over the module's |
//! | `words` | what libpam or the module does not understand |

mod answers;
mod door;
mod order;
mod presence;
mod skipped;
mod words;

use std::path::Path;

use super::{Finding, Scene};
use door::doors;

const BOTH_LINES: &str = "put both lines into it, `... pam_nixns.so leave` before and `... pam_nixns.so` after all other session lines: pam_nixns(8)";

/// Everything about the stacks.
pub(super) fn check(_: &Scene) -> Vec<Finding> {
    check_below(Path::new("/"))
}

fn check_below(root: &Path) -> Vec<Finding> {
    let doors = doors(root);
    if doors.is_empty() {
        let why =
            "no service of this system has a file in /etc/pam.d; /etc/pam.conf is not read here";
        return vec![Finding::unknown("pam.lines", why)];
    }
    if !doors.iter().any(|door| door.stack.has_ours()) {
        let found = "no service has the module's lines, so nobody gets /nix";
        return vec![Finding::fault("pam.lines", found, BOTH_LINES)];
    }
    let mut findings = vec![
        presence::check_services(&doors),
        presence::check_user_manager(&doors),
    ];
    for check in [
        presence::check_lines,
        order::check,
        answers::check,
        skipped::check,
        presence::check_guard,
        words::check_arguments,
        words::check_syntax,
    ] {
        findings.extend(check(&doors));
    }
    findings
}

/// All that is found of one kind, or that all is well.
fn unless_empty(findings: Vec<Finding>, otherwise: Finding) -> Vec<Finding> {
    if findings.is_empty() {
        vec![otherwise]
    } else {
        findings
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnosis::Outcome;

    const LEAVE: &str =
        "session [success=ok system_err=die abort=die default=ignore] pam_nixns.so leave";
    const ENTER: &str = "session [success=ok system_err=die abort=die default=ignore] pam_nixns.so";
    const LEAVE_OR_GUARD: &str =
        "session [success=1 system_err=die abort=die default=ignore] pam_nixns.so leave";
    const GUARD: &str = "session [success=ok default=die] pam_exec.so quiet /usr/bin/test ! -L /run/nix-ns/self/namespace";

    /// The names of what is not well with a service of these lines.
    fn wrong(service: &str, lines: &[&str]) -> Vec<(String, Outcome)> {
        let root = std::env::temp_dir().join(format!(
            "nix-ns-pam.{}.{:?}",
            std::process::id(),
            std::thread::current().id()
        ));
        let directory = root.join("etc/pam.d");
        std::fs::create_dir_all(&directory).unwrap();
        std::fs::write(directory.join(service), lines.join("\n")).unwrap();
        let findings = check_below(&root);
        std::fs::remove_dir_all(root).unwrap();
        findings
            .into_iter()
            .filter(|finding| matches!(finding.outcome, Outcome::Fault | Outcome::Warning))
            .map(|finding| (finding.check, finding.outcome))
            .collect()
    }

    fn fault(name: &str) -> Vec<(String, Outcome)> {
        vec![(name.to_owned(), Outcome::Fault)]
    }

    fn warning(name: &str) -> Vec<(String, Outcome)> {
        vec![(name.to_owned(), Outcome::Warning)]
    }

    #[test]
    fn what_the_readme_says_is_well() {
        assert_eq!(
            wrong("sshd", &[LEAVE, "session required pam_unix.so", ENTER]),
            []
        );
        assert_eq!(
            wrong(
                "sudo",
                &[LEAVE_OR_GUARD, GUARD, "session required pam_unix.so", ENTER]
            ),
            []
        );
        assert_eq!(wrong("sudo", &[LEAVE, ENTER]), warning("pam.guard"));
    }

    #[test]
    fn equivalent_control_fields_are_well() {
        for control in [
            "[success=ok ignore=ignore system_err=die abort=die default=ignore]",
            "[ success = ignore system_err=die abort=die default=ignore ]",
            "[success=ok default=die ignore=ignore module_unknown=ignore service_err=ignore]",
        ] {
            let line = |rest: &str| format!("session {control} pam_nixns.so {rest}");
            assert_eq!(wrong("sshd", &[&line("leave"), &line("")]), [], "{control}");
        }
    }

    #[test]
    fn other_control_fields_are_not() {
        for (control, expected) in [
            ("optional", Outcome::Fault),
            ("sufficient", Outcome::Fault),
            ("[success=ok default=ignore]", Outcome::Fault),
            (
                "[success=1 system_err=die abort=die default=ignore]",
                Outcome::Fault,
            ),
            (
                "[success=done system_err=die abort=die default=ignore]",
                Outcome::Fault,
            ),
            ("[success=ok default=die]", Outcome::Fault),
            ("requisite", Outcome::Warning),
            ("required", Outcome::Warning),
        ] {
            let leave = format!("session {control} pam_nixns.so leave");
            let found = wrong("sshd", &[&leave, "session required pam_unix.so", ENTER]);
            assert_eq!(found, [("pam.control".to_owned(), expected)], "{control}");
        }
    }

    #[test]
    fn what_stands_outside_the_two_lines_matters() {
        let exec = "session optional pam_exec.so /usr/sbin/hook";
        let other = "session optional pam_unheard_of.so";
        let limits = "session required pam_limits.so";
        assert_eq!(wrong("sshd", &[exec, LEAVE, ENTER]), fault("pam.order"));
        assert_eq!(wrong("sshd", &[LEAVE, ENTER, exec]), fault("pam.order"));
        assert_eq!(wrong("sshd", &[LEAVE, ENTER, other]), warning("pam.order"));
        assert_eq!(wrong("sshd", &[limits, LEAVE, exec, ENTER, limits]), []);
        let again = [LEAVE, ENTER, LEAVE, exec, ENTER];
        assert_eq!(wrong("sshd", &again), []);
        let outside = [LEAVE, ENTER, exec, LEAVE, ENTER];
        assert_eq!(wrong("sshd", &outside), fault("pam.order"));
        assert_eq!(wrong("sshd", &[ENTER, LEAVE]), fault("pam.order"));
    }

    #[test]
    fn a_line_that_may_be_skipped_is_found() {
        let jump = "session [success=1 default=ignore] pam_succeed_if.so quiet";
        let done = "session sufficient pam_succeed_if.so quiet";
        let unix = "session required pam_unix.so";
        assert_eq!(wrong("sshd", &[jump, LEAVE, ENTER]), fault("pam.skipped"));
        assert_eq!(wrong("sshd", &[LEAVE, done, ENTER]), fault("pam.skipped"));
        assert_eq!(wrong("sshd", &[LEAVE, jump, unix, ENTER]), []);
    }

    #[test]
    fn what_not_all_releases_of_libpam_read_alike_is_found() {
        let limits = "session required pam_limits.so \\";
        let found = wrong("sshd", &[LEAVE, limits, "# x", ENTER]);
        assert_eq!(found, warning("pam.syntax"));
    }

    #[test]
    fn a_missing_line_is_found() {
        assert_eq!(wrong("sshd", &[ENTER]), fault("pam.lines"));
        assert_eq!(wrong("sshd", &[LEAVE]), warning("pam.lines"));
        assert_eq!(wrong("sudo", &[ENTER])[0], fault("pam.lines")[0]);
        assert_eq!(
            wrong("sshd", &["session required pam_unix.so"]),
            fault("pam.lines")
        );
        assert_eq!(wrong("systemd-user", &[LEAVE]), fault("pam.systemd-user"));
    }

    #[test]
    fn arguments_are_those_of_the_module() {
        let line = format!("{ENTER} debug leaves");
        assert_eq!(wrong("sshd", &[LEAVE, &line]), fault("pam.arguments"));
        let line = format!("{ENTER} config=/etc/other.toml");
        assert_eq!(wrong("sshd", &[LEAVE, &line]), warning("pam.arguments"));
    }
}
