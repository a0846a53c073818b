//! The session's environment, through PAM: nothing of the caller's is read.

use std::ffi::OsStr;

use namespace::environment::{NIX_NS, variables, without};
use namespace::{Opened, Target};

use crate::pam::Pam;
use crate::report;
use crate::runners;

/// For a session that is on the user's own `/nix`.
pub(crate) fn give(pam: &Pam, target: &Target, opened: &Opened) {
    if opened.entered.record().is_none() {
        return;
    }
    let (name, value) = NIX_NS;
    pam.put_variable(name, OsStr::new(value));
    let Some(profile) = opened.profile else {
        return;
    };
    // pam_exec hands this environment to programs that it runs as root: they
    // would find the user's before, or for lack of, the system's.
    if let Some(runner) = runners::runs_programs_outside_our_lines(&target.service) {
        let why = format!(
            "{runner} may run programs with it as root: put what does between the two lines of this module"
        );
        return report::no_environment(pam, target, &why);
    }
    let home = &target.account.home;
    let Some(variables) = variables(profile, home, &|name| pam.variable(name)) else {
        let why = "the home directory has a colon or a control character in it";
        return report::no_environment(pam, target, why);
    };
    for (name, value) in variables {
        pam.put_variable(name, &value);
    }
}

/// Before what PAM runs as root: when the session ends, and where a line leaves
/// again.
pub(crate) fn take_back(pam: &Pam) {
    for (name, value) in without(&|name| pam.variable(name)) {
        match value {
            Some(value) => pam.put_variable(name, &value),
            None => pam.remove_variable(name),
        }
    }
    let (name, _) = NIX_NS;
    // Linux-PAM complains of what is not there.
    if pam.variable(name).is_some() {
        pam.remove_variable(name);
    }
}
