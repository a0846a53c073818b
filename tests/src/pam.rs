//! PAM stacks of the machine: short ones of its own, so that nothing of the
//! host's configuration takes part in a test.

use crate::{Machine, User};

/// The line that brings a process back to the host's view: the first of the
/// session lines.
pub const LEAVE: &str =
    "session [success=ok system_err=die abort=die default=ignore] pam_nixns.so leave";
/// The line that enters the user's namespace: the last of the session lines.
pub const ENTER: &str = "session [success=ok system_err=die abort=die default=ignore] pam_nixns.so";
/// The first line and the guard right after it, where users may run su or sudo.
pub const LEAVE_OR_GUARD: &str = "\
session [success=1 system_err=die abort=die default=ignore] pam_nixns.so leave
session [success=ok default=die] pam_exec.so quiet /usr/bin/test ! -L /run/nix-ns/self/namespace
";

/// Which of the two lines a service has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lines {
    /// As an administrator should set it up.
    Both,
    /// Without the line that leaves.
    EnterOnly,
    /// Without the line that enters.
    LeaveOnly,
    /// A service that knows nothing of the module.
    None,
}

const SERVICES: [&str; 11] = [
    "sshd",
    "su",
    "su-l",
    "sudo",
    "sudo-i",
    "login",
    "cron",
    "atd",
    "runuser",
    "runuser-l",
    "polkit-1",
];

/// Nobody is asked for a password: not who you are is tested, but where you end
/// up.
const BEFORE_SESSION: &str = "\
auth sufficient pam_rootok.so
auth required pam_permit.so
account required pam_permit.so
password required pam_deny.so
";

/// What every distribution's stack has, between the two lines.
const USUAL: [&str; 2] = [
    "session required pam_unix.so",
    "session required pam_env.so",
];

impl Machine {
    /// Gives a service these lines of the module, around the usual ones.
    pub fn pam_lines(&self, service: &str, lines: Lines) {
        let leave = matches!(lines, Lines::Both | Lines::LeaveOnly).then_some(LEAVE);
        let enter = matches!(lines, Lines::Both | Lines::EnterOnly).then_some(ENTER);
        let stack: Vec<&str> = leave.into_iter().chain(USUAL).chain(enter).collect();
        self.pam(service, &stack);
    }

    /// Gives a service exactly these session lines.
    pub fn pam(&self, service: &str, session: &[&str]) {
        let path = format!("/etc/pam.d/{service}");
        let stack = format!("{BEFORE_SESSION}{}\n", session.join("\n"));
        self.write(&path, stack, 0o644, &User::root());
    }

    /// Stacks as on a system that has never heard of the module.
    pub(crate) fn write_pam_stacks(&self) {
        for service in SERVICES {
            self.pam_lines(service, Lines::None);
        }
    }

    /// Stacks as on a system where the module is set up.
    pub(crate) fn add_module_to_pam_stacks(&self) {
        for service in SERVICES {
            self.pam_lines(service, Lines::Both);
        }
    }
}
