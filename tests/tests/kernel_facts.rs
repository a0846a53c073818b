//! What the design relies on the kernel to do, tried on the kernel that runs.
//!
//! Every fact is shown in a process of its own with a private mount namespace.
//! Sources are named as of Linux 6.12.

use std::env;
use std::ffi::CString;
use std::fs::{self, File, Permissions};
use std::io::{ErrorKind, Write};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, OFlag, OpenHow, ResolveFlag, openat2};
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sched::{CloneFlags, setns, unshare};
use nix::sys::prctl;
use nix::sys::resource::{Resource, setrlimit};
use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::sys::statvfs::{FsFlags, statvfs};
use nix::sys::wait::{WaitPidFlag, waitpid};
use nix::unistd::{Uid, chdir, chown, setfsuid, symlinkat};

use tests::{alone, kernel, skip};

// ---- entering a namespace

/// `mntns_install` (fs/namespace.c): the caller must not share its root and
/// working directory (`fs->users != 1`); setns(2), EINVAL.
#[test]
fn a_second_thread_makes_setns_fail_until_it_has_directories_of_its_own() {
    alone(|| {
        let namespace = own_namespace();
        setns(&namespace, CloneFlags::CLONE_NEWNS).expect("one thread may");
        let (end, ended) = mpsc::channel::<()>();
        let other = thread::spawn(move || ended.recv());
        assert_eq!(
            setns(&namespace, CloneFlags::CLONE_NEWNS),
            Err(Errno::EINVAL)
        );
        unshare(CloneFlags::CLONE_FS).expect("anybody may");
        assert_eq!(setns(&namespace, CloneFlags::CLONE_NEWNS), Ok(()));
        drop(end);
        assert!(other.join().is_ok());
    });
}

/// `mntns_install` (fs/namespace.c) ends with `set_fs_pwd` to the root of the
/// namespace, be it the caller's own.
#[test]
fn setns_moves_the_working_directory_to_the_root() {
    alone(|| {
        chdir("/proc").expect("it is there");
        setns(own_namespace(), CloneFlags::CLONE_NEWNS).expect("root may");
        assert_eq!(env::current_dir().expect("it exists"), Path::new("/"));
    });
}

/// `NS_GET_MNTNS_ID` (fs/nsfs.c): the sequence number of `alloc_mnt_ns`.
#[test]
fn a_namespace_has_a_number_that_is_not_given_twice() {
    alone(|| {
        let first = own_namespace();
        let id = match kernel::namespace_id(first.as_fd()) {
            Err(Errno::ENOTTY) => {
                return skip("the 64-bit number of a namespace", "needs Linux 6.11");
            }
            answer => answer.expect("an open namespace"),
        };
        let mut seen = vec![id];
        // Each is gone as soon as the next is made: inode numbers repeat here.
        for _ in 0..50 {
            unshare(CloneFlags::CLONE_NEWNS).expect("root may");
            let id = kernel::namespace_id(own_namespace().as_fd()).expect("as before");
            assert!(!seen.contains(&id), "{id} was given twice");
            seen.push(id);
        }
        setns(&first, CloneFlags::CLONE_NEWNS).expect("root may");
        assert_eq!(kernel::namespace_id(own_namespace().as_fd()), Ok(id));
    });
}

/// `PROC_USER_INIT_INO` (include/linux/proc_ns.h), and `ns_get_owner`
/// (kernel/user_namespace.c): no owner above the caller's own is named.
#[test]
fn a_namespace_of_the_first_user_namespace_is_told_by_its_owners_number_and_to_nobody_below() {
    alone(|| {
        let namespace = own_namespace();
        let own = fs::metadata("/proc/self/ns/user").expect("always there");
        let owner = kernel::owner(namespace.as_fd()).expect("the caller's own");
        let owner = owner.metadata().expect("open");
        assert_eq!((owner.dev(), owner.ino()), (own.dev(), own.ino()));
        if fs::read_to_string("/proc/self/uid_map").is_ok_and(|map| map.ends_with("4294967295\n")) {
            assert_eq!(owner.ino(), 0xEFFF_FFFD);
        }
        unshare(CloneFlags::CLONE_NEWUSER).expect("root may");
        let owner = kernel::owner(namespace.as_fd()).map(drop);
        assert_eq!(owner, Err(Errno::EPERM));
    });
}

