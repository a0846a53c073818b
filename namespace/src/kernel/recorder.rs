//! A kernel for the unit tests: it records every call, can fail any one of
//! them, and keeps just enough state (which namespace the caller is in, what is
//! on `/nix` there, what the registry holds) for the code above to see the
//! consequences of its own calls.

#![allow(clippy::arithmetic_side_effects, reason = "a test double may panic")]

mod directories;
mod files;
mod identity;
mod mounts;
mod namespaces;
mod state;
mod tasks;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use nix::errno::Errno;

use super::{CallFailed, Called, FileIdentity, MountFlags, MountId, Remembered, Walk};
use state::{Event, Layer, Object, State};

/// The host's namespace.
pub(crate) const HOST: u64 = 1;
/// Inode number of the user's store directory.
pub(crate) const STORE: u64 = 500;
/// Inode number of the host's `/nix`.
const HOST_NIX: u64 = 400;
const ROOT_DIRECTORY: u64 = 2;

/// The recording kernel.
#[derive(Debug)]
pub(crate) struct Recorder(RefCell<State>);

/// Everything of a caller that must be as found after a failure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Position {
    namespace: u64,
    working_directory: PathBuf,
    identity: FileIdentity,
}

impl Recorder {
    pub(crate) fn new() -> Self {
        Self(RefCell::new(State::new()))
    }

    /// Lets the call with this index (from 0) fail.
    pub(crate) fn fail_at(&self, index: usize) {
        self.0.borrow_mut().failing = Some((index, Errno::EIO));
    }

    /// Lets every call with this name fail.
    pub(crate) fn refuse(&self, call: &'static str, errno: Errno) {
        self.0.borrow_mut().refused.insert(call, errno);
    }

    /// Lets every call with this name answer and do nothing.
    pub(crate) fn let_idle(&self, call: &'static str) {
        self.0.borrow_mut().idle.insert(call);
    }

    /// Lets something happen after a call with this name, the first or a later
    /// one from now on.
    pub(crate) fn after(&self, call: &'static str, times: usize, what: fn(&Self)) {
        let event = Event { call, times, what };
        self.0.borrow_mut().events.push(event);
    }

    /// Makes a file something else than it usually is.
    pub(crate) fn alter(&self, path: &str, change: impl FnOnce(&mut Remembered)) {
        let mut state = self.0.borrow_mut();
        let mut file = state
            .look(Path::new(path))
            .unwrap_or(directory(900, 0, 1, false));
        change(&mut file);
        state.files.insert(path.into(), Ok(file));
    }

    /// Takes a file away, or lets it not be looked at.
    pub(crate) fn hide(&self, path: &str, errno: Errno) {
        let failed = CallFailed {
            call: "statx",
            errno,
        };
        self.0.borrow_mut().files.insert(path.into(), Err(failed));
    }

    /// Makes a file a link that leads nowhere.
    pub(crate) fn dangle(&self, path: &str) {
        self.hide(path, Errno::ENOENT);
        self.0.borrow_mut().dangling.insert(path.into());
    }

    /// Changes the mount table on its way to the caller.
    pub(crate) fn alter_table(&self, table: fn(String) -> String) {
        self.0.borrow_mut().table = table;
    }

    /// Puts a link into a directory, which is made if need be.
    pub(crate) fn put_link(&self, directory: &str, name: &str, text: &OsStr) {
        let mut state = self.0.borrow_mut();
        let links = state.links.entry(directory.into()).or_default();
        links.insert(name.into(), text.to_owned());
    }

    /// The links in a directory.
    pub(crate) fn links(&self, directory: &str) -> BTreeMap<OsString, OsString> {
        let state = self.0.borrow();
        state
            .links
            .get(Path::new(directory))
            .cloned()
            .unwrap_or_default()
    }

    /// Takes every link out of a directory.
    pub(crate) fn empty_directory(&self, directory: &str) {
        let mut state = self.0.borrow_mut();
        state.links.insert(directory.into(), BTreeMap::new());
    }

    /// Links that another login makes in a directory when it is their turn.
    pub(crate) fn keep_for_later(&self, directory: &str, links: BTreeMap<OsString, OsString>) {
        self.0.borrow_mut().kept = (directory.into(), links);
    }

    /// It is their turn.
    pub(crate) fn bring_back(&self) {
        let mut state = self.0.borrow_mut();
        let (directory, links) = std::mem::take(&mut state.kept);
        state.links.entry(directory).or_default().extend(links);
    }

    /// What the marker says where the caller is; `None` is no marker.
    pub(crate) fn set_marker(&self, text: Option<OsString>) {
        self.0.borrow_mut().here_mut().marker = text;
    }

    /// The first process may not be looked at (SELinux).
    pub(crate) fn hide_first_process(&self) {
        self.0.borrow_mut().blind = true;
    }

    /// A kernel before Linux 6.11, or one again.
    pub(crate) fn be_old(&self, old: bool) {
        self.0.borrow_mut().old = old;
    }

    /// The number of a namespace that is gone is the next one's.
    pub(crate) fn give_again(&self, namespace: u64) {
        self.0.borrow_mut().given_again = Some(namespace);
    }

