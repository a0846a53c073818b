//! Whether every door has both of the module's lines, and has them right.

use std::collections::BTreeSet;
use std::path::Path;

use super::pam_control::Action;
use super::pam_stack::{Line, Place, Stack, services};
use super::{Finding, Scene};

const OURS: &str = "pam_nixns";
/// What the guard looks for, whatever it looks with.
const GUARDED: &str = "/run/nix-ns/self/namespace";

const BOTH_LINES: &str = "put both lines into it, `... pam_nixns.so leave` before and `... pam_nixns.so` after all other session lines: pam_nixns(8)";
const CONTROL: &str = "give it the control field of pam_nixns(8): [success=ok system_err=die abort=die default=ignore]";

/// Services that people come in through.
const DOORS: &[&str] = &[
    "atd",
    "cockpit",
    "cron",
    "crond",
    "doas",
    "gdm-autologin",
    "gdm-fingerprint",
    "gdm-password",
    "gdm-smartcard",
    "greetd",
    "kde",
    "lightdm",
    "lightdm-autologin",
    "login",
    "ly",
    "lxdm",
    "polkit-1",
    "remote",
    "runuser",
    "runuser-l",
    "sddm",
    "sddm-autologin",
    "sshd",
    "systemd-run0",
    "systemd-user",
    "xdm",
    "xrdp-sesman",
    "su",
    "su-l",
    "sudo",
    "sudo-i",
];

/// Those through which one becomes somebody else in a session that is already on
/// a user's `/nix`.
const CHANGERS: &[&str] = &["doas", "polkit-1", "su", "su-l", "sudo", "sudo-i"];

/// Modules that neither run anything of somebody's choice nor mount.
const HARMLESS: &[&str] = &[
    "pam_access",
    "pam_cap",
    "pam_ck_connector",
    "pam_console",
    "pam_deny",
    "pam_echo",
    "pam_elogind",
    "pam_env",
    "pam_faildelay",
    "pam_faillock",
    "pam_gdm",
    "pam_gnome_keyring",
    "pam_group",
    "pam_issue",
    "pam_keyinit",
    "pam_krb5",
    "pam_kwallet5",
    "pam_lastlog",
    "pam_lastlog2",
    "pam_limits",
    "pam_localuser",
    "pam_loginuid",
    "pam_mail",
    // Its scripts are read by the scan of privileged files.
    "pam_motd",
    "pam_nologin",
    "pam_permit",
    "pam_rootok",
    "pam_securetty",
    "pam_selinux",
    "pam_sepermit",
    "pam_shells",
    "pam_sss",
    "pam_succeed_if",
    "pam_systemd",
    "pam_systemd_home",
    "pam_time",
    "pam_tty_audit",
    "pam_umask",
    "pam_unix",
    "pam_warn",
    "pam_winbind",
    "pam_xauth",
];

/// Modules that run programs or mount: theirs must happen in the host's view.
const ACTIVE: &[&str] = &[
    "pam_ecryptfs",
    "pam_exec",
    "pam_fscrypt",
    "pam_mkhomedir",
    "pam_mount",
    "pam_namespace",
    "pam_oddjob_mkhomedir",
    "pam_python",
    "pam_script",
    "pam_zfs_key",
];

/// A door and its stack.
struct Door {
    service: String,
    stack: Stack,
}

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
    let mut findings = vec![check_services(&doors), check_user_manager(&doors)];
    for check in [
        check_lines,
        check_order,
        check_control,
        check_skipped,
        check_guard,
        check_arguments,
        check_syntax,
    ] {
        findings.extend(check(&doors));
    }
    findings
}

/// Services that people come in through, and others that have a line of ours. A
/// file that others include is no service, and what a package left is none.
fn doors(root: &Path) -> Vec<Door> {
    let all: Vec<Door> = services(root)
        .into_iter()
        .filter_map(|service| {
            let stack = Stack::read(root, &service)?;
            Some(Door { service, stack })
        })
        .collect();
    let included: BTreeSet<String> = all
        .iter()
        .flat_map(|door| door.stack.included.iter().cloned())
        .collect();
    all.into_iter()
        .filter(|Door { service, stack }| {
            let is_leftover = service.contains(['.', '~']);
            let is_service = !included.contains(service) && !is_leftover;
            DOORS.contains(&service.as_str()) || (stack.has_ours() && is_service)
        })
        .collect()
}

impl Stack {
    fn has_ours(&self) -> bool {
        self.leave().is_some() || self.enter().is_some()
    }

    fn leave(&self) -> Option<usize> {
        self.lines.iter().position(Line::leaves)
    }

    pub(super) fn enter(&self) -> Option<usize> {
        self.lines.iter().rposition(Line::enters)
    }

