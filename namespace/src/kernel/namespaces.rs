//! Mount namespaces: which one, into one, a new one.

use std::fmt;
use std::os::fd::{BorrowedFd, OwnedFd};

use super::{Called, Task, parse_decimal};

/// Which mount namespace, as far as this kernel can say.
///
/// Inode numbers are handed out again as soon as a namespace is gone; the
/// 64-bit number (`NS_GET_MNTNS_ID`, Linux 6.11) never is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum NamespaceId {
    /// Never given to another namespace until the next boot.
    Unique(u64),
    /// Inode number: tells two living namespaces apart, no more.
    Inode(u64),
}

/// What is done with mount namespaces.
pub trait Namespaces {
    /// Opens the mount namespace a task is in.
    fn open_namespace(&self, task: Task) -> Called<OwnedFd>;
    /// Inode number of the mount namespace a task is in.
    fn namespace_inode(&self, task: Task) -> Called<u64>;
    /// The number of an open mount namespace; fails on anything else.
    fn namespace_id(&self, namespace: BorrowedFd) -> Called<NamespaceId>;
    /// Whether the user namespace that owns an open namespace is the caller's own.
    fn owned_by_callers_user_namespace(&self, namespace: BorrowedFd) -> Called<bool>;
    /// `unshare(CLONE_FS)`: `setns` refuses a thread that shares its root and
    /// working directory with another.
    fn unshare_directories(&self) -> Called<()>;
    /// `unshare(CLONE_NEWNS)`.
    fn unshare_mounts(&self) -> Called<()>;
    /// `setns(CLONE_NEWNS)`.
    fn enter_namespace(&self, namespace: BorrowedFd) -> Called<()>;
}

impl fmt::Display for NamespaceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unique(id) => write!(f, "u{id}"),
            Self::Inode(id) => write!(f, "i{id}"),
        }
    }
}

impl NamespaceId {
    /// Reads what `Display` printed.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (kind, id) = text.split_at_checked(1)?;
        let id = parse_decimal(id)?;
        match kind {
            "u" => Some(Self::Unique(id)),
            "i" => Some(Self::Inode(id)),
            _ => None,
        }
    }
}
