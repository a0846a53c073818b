//! Which systems there are.

use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};

/// What a bed is made of: packages of a suite of Debian's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Suite {
    /// What the bed is called.
    pub name: &'static str,
    /// The suite's name on every mirror.
    release: &'static str,
    /// What it has besides what all have.
    besides: &'static [&'static str],
    /// What of that would start at boot, and is not to.
    at_rest: &'static [&'static str],
}

/// Linux-PAM 1.5 and 1.7, sshd with and without a program for the session,
/// three generations of systemd.
pub const SUITES: [Suite; 3] = [
    Suite::plain("bookworm"),
    Suite::plain("trixie"),
    Suite::plain("sid"),
];

/// A cluster of one node: its scheduler, its directory of accounts, and what
/// mounts its homes.
pub const CLUSTER: Suite = Suite {
    name: "cluster",
    release: "bookworm",
    besides: &[
        "autofs",
        "gcc",
        "ldap-utils",
        "libc6-dev",
        "libnss-ldapd",
        "libnss-sss",
        "libpam-ldapd",
        "libpam-slurm-adopt",
        "libpam-sss",
        "libpam0g-dev",
        "libslurm-dev",
        "make",
        "munge",
        "nslcd",
        "slapd",
        "slurm-client",
        "slurm-wlm-basic-plugins",
        "slurmctld",
        "slurmd",
        "sssd-ldap",
    ],
    at_rest: SERVICES,
};

/// Each suite's Nix, and what a desktop starts programs with.
pub const WITH_NIX: [Suite; 3] = [
    Suite::with_nix("nix-bookworm", "bookworm"),
    Suite::with_nix("nix-trixie", "trixie"),
    Suite::with_nix("nix-sid", "sid"),
];

/// Services of the cluster's: each is configured, and then started, by the tests
/// that are about it.
const SERVICES: &[&str] = &[
    "autofs",
    "munge",
    "nslcd",
    "slapd",
    "slurmctld",
    "slurmd",
    "sssd",
    "sssd-nss.socket",
    "sssd-pam.socket",
    "sssd-pam-priv.socket",
    "sssd-autofs.socket",
    "sssd-ssh.socket",
    "sssd-sudo.socket",
    "sssd-pac.socket",
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
    const fn plain(release: &'static str) -> Self {
        Self {
            name: release,
            release,
            besides: &[],
            at_rest: &[],
        }
    }

    const fn with_nix(name: &'static str, release: &'static str) -> Self {
        Self {
            name,
            release,
            besides: &["gir1.2-gtk-3.0", "libgtk-3-bin", "nix-bin", "python3-gi"],
            at_rest: &[],
        }
    }

    /// What makes its tree.
    pub(super) fn recipe(self) -> Vec<String> {
        let packages = [PACKAGES, self.besides].concat().join(",");
        let packages = format!("--include={packages}");
        let arguments = ARGUMENTS.iter().copied().map(str::to_owned);
        let at_rest = (!self.at_rest.is_empty()).then(|| {
            let services = self.at_rest.join(" ");
            format!(
                "--customize-hook=chroot \"$1\" systemctl disable {services} && \
                 chroot \"$1\" pam-auth-update --package --disable ldap sss"
            )
        });
        arguments
            .chain(at_rest)
            .chain([packages, self.release.to_owned()])
            .collect()
    }

    /// A name for its tree that no other recipe has.
    pub(super) fn tree_name(self) -> String {
        let mut hasher = DefaultHasher::new();
        self.recipe().hash(&mut hasher);
        format!("{}-{:016x}", self.name, hasher.finish())
    }
}