/// What a file that is the same as before rests on: `notify_change` (fs/attr.c),
/// `file_update_time` (fs/inode.c), and renaming and linking in each file system.
#[test]
fn whatever_is_done_to_a_file_changes_its_time_of_change() {
    alone(|| {
        let place = memory("changes");
        let (file, other) = (place.join("file"), place.join("other"));
        fs::write(&file, "1").expect("a tmpfs");
        let changed = |path: &Path| {
            let found = fs::symlink_metadata(path).expect("there");
            (found.ino(), found.ctime(), found.ctime_nsec())
        };
        let steps: [(&str, &dyn Fn()); 5] = [
            ("written", &|| fs::write(&file, "2").expect("a tmpfs")),
            ("chmod", &|| {
                fs::set_permissions(&file, Permissions::from_mode(0o666)).expect("root may");
            }),
            ("chown", &|| {
                chown(&file, Some(Uid::from_raw(1)), None).expect("root may");
            }),
            ("linked", &|| fs::hard_link(&file, &other).expect("a tmpfs")),
            ("renamed", &|| {
                fs::rename(&other, place.join("third")).expect("a tmpfs");
            }),
        ];
        for (step, change) in steps {
            let before = changed(&file);
            // Longer than the timer's interrupts are apart.
            thread::sleep(Duration::from_millis(20));
            change();
            let after = changed(&file);
            assert_eq!(before.0, after.0, "{step}");
            assert_ne!(before, after, "{step}");
        }
    });
}

// ---- mounts across namespaces

/// `do_loopback` (fs/namespace.c): the source must be in the caller's namespace
/// (`check_mnt`); a clone made by `open_tree` is in none and may be moved.
#[test]
fn a_tree_outlives_unshare_and_a_descriptor_does_not() {
    alone(|| {
        let (source, place) = (memory("source"), directory("place"));
        let descriptor = refer(&source);
        let tree = kernel::clone_tree(descriptor.as_fd()).expect("Linux 5.2");
        fs::write(source.join("mark"), "").expect("a tmpfs");
        unshare(CloneFlags::CLONE_NEWNS).expect("root may");

        let by_descriptor = format!("/proc/self/fd/{}", descriptor.as_raw_fd());
        let bound = bind(Path::new(&by_descriptor), &place, MsFlags::empty());
        assert_eq!(bound, Err(Errno::EINVAL));
        assert_eq!(kernel::attach(tree.as_fd(), &c(&place)), Ok(()));
        assert!(place.join("mark").exists());
    });
}

/// mount_namespaces(7), "Shared subtrees": a mount that is slave and shared
/// receives from its master and sends to its own peers only.
#[test]
fn a_slave_made_shared_receives_from_the_host_and_sends_nothing_back() {
    alone(|| {
        let host = own_namespace();
        let shared = memory("shared");
        propagate(&shared, MsFlags::MS_SHARED);
        for name in ["later", "inside"] {
            fs::create_dir(shared.join(name)).expect("a tmpfs");
        }
        unshare(CloneFlags::CLONE_NEWNS).expect("root may");
        propagate(Path::new("/"), MsFlags::MS_REC | MsFlags::MS_SLAVE);
        propagate(Path::new("/"), MsFlags::MS_REC | MsFlags::MS_SHARED);
        let session = own_namespace();

        setns(&host, CloneFlags::CLONE_NEWNS).expect("root may");
        mount_memory(&shared.join("later"));
        setns(&session, CloneFlags::CLONE_NEWNS).expect("root may");
        assert!(is_mounted(&shared.join("later")), "not received");

        mount_memory(&shared.join("inside"));
        assert!(is_mounted(&shared.join("inside")));
        setns(&host, CloneFlags::CLONE_NEWNS).expect("root may");
        assert!(!is_mounted(&shared.join("inside")), "leaked to the host");
    });
}

