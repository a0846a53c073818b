//! What the recorder keeps of a machine, and how it answers a call.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ffi::OsString;
use std::fs::File;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::path::PathBuf;

use nix::errno::Errno;

use super::{HOST, Recorder, absent};
use crate::kernel::{CallFailed, Called, FileIdentity, MountFlags, Remembered, Task, Walk};

#[derive(Debug)]
pub(super) struct State {
    pub(super) calls: Vec<String>,
    pub(super) failing: Option<(usize, Errno)>,
    /// Calls that fail always.
    pub(super) refused: BTreeMap<&'static str, Errno>,
    /// Calls that answer as if they had done something.
    pub(super) idle: BTreeSet<&'static str>,
    pub(super) events: Vec<Event>,
    /// Files that are not what they usually are.
    pub(super) files: BTreeMap<PathBuf, Called<Remembered>>,
    /// What becomes of the mount table on its way to the caller.
    pub(super) table: fn(String) -> String,
    /// Whether the first process may not be looked at.
    pub(super) blind: bool,
    /// Whether namespaces have no number but that of their inode.
    pub(super) old: bool,
    /// A free number of a namespace.
    pub(super) given_again: Option<u64>,
    pub(super) kept: (PathBuf, BTreeMap<OsString, OsString>),
    pub(super) missing: Vec<&'static str>,
    pub(super) running: u32,
    pub(super) began: u64,
    pub(super) ours: bool,
    pub(super) thread: i32,
    pub(super) pid_namespace: u64,
    /// Links that lead nowhere.
    pub(super) dangling: BTreeSet<PathBuf>,
    /// How the last path was walked.
    pub(super) walked: Option<Walk>,
    pub(super) objects: HashMap<RawFd, Object>,
    pub(super) namespaces: BTreeMap<u64, Namespace>,
    pub(super) current: u64,
    /// Threads by number, and where they are.
    pub(super) threads: BTreeMap<i32, u64>,
    pub(super) links: BTreeMap<PathBuf, BTreeMap<OsString, OsString>>,
    pub(super) working_directory: PathBuf,
    pub(super) identity: FileIdentity,
    pub(super) next: u64,
}

/// A mount namespace.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Namespace {
    /// What is on `/nix`, the topmost last.
    pub(super) nix: Vec<Layer>,
    pub(super) marker: Option<OsString>,
    /// Other directories that were mounted: what, by where.
    pub(super) binds: BTreeMap<PathBuf, (PathBuf, Layer)>,
}

/// A mount on `/nix`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Layer {
    pub(super) inode: u64,
    pub(super) mount: u64,
    pub(super) flags: MountFlags,
}

/// What a descriptor of the recorder's stands for.
#[derive(Debug, Clone)]
pub(super) enum Object {
    Namespace(u64),
    Tree {
        /// Of what it is a copy; nothing for a new file system.
        of: Option<PathBuf>,
        inode: u64,
        flags: MountFlags,
        link: Option<OsString>,
    },
    Directory(PathBuf),
    Path(PathBuf),
    /// What was there when it was opened.
    File(PathBuf, Remembered),
}

/// Something that happens after a call with this name has been made so often.
#[derive(Debug, Clone, Copy)]
pub(super) struct Event {
    pub(super) call: &'static str,
    pub(super) times: usize,
    pub(super) what: fn(&Recorder),
}

impl State {
    pub(super) fn new() -> Self {
        Self {
            calls: Vec::new(),
            failing: None,
            refused: BTreeMap::new(),
            idle: BTreeSet::new(),
            events: Vec::new(),
            files: BTreeMap::new(),
            table: |table| table,
            blind: false,
            old: false,
            given_again: None,
            kept: Default::default(),
            missing: Vec::new(),
            running: 1,
            began: 12345,
            ours: true,
            thread: 100,
            pid_namespace: 9,
            dangling: BTreeSet::new(),
            walked: None,
            objects: HashMap::new(),
            namespaces: BTreeMap::from([(HOST, Namespace::default())]),
            current: HOST,
            threads: BTreeMap::from([(1, HOST), (100, HOST)]),
            links: BTreeMap::new(),
            working_directory: "/".into(),
            identity: FileIdentity { uid: 0, gid: 0 },
            next: 10,
        }
    }

    pub(super) fn answer<T>(
        &mut self,
        call: &'static str,
        then: impl FnOnce(&mut Self) -> Called<T>,
    ) -> Called<T> {
        let index = self.calls.len();
        self.calls.push(call.to_owned());
        if let Some(errno) = self.refused.get(call).copied() {
            return Err(CallFailed { call, errno });
        }
        match self.failing {
            Some((failing, errno)) if failing == index => Err(CallFailed { call, errno }),
            _ => then(self),
        }
    }

    /// The events that this call was the last wait for.
    pub(super) fn take_due(&mut self, call: &str) -> Vec<Event> {
        for event in self.events.iter_mut().filter(|event| event.call == call) {
            event.times -= 1;
        }
        let (due, later) = self.events.iter().partition(|event| event.times == 0);
        self.events = later;
        due
    }

    pub(super) fn here(&self) -> &Namespace {
        &self.namespaces[&self.current]
    }

    pub(super) fn here_mut(&mut self) -> &mut Namespace {
        let current = self.current;
        self.namespaces.get_mut(&current).unwrap()
    }

    pub(super) fn take_number(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    pub(super) fn hand_out(&mut self, object: Object) -> OwnedFd {
        let descriptor = OwnedFd::from(File::open("/dev/null").unwrap());
        self.objects.insert(descriptor.as_raw_fd(), object);
        descriptor
    }

    pub(super) fn object(&self, descriptor: BorrowedFd) -> &Object {
        &self.objects[&descriptor.as_raw_fd()]
    }

    pub(super) fn namespace_of(&self, task: Task) -> Called<u64> {
        match task {
            Task::Caller => Ok(self.current),
            Task::Init if self.blind => Err(CallFailed {
                call: "open",
                errno: Errno::EACCES,
            }),
            Task::Init => Ok(HOST),
            Task::Thread(thread) => self.threads.get(&thread).copied().ok_or(absent("open")),
        }
    }
}
