//! Every condition between a user and their `/nix`, in the order in which one
//! depends on another.
//!
//! | module | concept |
//! |---|---|
//! | [`finding`] | what a check found |
//! | [`scene`] | who asks, about whom, from where |
//! | `kernel` | what the kernel can do |
//! | `program` | whether everything is installed, and as it must be |
//! | `elf` | the names a shared library exports |
//! | `pam` | whether every door has both lines, and has them right |
//! | `host` | the host's `/nix`, and whether anything privileged trusts it |
//! | `doors` | ways to become somebody else that open no PAM session |
//! | `private_services` | services whose sessions share nothing |
//! | `slurm` | what becomes of a job |
//! | `confinement` | SELinux and AppArmor |
//! | `configuration` | the site configuration |
//! | `user` | the user's configuration and directory |
//! | `session` | where the session that asks is |
//! | `nix` | Nix itself |
//! | `nix_settings` | what Nix's configuration files say |
//! | [`store`] | the integrity of a store, on request |

mod configuration;
mod confinement;
mod doors;
mod elf;
pub mod finding;
mod host;
mod kernel;
mod nix;
mod nix_settings;
mod pam;
mod private_services;
mod program;
pub mod scene;
pub mod session;
mod slurm;
pub mod store;
mod user;

use std::io::Write;

pub use finding::{Finding, Outcome};
pub use scene::Scene;

use crate::bounded::{self, Rights};

/// A condition.
struct Check {
    /// What its findings' names begin with.
    name: &'static str,
    /// Whose business it is, and with whose rights it is looked at.
    concerns: Concerns,
    run: fn(&Scene) -> Vec<Finding>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Concerns {
    /// Everybody; with the rights of whoever asks.
    Host,
    /// The user's files; with the user's rights.
    User,
    /// The session that asks, if it is the user's own or should be nobody's.
    Session,
}

const CHECKS: &[Check] = &[
    check("kernel", Concerns::Host, kernel::check),
    check("module", Concerns::Host, program::check_module),
    check("reader", Concerns::Host, program::check_reader),
    check("enter", Concerns::Host, program::check_enter),
    check("run", Concerns::Host, program::check_run),
    check("pam", Concerns::Host, pam::check),
    check("host", Concerns::Host, host::check),
    check("doors.sudoers", Concerns::Host, doors::check_sudoers),
    check("doors.sshd", Concerns::Host, doors::check_sshd),
    check("doors.setuid", Concerns::Host, doors::check_setuid),
    check(
        "doors.private-services",
        Concerns::Host,
        private_services::check,
    ),
    check("doors.slurm", Concerns::Host, slurm::check),
    check("confinement", Concerns::Host, confinement::check),
    check("config", Concerns::Host, configuration::check),
    check(
        "nix.user-namespaces",
        Concerns::Host,
        nix::check_user_namespaces,
    ),
    check("user.selected", Concerns::Host, user::check_selected),
    check(
        "user.configuration",
        Concerns::User,
        user::check_configuration,
    ),
    check("user.directory", Concerns::User, user::check_directory),
    check("nix.store", Concerns::User, nix::check),
    check("session", Concerns::Session, session::check),
];

const fn check(name: &'static str, concerns: Concerns, run: fn(&Scene) -> Vec<Finding>) -> Check {
    Check {
        name,
        concerns,
        run,
    }
}

/// Checks everything that the scene is about, and hands on what is found as it
/// is found.
pub fn diagnose(scene: &Scene, each: &mut dyn FnMut(Finding)) {
    let mut user_answers = true;
    for check in CHECKS.iter().filter(|check| applies(check, scene)) {
        if check.concerns == Concerns::User && !user_answers {
            let why = "not tried: the home does not answer";
            each(Finding::unknown(check.name, why));
        } else if !run_bounded(check, scene, each) {
            user_answers &= check.concerns != Concerns::User;
        }
    }
}

/// Only what is the user's: what a login would find of it.
pub fn diagnose_user(scene: &Scene, each: &mut dyn FnMut(Finding)) {
    let of_user = |check: &&Check| check.name.starts_with("user.");
    for check in CHECKS.iter().filter(of_user) {
        if !run_bounded(check, scene, each) {
            return;
        }
    }
}

fn applies(check: &Check, scene: &Scene) -> bool {
    match check.concerns {
        Concerns::Host => true,
        Concerns::User => scene.account.is_some(),
        Concerns::Session => scene.is_about_the_caller() || scene.is_root_on_a_users_nix(),
    }
}

/// Whether it came to an end.
fn run_bounded(check: &Check, scene: &Scene, each: &mut dyn FnMut(Finding)) -> bool {
    let rights = match (&scene.account, check.concerns) {
        (Some(account), Concerns::User) if scene.is_root => Rights::Of(account),
        _ => Rights::Own,
    };
    let mut heard = false;
    let ended = bounded::lines(
        rights,
        |output| {
            let findings = (check.run)(scene);
            write_findings(&findings, output);
            let _ = writeln!(output, "{END}");
        },
        |line| match serde_json::from_str::<Finding>(line) {
            Ok(finding) => each(finding.printable()),
            Err(_) => heard |= line == END,
        },
    );
    match ended {
        Ok(()) if heard => true,
        Ok(()) => {
            let why = "the check came to no end; please report it";
            each(Finding::unknown(check.name, why));
            false
        }
        Err(error) if check.concerns == Concerns::User => {
            let remedy = "look at what the home and the store directory are on: `findmnt -T`; a login waits as well, and goes on without /nix";
            let found = format!("{}: {error}", check.name);
            each(Finding::fault("user.answers", found, remedy));
            false
        }
        Err(error) => {
            each(Finding::unknown(check.name, error.to_string()));
            false
        }
    }
}

/// After the last finding.
const END: &str = "end";

fn write_findings(findings: &[Finding], output: &mut dyn Write) {
    for finding in findings {
        if let Ok(line) = serde_json::to_string(finding) {
            let _ = writeln!(output, "{line}");
        }
    }
}