    /// Takes capabilities away.
    pub(crate) fn lack(&self, missing: &[&'static str]) {
        self.0.borrow_mut().missing = missing.to_vec();
    }

    /// How many threads the caller has.
    pub(crate) fn run_threads(&self, running: u32) {
        self.0.borrow_mut().running = running;
    }

    /// When threads began that are looked at from now on.
    pub(crate) fn begin_at(&self, ticks: u64) {
        self.0.borrow_mut().began = ticks;
    }

    /// Namespaces belong to a user's user namespace from now on.
    pub(crate) fn disown_namespaces(&self) {
        self.0.borrow_mut().ours = false;
    }

    /// The caller is this thread from now on.
    pub(crate) fn be_thread(&self, thread: i32) {
        self.0.borrow_mut().thread = thread;
    }

    /// The caller sees the processes of this PID namespace from now on.
    pub(crate) fn see_processes_of(&self, pid_namespace: u64) {
        self.0.borrow_mut().pid_namespace = pid_namespace;
    }

    /// How the last path was walked.
    pub(crate) fn walked(&self) -> Option<Walk> {
        self.0.borrow().walked
    }

    /// A thread ends.
    pub(crate) fn end_thread(&self, thread: i32) {
        self.0.borrow_mut().threads.remove(&thread);
    }

    /// Puts a thread somewhere.
    pub(crate) fn put_thread(&self, thread: i32, namespace: u64) {
        self.0.borrow_mut().threads.insert(thread, namespace);
    }

    /// Where a thread is.
    pub(crate) fn namespace_of_thread(&self, thread: i32) -> u64 {
        self.0.borrow().threads[&thread]
    }

    /// Where the caller is.
    pub(crate) fn namespace(&self) -> u64 {
        self.0.borrow().current
    }

    /// Number of the topmost mount on `/nix`, and its flags.
    pub(crate) fn top(&self) -> Option<(u64, MountFlags)> {
        let state = self.0.borrow();
        let top = state.here().nix.last();
        top.map(|layer| (layer.mount, layer.flags))
    }

    /// Puts something else on `/nix` without changing the mount's number.
    pub(crate) fn exchange_directory(&self) {
        for layer in &mut self.0.borrow_mut().here_mut().nix {
            layer.inode = 666;
        }
    }

    /// Mounts the same directory once more.
    pub(crate) fn mount_again(&self) {
        let mut state = self.0.borrow_mut();
        let mount = state.take_number();
        let top = *state.here().nix.last().unwrap();
        state.here_mut().nix.push(Layer { mount, ..top });
    }

    /// The calls so far, by name.
    pub(crate) fn calls(&self) -> Vec<String> {
        self.0.borrow().calls.clone()
    }

    pub(crate) fn position(&self) -> Position {
        let state = self.0.borrow();
        Position {
            namespace: state.current,
            working_directory: state.working_directory.clone(),
            identity: state.identity,
        }
    }

    pub(crate) fn stand_in(&self, directory: &str) {
        self.0.borrow_mut().working_directory = directory.into();
    }

    /// Whether the caller sees a user's store directory on `/nix`.
    pub(crate) fn sees_store(&self) -> bool {
        let state = self.0.borrow();
        let layers = &state.here().nix;
        layers.iter().any(|layer| layer.inode != HOST_NIX)
    }

    pub(crate) fn is_on_host(&self) -> bool {
        self.0.borrow().current == HOST
    }

    /// Another thread logs in where the caller was; the caller is on the host.
    pub(crate) fn as_another_thread(&self, thread: i32) {
        let mut state = self.0.borrow_mut();
        let current = state.current;
        state.threads.insert(thread, current);
        state.current = HOST;
    }

    /// A host whose own `/nix` is a mount.
    pub(crate) fn mount_hosts_own_nix(&self) {
        let mut state = self.0.borrow_mut();
        let mount = state.take_number();
        state.here_mut().nix.push(Layer {
            inode: HOST_NIX,
            mount,
            flags: MountFlags::default(),
        });
    }

    /// A user's program is mounted over `/nix` in a namespace.
    pub(crate) fn cover_nix(&self) {
        let mut state = self.0.borrow_mut();
        let mount = state.take_number();
        state.here_mut().nix.push(Layer {
            inode: 666,
            mount,
            flags: MountFlags::default(),
        });
    }

    /// A directory that a user's process might have sent.
    pub(crate) fn store_directory(&self) -> OwnedFd {
        self.opened("/home/alice/nix")
    }

    pub(crate) fn root_directory(&self) -> OwnedFd {
        self.opened("/home/alice")
    }

    /// A descriptor of this path, whatever is there.
    pub(crate) fn opened(&self, path: &str) -> OwnedFd {
        self.0.borrow_mut().hand_out(Object::Path(path.into()))
    }

    fn call<T>(&self, call: &'static str, then: impl FnOnce(&mut State) -> Called<T>) -> Called<T> {
        let answer = self.0.borrow_mut().answer(call, then);
        let due = self.0.borrow_mut().take_due(call);
        for event in due {
            (event.what)(self);
        }
        answer
    }
}

fn directory(inode: u64, uid: u32, mount: u64, mount_root: bool) -> Remembered {
    Remembered {
        device: 1,
        inode,
        mode: libc::S_IFDIR | 0o755,
        uid,
        links: 2,
        size: 0,
        changed: (1, 2),
        mount: MountId::Unique(mount),
        mount_root,
    }
}

fn absent(call: &'static str) -> CallFailed {
    CallFailed {
        call,
        errno: Errno::ENOENT,
    }
}
