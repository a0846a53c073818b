//! Why `nix-ns enter` runs nothing.

use std::io;

use nix::errno::Errno;

use crate::account_database;
use crate::reentry::PROGRAM;

/// Why nothing was run.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The program that enters is not there.
    #[error("{PROGRAM} cannot be run: {0}; is nix-ns installed?")]
    NotInstalled(io::Error),
    /// It is there, and would have no rights.
    #[error("{PROGRAM} has no rights: {0}")]
    NoRights(&'static str),
    /// Called by root, who is nobody's caller.
    #[error("root has no /nix of its own; as the user, run `nix-ns enter`, or `sudo nix-ns enter`")]
    Root,
    /// What sudo says is not what the account database says.
    #[error(
        "SUDO_UID, SUDO_GID and SUDO_USER do not agree with any account; run this by sudo, and leave them as it sets them"
    )]
    ForgedCaller,
    /// The account database does not answer.
    #[error(transparent)]
    AccountDatabase(#[from] account_database::Error),
    /// Root may not become the caller.
    #[error("cannot become the caller of sudo: {0}")]
    NotTheCaller(Errno),
}

impl Error {
    /// As of env(1) and chroot(1).
    #[must_use]
    pub const fn exit_status(&self) -> u8 {
        125
    }
}
