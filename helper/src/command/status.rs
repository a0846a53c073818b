//! `nix-ns status`: whose `/nix` this session is on, and who shares it.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::PathBuf;

use config::{printable, printable_path};
use namespace::kernel::{Linux, MountFlags, Namespaces, Task, Tasks};
use namespace::mount_table::Mount;
use namespace::place::Place;
use namespace::record::Record;
use nix::unistd::Uid;

use super::Error;
use crate::account_database;
use crate::bounded::{self, Rights};
use crate::diagnosis::Scene;
use crate::diagnosis::session::{bound, mounted, stale};

/// Show whose /nix this session is on, and which sessions share it.
#[derive(Debug, clap::Args)]
pub struct Status {
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// What is printed, as text or as JSON.
#[derive(serde::Serialize)]
struct Report {
    format: u32,
    /// `nix`, `derived`, `host`, `private` or `unknown`.
    place: &'static str,
    uid: Option<u32>,
    user: Option<String>,
    directory: Option<String>,
    mount: Option<Mounted>,
    /// Directories of the site's.
    binds: Vec<Bound>,
    /// The configuration that is newer than this session.
    changed: Option<String>,
    sessions: Vec<Session>,
}

#[derive(serde::Serialize)]
struct Mounted {
    device: String,
    file_system: String,
    flags: Vec<&'static str>,
}

#[derive(serde::Serialize)]
struct Bound {
    target: String,
    bound: bool,
}

/// Processes in this namespace that belong together.
#[derive(serde::Serialize)]
struct Session {
    leader: i32,
    name: String,
    terminal: Option<String>,
    unit: Option<String>,
    processes: usize,
}

impl Status {
    /// Looks, and tells.
    pub(super) fn run(&self, output: &mut dyn Write) -> Result<(), Vec<Error>> {
        self.tell(output).map_err(|error| vec![error])
    }

    fn tell(&self, output: &mut dyn Write) -> Result<(), Error> {
        let account = account_database::account(Uid::effective().as_raw()).ok();
        let report = report(&Scene::of(account));
        if self.json {
            writeln!(output, "{}", serde_json::to_string_pretty(&report)?)?;
            return Ok(());
        }
        report.write(output)
    }
}

fn report(scene: &Scene) -> Report {
    let (place, record): (_, Option<&Record>) = match &scene.place {
        Some(Place::Nix(record)) => ("nix", Some(record)),
        Some(Place::Derived(record)) => ("derived", record.as_deref()),
        Some(Place::Host) => ("host", None),
        Some(Place::Private { .. }) => ("private", None),
        None => ("unknown", None),
    };
    let uid = record.map(|record| record.uid);
    let account = uid.and_then(|uid| account_database::account(uid).ok());
    let is_own = uid.is_some_and(|uid| scene.account.as_ref().is_some_and(|it| it.uid == uid));
    Report {
        format: 1,
        place,
        uid,
        user: account.map(|account| printable(&account.name)),
        directory: record.map(|record| printable_path(&record.path)),
        mount: record
            .and_then(|_| mounted())
            .map(|mount| Mounted::from(&mount)),
        binds: record
            .map(|_| bound(scene).into_iter().map(Bound::from).collect())
            .unwrap_or_default(),
        changed: record
            .filter(|_| is_own)
            .and_then(|record| changed(record, scene)),
        sessions: if record.is_some() {
            sessions()
        } else {
            Vec::new()
        },
    }
}

/// In a child: a home on a dead server is not to hold this up.
fn changed(record: &Record, scene: &Scene) -> Option<String> {
    let text = bounded::text(Rights::Own, |output| {
        if let Some(file) = stale(record, scene) {
            let _ = writeln!(output, "{}", printable(&file));
        }
    });
    let text = text.unwrap_or_else(|error| error.to_string());
    text.lines().next().map(str::to_owned)
}

impl Report {
    fn write(&self, output: &mut dyn Write) -> Result<(), Error> {
        let user = self
            .user
            .clone()
            .unwrap_or_else(|| "an unknown user".to_owned());
        writeln!(
            output,
            "{}",
            match self.place {
                "nix" => format!("this session is on the /nix of {user}"),
                "derived" =>
                    format!("this session is in a namespace made from one with the /nix of {user}"),
                "host" =>
                    "this session has no /nix of its own: `nix-ns doctor` says why".to_owned(),
                "private" =>
                    "this session is in a namespace of its own, without a /nix of a user's"
                        .to_owned(),
                _ => "the kernel does not say where this session is".to_owned(),
            }
        )?;
        if let Some(directory) = &self.directory {
            writeln!(output, "directory: {directory}")?;
        }
        if let Some(Mounted {
            device,
            file_system,
            flags,
        }) = &self.mount
        {
            writeln!(
                output,
                "mounted:   {device} ({file_system}) {}",
                flags.join(",")
            )?;
        }
        for Bound { target, bound } in &self.binds {
            let without = if *bound {
                ""
            } else {
                " is not there; `nix-ns doctor` says more"
            };
            writeln!(output, "bound:     {target}{without}")?;
        }
        if let Some(file) = &self.changed {
            writeln!(
                output,
                "changed:   {file} is newer than this session's /nix; log in anew"
            )?;
        }
        for session in &self.sessions {
            session.write(output)?;
        }
        Ok(())
    }
}

impl Session {
    fn write(&self, output: &mut dyn Write) -> Result<(), Error> {
        let Self {
            leader,
            name,
            terminal,
            unit,
            processes,
        } = self;
        let terminal = terminal.as_deref().unwrap_or("-");
        let unit = unit.as_deref().unwrap_or("-");
        writeln!(
            output,
            "session:   {leader} {name} on {terminal}, {unit}, {processes} processes"
        )?;
        Ok(())
    }
}

impl From<(PathBuf, bool)> for Bound {
    fn from((target, bound): (PathBuf, bool)) -> Self {
        Self {
            target: printable_path(&target),
            bound,
        }
    }
}

impl From<&Mount> for Mounted {
    fn from(mount: &Mount) -> Self {
        Self {
            device: printable(&mount.source),
            file_system: printable(&mount.file_system),
            flags: flags(mount.flags),
        }
    }
}

fn flags(flags: MountFlags) -> Vec<&'static str> {
    let set = [
        (flags.read_only, "ro"),
        (!flags.read_only, "rw"),
        (flags.no_suid, "nosuid"),
        (flags.no_dev, "nodev"),
        (flags.no_exec, "noexec"),
        (flags.no_atime, "noatime"),
        (flags.no_diratime, "nodiratime"),
        (flags.relatime, "relatime"),
        (flags.no_symfollow, "nosymfollow"),
    ];
    set.iter()
        .filter(|(is_set, _)| *is_set)
        .map(|(_, name)| *name)
        .collect()
}

