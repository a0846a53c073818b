//! Whether a service's PAM stack runs programs, as root, with the environment of a user's
//! session: outside of this module's two lines. Between one that leaves and the
//! next that enters is safe: when a session opens the environment is not there
//! yet, or the first has taken it back; and so it has when the session closes.

use std::path::Path;

use pam_stack::{Action, Stack, View};

/// Modules that run programs with what `pam_getenvlist(3)` has, or run code that
/// may do so.
const RUNNERS: [&str; 4] = ["pam_exec", "pam_script", "pam_python", "pam_perl"];

/// The module that does; in doubt, something does.
pub(crate) fn runs_programs_outside_our_lines(service: &str) -> Option<String> {
    find_runner(Path::new("/"), service)
}

fn find_runner(root: &Path, service: &str) -> Option<String> {
    let Some(stack) = stack_of(root, service) else {
        return Some("a PAM stack that is not in /etc/pam.d".to_owned());
    };
    if let Some((file, error)) = stack.unread.first() {
        let file = file.display();
        return Some(format!("{file}, which cannot be read ({error}),"));
    }
    if let Some((place, problem)) = stack.problems.first() {
        return Some(format!(
            "a PAM stack that cannot be understood ({place} {problem})"
        ));
    }
    if let Some((place, why)) = stack.doubts.first() {
        return Some(format!("a PAM stack of which {place} {why}"));
    }
    if !stack.has_ours() {
        return Some("a PAM stack that is not the one in /etc/pam.d".to_owned());
    }
    let mut view = View::Callers;
    for (index, line) in stack.lines.iter().enumerate() {
        if !(line.leaves() && may_be_skipped(&stack, index)) {
            view = view.behind(line);
        }
        if view != View::Hosts && RUNNERS.contains(&line.module.as_str()) {
            return Some(format!("{}.so", line.module));
        }
    }
    None
}

/// Whether another line may keep this one from being reached: then nothing takes
/// the environment back when the session closes.
fn may_be_skipped(stack: &Stack, index: usize) -> bool {
    let before = stack.lines.iter().enumerate().take(index);
    let mut controls = before.map(|(at, line)| (at, line.control.as_ref()));
    controls.any(|(at, control)| match control {
        None => true,
        Some(control) => control.all().any(|action| match action {
            Action::Jump(lines) => stack.skipped(at, lines).contains(&index),
            Action::Done => true,
            _ => false,
        }),
    })
}

