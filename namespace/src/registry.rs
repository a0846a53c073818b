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
//! All are symbolic links, which are there whole or not at all and which no
//! size limit of a caller (`ulimit -f 0; su`) can cut short. There is no lock:
//! alice may stop her own `su bob` at any instant, and bob must not wait for
//! her. Instead, the first link with a name wins: of several logins that build
//! a namespace for one store directory at the same time, the one that makes the
//! next generation's link is *elected*, and the others give theirs up and join.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::os::fd::{AsFd, OwnedFd};
use std::path::PathBuf;
use std::time::SystemTime;

use nix::errno::Errno;

use crate::kernel::{Called, Kernel, NamespaceId, Task, parse_decimal};
use crate::record::{FileId, Record};

/// Format 1. A later format gets a directory of its own.
pub const ROOT: &str = "/run/nix-ns/1";
/// The owner alone; set-group-ID so that entries are group root's, whatever
/// group the caller (su: the group of whoever called it) has.
const MODE: u32 = 0o2700;

/// With more sessions of one user, every login looks whether some are gone.
const MANY_SESSIONS: usize = 16;
/// How many it looks at, and so many more for each that is gone: where few are, a
/// thousand sessions cost a login no more than twenty.
const SOME_SESSIONS: usize = 4;

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

/// A namespace that was elected for a store directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Elected {
    pub(crate) record: Record,
    name: OsString,
    generation: u64,
}

/// A thread that was put into a namespace.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Session {
    name: OsString,
    namespace: NamespaceId,
    thread: i32,
}

/// What became of a registered thread.
enum Seen {
    There(OwnedFd),
    Gone,
    NotByThisCaller,
}

/// Everything in a user's directory, as of one look.
#[derive(Debug, Default)]
pub(crate) struct Entries {
    /// For each store directory, the latest election.
    elected: Vec<Elected>,
    /// For each store directory, the latest generation, whether it can be read
    /// or not: an entry that is damaged, or of another format, is nobody's
    /// namespace, and still in the way.
    generations: BTreeMap<FileId, u64>,
    /// Every election by name, superseded ones among them.
    named: Vec<(FileId, u64, OsString)>,
    sessions: Vec<Session>,
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

    /// Tries to make a record the elected one with the generation that was next
    /// when its predecessor was looked at. `false`: another one was elected.
    pub(crate) fn elect(
        &self,
        kernel: &dyn Kernel,
        record: &Record,
        generation: u64,
        predecessor: Option<&Elected>,
    ) -> Called<bool> {
        let name = elected_name(record.store, generation);
        match kernel.link(&record.to_text(), self.directory.as_fd(), &name) {
            Ok(()) => {}
            Err(failed) if failed.errno == Errno::EEXIST => return Ok(false),
            Err(failed) => return Err(failed),
        }
        // A late comer may have found the name free because its bearer was
        // already superseded and removed: the latest generation is the elected.
        if !self.is_elected(kernel, record)? {
            kernel.unlink(self.directory.as_fd(), &name)?;
            return Ok(false);
        }
        if let Some(predecessor) = predecessor {
            self.forget(kernel, &predecessor.name)?;
        }
        Ok(true)
    }

    /// After superseding a dead namespace: whether somebody had joined that one
    /// at the last moment. Then it is elected again, and this one is not.
    pub(crate) fn yields(
        &self,
        kernel: &dyn Kernel,
        record: &Record,
        dead: Option<&Elected>,
    ) -> Called<bool> {
        let Some(dead) = dead else { return Ok(false) };
        // Before Linux 6.11 a number is an inode's, which the kernel gives to the
        // next namespace as soon as it is free: then the dead one is, and whoever
        // is registered by that number is in this one.
        if dead.record.namespace == record.namespace {
            return Ok(false);
        }
        let entries = self.entries(kernel)?;
        if !self.has_session(kernel, &entries, &dead.record)? {
            return Ok(false);
        }
        let ours = entries
            .elected(record.store)
            .filter(|elected| elected.record == *record);
        Ok(match ours {
            Some(ours) => {
                let generation = entries.next_generation(record.store);
                self.elect(kernel, &dead.record, generation, Some(ours))?
            }
            None => true,
        })
    }

