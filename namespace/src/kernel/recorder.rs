//! A kernel for the unit tests: it records every call, can fail any one of
//! them, and keeps just enough state (which namespace the caller is in, what is
//! on `/nix` there, what the registry holds) for the code above to see the
//! consequences of its own calls.

#![allow(clippy::arithmetic_side_effects, reason = "a test double may panic")]

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::path::{Path, PathBuf};

use nix::errno::Errno;

use super::{
    CallFailed, Called, FileIdentity, Kernel, LostWithIdentity, MountFlags, MountId, NamespaceId,
    Propagation, Remembered, Task, Walk,
};

/// The host's namespace.
pub(crate) const HOST: u64 = 1;
/// Inode number of the user's store directory.
pub(crate) const STORE: u64 = 500;
/// Inode number of the host's `/nix`.
const HOST_NIX: u64 = 400;
const ROOT_DIRECTORY: u64 = 2;

/// What a descriptor of the recorder's stands for.
#[derive(Debug, Clone)]
enum Object {
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

/// A mount on `/nix`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Layer {
    inode: u64,
    mount: u64,
    flags: MountFlags,
}

/// Something that happens after a call with this name has been made so often.
#[derive(Debug, Clone, Copy)]
struct Event {
    call: &'static str,
    times: usize,
    what: fn(&Recorder),
}

/// A mount namespace.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Namespace {
    /// What is on `/nix`, the topmost last.
    nix: Vec<Layer>,
    marker: Option<OsString>,
    /// Other directories that were mounted: what, by where.
    binds: BTreeMap<PathBuf, (PathBuf, Layer)>,
}

#[derive(Debug)]
struct State {
    calls: Vec<String>,
    failing: Option<(usize, Errno)>,
    /// Calls that fail always.
    refused: BTreeMap<&'static str, Errno>,
    /// Calls that answer as if they had done something.
    idle: BTreeSet<&'static str>,
    events: Vec<Event>,
    /// Files that are not what they usually are.
    files: BTreeMap<PathBuf, Called<Remembered>>,
    /// What becomes of the mount table on its way to the caller.
    table: fn(String) -> String,
    /// Whether the first process may not be looked at.
    blind: bool,
    /// Whether namespaces have no number but that of their inode.
    old: bool,
    /// A free number of a namespace.
    given_again: Option<u64>,
    kept: (PathBuf, BTreeMap<OsString, OsString>),
    missing: Vec<&'static str>,
    running: u32,
    began: u64,
    ours: bool,
    thread: i32,
    pid_namespace: u64,
    /// Links that lead nowhere.
    dangling: BTreeSet<PathBuf>,
    /// How the last path was walked.
    walked: Option<Walk>,
    objects: HashMap<RawFd, Object>,
    namespaces: BTreeMap<u64, Namespace>,
    current: u64,
    /// Threads by number, and where they are.
    threads: BTreeMap<i32, u64>,
    links: BTreeMap<PathBuf, BTreeMap<OsString, OsString>>,
    working_directory: PathBuf,
    identity: FileIdentity,
    next: u64,
}

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
        Self(RefCell::new(State {
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
        }))
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

