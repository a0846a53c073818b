//! Which systems there are.

use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};

/// A suite of Debian.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Suite {
    /// Its name on every mirror.
    pub name: &'static str,
}

/// Linux-PAM 1.5 and 1.7, sshd with and without a program for the session,
/// three generations of systemd.
pub const SUITES: [Suite; 3] = [
    Suite { name: "bookworm" },
    Suite { name: "trixie" },
    Suite { name: "sid" },
];

/// What people log in by, and what the tests look with.
const PACKAGES: &[&str] = &[
    "at",
    "bindfs",
    "cron",
    "dbus",
    "dbus-user-session",
    "dropbear-bin",
    "fuse3",
    "iproute2",
    "libnss-systemd",
    "libpam-mount",
    "libpam-systemd",
    "netbase",
    "openssh-client",
    "openssh-server",
    "pkexec",
    "polkitd",
    "procps",
    "sudo",
    "systemd-container",
    "systemd-homed",
    "systemd-sysv",
    "udev",
];

/// What a tree is made by, apart from suite and directory: `mmdebstrap(1)`.
const ARGUMENTS: &[&str] = &[
    "--variant=minbase",
    // A mirror that stands still is as good here as one that does not.
    "--aptopt=Acquire::Check-Valid-Until \"false\"",
    // The tree is made anew if it was not finished.
    "--dpkgopt=force-unsafe-io",
    "--skip=essential/unlink",
    "--dpkgopt=path-exclude=/usr/share/man/*",
    "--dpkgopt=path-exclude=/usr/share/doc/*",
    "--dpkgopt=path-exclude=/usr/share/locale/*",
    // Installed for the few tests that are about them, which switch them on.
    "--customize-hook=chroot \"$1\" pam-auth-update --package --disable libpam-mount systemd-homed",
    "--customize-hook=chroot \"$1\" systemctl disable systemd-homed.service",
    // Nothing of the host's, and a number of its own for every bed.
    "--customize-hook=rm -f \"$1\"/etc/hostname \"$1\"/etc/resolv.conf && : >\"$1\"/etc/machine-id",
    // Hardware there is none of.
    "--customize-hook=chroot \"$1\" systemctl mask e2scrub_reap.service modprobe@.service",
];

impl Suite {
    /// What makes its tree.
    pub(super) fn recipe(self) -> Vec<String> {
        let packages = format!("--include={}", PACKAGES.join(","));
        let arguments = ARGUMENTS.iter().copied().map(str::to_owned);
        arguments.chain([packages, self.name.to_owned()]).collect()
    }

    /// A name for its tree that no other recipe has.
    pub(super) fn tree_name(self) -> String {
        let mut hasher = DefaultHasher::new();
        self.recipe().hash(&mut hasher);
        format!("{}-{:016x}", self.name, hasher.finish())
    }
}
