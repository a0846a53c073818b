//! Which doors have the module's lines, and the guard.

use super::door::Door;
use super::{BOTH_LINES, Finding, unless_empty};

pub(super) fn check_services(doors: &[Door]) -> Finding {
    let both = |door: &&Door| door.stack.leave().is_some() && door.stack.enter().is_some();
    let names = doors.iter().filter(both).map(|door| door.service.as_str());
    let names: Vec<&str> = names.collect();
    Finding::ok(
        "pam.services",
        format!("both lines in {}", names.join(", ")),
    )
}

pub(super) fn check_user_manager(doors: &[Door]) -> Finding {
    const NAME: &str = "pam.systemd-user";
    let Some(door) = doors.iter().find(|door| door.service == "systemd-user") else {
        return Finding::note(NAME, "there is no service systemd-user");
    };
    if door.stack.enter().is_some() {
        return Finding::ok(NAME, "systemd --user enters");
    }
    Finding::fault(
        NAME,
        "systemd --user is not put on its user's /nix: user units, D-Bus services and what a desktop starts by them have none",
        BOTH_LINES,
    )
}

pub(super) fn check_lines(doors: &[Door]) -> Vec<Finding> {
    const NAME: &str = "pam.lines";
    let mut findings = Vec::new();
    for door in doors {
        let Door { service, stack } = door;
        let (leave, enter) = (stack.leave().is_some(), stack.enter().is_some());
        match (leave, enter) {
            (false, _) if door.changes_the_user() => findings.push(Finding::fault(
                NAME,
                format!("{service} has no line that leaves: what it starts from a session runs on the /nix of whoever calls it, as root, too"),
                BOTH_LINES,
            )),
            (false, true) => findings.push(Finding::fault(
                NAME,
                format!("{service} enters and never leaves: other modules' hooks and root's supervisor run on somebody's /nix"),
                BOTH_LINES,
            )),
            (false, false) if service != "systemd-user" => findings.push(Finding::warning(
                NAME,
                format!("{service} has neither line: who comes in through it gets no /nix"),
                BOTH_LINES,
            )),
            (true, false) if service != "systemd-user" => findings.push(Finding::warning(
                NAME,
                format!("{service} only leaves: who comes in through it gets no /nix"),
                BOTH_LINES,
            )),
            _ => {}
        }
    }
    unless_empty(
        findings,
        Finding::ok(NAME, "both in every service that people come in through"),
    )
}

pub(super) fn check_guard(doors: &[Door]) -> Vec<Finding> {
    const NAME: &str = "pam.guard";
    let without: Vec<&str> = doors
        .iter()
        .filter(|door| door.changes_the_user())
        .filter(|door| door.stack.leave().is_some() && !door.stack.has_guard())
        .map(|door| door.service.as_str())
        .collect();
    if without.is_empty() {
        return vec![Finding::ok(NAME, "in every service that changes the user")];
    }
    vec![Finding::warning(
        NAME,
        format!(
            "{} has no guard: PAM skips a module that it cannot load, and a caller can bring that about with `ulimit`",
            without.join(", ")
        ),
        "put the guard of pam_nixns(8) after the line that leaves",
    )]
}
