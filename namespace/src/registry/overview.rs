//! The registry as an administrator looks at it: nothing is changed, and what is
//! stale is left out.

use std::path::Path;

use super::members::{Seen, open_survivor};
use super::{ROOT, Registry};
use crate::kernel::{Called, Kernel, parse_decimal};
use crate::record::Record;

/// Who has a directory in the registry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Holder {
    /// The user.
    pub uid: u32,
    /// Inode number of the PID namespace that the sessions are numbered in.
    pub pid_namespace: u64,
}

/// A namespace that somebody is in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Living {
    /// What was written down about it.
    pub record: Record,
    /// The threads that were put into it and are still there. None, if only
    /// processes are left that outlived every session.
    pub sessions: Vec<i32>,
}

/// Everybody in the registry, of whatever PID namespace.
///
/// # Errors
/// When it may not be read; no registry is one without entries.
pub fn holders(kernel: &dyn Kernel) -> Called<Vec<Holder>> {
    let directory = match kernel.open_directory(Path::new(ROOT)) {
        Err(failed) if failed.errno == nix::errno::Errno::ENOENT => return Ok(Vec::new()),
        answer => answer?,
    };
    let names = kernel.entries(std::os::fd::AsFd::as_fd(&directory))?;
    let mut holders: Vec<Holder> = names
        .iter()
        .filter_map(|name| {
            let (uid, pid_namespace) = name.to_str()?.split_once('.')?;
            Some(Holder {
                uid: parse_decimal(uid)?.try_into().ok()?,
                pid_namespace: parse_decimal(pid_namespace)?,
            })
        })
        .collect();
    holders.sort_unstable();
    Ok(holders)
}

/// The namespaces of a user, of the caller's PID namespace, that live.
///
/// # Errors
/// When the registry may not be read.
pub fn living(kernel: &dyn Kernel, uid: u32) -> Called<Vec<Living>> {
    let Some(registry) = Registry::find(kernel, uid)? else {
        return Ok(Vec::new());
    };
    let entries = registry.entries(kernel)?;
    let mut living = Vec::new();
    for elected in entries.all() {
        let record = elected.record.clone();
        let mut sessions = Vec::new();
        let members = entries.sessions.iter();
        for session in members.filter(|session| session.namespace == record.namespace) {
            if let Seen::There(_) = registry.open_session(kernel, session)? {
                sessions.push(session.thread);
            }
        }
        if !sessions.is_empty() || open_survivor(kernel, &record)?.is_some() {
            sessions.sort_unstable();
            living.push(Living { record, sessions });
        }
    }
    Ok(living)
}
