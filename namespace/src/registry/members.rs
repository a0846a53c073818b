//! Who is in a namespace: the threads that were put there, or what they left.

use std::ffi::OsStr;
use std::os::fd::{AsFd, OwnedFd};

use nix::errno::Errno;

use super::Registry;
use super::entries::{Entries, Session};
use crate::kernel::{Called, Kernel, NamespaceId, Task};
use crate::record::Record;

/// What became of a registered thread.
pub(super) enum Seen {
    There(OwnedFd),
    Gone,
    NotByThisCaller,
}

impl Registry {
    /// Opens a namespace through a thread that is in it. Threads found gone are
    /// taken off the registry.
    pub(crate) fn open_member(
        &self,
        kernel: &dyn Kernel,
        entries: &Entries,
        record: &Record,
    ) -> Called<Option<OwnedFd>> {
        let members = entries
            .sessions
            .iter()
            .filter(|session| session.namespace == record.namespace);
        for session in members {
            match self.open_session(kernel, session)? {
                Seen::There(namespace) => return Ok(Some(namespace)),
                Seen::Gone => self.forget(kernel, &session.name)?,
                Seen::NotByThisCaller => {}
            }
        }
        open_survivor(kernel, record)
    }

    pub(super) fn open_session(&self, kernel: &dyn Kernel, session: &Session) -> Called<Seen> {
        let namespace = match kernel.open_namespace(Task::Thread(session.thread)) {
            Ok(namespace) => namespace,
            Err(failed) if matches!(failed.errno, Errno::ENOENT | Errno::ESRCH) => {
                return Ok(Seen::Gone);
            }
            // Without CAP_SYS_PTRACE, or a descriptor to spare: others see it.
            Err(_) => return Ok(Seen::NotByThisCaller),
        };
        if kernel.namespace_id(namespace.as_fd())? != session.namespace {
            return Ok(Seen::Gone);
        }
        if !kernel.owned_by_callers_user_namespace(namespace.as_fd())? {
            return Ok(Seen::Gone);
        }
        if let NamespaceId::Unique(_) = session.namespace {
            return Ok(Seen::There(namespace));
        }
        // The inode number alone may belong to a newer namespace: the thread must
        // be the one that was registered.
        let began = kernel.link_text(self.directory.as_fd(), &session.name)?;
        let same = kernel
            .began(session.thread)
            .is_ok_and(|ticks| OsStr::new(&ticks.to_string()) == began);
        Ok(if same {
            Seen::There(namespace)
        } else {
            Seen::Gone
        })
    }
}

/// A process that outlived every session (tmux, nohup) and is still in the
/// recorded namespace. Only a 64-bit number can be looked for: a user may plant
/// a namespace, but not one with a number that root wrote down.
pub(super) fn open_survivor(kernel: &dyn Kernel, record: &Record) -> Called<Option<OwnedFd>> {
    let NamespaceId::Unique(_) = record.namespace else {
        return Ok(None);
    };
    for process in kernel.processes()? {
        let task = Task::Thread(process);
        if kernel.namespace_inode(task) != Ok(record.inode) {
            continue;
        }
        let Ok(namespace) = kernel.open_namespace(task) else {
            continue;
        };
        let recorded = kernel.namespace_id(namespace.as_fd()) == Ok(record.namespace);
        if recorded && kernel.owned_by_callers_user_namespace(namespace.as_fd()) == Ok(true) {
            return Ok(Some(namespace));
        }
    }
    Ok(None)
}