    fn has_session(&self, kernel: &dyn Kernel, entries: &Entries, record: &Record) -> Called<bool> {
        for session in entries
            .sessions
            .iter()
            .filter(|session| session.namespace == record.namespace)
        {
            if let Seen::There(_) = self.open_session(kernel, session)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Notes that a namespace is what today's configurations amount to, so that
    /// the next login need not read them.
    pub(crate) fn refresh(
        &self,
        kernel: &dyn Kernel,
        elected: &Elected,
        record: &Record,
    ) -> Called<()> {
        if *record == elected.record {
            return Ok(());
        }
        // One name a directory, whoever is killed before the renaming.
        let FileId { device, inode } = record.store;
        let name = OsString::from(format!("new.{device}.{inode}"));
        self.forget(kernel, &name)?;
        kernel.link(&record.to_text(), self.directory.as_fd(), &name)?;
        kernel.rename(self.directory.as_fd(), &name, &elected.name)
    }

    /// Whether an election still stands. Its name says so: what it was made by may
    /// be noted anew under the same.
    pub(crate) fn still_elects(&self, kernel: &dyn Kernel, elected: &Elected) -> Called<bool> {
        let latest = self
            .names(kernel)?
            .iter()
            .filter_map(|name| parse_elected(name))
            .filter(|(store, _)| *store == elected.record.store)
            .map(|(_, generation)| generation)
            .max();
        Ok(latest == Some(elected.generation))
    }

    /// Whether a record is the elected one of its store directory now.
    pub(crate) fn is_elected(&self, kernel: &dyn Kernel, record: &Record) -> Called<bool> {
        let entries = self.entries(kernel)?;
        Ok(entries
            .elected(record.store)
            .is_some_and(|elected| elected.record.namespace == record.namespace))
    }

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

    /// Takes out what nobody is in any more: threads that are gone, and
    /// namespaces of other store directories than `store`. A user who kills
    /// logins, or edits a path again and again, must not fill /run.
    pub(crate) fn sweep(&self, kernel: &dyn Kernel, store: FileId) -> Called<()> {
        let entries = self.entries(kernel)?;
        for session in &entries.sessions {
            self.sweep_session(kernel, session)?;
        }
        // Left by logins killed between standing and taking their predecessor out.
        for name in entries.superseded() {
            self.forget(kernel, name)?;
        }
        for elected in entries
            .all()
            .filter(|elected| elected.record.store != store)
        {
            let path = self.path.join(&elected.name);
            let settled = kernel
                .remembered(&path)
                .is_ok_and(|link| is_old(link.changed.0));
            if settled
                && self
                    .open_member(kernel, &entries, &elected.record)?
                    .is_none()
            {
                self.forget(kernel, &elected.name)?;
            }
        }
        Ok(())
    }

    /// The same for a few threads alone, other ones at every login, once there are
    /// many.
    pub(crate) fn sweep_some(&self, kernel: &dyn Kernel, entries: &Entries) -> Called<()> {
        let sessions = &entries.sessions;
        if sessions.len() <= MANY_SESSIONS {
            return Ok(());
        }
        let thread = usize::try_from(kernel.thread()).unwrap_or_default();
        let first = thread.checked_rem(sessions.len()).unwrap_or_default();
        let mut looks = SOME_SESSIONS;
        for session in sessions.iter().cycle().skip(first).take(sessions.len()) {
            if looks == 0 {
                break;
            }
            looks = looks.saturating_sub(1);
            if self.sweep_session(kernel, session)? {
                looks = looks.saturating_add(SOME_SESSIONS);
            }
        }
        Ok(())
    }

    /// Whether it was gone.
    fn sweep_session(&self, kernel: &dyn Kernel, session: &Session) -> Called<bool> {
        let gone = matches!(self.open_session(kernel, session)?, Seen::Gone);
        if gone {
            self.forget(kernel, &session.name)?;
        }
        Ok(gone)
    }

    fn open_session(&self, kernel: &dyn Kernel, session: &Session) -> Called<Seen> {
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

/// A process that outlived every session (tmux, nohup) and is still in the
/// recorded namespace. Only a 64-bit number can be looked for: a user may plant
/// a namespace, but not one with a number that root wrote down.
fn open_survivor(kernel: &dyn Kernel, record: &Record) -> Called<Option<OwnedFd>> {
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

impl Entries {
    /// The elected namespace of a store directory.
    pub(crate) fn elected(&self, store: FileId) -> Option<&Elected> {
        self.all().find(|elected| elected.record.store == store)
    }

    /// All elected namespaces.
    pub(crate) fn all(&self) -> impl Iterator<Item = &Elected> {
        self.elected.iter().filter(|elected| {
            self.generations.get(&elected.record.store) == Some(&elected.generation)
        })
    }

    fn superseded(&self) -> impl Iterator<Item = &OsStr> {
        let latest = |store| self.generations.get(store).copied().unwrap_or_default();
        self.named
            .iter()
            .filter(move |(store, generation, _)| *generation < latest(store))
            .map(|(_, _, name)| name.as_os_str())
    }

    /// The generation that a new namespace for a store directory stands for.
    pub(crate) fn next_generation(&self, store: FileId) -> u64 {
        self.generations
            .get(&store)
            .map_or(1, |latest| latest.saturating_add(1))
    }

    fn count(&mut self, store: FileId, generation: u64) {
        let latest = self.generations.entry(store).or_insert(generation);
        *latest = generation.max(*latest);
    }

    fn keep_latest(&mut self, candidate: Elected) {
        match self
            .elected
            .iter_mut()
            .find(|elected| elected.record.store == candidate.record.store)
        {
            Some(elected) if elected.generation < candidate.generation => *elected = candidate,
            Some(_) => {}
            None => self.elected.push(candidate),
        }
    }
}

impl Session {
    fn parse(name: &OsStr) -> Option<Self> {
        let mut parts = name.to_str()?.split('.');
        if parts.next()? != "session" {
            return None;
        }
        let session = Self {
            name: name.to_owned(),
            namespace: NamespaceId::parse(parts.next()?)?,
            thread: parts.next().and_then(parse_decimal)?.try_into().ok()?,
        };
        parts.next().is_none().then_some(session)
    }
}

/// Generations count up only while the last one is there: a login that has seen
/// it may still be about to supersede it. None takes this long.
fn is_old(seconds: i64) -> bool {
    const LONG: i64 = 60;
    let now = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default()
        .as_secs();
    i64::try_from(now)
        .unwrap_or_default()
        .saturating_sub(seconds)
        > LONG
}

fn session_name(namespace: NamespaceId, thread: i32) -> OsString {
    format!("session.{namespace}.{thread}").into()
}

fn elected_name(store: FileId, generation: u64) -> OsString {
    format!("namespace.{}.{}.{generation}", store.device, store.inode).into()
}

fn parse_elected(name: &OsStr) -> Option<(FileId, u64)> {
    let mut parts = name.to_str()?.split('.');
    if parts.next()? != "namespace" {
        return None;
    }
    let device = parts.next().and_then(parse_decimal)?;
    let inode = parts.next().and_then(parse_decimal)?;
    let generation = parts.next().and_then(parse_decimal)?;
    parts
        .next()
        .is_none()
        .then_some((FileId { device, inode }, generation))
}

/// By number: names can hold anything.
fn path_of(uid: u32, pid_namespace: u64) -> PathBuf {
    PathBuf::from(format!("{ROOT}/{uid}.{pid_namespace}"))
}

mod overview;

pub use overview::{Holder, Living, holders, living};

#[cfg(test)]
mod tests;
