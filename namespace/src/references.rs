//! Files of the host through which something privileged would run what is on
//! `/nix`.
//!
//! A user who has `/nix` must gain nothing by it, and that is so only where
//! nothing privileged trusts it. An *uninstalled* Nix is enough: the hook it
//! leaves in `/etc/profile.d` runs `/nix/var/.../nix-daemon.sh` in every login
//! shell of root's. So these files are read, not assumed; and read again only
//! when one of them has changed.

mod cache;
mod mention;
mod places;

use std::collections::BTreeSet;
use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{self, ErrorKind};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use config::{printable, printable_path};

pub(crate) use cache::first_reference;
use mention::{Mention, mentions, named_files};
use places::{Found, Kind, advisory_places, places};

/// Largest file that is read, in bytes: `ld.so.cache` has some 100 kB.
const LARGEST: u64 = 16 << 20;
/// Most files that one file may lead to, and so on.
const MOST_FILES: usize = 4096;

/// A privileged file that names `/nix`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reference {
    /// Which file.
    pub file: PathBuf,
    /// Which line, from 1; 0 in a file without lines.
    pub line: usize,
    /// What stands there.
    pub text: String,
}

/// What was read, and what it said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scan {
    /// Every reference, in the order of the files.
    pub references: Vec<Reference>,
    /// What the files were when they were read: see [`Scan::state`]. `None` if
    /// they changed meanwhile.
    pub state: Option<u64>,
    /// The files that were found by reading others: includes, scripts.
    pub found: Vec<PathBuf>,
}

/// Files that name programs or rights of the system's own services.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Advisory {
    /// The units of the system's service manager.
    SystemdUnits,
    /// Rules by which programs are confined, or freed, by their path.
    AppArmorProfiles,
}

/// The privileged files of a system; in the unit tests, of none.
pub trait PrivilegedFiles {
    /// Reads them all.
    fn scan(&self) -> Scan;
    /// What they are now: see [`Scan::state`].
    fn state(&self, found: &[PathBuf]) -> u64;
}

/// Those of the running system.
#[derive(Debug, Clone, Copy, Default)]
pub struct HostFiles;

impl PrivilegedFiles for HostFiles {
    fn scan(&self) -> Scan {
        Scan::read(Path::new("/"))
    }

    fn state(&self, found: &[PathBuf]) -> u64 {
        Scan::state(Path::new("/"), found)
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let file = printable_path(&self.file);
        match self.line {
            0 => write!(f, "{file} {}", printable(&self.text)),
            line => write!(f, "{file}:{line}: {}", printable(&self.text)),
        }
    }
}

impl Scan {
    /// Reads every file on the system below `root` (`/`, but for tests).
    #[must_use]
    pub fn read(root: &Path) -> Self {
        // Twice: what was read between two equal states is what is there now.
        let first = Self::read_once(root);
        let before = Self::state(root, &first.found);
        let second = Self::read_once(root);
        let after = Self::state(root, &second.found);
        let settled = before == after && first.found == second.found;
        Self {
            state: settled.then_some(after),
            ..second
        }
    }

    fn read_once(root: &Path) -> Self {
        Self::read_places(root, places(root))
    }

    /// Reads the files of the system below `root` that something privileged
    /// reads outside of any session: an administrator should know what they
    /// say of `/nix`, and no login waits for it.
    #[must_use]
    pub fn read_advisory(root: &Path, of: Advisory) -> Self {
        Self::read_places(root, advisory_places(root, of))
    }

    fn read_places(root: &Path, places: Vec<(Found, Kind)>) -> Self {
        let mut scan = Self {
            references: Vec::new(),
            state: None,
            found: Vec::new(),
        };
        let mut seen = BTreeSet::new();
        for (file, kind) in places {
            scan.read_file(root, &file, kind, false, &mut seen);
        }
        scan
    }

    /// A number for what all these files are now, without reading one. `found`
    /// are those that reading had led to.
    #[must_use]
    pub fn state(root: &Path, found: &[PathBuf]) -> u64 {
        let mut hasher = DefaultHasher::new();
        let known = places(root).into_iter().map(|(file, _)| file.path);
        for file in known.chain(found.iter().cloned()) {
            file.hash(&mut hasher);
            let metadata = std::fs::metadata(&file).ok();
            metadata
                .map(|it| (it.dev(), it.ino(), it.size(), it.ctime(), it.ctime_nsec()))
                .hash(&mut hasher);
        }
        hasher.finish()
    }

    fn refer(&mut self, file: &Path, line: usize, text: String) {
        self.references.push(Reference {
            file: file.to_owned(),
            line,
            text,
        });
    }

