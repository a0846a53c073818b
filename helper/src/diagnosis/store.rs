//! The integrity of the store that this session has on `/nix`: nothing in it
//! that a store has not, and Nix's own word on its database.

use std::collections::BTreeMap;
use std::fs::{self, FileType, Metadata};
use std::io::Write;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use namespace::NIX;
use namespace::place::Place;
use nix::unistd::Uid;

use super::{Finding, Scene, nix as programs, session};
use crate::bounded::{self, Rights};

/// What a file of a store must not be, by the name of the check.
const WRONGS: [(&str, &str, &str); 5] = [
    (
        "store.setuid",
        "setuid or setgid",
        "remove them: Nix makes none, and nosuid keeps them from working",
    ),
    (
        "store.special",
        "a device, a fifo or a socket",
        "remove them: Nix puts none into a store",
    ),
    (
        "store.owner",
        "somebody else's",
        "make a new store by `nix-ns init`; an administrator who gives them back by chown must not follow a link of yours there",
    ),
    (
        "store.writable",
        "writable by others",
        "`chmod go-w` them: whoever writes them runs programs as you",
    ),
    (
        "store.readable",
        "not to be looked at",
        "`chmod u+rx` the directories",
    ),
];

/// Checks the store and hands on what is found; tells how many files it has
/// seen meanwhile.
pub fn examine(scene: &Scene, each: &mut dyn FnMut(Finding), progress: &mut dyn FnMut(u64)) {
    let caller = Uid::effective().as_raw();
    match &scene.place {
        Some(Place::Nix(record)) if record.uid == caller && caller != 0 => {}
        _ => {
            let why = "this session has no /nix of its own: ask in one that has";
            return each(Finding::unknown("store.mount", why));
        }
    }
    for finding in session::check(scene) {
        each(finding);
    }
    let mut ended = false;
    let walked = bounded::lines(
        Rights::Own,
        |output| {
            let mut walk = Walk::new();
            walk.enter(Path::new(NIX), output);
            let mut findings = walk.findings();
            findings.push(verify(scene, output));
            super::write_findings(&findings, output);
            let _ = writeln!(output, "{}", super::END);
        },
        |line| match (line.parse(), serde_json::from_str::<Finding>(line)) {
            (Ok(count), _) => progress(count),
            (_, Ok(finding)) => each(finding.printable()),
            _ => ended |= line == super::END,
        },
    );
    match walked {
        Ok(()) if ended => {}
        Ok(()) => each(Finding::unknown("store.files", "the check came to no end")),
        Err(error) => each(Finding::fault("store.answers", error.to_string(), "")),
    }
}

struct Walk {
    files: u64,
    device: u64,
    owner: u32,
    /// By check: how many, and which was the first.
    wrong: BTreeMap<&'static str, (u64, PathBuf)>,
}

impl Walk {
    fn new() -> Self {
        Self {
            files: 0,
            device: fs::symlink_metadata(NIX)
                .map(|it| it.dev())
                .unwrap_or_default(),
            owner: Uid::effective().as_raw(),
            wrong: BTreeMap::new(),
        }
    }

    fn enter(&mut self, directory: &Path, output: &mut dyn Write) {
        let entries = match fs::read_dir(directory) {
            Ok(entries) => entries,
            Err(_) => return self.note("store.readable", directory),
        };
        for entry in entries.flatten() {
            let path = entry.path();
            let Ok(metadata) = entry.metadata() else {
                self.note("store.readable", &path);
                continue;
            };
            self.files = self.files.saturating_add(1);
            if self.files % 1000 == 0 {
                let _ = writeln!(output, "{}", self.files);
            }
            self.look_at(&path, &metadata);
            if metadata.is_dir() && metadata.dev() == self.device {
                self.enter(&path, output);
            }
        }
    }

