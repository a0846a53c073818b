//! How much is kept apart from the rest of the system.

use nix::sched::CloneFlags;

/// How much is kept apart from the rest of the system; each has what the ones
/// before it have.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, clap::ValueEnum)]
pub enum Isolation {
    /// Nothing but /nix
    #[default]
    None,
    /// Processes and inter-process communication
    Hardened,
    /// Also the network, /tmp and the runtime directory
    Lockdown,
}

impl Isolation {
    /// Whether there is anything to keep apart.
    pub(super) fn is_more_than_none(self) -> bool {
        self > Isolation::None
    }

    /// The namespaces it takes, besides the user's and that of mounts.
    pub(super) fn namespaces(self) -> CloneFlags {
        let hardened = CloneFlags::CLONE_NEWPID | CloneFlags::CLONE_NEWIPC;
        match self {
            Isolation::None => CloneFlags::empty(),
            Isolation::Hardened => hardened,
            Isolation::Lockdown => hardened | CloneFlags::CLONE_NEWNET,
        }
    }
}
