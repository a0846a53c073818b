//! The registry, `/run/nix-ns/1`: which nix namespaces a user has, and which
//! threads were put into them.
//!
//! Two kinds of entries, in directories which only root can open, one for each
//! user and PID namespace, `UID.PIDNAMESPACE`: a container that shares `/run`
//! numbers its threads anew, and must neither find ours nor supersede their
//! namespace.
//!
//! ```text
//! namespace.DEVICE.INODE.GENERATION -> a record
//! session.NAMESPACE.THREAD -> when the thread began, where that matters
//! ```
//!
//! Beside these directories two links remember what is true of the whole host, for
//! the next login (`remembered_link`).
//!
//! All are symbolic links, which are there whole or not at all and which no
//! size limit of a caller (`ulimit -f 0; su`) can cut short. There is no lock:
//! alice may stop her own `su bob` at any instant, and bob must not wait for
//! her. Instead, the first link with a name wins: of several logins that build
//! a namespace for one store directory at the same time, the one that makes the
//! next generation's link is *elected*, and the others give theirs up and join.

mod election;
mod entries;
mod members;
mod overview;
mod remembered_link;
mod sweep;

use std::cell::Cell;
use std::ffi::{OsStr, OsString};
use std::os::fd::{AsFd, OwnedFd};
use std::path::PathBuf;

use nix::errno::Errno;

use crate::kernel::{Called, Kernel, NamespaceId};
use crate::record::{FileId, Record};
pub(crate) use entries::{Elected, Entries};
use entries::{Session, parse_elected, session_name};
pub use overview::{Holder, Living, holders, living};
pub(crate) use remembered_link::RememberedLink;

/// Format 1. A later format gets a directory of its own.
pub const ROOT: &str = "/run/nix-ns/1";
/// The owner alone; set-group-ID so that entries are group root's, whatever
/// group the caller (su: the group of whoever called it) has.
const MODE: u32 = 0o2700;

/// What stands where it does not matter when a thread began.
const BEGAN: &str = "-";

/// One user's directory in the registry, of the caller's PID namespace.
#[derive(Debug)]
pub(crate) struct Registry {
    path: PathBuf,
    directory: OwnedFd,
    /// Whether it was read since it was opened: to read it again takes one call
    /// more.
    was_read: Cell<bool>,
}

impl Registry {
    /// Opens a user's directory if there is one.
    pub(crate) fn find(kernel: &dyn Kernel, uid: u32) -> Called<Option<Self>> {
        let path = path_of(uid, kernel.pid_namespace()?);
        match kernel.open_directory(&path) {
            Ok(directory) => Ok(Some(Self::new(path, directory))),
            Err(failed) if failed.errno == Errno::ENOENT => Ok(None),
            Err(failed) => Err(failed),
        }
    }

    /// Opens a user's directory, made if need be.
    pub(crate) fn make(kernel: &dyn Kernel, uid: u32) -> Called<Self> {
        make_root(kernel)?;
        let path = path_of(uid, kernel.pid_namespace()?);
        kernel.make_directory(&path, MODE)?;
        let directory = kernel.open_directory(&path)?;
        Ok(Self::new(path, directory))
    }

    const fn new(path: PathBuf, directory: OwnedFd) -> Self {
        Self {
            path,
            directory,
            was_read: Cell::new(false),
        }
    }

    fn names(&self, kernel: &dyn Kernel) -> Called<Vec<OsString>> {
        let directory = self.directory.as_fd();
        if self.was_read.replace(true) {
            kernel.entries_again(directory)
        } else {
            kernel.entries(directory)
        }
    }

    /// Looks at everything once. What is not understood is left alone.
    pub(crate) fn entries(&self, kernel: &dyn Kernel) -> Called<Entries> {
        let mut entries = Entries::default();
        for name in self.names(kernel)? {
            if let Some(session) = Session::parse(&name) {
                entries.sessions.push(session);
            } else if let Some((store, generation)) = parse_elected(&name) {
                entries.count(store, generation);
                entries.named.push((store, generation, name.clone()));
                if let Some(record) = self.read_record(kernel, &name, store) {
                    entries.keep_latest(Elected {
                        record,
                        name,
                        generation,
                    });
                }
            }
        }
        Ok(entries)
    }

    fn read_record(&self, kernel: &dyn Kernel, name: &OsStr, store: FileId) -> Option<Record> {
        let text = kernel.link_text(self.directory.as_fd(), name).ok()?;
        Record::parse(&text).filter(|record| record.store == store)
    }

    /// Says that the calling thread is in a namespace.
    pub(crate) fn add_session(&self, kernel: &dyn Kernel, namespace: NamespaceId) -> Called<()> {
        let thread = kernel.thread();
        let name = session_name(namespace, thread);
        let began = OsString::from(match namespace {
            // A number that is never given again needs no second proof, and to ask
            // is the dearest call of all (`do_task_stat` in fs/proc/array.c).
            NamespaceId::Unique(_) => BEGAN.to_owned(),
            NamespaceId::Inode(_) => kernel.began(thread)?.to_string(),
        });
        match kernel.link(&began, self.directory.as_fd(), &name) {
            // Left by an earlier thread of the same number.
            Err(failed) if failed.errno == Errno::EEXIST => {
                self.forget(kernel, &name)?;
                kernel.link(&began, self.directory.as_fd(), &name)
            }
            answer => answer,
        }
    }

    /// Takes the calling thread out again, if it is there and still may be:
    /// `(sd-pam)` closes as the user. A stale entry is harmless.
    pub(crate) fn remove_session(&self, kernel: &dyn Kernel, namespace: NamespaceId) {
        let name = session_name(namespace, kernel.thread());
        let _ = kernel.unlink(self.directory.as_fd(), &name);
    }

    fn forget(&self, kernel: &dyn Kernel, name: &OsStr) -> Called<()> {
        match kernel.unlink(self.directory.as_fd(), name) {
            Err(failed) if failed.errno != Errno::ENOENT => Err(failed),
            _ => Ok(()),
        }
    }
}

/// Opens the registry, made if need be.
pub(crate) fn make_root(kernel: &dyn Kernel) -> Called<OwnedFd> {
    kernel.make_directory(crate::RUN.as_ref(), 0o755)?;
    kernel.make_directory(ROOT.as_ref(), MODE)?;
    kernel.open_directory(ROOT.as_ref())
}

/// By number: names can hold anything.
fn path_of(uid: u32, pid_namespace: u64) -> PathBuf {
    PathBuf::from(format!("{ROOT}/{uid}.{pid_namespace}"))
}

#[cfg(test)]
mod tests;
