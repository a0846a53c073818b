//! What a stack makes of the module's answers, by the control fields of its lines.

use pam_stack::{Action, Line, Stack};

use super::door::Door;
use super::{Finding, unless_empty};

const CONTROL: &str = "give it the control field of pam_nixns(8): [success=ok system_err=die abort=die default=ignore]";

pub(super) fn check(doors: &[Door]) -> Vec<Finding> {
    const NAME: &str = "pam.control";
    let mut findings = Vec::new();
    for Door { service, stack } in doors {
        let ours = stack.lines.iter().enumerate();
        for (index, line) in ours.filter(|(_, line)| line.is_ours()) {
            let Some((is_fault, why)) = wrong_control(stack, index, line) else {
                continue;
            };
            let found = format!("{service}: {why} ({})", line.place);
            findings.push(if is_fault {
                Finding::fault(NAME, found, CONTROL)
            } else {
                Finding::warning(NAME, found, CONTROL)
            });
        }
    }
    unless_empty(
        findings,
        Finding::ok(NAME, "as in pam_nixns(8), or equivalent"),
    )
}

/// What is wrong with a control field of ours, and whether that is a fault.
fn wrong_control(stack: &Stack, index: usize, line: &Line) -> Option<(bool, String)> {
    let Some(control) = &line.control else {
        return Some((true, "no control field that libpam understands".to_owned()));
    };
    let on = |answer| control.on(answer);
    for answer in ["system_err", "abort"] {
        match on(answer) {
            Action::Die => {}
            Action::Bad => {
                return Some((
                    false,
                    format!(
                        "after `{answer}` the session fails, but the rest of the stack still runs"
                    ),
                ));
            }
            _ => {
                return Some((
                    true,
                    format!("after `{answer}` the session goes on: on somebody else's /nix"),
                ));
            }
        }
    }
    match on("success") {
        Action::Ok | Action::Ignore => {}
        Action::Jump(lines) if line.leaves() => {
            let skipped = stack
                .lines
                .get(stack.skipped(index, lines))
                .unwrap_or_default();
            if skipped.is_empty() || !skipped.iter().all(Line::guards) {
                return Some((
                    true,
                    "after `success` it skips more than the guard".to_owned(),
                ));
            }
        }
        Action::Done if line.enters() && stack.lines.len() == index.saturating_add(1) => {}
        _ => {
            return Some((
                true,
                "after `success` the stack does not go on as it should".to_owned(),
            ));
        }
    }
    if on("ignore").fails() {
        return Some((
            true,
            "after `ignore` the session fails: nobody without a /nix can log in".to_owned(),
        ));
    }
    if on("module_unknown").fails() || on("service_err").fails() {
        return Some((
            false,
            "a module that is missing or has a bug would lock everybody out".to_owned(),
        ));
    }
    None
}
