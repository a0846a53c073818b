//! Why `nix-ns enter` runs nothing.

use std::io;

use nix::errno::Errno;

use crate::program::NotRun;
use crate::reentry::PROGRAM;
use crate::{account_database, user_namespace};

/// Why nothing was run.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The program that enters is not there.
    #[error("{PROGRAM} cannot be run: {0}; is nix-ns installed?")]
    NotInstalled(io::Error),
    /// This program does not know its own path.
    #[error("/proc/self/exe: {0}")]
    NoSelf(io::Error),
    /// There is no way without privilege, either.
    #[error("nix-ns enter: {source}{}{}", source.hint(), setuid.map(|why| format!(" (nor by {PROGRAM}: {why})")).unwrap_or_default())]
    UserNamespace {
        /// What is in the way.
        source: user_namespace::Error,
        /// Why there is none with privilege, unless nobody asked.
        setuid: Option<&'static str>,
    },
    /// What was asked for cannot be had.
    #[error("no_new_privs cannot be set: {0}")]
    NoNewPrivileges(Errno),
    /// The command cannot be run.
    #[error(transparent)]
    NotRun(#[from] NotRun),
    /// Called by root, who is nobody's caller.
    #[error("root has no /nix of its own; as the user, run `nix-ns enter`, or `sudo nix-ns enter`")]
    Root,
    /// Root is among those on whom sshd forces this command.
    #[error(
        "root has no /nix of its own, and gets no shell by this; let ForceCommand in sshd_config be for a group of users: `Match Group nix-users`"
    )]
    RootForced,
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
    pub fn exit_status(&self) -> u8 {
        match self {
            Self::NotRun(not_run) => not_run.exit_status(),
            _ => 125,
        }
    }
}