/// `STATX_MNT_ID_UNIQUE` (Linux 6.8; `mnt_id_unique` in fs/mount.h) is counted
/// up only; the id of mountinfo is handed out again at once.
#[test]
fn a_mount_has_a_number_that_is_not_given_twice() {
    alone(|| {
        let host = own_namespace();
        let place = memory("place");
        let Some(id) = unique_mount_id(&place) else {
            return skip("the 64-bit number of a mount", "needs Linux 6.8");
        };
        unshare(CloneFlags::CLONE_NEWNS).expect("root may");
        assert_ne!(
            unique_mount_id(&place),
            Some(id),
            "the copy is another mount"
        );
        setns(&host, CloneFlags::CLONE_NEWNS).expect("root may");
        assert_eq!(unique_mount_id(&place), Some(id));

        let mut seen = vec![id];
        for _ in 0..50 {
            umount2(&place, MntFlags::MNT_DETACH).expect("mounted");
            mount_memory(&place);
            let id = unique_mount_id(&place).expect("as before");
            assert!(!seen.contains(&id), "{id} was given twice");
            seen.push(id);
        }
    });
}

// ---- flags of a mount

/// mount(2), "Creating a bind mount": of the flags only `MS_REC` counts.
#[test]
fn a_bind_mount_ignores_nosuid() {
    alone(|| {
        let (source, place) = (memory("source"), directory("place"));
        bind(&source, &place, MsFlags::MS_NOSUID).expect("root may");
        assert!(!flags(&place).contains(FsFlags::ST_NOSUID));
    });
}

/// mount(2), "Remounting an existing mount": the flags given replace those the
/// mount has. mount_setattr(2) changes only what it is told to.
#[test]
fn a_remount_drops_an_inherited_noexec_and_mount_setattr_keeps_it() {
    alone(|| {
        let source = memory("source");
        remount(&source, MsFlags::MS_NOEXEC);
        let (remounted, changed) = (directory("remounted"), directory("changed"));
        for place in [&remounted, &changed] {
            bind(&source, place, MsFlags::empty()).expect("root may");
            assert!(flags(place).contains(FsFlags::ST_NOEXEC), "not inherited");
        }
        remount(&remounted, MsFlags::MS_NOSUID);
        assert!(flags(&remounted).contains(FsFlags::ST_NOSUID));
        assert!(!flags(&remounted).contains(FsFlags::ST_NOEXEC));

        match kernel::add_nosuid(&c(&changed)) {
            Err(Errno::ENOSYS) => return skip("mount_setattr", "needs Linux 5.12"),
            answer => answer.expect("root may"),
        }
        assert!(flags(&changed).contains(FsFlags::ST_NOSUID | FsFlags::ST_NOEXEC));
    });
}

/// fsmount(2): the mount is complete before it is attached, only nowhere yet.
#[test]
fn an_unattached_tmpfs_can_be_filled_before_anybody_sees_it() {
    alone(|| {
        let place = directory("place");
        let tree = kernel::new_memory_tree().expect("Linux 5.2");
        symlinkat("text", &tree, "name").expect("root may");
        assert!(!place.join("name").is_symlink());
        kernel::attach(tree.as_fd(), &c(&place)).expect("root may");
        let text = fs::read_link(place.join("name")).expect("it came along");
        assert_eq!(text, Path::new("text"));
    });
}

// ---- paths that may hang

/// openat2(2), `RESOLVE_CACHED` (Linux 5.12): EAGAIN instead of a wait, and
/// nothing but an answer where all is in the caches.
#[test]
fn a_cached_walk_answers_on_a_hot_path_and_gives_up_on_a_cold_one() {
    alone(|| {
        let place = memory("place");
        let file = place.join("file");
        fs::write(&file, "").expect("a tmpfs");
        match open_cached(&file) {
            Err(Errno::EINVAL) => return skip("RESOLVE_CACHED", "needs Linux 5.12"),
            // A rename anywhere in the system at that moment may cost an EAGAIN.
            answer => assert!(matches!(answer, Ok(_) | Err(Errno::EAGAIN)), "{answer:?}"),
        }
        assert!((0..100).any(|_| open_cached(&file).is_ok()), "never cached");
        let never_seen = open_cached(&place.join("never seen"));
        assert!(matches!(never_seen, Err(Errno::EAGAIN)), "{never_seen:?}");
    });
}