impl State {
    fn answer<T>(
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
    fn take_due(&mut self, call: &str) -> Vec<Event> {
        for event in self.events.iter_mut().filter(|event| event.call == call) {
            event.times -= 1;
        }
        let (due, later) = self.events.iter().partition(|event| event.times == 0);
        self.events = later;
        due
    }

    fn here(&self) -> &Namespace {
        &self.namespaces[&self.current]
    }

    fn here_mut(&mut self) -> &mut Namespace {
        let current = self.current;
        self.namespaces.get_mut(&current).unwrap()
    }

    fn take_number(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    fn hand_out(&mut self, object: Object) -> OwnedFd {
        let descriptor = OwnedFd::from(File::open("/dev/null").unwrap());
        self.objects.insert(descriptor.as_raw_fd(), object);
        descriptor
    }

    fn object(&self, descriptor: BorrowedFd) -> &Object {
        &self.objects[&descriptor.as_raw_fd()]
    }

    fn namespace_of(&self, task: Task) -> Called<u64> {
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

    fn look(&self, path: &Path) -> Called<Remembered> {
        let here = self.here();
        if path == Path::new(".") {
            return self.look(&self.working_directory);
        }
        if let Some((_, layer)) = here.binds.get(path) {
            return Ok(directory(layer.inode, 0, layer.mount, true));
        }
        if let Some(file) = self.files.get(path) {
            return *file;
        }
        let text = path.to_str().unwrap();
        if self.blind && text.starts_with("/proc/1/") {
            return Err(CallFailed {
                call: "statx",
                errno: Errno::EACCES,
            });
        }
        match text {
            "/nix" => match here.nix.last() {
                Some(layer) if layer.inode == HOST_NIX => {
                    Ok(directory(layer.inode, 0, layer.mount, true))
                }
                Some(layer) => Ok(directory(layer.inode, 1001, layer.mount, true)),
                None => Ok(directory(HOST_NIX, 0, self.current * 1000, false)),
            },
            "/nix/store" => match here.nix.last() {
                Some(layer) => Ok(directory(layer.inode + 1, 1001, layer.mount, false)),
                None => Err(absent("statx")),
            },
            "/proc/1/root/nix" => Ok(directory(HOST_NIX, 0, HOST * 1000, false)),
            "/run/nix-ns/self" => Ok(directory(3, 0, 7, here.marker.is_some())),
            "/" | "/proc/1/root/" => Ok(directory(ROOT_DIRECTORY, 0, 1, true)),
            "/home/alice/nix" => Ok(directory(STORE, 1001, 1, false)),
            "/home/alice/.config/nix-ns/config.toml" => Ok(Remembered {
                mode: libc::S_IFREG | 0o600,
                ..directory(600, 1001, 1, false)
            }),
            _ if text.starts_with("/home") => Ok(directory(700, 1001, 1, false)),
            _ => Err(absent("statx")),
        }
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

impl Kernel for Recorder {
    fn missing_capabilities(&self) -> Called<Vec<&'static str>> {
        self.call("capget", |state| Ok(state.missing.clone()))
    }
    fn threads(&self) -> Called<u32> {
        self.call("statx task", |state| Ok(state.running))
    }
    fn thread(&self) -> i32 {
        self.0.borrow().thread
    }
    fn began(&self, _: i32) -> Called<u64> {
        self.call("read stat", |state| Ok(state.began))
    }
    fn pid_namespace(&self) -> Called<u64> {
        self.call("readlink pid", |state| Ok(state.pid_namespace))
    }
    fn processes(&self) -> Called<Vec<i32>> {
        self.call("getdents /proc", |state| {
            Ok(state.threads.keys().copied().collect())
        })
    }
    fn open_namespace(&self, task: Task) -> Called<OwnedFd> {
        self.call("open ns/mnt", |state| {
            let namespace = state.namespace_of(task)?;
            Ok(state.hand_out(Object::Namespace(namespace)))
        })
    }
    fn namespace_inode(&self, task: Task) -> Called<u64> {
        self.call("readlink ns/mnt", |state| state.namespace_of(task))
    }
    fn namespace_id(&self, namespace: BorrowedFd) -> Called<NamespaceId> {
        self.call("ioctl NS_GET_MNTNS_ID", |state| {
            match state.object(namespace) {
                Object::Namespace(id) if state.old => Ok(NamespaceId::Inode(*id)),
                Object::Namespace(id) => Ok(NamespaceId::Unique(*id)),
                other => panic!("{other:?} is no namespace"),
            }
        })
    }
    fn owned_by_callers_user_namespace(&self, _: BorrowedFd) -> Called<bool> {
        self.call("ioctl NS_GET_USERNS", |state| Ok(state.ours))
    }
    fn unshare_directories(&self) -> Called<()> {
        self.call("unshare CLONE_FS", |_| Ok(()))
    }
    fn unshare_mounts(&self) -> Called<()> {
        self.call("unshare CLONE_NEWNS", |state| {
            let copy = state.here().clone();
            let again = state.given_again.take();
            let id = again.unwrap_or_else(|| state.take_number());
            state.namespaces.insert(id, copy);
            state.current = id;
            Ok(())
        })
    }
    fn enter_namespace(&self, namespace: BorrowedFd) -> Called<()> {
        self.call("setns", |state| {
            let Object::Namespace(id) = *state.object(namespace) else {
                panic!("setns to no namespace")
            };
            state.current = id;
            state.working_directory = "/".into();
            Ok(())
        })
    }
    fn set_propagation(&self, propagation: Propagation) -> Called<()> {
        let call = match propagation {
            Propagation::Slave => "mount slave",
            Propagation::Shared => "mount shared",
        };
        self.call(call, |state| {
            assert_ne!(
                state.current, HOST,
                "the host's propagation is not ours to change"
            );
            Ok(())
        })
    }
    fn clone_tree(&self, directory: BorrowedFd) -> Called<OwnedFd> {
        self.call("open_tree", |state| {
            let Object::Path(path) = state.object(directory).clone() else {
                panic!("not a path")
            };
            let inode = state.look(&path)?.inode;
            Ok(state.hand_out(Object::Tree {
                of: Some(path),
                inode,
                flags: MountFlags::default(),
                link: None,
            }))
        })
    }
    fn new_memory_tree(&self) -> Called<OwnedFd> {
        self.call("fsmount", |state| {
            Ok(state.hand_out(Object::Tree {
                of: None,
                inode: 0,
                flags: MountFlags::default(),
                link: None,
            }))
        })
    }
    fn restrict(&self, tree: BorrowedFd, more: MountFlags) -> Called<()> {
        self.call("mount_setattr", |state| {
            if state.idle.contains("mount_setattr") {
                return Ok(());
            }
            let Some(Object::Tree { flags, .. }) = state.objects.get_mut(&tree.as_raw_fd()) else {
                panic!("no tree")
            };
            *flags = flags.and(more);
            Ok(())
        })
    }
    fn remount(&self, path: &Path, flags: MountFlags) -> Called<()> {
        self.call("mount remount", |state| {
            if path == Path::new("/nix") {
                state.here_mut().nix.last_mut().unwrap().flags = flags;
            } else if let Some((_, layer)) = state.here_mut().binds.get_mut(path) {
                layer.flags = flags;
            } else {
                assert!(flags.include(MountFlags::MARKER), "a marker to write in");
            }
            Ok(())
        })
    }
    fn attach(&self, tree: BorrowedFd, path: &Path) -> Called<()> {
        self.call("move_mount", |state| {
            assert_ne!(state.current, HOST, "nothing is ever mounted on the host");
            let Object::Tree {
                of,
                inode,
                flags,
                link,
            } = state.object(tree).clone()
            else {
                panic!("no tree")
            };
            let mount = state.take_number();
            let layer = Layer {
                inode,
                mount,
                flags,
            };
            if path == Path::new("/nix") {
                state.here_mut().nix.push(layer);
            } else if let Some(source) = of {
                let here = state.here_mut();
                here.binds.insert(path.to_owned(), (source, layer));
            } else {
                let later = state.refused.contains_key("mount_setattr");
                let now = flags.include(MountFlags::MARKER) || state.idle.contains("mount_setattr");
                assert!(later || now, "a marker to write in");
                state.here_mut().marker = link;
            }
            Ok(())
        })
    }
    fn detach(&self, path: &Path) -> Called<()> {
        self.call("umount2", |state| {
            assert_ne!(state.current, HOST, "nothing is ever unmounted on the host");
            if state.idle.contains("umount2") {
                return Ok(());
            }
            if path == Path::new("/nix") {
                state.here_mut().nix.pop();
            } else {
                state.here_mut().marker = None;
            }
            Ok(())
        })
    }
    fn mount_table(&self) -> Called<Vec<u8>> {
        self.call("read mountinfo", |state| {
            let mut table = "1 0 8:1 / / rw,relatime shared:1 - ext4 /dev/sda rw\n".to_owned();
            for layer in &state.here().nix {
                let Layer {
                    inode,
                    mount,
                    flags,
                } = *layer;
                let root = if inode == STORE {
                    "/home/alice/nix"
                } else {
                    "/"
                };
                let flags = if flags.include(MountFlags::STORE) {
                    "rw,nosuid,nodev,relatime"
                } else {
                    "rw,relatime"
                };
                table.push_str(&format!(
                    "{mount} 1 8:1 {root} /nix {flags} - ext4 /dev/sda rw\n"
                ));
            }
            for (point, (source, layer)) in &state.here().binds {
                let flags = if layer.flags.include(MountFlags::BIND) {
                    "ro,nosuid,nodev,relatime"
                } else {
                    "rw,relatime"
                };
                let (number, point) = (layer.mount, point.display());
                let source = source.display();
                table.push_str(&format!(
                    "{number} 1 8:1 {source} {point} {flags} - ext4 /dev/sda rw\n"
                ));
            }
            Ok((state.table)(table).into_bytes())
        })
    }
    fn first_mount(&self, task: Task) -> Called<u64> {
        self.call("read head of mountinfo", |state| match task {
            Task::Init => Ok(HOST),
            task => state.namespace_of(task),
        })
    }
    fn remembered(&self, path: &Path) -> Called<Remembered> {
        self.call("statx", |state| state.look(path))
    }
    fn current(&self, path: &Path) -> Called<Remembered> {
        self.call("statx now", |state| state.look(path))
    }
    fn remembered_of(&self, file: BorrowedFd) -> Called<Remembered> {
        self.call("statx fd", |state| match state.object(file).clone() {
            Object::Path(path) | Object::Directory(path) => state.look(&path),
            Object::File(_, file) => Ok(file),
            other => panic!("{other:?} is not looked at"),
        })
    }
    fn mount_number(&self, file: BorrowedFd) -> Called<u64> {
        self.call("statx mount", |state| match state.object(file).clone() {
            Object::Path(path) => match state.look(&path)?.mount {
                MountId::Unique(id) | MountId::Reused(id) => Ok(id),
            },
            other => panic!("{other:?} is on no mount"),
        })
    }
    fn known_path(&self, file: BorrowedFd) -> Called<PathBuf> {
        self.call("readlink fd", |state| match state.object(file).clone() {
            Object::Path(path) => Ok(path),
            other => panic!("{other:?} has no path"),
        })
    }
    fn refer(&self, path: &Path, walk: Walk) -> Called<OwnedFd> {
        self.call("openat2", |state| {
            state.walked = Some(walk);
            let is_link = matches!(walk, Walk::CachedLink | Walk::GlimpsedLink)
                && state.dangling.contains(path);
            if !is_link {
                state.look(path)?;
            }
            let path = if path == Path::new(".") {
                state.working_directory.clone()
            } else {
                path.to_owned()
            };
            Ok(state.hand_out(Object::Path(path)))
        })
    }
    fn refer_to_working_directory(&self) -> Called<OwnedFd> {
        self.call("open cwd", |state| {
            let path = state.working_directory.clone();
            let file = state.look(&path).unwrap_or(directory(0, 0, 1, false));
            Ok(state.hand_out(Object::File(path, file)))
        })
    }
    fn open_directory(&self, path: &Path) -> Called<OwnedFd> {
        self.call("open directory", |state| {
            if !state.links.contains_key(path) && state.look(path).is_err() {
                return Err(absent("open directory"));
            }
            Ok(state.hand_out(Object::Directory(path.to_owned())))
        })
    }
    fn entries(&self, directory: BorrowedFd) -> Called<Vec<OsString>> {
        self.call("getdents", |state| {
            let Object::Directory(path) = state.object(directory) else {
                panic!("not opened to be read")
            };
            Ok(state
                .links
                .get(path)
                .map(|links| links.keys().cloned().collect())
                .unwrap_or_default())
        })
    }
    fn entries_again(&self, directory: BorrowedFd) -> Called<Vec<OsString>> {
        self.entries(directory)
    }
    fn make_directory(&self, path: &Path, _: u32) -> Called<()> {
        self.call("mkdir", |state| {
            state.links.entry(path.to_owned()).or_default();
            Ok(())
        })
    }
    fn link(&self, text: &OsStr, directory: BorrowedFd, name: &OsStr) -> Called<()> {
        self.call("symlinkat", |state| {
            match state.object(directory).clone() {
                Object::Tree {
                    of, inode, flags, ..
                } => {
                    assert_eq!(name, "namespace", "nobody looks for that name");
                    let tree = Object::Tree {
                        of,
                        inode,
                        flags,
                        link: Some(text.to_owned()),
                    };
                    state.objects.insert(directory.as_raw_fd(), tree);
                }
                Object::Directory(path) => {
                    let links = state.links.get_mut(&path).unwrap();
                    if links.contains_key(name) {
                        return Err(CallFailed {
                            call: "symlinkat",
                            errno: Errno::EEXIST,
                        });
                    }
                    links.insert(name.to_owned(), text.to_owned());
                }
                other => panic!("{other:?} holds no links"),
            }
            Ok(())
        })
    }
    fn link_text(&self, directory: BorrowedFd, name: &OsStr) -> Called<OsString> {
        self.call("readlinkat", |state| {
            let Object::Directory(path) = state.object(directory) else {
                panic!("no directory")
            };
            state.links[path]
                .get(name)
                .cloned()
                .ok_or(absent("readlinkat"))
        })
    }
    fn link_text_at(&self, path: &Path) -> Called<OsString> {
        self.call("readlink", |state| {
            if path == Path::new("/run/nix-ns/self/namespace") {
                return state.here().marker.clone().ok_or(absent("readlink"));
            }
            let directory = state.links.get(path.parent().unwrap());
            let link = directory.and_then(|links| links.get(path.file_name().unwrap()));
            link.cloned().ok_or(absent("readlink"))
        })
    }
    fn rename(&self, directory: BorrowedFd, from: &OsStr, to: &OsStr) -> Called<()> {
        self.call("renameat", |state| {
            let Object::Directory(path) = state.object(directory).clone() else {
                panic!("no directory")
            };
            let links = state.links.get_mut(&path).unwrap();
            let text = links.remove(from).ok_or(absent("renameat"))?;
            links.insert(to.to_owned(), text);
            Ok(())
        })
    }
    fn unlink(&self, directory: BorrowedFd, name: &OsStr) -> Called<()> {
        self.call("unlinkat", |state| {
            let Object::Directory(path) = state.object(directory).clone() else {
                panic!("no directory")
            };
            state
                .links
                .get_mut(&path)
                .unwrap()
                .remove(name)
                .map(drop)
                .ok_or(absent("unlinkat"))
        })
    }
    fn working_directory(&self) -> Called<PathBuf> {
        self.call("getcwd", |state| Ok(state.working_directory.clone()))
    }
    fn change_directory(&self, directory: BorrowedFd) -> Called<()> {
        self.call("fchdir", |state| {
            let (Object::Path(path) | Object::File(path, _)) = state.object(directory).clone()
            else {
                panic!("no directory")
            };
            state.working_directory = path;
            Ok(())
        })
    }
    fn assume(&self, identity: FileIdentity) -> Called<(FileIdentity, LostWithIdentity)> {
        self.call("setfsuid", |state| {
            let lost = LostWithIdentity {
                parent_death_signal: 0,
                dumpable: 1,
                effective: rustix::thread::CapabilitySet::empty(),
            };
            let before = state.identity;
            state.identity = identity;
            Ok((before, lost))
        })
    }
    fn has_assumed(&self, identity: FileIdentity) -> bool {
        self.0.borrow().identity == identity
    }
    fn resume(&self, identity: FileIdentity, _: LostWithIdentity) -> Called<()> {
        self.call("setfsuid back", |state| {
            state.identity = identity;
            Ok(())
        })
    }
}
