//! SELinux and AppArmor: whether they are there, for whoever reads a report.

use std::fs;

use super::{Finding, Scene};

/// Both.
pub(super) fn check(_: &Scene) -> Vec<Finding> {
    vec![check_selinux(), check_apparmor()]
}

fn check_selinux() -> Finding {
    const NAME: &str = "confinement.selinux";
    match fs::read_to_string("/sys/fs/selinux/enforce") {
        Ok(enforce) if enforce.trim() == "1" => Finding::note(
            NAME,
            "SELinux is enforcing: if logins get no /nix, look for denials of the login programs' domains: `ausearch -m avc -ts recent`",
        ),
        Ok(_) => Finding::note(NAME, "SELinux is permissive"),
        Err(_) => Finding::ok(NAME, "SELinux is off"),
    }
}

fn check_apparmor() -> Finding {
    const NAME: &str = "confinement.apparmor";
    match fs::read_to_string("/sys/module/apparmor/parameters/enabled") {
        Ok(enabled) if enabled.trim() == "Y" => Finding::note(
            NAME,
            "AppArmor is on: profiles by path see programs at /nix/store/..., whatever directory that is",
        ),
        _ => Finding::ok(NAME, "AppArmor is off"),
    }
}
