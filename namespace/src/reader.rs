//! Reading as the user, in another program.
//!
//! Root never resolves a path that a user controls, and no byte of a user's
//! configuration is parsed in a process that holds sshd's keys. The module
//! clones a child, which becomes the user for good and then *is* the program
//! `nix-ns-reader`; a socket is its only tie. What comes back is data from a
//! user: bounded, checked, never trusted.

mod ask;
mod child;
mod protocol;

pub use ask::{Reader, Reading, SpawnedReader};
pub use protocol::{Finding, Reply, Request};

/// Where the program is installed; fixed when this is built, or whoever can
/// move a link to the caller's program could choose another (CVE-2021-44730).
pub const PROGRAM: &str = match option_env!("NIX_NS_READER") {
    Some(path) => path,
    None => "/usr/libexec/nix-ns-reader",
};

/// How long a home or a store directory may take to answer, in all.
pub const PATIENCE: std::time::Duration = std::time::Duration::from_secs(4);

/// Most directories a site can allow: they go into one message (`SCM_MAX_FD` of
/// the kernel is 253).
pub const MOST_ROOTS: usize = config::MOST_ROOTS;
