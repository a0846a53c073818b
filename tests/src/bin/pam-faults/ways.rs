//! The ways a session can go, and how each is set up.

use std::fs;
use std::io;
use std::path::Path;

use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, setns, unshare};
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::waitpid;
use nix::unistd::{Pid, chown};

use crate::case::{Half, Session, hold};
use crate::pam::{Flags, Handle};
use crate::registry::Registry;

/// The service with both lines.
pub const BOTH: &str = "faults";
/// The service with the entering line alone.
pub const ENTER: &str = "faults-enter";
/// The service with the leaving line alone.
pub const LEAVE: &str = "faults-leave";

/// Where a session that nothing happens to ends up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// On the target's `/nix`.
    Own,
    /// On the host's, in the host's namespace.
    Host,
    /// On the host's `/nix`, in a copy of another tool's namespace.
    HostView,
}

/// A way a session goes.
pub struct Way {
    /// The session.
    pub session: Session<'static>,
    /// Where it ends.
    pub end: End,
    /// Before each time.
    pub before_each: fn() -> io::Result<()>,
    holders: Vec<Pid>,
    registry: Registry,
    undo: fn() -> io::Result<()>,
}

/// All of them, by name.
pub const NAMES: [&str; 13] = [
    "build",
    "rebuild",
    "create",
    "join",
    "edited",
    "turn-back",
    "stay",
    "leave",
    "switch",
    "detach",
    "refuse-user",
    "refuse-host",
    "close",
];

impl Way {
    /// Sets one up.
    pub fn prepare(name: &'static str) -> io::Result<Self> {
        Registry::default().restore()?;
        configure("")?;
        let mut way = Self {
            session: Session {
                service: BOTH,
                user: "alice",
                from: None,
                directory: "/srv/common",
                half: Half::Open,
            },
            end: End::Own,
            before_each: || Ok(()),
            holders: Vec::new(),
            registry: Registry::default(),
            undo: || Ok(()),
        };
        way.set_up(name)?;
        way.registry = Registry::look()?;
        Ok(way)
    }

    fn set_up(&mut self, name: &str) -> io::Result<()> {
        match name {
            "build" => {}
            "rebuild" => {
                let holder = session_of("alice")?;
                end(holder);
            }
            "create" => {
                self.session.user = "carol";
                self.before_each = || {
                    let _ = fs::remove_dir_all("/home/carol/.local");
                    Ok(())
                };
            }
            "join" => self.holders.push(session_of("alice")?),
            "edited" => {
                self.holders.push(session_of("alice")?);
                self.before_each = || configure("");
            }
            "turn-back" => {
                let holder = session_of("alice")?;
                self.holders.push(holder);
                self.holders.push(inside(holder, || {
                    let none = None::<&str>;
                    Ok(mount(Some("/srv"), "/nix", none, MsFlags::MS_BIND, none)?)
                })?);
                self.session.service = ENTER;
            }
            "stay" => {
                let holder = session_of("alice")?;
                self.holders.push(holder);
                self.session.from = Some(holder);
                self.session.service = ENTER;
            }
            "leave" | "switch" => {
                let holder = session_of("alice")?;
                self.holders.push(holder);
                self.session.from = Some(holder);
                if name == "leave" {
                    self.session.user = "root";
                    self.session.service = LEAVE;
                    self.end = End::Host;
                } else {
                    self.holders.push(session_of("bob")?);
                    self.session.user = "bob";
                }
            }
            "detach" => {
                let holder = session_of("alice")?;
                let derived = inside(holder, || {
                    unshare(CloneFlags::CLONE_NEWNS)?;
                    let none = None::<&str>;
                    let private = MsFlags::MS_PRIVATE | MsFlags::MS_REC;
                    Ok(mount(none, "/", none, private, none)?)
                })?;
                self.holders.extend([holder, derived]);
                self.session.from = Some(derived);
                self.session.user = "root";
                self.session.service = LEAVE;
                self.end = End::HostView;
            }
            "refuse-user" => {
                configure("enable =\n")?;
                self.end = End::Host;
            }
            "refuse-host" => {
                fs::write("/etc/profile.d/trusting.sh", "PATH=/nix/bin:$PATH\n")?;
                self.undo = || fs::remove_file("/etc/profile.d/trusting.sh");
                self.end = End::Host;
            }
            "close" => {
                self.holders.push(session_of("alice")?);
                self.session.half = Half::Close;
                self.end = End::Host;
            }
            other => return Err(io::Error::other(format!("no way is called {other}"))),
        }
        Ok(())
    }

    /// Makes everything as it was when this was set up.
    pub fn again(&self) -> io::Result<()> {
        self.registry.restore()?;
        (self.before_each)()
    }

    /// The target's store directory.
    pub fn store(&self) -> String {
        format!("/home/{}/.local/share/nix", self.session.user)
    }
}

impl Drop for Way {
    fn drop(&mut self) {
        self.holders.drain(..).for_each(end);
        let _ = (self.undo)();
    }
}

/// A process in a session of a user's, which stays.
fn session_of(user: &'static str) -> io::Result<Pid> {
    hold(move || {
        let mut handle = Handle::start(BOTH, user)?;
        match handle.open(Flags::None) {
            crate::pam::SUCCESS => {
                // Closed by nobody: the process is killed.
                std::mem::forget(handle);
                Ok(())
            }
            code => Err(io::Error::other(format!("open {code}"))),
        }
    })
}

/// A process that does something in the mount namespace of another, and stays.
fn inside(process: Pid, act: impl FnOnce() -> io::Result<()>) -> io::Result<Pid> {
    hold(move || {
        let namespace = fs::File::open(format!("/proc/{process}/ns/mnt"))?;
        setns(namespace, CloneFlags::CLONE_NEWNS)?;
        act()
    })
}

fn end(process: Pid) {
    let _ = kill(process, Signal::SIGKILL);
    let _ = waitpid(process, None);
}

/// Writes alice's configuration, as an editor does: a new file each time.
fn configure(text: &str) -> io::Result<()> {
    let file = Path::new("/home/alice/.config/nix-ns/config.toml");
    let new = file.with_extension("new");
    fs::write(&new, text)?;
    let alice = nix::unistd::User::from_name("alice")?.ok_or(io::ErrorKind::NotFound)?;
    chown(&new, Some(alice.uid), Some(alice.gid))?;
    fs::rename(new, file)
}
