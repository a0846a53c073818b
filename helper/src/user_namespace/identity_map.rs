//! Into a user namespace as oneself: one user, one group, each with the number
//! it has outside, and no other.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::Path;
use std::process::Command;

use config::{Account, printable};
use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::sched::{CloneFlags, unshare};
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::{ForkResult, Pid, getegid, geteuid, getgid, getpid, getuid, pipe2};

use super::error::{at, failed};
use super::id_ranges::{IdRange, id_ranges};
use super::{Error, obstacle};
use crate::kernel;

const UID_MAP: &str = "/proc/self/uid_map";
const GID_MAP: &str = "/proc/self/gid_map";
const SETGROUPS: &str = "/proc/self/setgroups";

/// The programs that may map more ids than the caller's own: at absolute paths,
/// as they are privileged.
const MAPPERS: [&str; 2] = ["/usr/bin/newuidmap", "/usr/bin/newgidmap"];

/// Refuses to run with the rights of the program's owner.
pub(super) fn check_not_setuid() -> Result<(), Error> {
    if (getuid(), getgid()) == (geteuid(), getegid()) {
        Ok(())
    } else {
        Err(Error::Setuid)
    }
}

/// The ids that exist in the namespace, the caller's own first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct IdentityMap {
    uids: Vec<IdRange>,
    gids: Vec<IdRange>,
}

impl IdentityMap {
    /// The caller's own ids, and those subordinate to an account.
    pub(super) fn of_caller(subordinate_to: Option<&Account>) -> Result<Self, Error> {
        let own = |id| {
            vec![IdRange {
                first: id,
                count: 1,
            }]
        };
        let mut map = Self {
            uids: own(geteuid().as_raw()),
            gids: own(getegid().as_raw()),
        };
        if let Some(account) = subordinate_to {
            map.uids
                .extend(id_ranges(Path::new("/etc/subuid"), account)?);
            map.gids
                .extend(id_ranges(Path::new("/etc/subgid"), account)?);
        }
        Ok(map)
    }

    /// Enters a new user namespace from one that is not the caller's own.
    pub(super) fn enter(&self) -> Result<(), Error> {
        if self.is_of_one() {
            return self.enter_alone();
        }
        self.enter_mapped(|process, map| map.run_mappers(process))
    }

    /// Enters one more from a namespace that this entered, in which the caller
    /// still has every capability.
    pub(super) fn enter_below(&self) -> Result<(), Error> {
        if self.is_of_one() {
            return self.enter_alone();
        }
        self.enter_mapped(|process, map| map.write(&format!("/proc/{process}")))
    }

    fn is_of_one(&self) -> bool {
        self.uids.len() == 1 && self.gids.len() == 1
    }

    fn enter_alone(&self) -> Result<(), Error> {
        unshare_user()?;
        deny_groups()?;
        self.write("/proc/self").map_err(explained)?;
        self.check()
    }

    /// More ids than one are mapped from outside: by a child that stays there
    /// and waits until there is a namespace to map them in.
    fn enter_mapped(
        &self,
        work: impl FnOnce(Pid, &Self) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let process = getpid();
        let (mut made, mut make) = pipe()?;
        let (mut said, mut say) = pipe()?;
        match kernel::fork().map_err(failed("fork"))? {
            ForkResult::Child => {
                drop(make);
                // Nothing to read is a parent that gave up.
                let is_made = made.read(&mut [0]).is_ok_and(|length| length == 1);
                let done = if is_made { work(process, self) } else { Ok(()) };
                if let Err(error) = &done {
                    let _ = write!(say, "{error}");
                }
                std::process::exit(i32::from(done.is_err()))
            }
            ForkResult::Parent { child } => {
                drop(say);
                unshare_user()?;
                deny_groups()?;
                make.write_all(b"!").map_err(failed_io("write"))?;
                let mut why = String::new();
                said.read_to_string(&mut why).map_err(failed_io("read"))?;
                match waitpid(child, None).map_err(failed("waitpid"))? {
                    WaitStatus::Exited(_, 0) => self.check(),
                    _ => Err(Error::Mapped(why)),
                }
            }
        }
    }

    fn run_mappers(&self, process: Pid) -> Result<(), Error> {
        for (program, ids) in MAPPERS.into_iter().zip([&self.uids, &self.gids]) {
            let words = ids.iter().flat_map(|ids| ids.identity());
            let output = Command::new(program)
                .arg(process.to_string())
                .args(words.map(|number| number.to_string()))
                .env_clear()
                .output()
                .map_err(|error| match error.kind() {
                    io::ErrorKind::NotFound => Error::Mapper {
                        program,
                        why: "it is not installed (Debian: uidmap; elsewhere: shadow-utils)"
                            .to_owned(),
                    },
                    _ => at(Path::new(program))(error),
                })?;
            if !output.status.success() {
                let why = printable(String::from_utf8_lossy(&output.stderr).trim());
                return Err(Error::Mapper { program, why });
            }
        }
        Ok(())
    }

    fn write(&self, process: &str) -> Result<(), Error> {
        for (file, ids) in [("uid_map", &self.uids), ("gid_map", &self.gids)] {
            let lines: Vec<String> = ids.iter().map(IdRange::line).collect();
            let path = format!("{process}/{file}");
            // In one call: a map can be written once only.
            fs::write(&path, lines.concat()).map_err(at(Path::new(&path)))?;
        }
        Ok(())
    }

    fn check(&self) -> Result<(), Error> {
        for (file, ids) in [(UID_MAP, &self.uids), (GID_MAP, &self.gids)] {
            let found = fs::read_to_string(file).map_err(at(Path::new(file)))?;
            let found = found.split_whitespace().map(str::to_owned);
            let written = ids.iter().flat_map(|ids| ids.identity());
            if !found.eq(written.map(|number| number.to_string())) {
                return Err(Error::Map(file));
            }
        }
        match fs::read_to_string(SETGROUPS) {
            Ok(answer) if answer.trim() == "deny" => Ok(()),
            _ => Err(Error::Map(SETGROUPS)),
        }
    }
}

fn pipe() -> Result<(File, File), Error> {
    let (read, write) = pipe2(OFlag::O_CLOEXEC).map_err(failed("pipe2"))?;
    Ok((read.into(), write.into()))
}

fn unshare_user() -> Result<(), Error> {
    unshare(CloneFlags::CLONE_NEWUSER)
        .map_err(|errno| Error::UserNamespace(obstacle::of_user_namespace(errno)))
}

/// Before the map of groups: whoever could drop a group could open what is
/// closed to that group alone (CVE-2014-8989).
fn deny_groups() -> Result<(), Error> {
    fs::write(SETGROUPS, "deny")
        .map_err(at(Path::new(SETGROUPS)))
        .map_err(explained)
}

/// AppArmor lets a user namespace be made and then takes every capability in it,
/// of which the writing of a map is the first that is missed.
fn explained(error: Error) -> Error {
    match &error {
        Error::File { source, .. } => match source.raw_os_error().map(Errno::from_raw) {
            Some(errno @ (Errno::EPERM | Errno::EACCES)) => {
                Error::Namespaces(obstacle::after_user_namespace(errno))
            }
            _ => error,
        },
        _ => error,
    }
}

fn failed_io(call: &'static str) -> impl Fn(io::Error) -> Error {
    move |error| failed(call)(error.raw_os_error().map_or(Errno::EIO, Errno::from_raw))
}
