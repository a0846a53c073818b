//! The refusals a site may override by name.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A fact about the host for which no `/nix` is given to anybody, unless the
/// site configuration overrides it by this name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Refusal {
    /// The host's `/nix` is not root's.
    HostNixOwner,
    /// The host's `/nix` is writable by group or others.
    HostNixWritable,
    /// The host's `/nix` holds something.
    HostNixNotEmpty,
    /// The host is NixOS.
    Nixos,
    /// A privileged file of the host refers to `/nix`.
    PrivilegedReference,
    /// The store directory is on a FUSE file system of the user's.
    UserFuse,
}

impl Refusal {
    /// Every refusal that has a name.
    pub const ALL: [Refusal; 6] = [
        Refusal::HostNixOwner,
        Refusal::HostNixWritable,
        Refusal::HostNixNotEmpty,
        Refusal::Nixos,
        Refusal::PrivilegedReference,
        Refusal::UserFuse,
    ];

    /// The name, as in the site configuration.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Refusal::HostNixOwner => "host-nix-owner",
            Refusal::HostNixWritable => "host-nix-writable",
            Refusal::HostNixNotEmpty => "host-nix-not-empty",
            Refusal::Nixos => "nixos",
            Refusal::PrivilegedReference => "privileged-reference",
            Refusal::UserFuse => "user-fuse",
        }
    }

    /// What to do about it, in one sentence.
    #[must_use]
    pub fn remedy(self) -> &'static str {
        match self {
            Refusal::HostNixOwner => "Give the host's /nix to root: `chown root:root /nix`.",
            Refusal::HostNixWritable => "Let only root write the host's /nix: `chmod 0755 /nix`.",
            Refusal::HostNixNotEmpty => "Uninstall the Nix that is on the host, then empty /nix.",
            Refusal::Nixos => "Do not use nix-ns on NixOS, which itself lives in /nix.",
            Refusal::PrivilegedReference => {
                "Remove the line that names /nix from that file, or let login programs read it (SELinux?): a leftover of an uninstalled Nix would run a user's program as root."
            }
            Refusal::UserFuse => {
                "Put the store directory on a file system that the administrator mounted, with `source_path`."
            }
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}