    fn has_guard(&self) -> bool {
        self.lines.iter().any(Line::guards)
    }
}

impl Line {
    fn is_ours(&self) -> bool {
        self.module == OURS
    }

    fn leaves(&self) -> bool {
        self.is_ours() && self.arguments.iter().any(|argument| argument == "leave")
    }

    fn enters(&self) -> bool {
        self.is_ours() && !self.leaves()
    }

    fn guards(&self) -> bool {
        self.module == "pam_exec" && self.arguments.iter().any(|argument| argument == GUARDED)
    }
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}", self.file.display(), self.line)
    }
}

/// All that is found of one kind, or that all is well.
fn unless_empty(findings: Vec<Finding>, otherwise: Finding) -> Vec<Finding> {
    if findings.is_empty() {
        vec![otherwise]
    } else {
        findings
    }
}

fn check_services(doors: &[Door]) -> Finding {
    let both = |door: &&Door| door.stack.leave().is_some() && door.stack.enter().is_some();
    let names = doors.iter().filter(both).map(|door| door.service.as_str());
    let names: Vec<&str> = names.collect();
    Finding::ok(
        "pam.services",
        format!("both lines in {}", names.join(", ")),
    )
}

fn check_user_manager(doors: &[Door]) -> Finding {
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

fn check_lines(doors: &[Door]) -> Vec<Finding> {
    const NAME: &str = "pam.lines";
    let mut findings = Vec::new();
    for Door { service, stack } in doors {
        let (leave, enter) = (stack.leave().is_some(), stack.enter().is_some());
        let changes = CHANGERS.contains(&service.as_str());
        match (leave, enter) {
            (false, _) if changes => findings.push(Finding::fault(
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

fn check_order(doors: &[Door]) -> Vec<Finding> {
    const NAME: &str = "pam.order";
    let mut findings = Vec::new();
    for Door { service, stack } in doors {
        let before = stack.leave().unwrap_or_default();
        for line in stack.lines.iter().take(before) {
            findings.extend(order(
                service,
                line,
                "before the line that leaves, so it runs on the /nix of whoever calls",
            ));
        }
        let after = stack
            .enter()
            .map_or(usize::MAX, |enter| enter.saturating_add(1));
        for line in stack.lines.iter().skip(after) {
            findings.extend(order(
                service,
                line,
                "after the line that enters, so it runs on the user's /nix, as root",
            ));
        }
        if let (Some(leave), Some(enter)) = (stack.leave(), stack.enter()) {
            if enter < leave {
                let found =
                    format!("{service}: the line that enters comes before the one that leaves");
                findings.push(Finding::fault(NAME, found, BOTH_LINES));
            }
        }
    }
    unless_empty(findings, Finding::ok(NAME, "leave first, enter last"))
}

fn order(service: &str, line: &Line, consequence: &str) -> Option<Finding> {
    const MEND: &str = "put it between the module's two lines";
    let module = line.module.as_str();
    if line.is_ours() || line.guards() || HARMLESS.contains(&module) {
        return None;
    }
    let found = format!(
        "{service}: {} stands {consequence} ({})",
        module, line.place
    );
    Some(if ACTIVE.contains(&module) {
        Finding::fault("pam.order", found, MEND)
    } else {
        Finding::warning("pam.order", found, MEND)
    })
}

fn check_control(doors: &[Door]) -> Vec<Finding> {
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

/// Lines that may end the stack, or jump, before one of ours is reached.
fn check_skipped(doors: &[Door]) -> Vec<Finding> {
    const NAME: &str = "pam.skipped";
    const MEND: &str = "put the module's lines where no other line skips them";
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
                findings.push(Finding::fault(NAME, found, MEND));
            }
        }
    }
    unless_empty(
        findings,
        Finding::ok(NAME, "no other line skips the module's"),
    )
}

fn check_guard(doors: &[Door]) -> Vec<Finding> {
    const NAME: &str = "pam.guard";
    let without: Vec<&str> = doors
        .iter()
        .filter(|door| CHANGERS.contains(&door.service.as_str()))
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

fn check_arguments(doors: &[Door]) -> Vec<Finding> {
    const NAME: &str = "pam.arguments";
    let mut findings = Vec::new();
    for Door { service, stack } in doors {
        for line in stack.lines.iter().filter(|line| line.is_ours()) {
            for argument in &line.arguments {
                let found = format!("{service}: `{argument}` ({})", line.place);
                if argument.starts_with("config=") {
                    findings.push(Finding::warning(
                        NAME,
                        format!("{found}: another site configuration than the one looked at here"),
                        "check that one: `nix-ns check --site FILE`",
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

fn check_syntax(doors: &[Door]) -> Vec<Finding> {
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
    }
    unless_empty(
        findings,
        Finding::ok(NAME, "libpam understands every session line"),
    )
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
