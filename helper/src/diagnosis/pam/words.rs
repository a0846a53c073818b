//! What the module, or libpam, does not understand.

use super::door::Door;
use super::{Finding, unless_empty};

pub(super) fn check_arguments(doors: &[Door]) -> Vec<Finding> {
    const NAME: &str = "pam.arguments";
    let mut findings = Vec::new();
    for Door { service, stack } in doors {
        for line in stack.lines.iter().filter(|line| line.is_ours()) {
            for argument in &line.arguments {
                let found = format!("{service}: `{argument}` ({})", line.place);
                if argument.starts_with("config=") {
                    findings.push(Finding::warning(
                        NAME,
                        format!("{found}: another site configuration than the one that is looked at here, and that nix-ns-enter obeys"),
                        "check that one: `nix-ns check --site FILE`; and keep the usual one as strict",
                    ));
                } else if !["leave", "debug"].contains(&argument.as_str()) {
                    findings.push(Finding::fault(
                        NAME,
                        format!("{found} is no argument of the module's"),
                        "the arguments are `leave`, `debug` and `config=/FILE`",
                    ));
                }
            }
        }
    }
    unless_empty(findings, Finding::ok(NAME, "all are known"))
}

pub(super) fn check_syntax(doors: &[Door]) -> Vec<Finding> {
    const NAME: &str = "pam.syntax";
    let mut findings = Vec::new();
    for Door { service, stack } in doors {
        for (place, problem) in &stack.problems {
            findings.push(Finding::fault(
                NAME,
                format!("{service}: {place} {problem}"),
                "mend that line: libpam fails every session of this service",
            ));
        }
        for (place, why) in &stack.doubts {
            findings.push(Finding::warning(
                NAME,
                format!("{service}: {place} {why}"),
                "write it so that it is read alike by all",
            ));
        }
        for (file, error) in &stack.unread {
            let why = format!("{service}: {} cannot be read: {error}", file.display());
            findings.push(Finding::unknown(NAME, why));
        }
    }
    unless_empty(
        findings,
        Finding::ok(NAME, "libpam understands every session line"),
    )
}