/// `fuse_update_get_attr` (fs/fuse/dir.c) returns early for
/// `AT_STATX_DONT_SYNC`; a plain stat sends a request and waits in
/// `fuse_get_req` until the server has answered the first one.
#[test]
fn a_mute_file_system_holds_up_stat_and_not_what_the_kernel_remembers() {
    alone(|| {
        let place = directory("place");
        let server = mount_mute_fuse(&place);
        let remembered = kernel::statx(&c(&place), libc::AT_STATX_DONT_SYNC, libc::STATX_INO);
        assert_eq!(remembered.expect("at once").stx_ino, 1);
        refer(&place);

        let mut stat = Command::new("stat")
            .arg(&place)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("coreutils");
        let in_time = ends_within(&mut stat, Duration::from_millis(300));
        // Closing the server's end aborts the connection and frees the waiter.
        drop(server);
        assert!(!in_time, "stat did not wait");
        assert!(ends_within(&mut stat, Duration::from_secs(5)));
    });
}

// ---- what a caller is limited by, and what must be given back

/// `RLIMIT_FSIZE` is checked in `generic_write_check_limits` (mm/filemap.c),
/// which making a symbolic link does not come by.
#[test]
fn a_file_size_limit_stops_a_write_and_not_a_symbolic_link() {
    alone(|| {
        let place = memory("place");
        let mut file = File::create(place.join("file")).expect("a tmpfs");
        let mut too_large = SigSet::empty();
        too_large.add(Signal::SIGXFSZ);
        too_large.thread_block().expect("a signal");
        setrlimit(Resource::RLIMIT_FSIZE, 0, 0).expect("lowering is free");

        let written = file.write_all(b"text").map_err(|error| error.kind());
        assert_eq!(written, Err(ErrorKind::FileTooLarge));
        symlink("text", place.join("link")).expect("not limited");
        let text = fs::read_link(place.join("link")).expect("whole");
        assert_eq!(text, Path::new("text"));
    });
}

/// `commit_creds` (kernel/cred.c) clears both when the fsuid changes; nothing
/// sets them again when it changes back.
#[test]
fn a_round_trip_of_setfsuid_loses_death_signal_and_dumpable() {
    alone(|| {
        prctl::set_pdeathsig(Signal::SIGUSR1).expect("any signal will do");
        prctl::set_dumpable(true).expect("anybody may");
        setfsuid(Uid::from_raw(1001));
        setfsuid(Uid::from_raw(0));
        assert_eq!(prctl::get_pdeathsig(), Ok(None));
        let kept = fs::read_to_string("/proc/sys/fs/suid_dumpable").expect("procfs");
        assert_eq!(prctl::get_dumpable(), Ok(kept.trim() != "0"));
    });
}

/// close_range(2), Linux 5.9.
#[test]
fn close_range_exists() {
    alone(|| {
        let descriptor = refer(Path::new("/"));
        let number = descriptor.as_raw_fd();
        assert_eq!(kernel::close_by_range(descriptor), Ok(()));
        assert!(!Path::new(&format!("/proc/self/fd/{number}")).is_symlink());
    });
}

/// clone(2), "The child termination signal": with none, the parent is not told
/// and must ask with `__WALL` or `__WCLONE`. `eligible_child` (kernel/exit.c).
#[test]
fn a_child_without_exit_signal_is_seen_by_nobody_who_does_not_ask() {
    alone(|| {
        let mut signals = SigSet::empty();
        signals.add(Signal::SIGCHLD);
        signals.thread_block().expect("a signal");
        let told = SignalFd::with_flags(&signals, SfdFlags::SFD_NONBLOCK).expect("Linux 2.6");

        for ask in [WaitPidFlag::__WALL, WaitPidFlag::__WCLONE] {
            let child = kernel::clone_silent_child(false).expect("a process is left");
            assert_eq!(waitpid(None, None), Err(Errno::ECHILD));
            assert_eq!(waitpid(child, None), Err(Errno::ECHILD));
            assert!(waitpid(child, Some(ask)).is_ok());
            assert!(told.read_signal().expect("open").is_none(), "SIGCHLD");
        }
        Command::new("true").status().expect("coreutils");
        assert!(told.read_signal().expect("open").is_some(), "a usual child");
    });
}

