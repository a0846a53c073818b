//! Put in the place of the module's reader: it runs as the user, with a socket
//! for descriptor 0 and nothing else, and lies. Which lie, the file
//! `/srv/common/lie` says.

use std::env;
use std::error::Error;
use std::fs::{self, File};
use std::io::IoSlice;
use std::os::fd::{AsFd, AsRawFd, OwnedFd, RawFd};
use std::path::Path;
use std::process;
use std::thread::sleep;
use std::time::Duration;

use nix::fcntl::{OFlag, open, openat};
use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use nix::sys::signal::{Signal, kill};
use nix::sys::socket::{
    AddressFamily, ControlMessage, MsgFlags, SockFlag, SockType, sendmsg, socketpair,
};
use nix::sys::stat::Mode;
use nix::unistd::{Pid, getpid, getuid, mkdir, pipe};

const SOCKET: RawFd = 0;

type Lie = Result<(), Box<dyn Error>>;

fn main() -> Lie {
    let lie = fs::read_to_string("/srv/common/lie")?;
    let (lie, word) = lie.trim().split_once(' ').unwrap_or((lie.trim(), ""));
    match lie {
        "directory" => offer(&reference(word, OFlag::O_DIRECTORY)?),
        "open-directory" => offer(&open(
            word,
            OFlag::O_RDONLY | OFlag::O_DIRECTORY,
            Mode::empty(),
        )?),
        "reference" => offer(&reference(word, OFlag::O_NOFOLLOW)?),
        "file" => offer(&open(word, OFlag::O_RDONLY, Mode::empty())?),
        "device" => offer(&open(word, OFlag::O_RDWR, Mode::empty())?),
        "removed" => removed(),
        "socket" => offer(
            &socketpair(
                AddressFamily::Unix,
                SockType::Stream,
                None,
                SockFlag::empty(),
            )?
            .0,
        ),
        "its-own-socket" => say(&store("/home/alice/x"), &[SOCKET]),
        "pipe" => offer(&pipe()?.0),
        "namespace" => offer(&File::open("/proc/self/ns/mnt")?),
        "other-mount" => other_mount(),
        "other-mount-named-like-home" => other_mount_named_like_home(),
        "other-mount-on-store" => other_mount_on(word),
        "detached-tree" => detached_tree(word),
        "many" => many(word),
        "none" => say(&store("/home/alice/.local/share/nix"), &[]),
        "huge" => huge(),
        "garbage" => say(&[0xff; 8000], &[]),
        "empty" => say(b"", &[]),
        "text" => say(word.replace("\\n", "\n").as_bytes(), &[]),
        "two" => two(),
        "roots-again" => say(b"/", &[]),
        "not-started" => say(b"!\x01\x00\x00\x00", &[]),
        "silence" => silence(),
        "stop" => Ok(kill(getpid(), Signal::SIGSTOP)?),
        "slow" => slow(),
        "flood" => flood(),
        "quit" => Ok(()),
        "crash" => process::abort(),
        "kill-parent" => kill_parent(),
        other => Err(format!("{other}?").into()),
    }
}

fn reference(path: &str, more: OFlag) -> nix::Result<OwnedFd> {
    open(path, OFlag::O_PATH | more, Mode::empty())
}

/// The best reply there is, with this descriptor.
fn offer(descriptor: &impl AsFd) -> Lie {
    let reply = store("/home/alice/.local/share/nix");
    say(&reply, &[descriptor.as_fd().as_raw_fd()])
}

fn store(path: &str) -> Vec<u8> {
    format!("store - none\n{path}").into_bytes()
}

fn say(text: &[u8], descriptors: &[RawFd]) -> Lie {
    let rights = [ControlMessage::ScmRights(descriptors)];
    let rights = if descriptors.is_empty() {
        &[][..]
    } else {
        &rights[..]
    };
    let parts = [IoSlice::new(text)];
    sendmsg::<()>(SOCKET, &parts, rights, MsgFlags::MSG_NOSIGNAL, None)?;
    Ok(())
}

