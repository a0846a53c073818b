//! The seam between this crate and the kernel: every system call that enters,
//! leaves, builds or inspects a namespace, and nothing else. By what they are
//! about:
//!
//! - [`tasks`]: processes and threads.
//! - [`namespaces`]: which one, into one, a new one.
//! - [`mounts`]: of the namespace that the caller is in.
//! - [`files`]: looked at, never read.
//! - [`directories`]: and the links in them.
//! - [`identity`]: as whom files are opened.
//!
//! [`Linux`] makes the calls. The unit tests put a recorder in its place, so
//! that the order of calls, and what happens when one fails, is tested without
//! privilege.

pub mod directories;
pub mod files;
pub mod identity;
pub mod mounts;
pub mod namespaces;
pub mod tasks;

pub(crate) mod linux;
#[cfg(test)]
pub(crate) mod recorder;

use nix::errno::Errno;

pub use directories::Directories;
pub use files::{Files, Remembered, Walk};
pub use identity::{FileIdentity, Identity, LostWithIdentity};
pub use linux::Linux;
pub use mounts::{MountFlags, MountId, Mounts, Propagation};
pub use namespaces::{NamespaceId, Namespaces};
pub use tasks::{Task, Tasks};

/// A system call that failed: which one, and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{call}: {errno}{}", if *errno == Errno::ENOSYS { " (nix-ns needs Linux 5.10 or later)" } else { "" })]
pub struct CallFailed {
    /// The call's name as in section 2 of the manual, with its object if that
    /// is not plain.
    pub call: &'static str,
    /// What it answered.
    pub errno: Errno,
}

/// Short for the result of one system call.
pub type Called<T> = Result<T, CallFailed>;

/// The system calls of this crate. One method is one call, or one call and the
/// closing of its descriptor; the names are the field's.
pub trait Kernel: Tasks + Namespaces + Mounts + Files + Directories + Identity {}

impl<K: Tasks + Namespaces + Mounts + Files + Directories + Identity> Kernel for K {}

/// A decimal number as this program prints one: no sign, no leading zero.
pub(crate) fn parse_decimal(text: &str) -> Option<u64> {
    let plain = text.bytes().all(|byte| byte.is_ascii_digit());
    let canonical = text == "0" || !text.starts_with('0');
    (plain && canonical).then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
mod tests;