/// `begin_new_exec` (fs/exec.c) sets it to SIGCHLD: who wants a silent program
/// needs a silent process in between.
#[test]
fn a_program_gives_a_child_its_exit_signal_back() {
    alone(|| {
        let mut signals = SigSet::empty();
        signals.add(Signal::SIGCHLD);
        signals.thread_block().expect("a signal");
        let told = SignalFd::with_flags(&signals, SfdFlags::empty()).expect("Linux 2.6");

        let child = kernel::clone_silent_child(true).expect("a process is left");
        assert!(told.read_signal().expect("open").is_some(), "SIGCHLD");
        assert!(matches!(waitpid(None, None), Ok(status) if status.pid() == Some(child)));
    });
}

// ---- tools

fn own_namespace() -> File {
    File::open("/proc/thread-self/ns/mnt").expect("procfs is mounted")
}

/// A new directory, on a tmpfs that only this process sees and that goes with
/// it.
fn directory(name: &str) -> PathBuf {
    let scratch = Path::new("/tmp");
    if !scratch.join(".scratch").exists() {
        mount_memory(scratch);
        File::create(scratch.join(".scratch")).expect("a tmpfs");
    }
    let directory = scratch.join(name);
    fs::create_dir(&directory).expect("not there yet");
    directory
}

/// A new directory with a tmpfs mounted on it.
fn memory(name: &str) -> PathBuf {
    let directory = directory(name);
    mount_memory(&directory);
    directory
}

fn mount_memory(place: &Path) {
    let none = None::<&str>;
    mount(Some("tmpfs"), place, Some("tmpfs"), MsFlags::empty(), none).expect("root may");
}

fn bind(source: &Path, place: &Path, flags: MsFlags) -> nix::Result<()> {
    let none = None::<&str>;
    mount(Some(source), place, none, MsFlags::MS_BIND | flags, none)
}

fn remount(place: &Path, flags: MsFlags) {
    let none = None::<&str>;
    let flags = MsFlags::MS_REMOUNT | MsFlags::MS_BIND | flags;
    mount(none, place, none, flags, none).expect("root may");
}

fn propagate(place: &Path, how: MsFlags) {
    let none = None::<&str>;
    mount(none, place, none, how, none).expect("root may");
}

/// Mounts a FUSE whose server never answers, not even the first request.
fn mount_mute_fuse(place: &Path) -> File {
    let server = File::options()
        .read(true)
        .write(true)
        .open("/dev/fuse")
        .expect("the kernel has FUSE");
    let options = format!(
        "fd={},rootmode=40000,user_id=0,group_id=0",
        server.as_raw_fd()
    );
    let none = MsFlags::empty();
    mount(Some("mute"), place, Some("fuse"), none, Some(&*options)).expect("root may");
    server
}

fn flags(place: &Path) -> FsFlags {
    statvfs(place).expect("mounted").flags()
}

fn is_mounted(place: &Path) -> bool {
    let table = fs::read_to_string("/proc/thread-self/mountinfo").expect("procfs is mounted");
    let place = place.to_str().expect("named here");
    table
        .lines()
        .any(|line| line.split(' ').nth(4) == Some(place))
}

/// `None` where the kernel only has numbers that it reuses.
fn unique_mount_id(place: &Path) -> Option<u64> {
    let asked = libc::STATX_MNT_ID_UNIQUE;
    let answer = kernel::statx(&c(place), 0, asked).expect("it is there");
    (answer.stx_mask & asked != 0).then_some(answer.stx_mnt_id)
}

fn refer(path: &Path) -> OwnedFd {
    let opened = File::options()
        .read(true)
        .custom_flags(libc::O_PATH)
        .open(path);
    opened.expect("it is there").into()
}

fn open_cached(path: &Path) -> nix::Result<OwnedFd> {
    let how = OpenHow::new()
        .flags(OFlag::O_PATH | OFlag::O_CLOEXEC)
        .resolve(ResolveFlag::from_bits_retain(libc::RESOLVE_CACHED));
    openat2(AT_FDCWD, path, how)
}

fn ends_within(child: &mut Child, limit: Duration) -> bool {
    let deadline = Instant::now() + limit;
    while Instant::now() < deadline {
        if child.try_wait().expect("a child").is_some() {
            return true;
        }
        thread::sleep(Duration::from_millis(5));
    }
    false
}

fn c(path: &Path) -> CString {
    let bytes = path.to_str().expect("named here").as_bytes();
    CString::new(bytes).expect("no zero byte")
}