fn removed() -> Lie {
    let path = format!("/home/alice/removed.{}", process::id());
    mkdir(path.as_str(), Mode::S_IRWXU)?;
    let directory = reference(&path, OFlag::O_DIRECTORY)?;
    fs::remove_dir(&path)?;
    offer(&directory)
}

/// As root of a user namespace, who may mount anything there.
fn alone() -> nix::Result<()> {
    let uid = getuid();
    unshare(CloneFlags::CLONE_NEWUSER | CloneFlags::CLONE_NEWNS)?;
    // The maps may be written by a process without threads for itself; where a
    // limit on files forbids it, the capabilities are there all the same.
    let _ = fs::write("/proc/self/uid_map", format!("{uid} {uid} 1"));
    Ok(())
}

fn other_mount() -> Lie {
    alone()?;
    let place = Path::new("/home/alice/.local/share");
    mount(
        Some("tmpfs"),
        place,
        Some("tmpfs"),
        MsFlags::empty(),
        Some("mode=700"),
    )?;
    offer(&reference("/home/alice/.local/share", OFlag::O_DIRECTORY)?)
}

/// What the kernel calls it, from outside, is a path that the site allows.
fn other_mount_named_like_home() -> Lie {
    alone()?;
    let place = Path::new("/tmp");
    mount(
        Some("tmpfs"),
        place,
        Some("tmpfs"),
        MsFlags::empty(),
        Some("mode=755"),
    )?;
    fs::create_dir_all("/tmp/home/alice/x")?;
    offer(&reference("/tmp/home/alice/x", OFlag::O_DIRECTORY)?)
}

/// Something of root's, bound where the user's own should be.
fn other_mount_on(what: &str) -> Lie {
    alone()?;
    let place = Path::new("/home/alice/.local/share/nix");
    mount(
        Some(Path::new(what)),
        place,
        None::<&str>,
        MsFlags::MS_BIND | MsFlags::MS_REC,
        None::<&str>,
    )?;
    offer(&reference(
        "/home/alice/.local/share/nix",
        OFlag::O_DIRECTORY,
    )?)
}

fn detached_tree(words: &str) -> Lie {
    let (path, below) = words.split_once(' ').ok_or("a path and what is below")?;
    alone()?;
    let directory = reference(path, OFlag::O_DIRECTORY)?;
    let tree = tests::kernel::clone_tree(directory.as_fd())?;
    let flags = OFlag::O_PATH | OFlag::O_DIRECTORY;
    offer(&openat(&tree, below, flags, Mode::empty())?)
}

fn many(word: &str) -> Lie {
    let directory = reference("/home/alice/.local/share/nix", OFlag::O_DIRECTORY)?;
    let all = vec![directory.as_raw_fd(); word.parse()?];
    say(&store("/home/alice/.local/share/nix"), &all)
}

fn huge() -> Lie {
    let mut text = b"refused - none\n".to_vec();
    text.resize(180_000, b'x');
    say(&text, &[])
}

fn two() -> Lie {
    say(b"refused - none\nfirst", &[])?;
    offer(&reference("/etc", OFlag::O_DIRECTORY)?)
}

fn silence() -> Lie {
    sleep(Duration::from_secs(1000));
    Ok(())
}

fn slow() -> Lie {
    sleep(Duration::from_secs(2));
    say(b"refused - none\nlate", &[])
}

fn flood() -> Lie {
    while say(b"garbage", &[]).is_ok() {}
    Ok(())
}

/// The process between this and the login is root's.
fn kill_parent() -> Lie {
    let parent = Pid::parent();
    let killed = kill(parent, Signal::SIGKILL);
    let stopped = kill(parent, Signal::SIGSTOP);
    let text = format!(
        "refused - none\nkill {killed:?} {stopped:?} {:?}",
        env::args().count()
    );
    say(text.as_bytes(), &[])
}
