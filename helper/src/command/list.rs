//! `nix-ns list`: who has a `/nix`, and in which sessions.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use config::{Account, printable, printable_path};
use namespace::kernel::{Linux, Tasks};
use namespace::{Holder, holders, living};
use nix::unistd::Uid;

use super::Error;
use crate::account_database;
use crate::bounded::{self, Rights};

/// List who has a /nix, where it is, and in which sessions (root).
#[derive(Debug, clap::Args)]
pub struct List {
    /// Measure each store directory, as its user; takes a while
    #[arg(long)]
    sizes: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(serde::Serialize)]
struct Report {
    format: u32,
    users: Vec<Listed>,
}

/// One namespace of a user's, or a user without a living one.
#[derive(serde::Serialize)]
struct Listed {
    uid: u32,
    user: Option<String>,
    directory: Option<String>,
    /// Bytes on the disk; `None` if not asked for or not to be measured.
    size: Option<u64>,
    /// Why there is no more to say.
    remark: Option<String>,
    sessions: Vec<Session>,
}

#[derive(serde::Serialize)]
struct Session {
    process: i32,
    name: String,
}

impl List {
    /// Looks, and tells.
    pub(super) fn run(&self, output: &mut dyn Write) -> Result<(), Vec<Error>> {
        self.tell(output).map_err(|error| vec![error])
    }

    fn tell(&self, output: &mut dyn Write) -> Result<(), Error> {
        if !Uid::effective().is_root() {
            return Err(Error::NotRoot("read who has a /nix"));
        }
        let here = Linux.pid_namespace()?;
        let mut users = Vec::new();
        for holder in holders(&Linux)? {
            users.extend(self.listed(holder, here)?);
        }
        if self.json {
            let report = Report { format: 1, users };
            writeln!(output, "{}", serde_json::to_string_pretty(&report)?)?;
            return Ok(());
        }
        for listed in users {
            listed.write(output)?;
        }
        Ok(())
    }

    fn listed(&self, holder: Holder, here: u64) -> Result<Vec<Listed>, Error> {
        let account = account_database::account(holder.uid).ok();
        let nothing = |remark: &str| Listed {
            uid: holder.uid,
            user: account.as_ref().map(|it| printable(&it.name)),
            directory: None,
            size: None,
            remark: Some(remark.to_owned()),
            sessions: Vec::new(),
        };
        if holder.pid_namespace != here {
            return Ok(vec![nothing("in a container: look in there")]);
        }
        let living = living(&Linux, holder.uid)?;
        if living.is_empty() {
            return Ok(vec![nothing("no session")]);
        }
        let mut all = Vec::new();
        for namespace in living {
            let mut listed = nothing("only processes that outlived their session");
            listed.directory = Some(printable_path(&namespace.record.path));
            listed.sessions = namespace.sessions.into_iter().map(Session::of).collect();
            if !listed.sessions.is_empty() {
                listed.remark = None;
            }
            if self.sizes {
                let size = account
                    .as_ref()
                    .map_or(Err("there is no such account".to_owned()), |account| {
                        measure(account, &namespace.record.path)
                    });
                match size {
                    Ok(size) => listed.size = Some(size),
                    Err(why) => listed.remark = Some(format!("not measured: {}", printable(&why))),
                }
            }
            all.push(listed);
        }
        Ok(all)
    }
}

impl Session {
    fn of(process: i32) -> Self {
        let name = fs::read(format!("/proc/{process}/comm")).unwrap_or_default();
        let name = printable(String::from_utf8_lossy(&name).trim_end());
        Self { process, name }
    }
}

impl Listed {
    fn write(&self, output: &mut dyn Write) -> Result<(), Error> {
        let user = self.user.as_deref().unwrap_or("-");
        write!(output, "{user} ({})", self.uid)?;
        if let Some(directory) = &self.directory {
            write!(output, "  {directory}")?;
        }
        if let Some(size) = self.size {
            write!(output, "  {} MiB", size >> 20)?;
        }
        for Session { process, name } in &self.sessions {
            write!(output, "  {process} {name}")?;
        }
        if let Some(remark) = &self.remark {
            write!(output, "  {remark}")?;
        }
        writeln!(output)?;
        Ok(())
    }
}

/// What a directory takes on the disk, hard links counted once, with the rights
/// of its user alone: root resolves no path of a user's.
fn measure(account: &Account, directory: &Path) -> Result<u64, String> {
    let (mut size, mut ended) = (0, false);
    bounded::lines(
        Rights::Of(account),
        |output| {
            let mut walk = Walk {
                bytes: 0,
                files: 0,
                linked: BTreeSet::new(),
                device: fs::metadata(directory)
                    .map(|it| it.dev())
                    .unwrap_or_default(),
            };
            walk.enter(directory, output);
            let _ = writeln!(output, "{}\nend", walk.bytes);
        },
        |line| {
            size = line.parse().unwrap_or(size);
            ended |= line == "end";
        },
    )
    .map_err(|error| error.to_string())?;
    if ended {
        Ok(size)
    } else {
        Err("the measuring came to no end".to_owned())
    }
}

struct Walk {
    bytes: u64,
    files: u64,
    linked: BTreeSet<u64>,
    /// What is mounted below is not the store's.
    device: u64,
}

impl Walk {
    fn enter(&mut self, directory: &Path, output: &mut dyn Write) {
        for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
            let Ok(metadata) = entry.metadata() else {
                continue;
            };
            if metadata.dev() != self.device {
                continue;
            }
            self.files = self.files.saturating_add(1);
            if self.files % 1000 == 0 {
                // A sign of life.
                let _ = writeln!(output, "{}", self.bytes);
            }
            let once =
                metadata.nlink() < 2 || metadata.is_dir() || self.linked.insert(metadata.ino());
            if once {
                let blocks = metadata.blocks().saturating_mul(512);
                self.bytes = self.bytes.saturating_add(blocks);
            }
            if metadata.is_dir() {
                self.enter(&entry.path(), output);
            }
        }
    }
}