    fn read_file(
        &mut self,
        root: &Path,
        place: &Found,
        kind: Kind,
        by_reading: bool,
        seen: &mut BTreeSet<PathBuf>,
    ) {
        let file = place.path.as_path();
        if !seen.insert(file.to_owned()) {
            return;
        }
        if seen.len() > MOST_FILES {
            self.refer(
                file,
                0,
                format!("is file {} of those that others lead to", seen.len()),
            );
            return;
        }
        if by_reading {
            self.found.push(file.to_owned());
        }
        // What cannot be read may say anything.
        let unknown = |error: &io::Error| format!("cannot be read: {error}");
        if let Some(error) = &place.unlisted {
            return self.refer(file, 0, unknown(error));
        }
        let bytes = match link_to_nix(file) {
            Ok(None) => read(file).map_err(|error| unknown(&error)),
            Ok(Some(target)) => Err(format!("-> {}", target.display())),
            Err(error) => Err(unknown(&error)),
        };
        let bytes = match bytes {
            Ok(bytes) => bytes,
            Err(why) => return self.refer(file, 0, why),
        };
        for Mention { line, text } in mentions(&bytes, kind) {
            self.refer(file, line, text);
        }
        let directory = below_of(root, file);
        for (named, kind) in named_files(&bytes, kind, &directory) {
            let named = below(root, &named);
            for named in places::expand(&named) {
                self.read_file(root, &named, kind, true, seen);
            }
        }
    }
}

