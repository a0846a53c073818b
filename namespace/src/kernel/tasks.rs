//! Processes and threads, and what the calling one may do.

use super::Called;

/// A task whose mount namespace is looked at. Everything goes by thread, not
/// by process: `unshare` and `setns` move the calling thread alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Task {
    /// The calling thread.
    Caller,
    /// The first process of the system (or of the container).
    Init,
    /// A thread by its number; procfs finds threads by number, too.
    Thread(i32),
}

/// What is asked of processes and threads.
pub trait Tasks {
    /// `capget`: whether the caller has `CAP_SYS_ADMIN` and `CAP_SYS_CHROOT`,
    /// the two that `unshare` and `setns` ask for; names what is missing.
    fn missing_capabilities(&self) -> Called<Vec<&'static str>>;
    /// Number of threads of the calling process.
    fn threads(&self) -> Called<u32>;
    /// Number of the calling thread, in its PID namespace.
    fn thread(&self) -> i32;
    /// When a thread began, in clock ticks since boot (`/proc/PID/stat`, 22).
    fn began(&self, thread: i32) -> Called<u64>;
    /// Inode number of the caller's PID namespace.
    fn pid_namespace(&self) -> Called<u64>;
    /// Numbers of all processes (`/proc`).
    fn processes(&self) -> Called<Vec<i32>>;
}