/// As far as this user may see: the namespaces of others' processes are hidden.
fn sessions() -> Vec<Session> {
    let Ok(own) = Linux.namespace_inode(Task::Caller) else {
        return Vec::new();
    };
    let mut sessions: BTreeMap<i32, Session> = BTreeMap::new();
    for process in Linux.processes().unwrap_or_default() {
        if Linux.namespace_inode(Task::Thread(process)) != Ok(own) {
            continue;
        }
        let Some((leader, terminal)) = session_of(process) else {
            continue;
        };
        let session = sessions.entry(leader).or_insert_with(|| Session {
            leader,
            name: name_of(leader)
                .or_else(|| name_of(process))
                .unwrap_or_default(),
            terminal: terminal_name(terminal),
            unit: unit_of(process),
            processes: 0,
        });
        session.processes = session.processes.saturating_add(1);
    }
    sessions.into_values().collect()
}

/// Session leader and controlling terminal (`proc_pid_stat(5)`, 6 and 7).
fn session_of(process: i32) -> Option<(i32, u64)> {
    let text = fs::read(format!("/proc/{process}/stat")).ok()?;
    parse_stat(&String::from_utf8_lossy(&text))
}

fn parse_stat(text: &str) -> Option<(i32, u64)> {
    // The name in parentheses may itself hold spaces and parentheses.
    let (_, rest) = text.rsplit_once(')')?;
    let mut fields = rest.split_ascii_whitespace().skip(3);
    Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
}

fn name_of(process: i32) -> Option<String> {
    let name = fs::read(format!("/proc/{process}/comm")).ok()?;
    Some(printable(String::from_utf8_lossy(&name).trim_end()))
}

/// By its device number: major 136 to 143 are pseudo-terminals, 4 the console's
/// (`Documentation/admin-guide/devices.txt`).
fn terminal_name(device: u64) -> Option<String> {
    let (major, minor) = (libc::major(device), libc::minor(device));
    match major {
        0 => None,
        4 if minor < 64 => Some(format!("tty{minor}")),
        4 => Some(format!("ttyS{}", minor.saturating_sub(64))),
        136..=143 => {
            let before = major.saturating_sub(136).saturating_mul(256);
            Some(format!("pts/{}", before.saturating_add(minor)))
        }
        _ => Some(format!("{major}:{minor}")),
    }
}

/// The service or scope that systemd has a process in.
fn unit_of(process: i32) -> Option<String> {
    let text = fs::read(format!("/proc/{process}/cgroup")).ok()?;
    let text = String::from_utf8_lossy(&text).into_owned();
    let path = text.lines().find(|line| line.starts_with("0::"))?;
    let mut units = path.rsplit('/');
    units
        .find(|name| name.ends_with(".service") || name.ends_with(".scope"))
        .map(printable)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_cannot_change_what_is_read() {
        let text = "7 (a) b 1 2 (c)) S 1 7 6 34817 7 4194304";
        assert_eq!(parse_stat(text), Some((6, 34817)));
        assert_eq!(parse_stat("7 (a) S 1"), None);
    }

    #[test]
    fn terminals_have_their_usual_names() {
        let name = |major, minor| terminal_name(libc::makedev(major, minor));
        assert_eq!(name(136, 3).as_deref(), Some("pts/3"));
        assert_eq!(name(137, 1).as_deref(), Some("pts/257"));
        assert_eq!(name(4, 2).as_deref(), Some("tty2"));
        assert_eq!(name(0, 0), None);
    }
}
