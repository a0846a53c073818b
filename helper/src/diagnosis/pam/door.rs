//! Services that people come in through, and their stacks.

use std::collections::BTreeSet;
use std::path::Path;

use pam_stack::{Stack, services};

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

/// A door and its stack.
pub(super) struct Door {
    pub(super) service: String,
    pub(super) stack: Stack,
}

impl Door {
    pub(super) fn changes_the_user(&self) -> bool {
        CHANGERS.contains(&self.service.as_str())
    }
}

/// Services that people come in through, and others that have a line of ours. A
/// file that others include is no service, and what a package left is none.
pub(super) fn doors(root: &Path) -> Vec<Door> {
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
