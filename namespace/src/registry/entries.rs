//! What is in a user's directory, by its names.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};

use crate::kernel::{NamespaceId, parse_decimal};
use crate::record::{FileId, Record};

/// A namespace that was elected for a store directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Elected {
    pub(crate) record: Record,
    pub(super) name: OsString,
    pub(super) generation: u64,
}

/// A thread that was put into a namespace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Session {
    pub(super) name: OsString,
    pub(super) namespace: NamespaceId,
    pub(super) thread: i32,
}

/// Everything in a user's directory, as of one look.
#[derive(Debug, Default)]
pub(crate) struct Entries {
    /// For each store directory, the latest election.
    pub(super) elected: Vec<Elected>,
    /// For each store directory, the latest generation, whether it can be read
    /// or not: an entry that is damaged, or of another format, is nobody's
    /// namespace, and still in the way.
    pub(super) generations: BTreeMap<FileId, u64>,
    /// Every election by name, superseded ones among them.
    pub(super) named: Vec<(FileId, u64, OsString)>,
    pub(super) sessions: Vec<Session>,
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

    pub(super) fn superseded(&self) -> impl Iterator<Item = &OsStr> {
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

    pub(super) fn count(&mut self, store: FileId, generation: u64) {
        let latest = self.generations.entry(store).or_insert(generation);
        *latest = generation.max(*latest);
    }

    pub(super) fn keep_latest(&mut self, candidate: Elected) {
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
    pub(super) fn parse(name: &OsStr) -> Option<Self> {
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

pub(super) fn session_name(namespace: NamespaceId, thread: i32) -> OsString {
    format!("session.{namespace}.{thread}").into()
}

pub(super) fn elected_name(store: FileId, generation: u64) -> OsString {
    format!("namespace.{}.{}.{generation}", store.device, store.inode).into()
}

pub(super) fn parse_elected(name: &OsStr) -> Option<(FileId, u64)> {
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
