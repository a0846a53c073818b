//! Whether a PAM stack runs programs, as root, with the environment of a user's
//! session: outside of this module's two lines. Between them is safe: when a
//! session opens the environment is not there yet, and when it closes it is
//! gone again.

use std::fs;
use std::path::Path;

/// Modules that run programs with what `pam_getenvlist(3)` has, or run code that
/// may do so.
const RUNNERS: [&str; 4] = [
    "pam_exec.so",
    "pam_script.so",
    "pam_python.so",
    "pam_perl.so",
];

/// Where Linux-PAM looks for a stack, in this order.
const DIRECTORIES: [&str; 3] = ["/etc/pam.d", "/usr/etc/pam.d", "/usr/lib/pam.d"];

/// As deep as Linux-PAM includes stacks in stacks.
const DEEPEST: usize = 16;

/// The module that does; in doubt, something does.
pub(crate) fn runs_programs_outside_our_lines(service: &str) -> Option<String> {
    find_runner(service, &|name| {
        DIRECTORIES
            .iter()
            .find_map(|directory| fs::read_to_string(Path::new(directory).join(name)).ok())
    })
}

type Read<'a> = &'a dyn Fn(&str) -> Option<String>;

fn find_runner(service: &str, read: Read) -> Option<String> {
    let mut lines = Vec::new();
    // A name with a slash in it is no file there; and what has no stack of its
    // own has that of `other`.
    let name = service.rsplit('/').next().unwrap_or_default();
    let complete = collect(name, read, DEEPEST, &mut lines) || {
        lines.clear();
        collect("other", read, DEEPEST, &mut lines)
    };
    if !complete {
        return Some("a part of its PAM stack that cannot be read".to_owned());
    }
    let mut between = false;
    for Line { module, leaves } in lines {
        if module == "pam_nixns.so" {
            between = leaves;
        } else if !between && RUNNERS.contains(&module.as_str()) {
            return Some(module);
        }
    }
    None
}

/// A session line.
struct Line {
    module: String,
    /// Of this module's: whether it is the first of the two.
    leaves: bool,
}

/// Whether all of it could be read.
fn collect(name: &str, read: Read, depth: usize, lines: &mut Vec<Line>) -> bool {
    let (Some(text), Some(depth)) = (read(name), depth.checked_sub(1)) else {
        return false;
    };
    let text = text.replace("\\\n", " ");
    text.lines().all(|line| {
        let line = line.split('#').next().unwrap_or_default();
        let (kind, rest) = first_word(line);
        if kind == "@include" {
            return collect(first_word(rest).0, read, depth, lines);
        }
        if !kind.trim_start_matches('-').eq_ignore_ascii_case("session") {
            return true;
        }
        let (control, rest) = match rest.strip_prefix('[') {
            Some(actions) => ("[]", actions.split_once(']').unwrap_or_default().1),
            None => first_word(rest),
        };
        let (module, arguments) = first_word(rest.trim_start());
        if ["include", "substack"].contains(&control.to_ascii_lowercase().as_str()) {
            return collect(module, read, depth, lines);
        }
        lines.push(Line {
            module: module.rsplit('/').next().unwrap_or_default().to_owned(),
            leaves: arguments
                .split_ascii_whitespace()
                .any(|word| word == "leave"),
        });
        true
    })
}

/// A word, and what follows it.
fn first_word(text: &str) -> (&str, &str) {
    let text = text.trim();
    let (word, rest) = text.split_once([' ', '\t']).unwrap_or((text, ""));
    (word, rest.trim_start())
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEAVE: &str = "session [success=ok default=ignore] pam_nixns.so leave\n";
    const ENTER: &str = "session optional pam_nixns.so debug\n";
    const HOOK: &str = "session optional pam_exec.so quiet /usr/sbin/hook\n";

    fn runner(files: &[(&str, &str)]) -> Option<String> {
        find_runner("sshd", &|name| {
            let file = files.iter().find(|(file, _)| *file == name);
            file.map(|(_, text)| (*text).to_owned())
        })
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
    fn what_cannot_be_read_may_say_anything() {
        assert!(runner(&[]).is_some());
        assert!(!is_safe("@include gone"));
        assert!(!is_safe("@include sshd"));
        assert_eq!(runner(&[("other", "session required pam_deny.so")]), None);
    }
}
