//! Lines that may end the stack, or jump, before one of ours is reached.

use pam_stack::{Action, Line};

use super::door::Door;
use super::{Finding, unless_empty};

pub(super) fn check(doors: &[Door]) -> Vec<Finding> {
    const NAME: &str = "pam.skipped";
    const REMEDY: &str = "put the module's lines where no other line skips them";
    let mut findings = Vec::new();
    for Door { service, stack } in doors {
        for (index, line) in stack.lines.iter().enumerate() {
            let Some(control) = &line.control else {
                continue;
            };
            if line.is_ours() {
                continue;
            }
            let skips = control.all().any(|action| match action {
                Action::Jump(lines) => {
                    let skipped = stack.lines.get(stack.skipped(index, lines));
                    skipped.unwrap_or_default().iter().any(Line::is_ours)
                }
                // In a substack it ends that one alone.
                Action::Done => {
                    let rest = stack.lines.iter().skip(index.saturating_add(1));
                    rest.take_while(|it| it.level >= line.level)
                        .any(Line::is_ours)
                }
                _ => false,
            });
            if skips {
                let found = format!(
                    "{service}: {} may skip a line of the module's ({})",
                    line.module, line.place
                );
                findings.push(Finding::fault(NAME, found, REMEDY));
            }
        }
    }
    unless_empty(
        findings,
        Finding::ok(NAME, "no other line skips the module's"),
    )
}