    fn look_at(&mut self, path: &Path, metadata: &Metadata) {
        let mode = metadata.permissions().mode();
        let kind = metadata.file_type();
        // Set-group-ID on a directory only passes its group on.
        if mode & 0o4000 != 0 || (mode & 0o2000 != 0 && !metadata.is_dir()) {
            self.note("store.setuid", path);
        }
        if is_special(kind) && !path.starts_with("/nix/var") {
            self.note("store.special", path);
        }
        if metadata.uid() != self.owner {
            self.note("store.owner", path);
        }
        if mode & 0o022 != 0 && !kind.is_symlink() {
            self.note("store.writable", path);
        }
    }

    fn note(&mut self, check: &'static str, path: &Path) {
        let (count, _) = self.wrong.entry(check).or_insert((0, path.to_owned()));
        *count = count.saturating_add(1);
    }

    fn findings(&self) -> Vec<Finding> {
        let all = WRONGS
            .iter()
            .map(|(check, what, remedy)| match self.wrong.get(check) {
                None => Finding::ok(check, format!("no file is {what}")),
                Some((count, first)) => {
                    let found =
                        format!("{count} files are {what}; the first is {}", first.display());
                    Finding::fault(check, found, remedy)
                }
            });
        let seen = Finding::ok("store.files", format!("{} files looked at", self.files));
        [seen].into_iter().chain(all).collect()
    }
}

fn is_special(kind: FileType) -> bool {
    kind.is_block_device() || kind.is_char_device() || kind.is_fifo() || kind.is_socket()
}

/// By the user's own Nix, else the system's; neither is a part of this program,
/// and both run as the user.
fn verify(scene: &Scene, output: &mut dyn Write) -> Finding {
    const NAME: &str = "store.database";
    let home = scene.account.as_ref().map(|account| account.home.clone());
    let home = home.unwrap_or_else(|| PathBuf::from("/"));
    if !Path::new("/nix/var/nix/db/db.sqlite").exists() {
        return Finding::note(NAME, "there is no database yet");
    }
    let mut programs = programs::profile_programs(&home).to_vec();
    programs.push(PathBuf::from("/usr/bin/nix-store"));
    let Some(program) = programs.iter().find(|program| program.exists()) else {
        return Finding::note(NAME, "there is no nix-store to check it with");
    };
    match run(program, &home, output) {
        Ok(None) => Finding::ok(
            NAME,
            format!("{} --verify finds nothing", program.display()),
        ),
        Ok(Some(said)) => Finding::fault(
            NAME,
            format!("{} --verify: {said}", program.display()),
            "`nix-store --verify --check-contents --repair`, in this session",
        ),
        Err(error) => Finding::unknown(NAME, format!("{}: {error}", program.display())),
    }
}

/// What it complains of, if it does.
fn run(program: &Path, home: &Path, output: &mut dyn Write) -> std::io::Result<Option<String>> {
    let complaints = tempfile()?;
    let mut child = Command::new(program)
        .arg("--verify")
        .env_clear()
        .env("HOME", home)
        .env("PATH", "/usr/bin:/bin")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(complaints.try_clone()?)
        .spawn()?;
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break status;
        }
        std::thread::sleep(Duration::from_millis(100));
        // A sign of life, not a number of files.
        let _ = writeln!(output, "verifying");
    };
    let said = read_complaints(complaints)?;
    Ok((!status.success() || !said.is_empty()).then_some(said))
}

/// In memory: a full disk is one thing this looks for.
fn tempfile() -> std::io::Result<fs::File> {
    use nix::sys::memfd::{MFdFlags, memfd_create};
    Ok(memfd_create("complaints", MFdFlags::MFD_CLOEXEC)?.into())
}

fn read_complaints(mut file: fs::File) -> std::io::Result<String> {
    use std::io::{Read, Seek};
    let mut said = Vec::new();
    file.rewind()?;
    file.take(64 << 10).read_to_end(&mut said)?;
    let said = String::from_utf8_lossy(&said).into_owned();
    let complaints = said
        .lines()
        .filter(|line| !["reading the Nix store...", "checking path existence..."].contains(line));
    Ok(complaints.collect::<Vec<_>>().join("; "))
}