/// Where a link leads, if that is on `/nix`.
fn link_to_nix(file: &Path) -> io::Result<Option<PathBuf>> {
    match std::fs::read_link(file) {
        Ok(target) => Ok(Some(target).filter(|target| target.starts_with(crate::NIX))),
        // No link, or nothing at all.
        Err(error) if matches!(error.kind(), ErrorKind::InvalidInput | ErrorKind::NotFound) => {
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

/// A regular file's content; a device and the like, and what is not there, has
/// none. A directory has just become one.
fn read(file: &Path) -> io::Result<Vec<u8>> {
    match std::fs::metadata(file) {
        Ok(metadata) if metadata.is_dir() => Err(ErrorKind::IsADirectory.into()),
        Ok(metadata) if !metadata.is_file() => Ok(Vec::new()),
        Ok(metadata) if metadata.len() > LARGEST => Err(ErrorKind::FileTooLarge.into()),
        Ok(_) => std::fs::read(file),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

/// The directory that a file of the system below `root` is in, as the system
/// has it.
fn below_of(root: &Path, file: &Path) -> PathBuf {
    let directory = file.parent().unwrap_or(root);
    Path::new("/").join(directory.strip_prefix(root).unwrap_or(directory))
}

/// An absolute path of the system, on the system below `root`.
fn below(root: &Path, path: &Path) -> PathBuf {
    root.join(path.strip_prefix("/").unwrap_or(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A system with these files.
    fn system(files: &[(&str, &str)]) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for (file, content) in files {
            let file = below(root.path(), Path::new(file));
            std::fs::create_dir_all(file.parent().unwrap()).unwrap();
            std::fs::write(file, content).unwrap();
        }
        root
    }

    fn found(files: &[(&str, &str)]) -> Vec<(String, usize)> {
        let root = system(files);
        let scan = Scan::read(root.path());
        scan.references
            .into_iter()
            .map(|it| {
                let file = it
                    .file
                    .strip_prefix(root.path())
                    .unwrap()
                    .to_string_lossy()
                    .into_owned();
                (file, it.line)
            })
            .collect()
    }

    #[test]
    fn what_cannot_be_read_is_no_empty_file() {
        let root = system(&[("/file", "x"), ("/directory/file", "x")]);
        let at = |path: &str| root.path().join(path);
        assert_eq!(read(&at("file")).unwrap(), b"x");
        assert_eq!(read(&at("nothing")).unwrap(), b"");
        assert_eq!(read(Path::new("/dev/null")).unwrap(), b"");
        nix::unistd::mkfifo(&at("fifo"), nix::sys::stat::Mode::S_IRWXU).unwrap();
        assert_eq!(read(&at("fifo")).unwrap(), b"");
        for unreadable in ["directory", "file/below"] {
            assert!(read(&at(unreadable)).is_err(), "{unreadable}");
        }
        assert!(link_to_nix(&at("file")).unwrap().is_none());
        assert!(link_to_nix(&at("nothing")).unwrap().is_none());
        assert!(link_to_nix(&at("file/below")).is_err());
    }

    #[test]
    fn every_kind_of_privileged_file_is_read() {
        for file in [
            "etc/profile",
            "etc/profile.d/nix.sh",
            "etc/bash.bashrc",
            "etc/bashrc",
            "etc/zsh/zshrc",
            "etc/zshenv",
            "etc/fish/conf.d/nix.fish",
            "etc/csh.cshrc",
            "etc/environment",
            "etc/security/pam_env.conf",
            "etc/pam.d/sshd",
            "etc/sudoers",
            "etc/sudoers.d/nix",
            "etc/ld.so.conf",
            "etc/ld.so.conf.d/nix.conf",
            "etc/ld.so.preload",
            "etc/ld.so.cache",
            "etc/nsswitch.conf",
            "etc/update-motd.d/50-nix",
            "root/.profile",
            "root/.bashrc",
            "root/.config/fish/config.fish",
        ] {
            let said = found(&[(&format!("/{file}"), "x\n. /nix/var/x.sh\n")]);
            assert_eq!(said.len(), 1, "{file}: {said:?}");
            assert_eq!(said[0].0, file);
        }
    }

    #[test]
    fn advisory_files_are_read_apart() {
        let files = [
            (
                "/etc/systemd/system/a.service.d/b.conf",
                "[Service]\nExecStart=/nix/x\n",
            ),
            ("/etc/apparmor.d/local/x", "/nix/store/** ux,\n"),
        ];
        assert!(found(&files).is_empty());
        let root = system(&files);
        let lines = |of| {
            let scan = Scan::read_advisory(root.path(), of);
            scan.references.iter().map(|it| it.line).collect::<Vec<_>>()
        };
        assert_eq!(lines(Advisory::SystemdUnits), [2]);
        assert_eq!(lines(Advisory::AppArmorProfiles), [1]);
    }

    #[test]
    fn what_a_file_leads_to_is_read_as_well() {
        assert_eq!(
            found(&[
                ("/etc/sudoers", "@include /etc/more\n"),
                ("/etc/more", "x ALL=/nix/x\n")
            ]),
            [("etc/more".to_owned(), 1)]
        );
        assert_eq!(
            found(&[
                ("/etc/sudoers", "#includedir /etc/more.d\n"),
                ("/etc/more.d/a", "\nx ALL=/nix/x\n")
            ]),
            [("etc/more.d/a".to_owned(), 2)]
        );
        assert_eq!(
            found(&[
                (
                    "/etc/pam.d/sshd",
                    "session optional pam_exec.so seteuid /usr/sbin/hook a\n"
                ),
                ("/usr/sbin/hook", "#!/bin/sh\n/nix/x\n"),
            ]),
            [("usr/sbin/hook".to_owned(), 2)]
        );
        assert_eq!(
            found(&[
                ("/etc/ld.so.conf", "include /etc/x.d/*.conf\n"),
                ("/etc/x.d/nix.conf", "/nix/lib\n")
            ]),
            [("etc/x.d/nix.conf".to_owned(), 1)]
        );
    }

    #[test]
    fn it_may_be_named_in_any_way() {
        for (file, text) in [
            ("/etc/sudoers", "@include more\n"),
            ("/etc/sudoers", "@include \"/etc/more\"\n"),
            ("/etc/sudoers", "@include /etc/mor\\e\n"),
            ("/etc/ld.so.conf", "include other.d/*.conf mor*\n"),
            (
                "/etc/pam.d/x",
                "session optional pam_exec.so \\\n  /etc/more\n",
            ),
            (
                "/etc/pam.d/x",
                "session required pam_env.so envfile=/etc/more\n",
            ),
        ] {
            assert_eq!(
                found(&[(file, text), ("/etc/more", "x /nix/x\n")]),
                [("etc/more".to_owned(), 1)],
                "{file}: {text}"
            );
        }
        let nested = found(&[("/etc/zsh/zshrc.d/a", "/nix/x\n")]);
        assert_eq!(nested, [("etc/zsh/zshrc.d/a".to_owned(), 1)]);
    }

    #[test]
    fn a_module_by_its_path_is_no_script() {
        let stack = "session optional /lib/security/pam_nixns.so\n";
        assert!(
            found(&[
                ("/etc/pam.d/x", stack),
                ("/lib/security/pam_nixns.so", "/nix\0")
            ])
            .is_empty()
        );
    }

    #[test]
    fn only_login_shells_of_passwd_count() {
        let passwd =
            "a:x:1:1:/nix/x:/home/a:/bin/sh\nb:x:2:2::/nix/home:/bin/sh\nc:x:3:3::/:/nix/zsh\n";
        assert_eq!(
            found(&[("/etc/passwd", passwd)]),
            [("etc/passwd".to_owned(), 3)]
        );
    }

    #[test]
    fn a_link_into_nix_is_a_reference() {
        let root = system(&[("/root/.profile", ". ~/.nix-profile/etc/profile.d/nix.sh\n")]);
        let link = below(root.path(), Path::new("/root/.nix-profile"));
        std::os::unix::fs::symlink("/nix/var/nix/profiles/default", link).unwrap();
        assert_eq!(Scan::read(root.path()).references.len(), 1);
    }

    #[test]
    fn loops_end() {
        assert!(
            found(&[
                ("/etc/sudoers", "@include /etc/sudoers\n@include /etc/b\n"),
                ("/etc/b", "@include /etc/sudoers\n")
            ])
            .is_empty()
        );
    }

    #[test]
    fn the_state_changes_with_every_file_it_depends_on() {
        let root = system(&[
            ("/etc/sudoers", "@include /etc/more\n"),
            ("/etc/more", "x\n"),
        ]);
        let scan = Scan::read(root.path());
        assert_eq!(scan.state, Some(Scan::state(root.path(), &scan.found)));
        std::fs::write(below(root.path(), Path::new("/etc/more")), "x ALL=/nix/x\n").unwrap();
        assert_ne!(scan.state, Some(Scan::state(root.path(), &scan.found)));
        let scan = Scan::read(root.path());
        std::fs::create_dir_all(below(root.path(), Path::new("/etc/profile.d"))).unwrap();
        std::fs::write(below(root.path(), Path::new("/etc/profile.d/new.sh")), "x").unwrap();
        assert_ne!(scan.state, Some(Scan::state(root.path(), &scan.found)));
    }

    #[test]
    fn the_running_systems_files_are_those_below_its_root() {
        let found = [PathBuf::from("/etc/hostname")];
        assert_eq!(HostFiles.state(&found), Scan::state(Path::new("/"), &found));
    }

    #[test]
    fn what_is_no_file_has_nothing_to_say_and_holds_nobody_up() {
        let root = system(&[("/etc/hostname", "")]);
        let fifo = below(root.path(), Path::new("/etc/profile"));
        nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::S_IRWXU).unwrap();
        assert!(Scan::read(root.path()).references.is_empty());
    }

    #[test]
    fn a_file_that_cannot_be_reached_may_say_anything() {
        let root = system(&[("/etc/hostname", "")]);
        let profile = below(root.path(), Path::new("/etc/profile"));
        std::os::unix::fs::symlink("profile", profile).unwrap();
        assert_eq!(Scan::read(root.path()).references.len(), 1);
    }

    #[test]
    fn a_file_too_large_to_be_read_may_say_anything() {
        let root = system(&[("/etc/profile", "")]);
        let profile = below(root.path(), Path::new("/etc/profile"));
        let profile = std::fs::File::create(profile).unwrap();
        profile.set_len(LARGEST).unwrap();
        assert!(Scan::read(root.path()).references.is_empty());
        profile.set_len(LARGEST + 1).unwrap();
        assert_eq!(Scan::read(root.path()).references.len(), 1);
    }

    #[test]
    fn a_system_that_leads_to_too_many_files_is_refused() {
        let includes = |count: usize| -> String {
            (0..count)
                .map(|number| format!("@include /etc/{number}\n"))
                .collect()
        };
        let known = places(Path::new("/nowhere")).len();
        let room = MOST_FILES - known;
        assert!(found(&[("/etc/sudoers", &includes(room))]).is_empty());
        assert!(!found(&[("/etc/sudoers", &includes(room + 1))]).is_empty());
    }

    #[test]
    fn what_changes_while_it_is_read_has_no_state() {
        let root = system(&[("/etc/profile", "")]);
        let profile = below(root.path(), Path::new("/etc/profile"));
        let seen = std::sync::atomic::AtomicBool::new(false);
        std::thread::scope(|threads| {
            threads.spawn(|| {
                for length in 0..1_000_000 {
                    if seen.load(std::sync::atomic::Ordering::Relaxed) {
                        break;
                    }
                    std::fs::write(&profile, "x".repeat(length % 100)).unwrap();
                }
            });
            let unsettled = (0..3_000).any(|_| Scan::read(root.path()).state.is_none());
            seen.store(true, std::sync::atomic::Ordering::Relaxed);
            assert!(unsettled);
        });
        assert!(Scan::read(root.path()).state.is_some());
    }

    #[test]
    fn a_pattern_names_files_by_start_and_end() {
        for (name, counts) in [("ab", true), ("axb", true), ("ax", false), ("xb", false)] {
            let said = found(&[
                ("/etc/ld.so.conf", "include /etc/x.d/a*b\n"),
                (&format!("/etc/x.d/{name}"), "/nix/lib\n"),
            ]);
            assert_eq!(said.len(), usize::from(counts), "{name}");
        }
    }

    #[test]
    fn a_reference_is_shown_in_one_line_with_its_place() {
        let reference = |line| Reference {
            file: "/etc/a\nb".into(),
            line,
            text: "x\u{1b}".to_owned(),
        };
        assert_eq!(reference(7).to_string(), r"/etc/a\u{a}b:7: x\u{1b}");
        assert_eq!(reference(0).to_string(), r"/etc/a\u{a}b x\u{1b}");
    }
}