/// A service whose file has no line for sessions, or that has no file, has the
/// lines of `other` (`_pam_dispatch` of libpam).
fn stack_of(root: &Path, service: &str) -> Option<Stack> {
    // As pam_start(3) takes a name with a slash in it.
    let name = service.rsplit('/').next().unwrap_or_default();
    let has_its_own = |stack: &Stack| {
        !(stack.lines.is_empty() && stack.unread.is_empty() && stack.problems.is_empty())
    };
    Stack::read(root, name)
        .filter(has_its_own)
        .or_else(|| Stack::read(root, "other"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    const LEAVE: &str = "session [success=ok default=ignore] pam_nixns.so leave\n";
    const ENTER: &str = "session optional pam_nixns.so debug\n";
    const HOOK: &str = "session optional pam_exec.so quiet /usr/sbin/hook\n";

    fn system(files: &[(&str, &str)]) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        let directory = root.path().join("etc/pam.d");
        fs::create_dir_all(&directory).unwrap();
        for (file, text) in files {
            fs::write(directory.join(file), text).unwrap();
        }
        root
    }

    fn runner(files: &[(&str, &str)]) -> Option<String> {
        find_runner(system(files).path(), "sshd")
    }

    fn is_safe(stack: &str) -> bool {
        runner(&[("sshd", stack)]).is_none()
    }

    #[test]
    fn only_between_the_two_lines_a_program_is_safe() {
        assert!(is_safe(&format!("{LEAVE}{ENTER}")));
        assert!(is_safe(&format!("{LEAVE}{HOOK}{ENTER}")));
        assert!(!is_safe(&format!("{LEAVE}{ENTER}{HOOK}")));
        assert!(!is_safe(&format!("{HOOK}{LEAVE}{ENTER}")));
        assert!(!is_safe(&format!("{LEAVE}{ENTER}{HOOK}{ENTER}")));
        assert!(is_safe(&format!("{LEAVE}{ENTER}{LEAVE}{HOOK}{ENTER}")));
        assert!(!is_safe(&format!("{LEAVE}{ENTER}{HOOK}{LEAVE}{ENTER}")));
        // Nothing takes the environment back before it at close.
        assert!(!is_safe(&format!("{HOOK}{ENTER}")));
    }

    #[test]
    fn other_lines_do_not_matter() {
        for line in [
            "# session optional pam_exec.so /x",
            "auth optional pam_exec.so /x",
            "session optional pam_executor.so /x",
            "session required pam_env.so # pam_exec.so",
            "",
        ] {
            assert!(is_safe(&format!("{LEAVE}{ENTER}{line}\n")), "{line}");
        }
    }

    #[test]
    fn a_program_is_found_however_it_is_written() {
        for line in [
            "-session optional pam_exec.so /x",
            "SESSION\toptional\tpam_exec.so /x",
            "session [default=ignore success=ok] /lib/security/pam_exec.so /x",
            "session optional \\\n pam_exec.so /x",
            "  session [default=ignore]pam_script.so",
        ] {
            assert!(!is_safe(&format!("{LEAVE}{ENTER}{line}\n")), "{line}");
        }
    }

    #[test]
    fn what_is_included_counts_where_it_is_included() {
        let common = format!("{LEAVE}{ENTER}");
        for include in [
            "@include common",
            "session include common",
            "session substack common",
        ] {
            let after = format!("{include}\n{HOOK}");
            let files = [("sshd", after.as_str()), ("common", &common)];
            assert_eq!(runner(&files).as_deref(), Some("pam_exec.so"), "{include}");
            let files = [("sshd", include), ("common", &common)];
            assert_eq!(runner(&files), None, "{include}");
        }
    }

    #[test]
    fn what_a_service_does_not_have_is_others() {
        let safe = format!("{LEAVE}{ENTER}");
        let unsafe_other = format!("{LEAVE}{ENTER}{HOOK}");
        let no_session = "auth required pam_unix.so\n";
        assert_eq!(runner(&[("other", &safe)]), None);
        assert_eq!(runner(&[("sshd", no_session), ("other", &safe)]), None);
        assert!(runner(&[("sshd", no_session), ("other", &unsafe_other)]).is_some());
        assert_eq!(runner(&[("sshd", &safe), ("other", &unsafe_other)]), None);
    }

    #[test]
    fn what_cannot_be_read_may_say_anything() {
        let deny = ("other", "session required pam_deny.so");
        assert!(runner(&[]).is_some());
        assert!(runner(&[("sshd", "@include gone"), deny]).is_some());
        assert!(runner(&[("sshd", "@include sshd"), deny]).is_some());
        let root = system(&[deny]);
        fs::create_dir(root.path().join("etc/pam.d/sshd")).unwrap();
        assert!(find_runner(root.path(), "sshd").is_some());
    }

    #[test]
    fn what_libpam_reads_is_read_in_whatever_encoding() {
        let root = system(&[("other", "session required pam_deny.so")]);
        let text = format!("# gr\u{fc}\u{df}e\n{LEAVE}{ENTER}{HOOK}");
        let latin = text.chars().map(|it| u8::try_from(u32::from(it)).unwrap());
        fs::write(
            root.path().join("etc/pam.d/sshd"),
            latin.collect::<Vec<_>>(),
        )
        .unwrap();
        assert_eq!(
            find_runner(root.path(), "/sbin/sshd").as_deref(),
            Some("pam_exec.so")
        );
    }

    #[test]
    fn a_first_line_that_may_be_skipped_is_none() {
        let jump = "session [success=1 default=ignore] pam_succeed_if.so quiet\n";
        let done = "session sufficient pam_succeed_if.so quiet\n";
        let unix = "session required pam_unix.so\n";
        for before in [jump, done, "session [x] pam_a.so\n"] {
            assert!(
                !is_safe(&format!("{before}{LEAVE}{HOOK}{ENTER}")),
                "{before}"
            );
        }
        assert!(is_safe(&format!("{jump}{unix}{LEAVE}{HOOK}{ENTER}")));
        assert!(is_safe(&format!("{unix}{LEAVE}{HOOK}{ENTER}")));
    }

    #[test]
    fn a_stack_without_our_lines_is_another() {
        assert!(!is_safe("session required pam_unix.so\n"));
    }

    #[test]
    fn a_comment_hides_no_line() {
        let stack = format!("{LEAVE}{ENTER}# see \\\n{HOOK}");
        assert!(!is_safe(&stack));
    }

    #[test]
    fn what_not_all_releases_read_alike_may_say_anything() {
        let unix = "session required pam_unix.so \\\n";
        for between in ["# debug\n", "\n"] {
            let stack = format!("{LEAVE}{ENTER}{unix}{between}{HOOK}");
            assert!(!is_safe(&stack), "{stack}");
            let stack = format!("{unix}{between}{LEAVE}{HOOK}{ENTER}");
            assert!(!is_safe(&stack), "{stack}");
        }
    }
}
