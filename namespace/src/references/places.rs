//! Which files privileged programs read.

use std::ffi::OsString;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use super::{Advisory, below};

/// How a file is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Kind {
    /// Lines, with comments after `#`.
    Text,
    /// A file of sudoers, whose `#include` is no comment.
    Sudoers,
    /// A file of the dynamic linker's, which may include others.
    Linker,
    /// A PAM stack, which may name scripts to run.
    Pam,
    /// A PAM module: only where it really is matters.
    Module,
    /// The account database: only login shells matter.
    Accounts,
    /// Anything: the bytes count.
    Binary,
}

/// Files, and directories whose files all count.
const PLACES: &[(&str, Kind)] = &[
    // Login shells, root's among them: the hook of an uninstalled Nix is here.
    ("/etc/profile", Kind::Text),
    ("/etc/profile.d", Kind::Text),
    ("/etc/bash.bashrc", Kind::Text),
    ("/etc/bash.bashrc.local", Kind::Text),
    ("/etc/bashrc", Kind::Text),
    ("/etc/bash", Kind::Text),
    ("/etc/bashrc.d", Kind::Text),
    ("/etc/zsh", Kind::Text),
    ("/etc/zshenv", Kind::Text),
    ("/etc/zprofile", Kind::Text),
    ("/etc/zshrc", Kind::Text),
    ("/etc/zlogin", Kind::Text),
    ("/etc/fish/config.fish", Kind::Text),
    ("/etc/fish/conf.d", Kind::Text),
    ("/etc/csh.cshrc", Kind::Text),
    ("/etc/csh.login", Kind::Text),
    ("/etc/csh", Kind::Text),
    ("/etc/bash_completion.d", Kind::Text),
    // Where vendors have theirs, for what is not in /etc (openSUSE).
    ("/usr/etc/profile", Kind::Text),
    ("/usr/etc/profile.d", Kind::Text),
    ("/usr/etc/bash.bashrc", Kind::Text),
    ("/usr/etc/zshenv", Kind::Text),
    ("/usr/etc/zprofile", Kind::Text),
    ("/usr/etc/zshrc", Kind::Text),
    ("/usr/etc/csh.cshrc", Kind::Text),
    ("/usr/etc/csh.login", Kind::Text),
    ("/usr/etc/environment", Kind::Text),
    ("/usr/etc/login.defs", Kind::Text),
    ("/usr/etc/sudoers", Kind::Sudoers),
    ("/usr/etc/sudoers.d", Kind::Sudoers),
    ("/usr/etc/nsswitch.conf", Kind::Text),
    // What PAM, sudo and the dynamic linker trust.
    ("/etc/environment", Kind::Text),
    ("/etc/environment.d", Kind::Text),
    // Root's PATH by login and su (ENV_SUPATH).
    ("/etc/login.defs", Kind::Text),
    ("/etc/default/login", Kind::Text),
    ("/etc/default/su", Kind::Text),
    ("/etc/default/runuser", Kind::Text),
    ("/etc/security/pam_env.conf", Kind::Text),
    ("/etc/security/pam_env.conf.d", Kind::Text),
    // pam_namespace and pam_script run these as root. What directories a site has
    // polyinstantiated (namespace.conf) trusts none of them.
    ("/etc/security/namespace.init", Kind::Text),
    ("/etc/security/namespace.d", Kind::Text),
    ("/usr/share/libpam-script", Kind::Text),
    ("/etc/pam-script.d", Kind::Text),
    ("/etc/pam_script", Kind::Text),
    ("/etc/pam_script_acct", Kind::Text),
    ("/etc/pam_script_auth", Kind::Text),
    ("/etc/pam_script_passwd", Kind::Text),
    ("/etc/pam_script_ses_close", Kind::Text),
    ("/etc/pam_script_ses_open", Kind::Text),
    ("/etc/pam.conf", Kind::Pam),
    ("/etc/sudoers", Kind::Sudoers),
    ("/etc/sudoers.d", Kind::Sudoers),
    ("/etc/doas.conf", Kind::Text),
    ("/etc/ld.so.conf", Kind::Linker),
    ("/etc/ld.so.conf.d", Kind::Linker),
    ("/etc/ld.so.preload", Kind::Text),
    ("/etc/ld.so.cache", Kind::Binary),
    ("/etc/nsswitch.conf", Kind::Text),
    ("/etc/passwd", Kind::Accounts),
    // Debian's sshd runs these as root, after common-session.
    ("/etc/update-motd.d", Kind::Text),
    // Display managers run these as root in the session's own process, gdm between
    // pam_open_session and the user's first program (gdm-session-worker.c).
    ("/etc/gdm3/PostLogin", Kind::Text),
    ("/etc/gdm3/PreSession", Kind::Text),
    ("/etc/gdm/PostLogin", Kind::Text),
    ("/etc/gdm/PreSession", Kind::Text),
    ("/etc/X11/xdm/Xstartup", Kind::Text),
    ("/etc/X11/xdm/Xreset", Kind::Text),
    // Root's own.
    ("/root/.profile", Kind::Text),
    ("/root/.bash_profile", Kind::Text),
    ("/root/.bash_login", Kind::Text),
    ("/root/.bashrc", Kind::Text),
    ("/root/.bash_aliases", Kind::Text),
    ("/root/.bash_logout", Kind::Text),
    ("/root/.zshenv", Kind::Text),
    ("/root/.zprofile", Kind::Text),
    ("/root/.zshrc", Kind::Text),
    ("/root/.zlogin", Kind::Text),
    ("/root/.cshrc", Kind::Text),
    ("/root/.tcshrc", Kind::Text),
    ("/root/.login", Kind::Text),
    // What a single-user Nix of root's leaves: a link into /nix.
    ("/root/.nix-profile", Kind::Binary),
    ("/root/.config/fish/config.fish", Kind::Text),
    ("/root/.config/fish/conf.d", Kind::Text),
];

/// Where a system's service manager finds its units, as systemd.unit(5) lists.
const UNITS: &[(&str, Kind)] = &[
    ("/etc/systemd/system", Kind::Text),
    ("/run/systemd/system", Kind::Text),
    ("/usr/local/lib/systemd/system", Kind::Text),
    ("/usr/lib/systemd/system", Kind::Text),
];

const PROFILES: &[(&str, Kind)] = &[("/etc/apparmor.d", Kind::Text)];

/// What is at a place.
pub(super) struct Found {
    /// A file of the system's, or nothing any more.
    pub(super) path: PathBuf,
    /// It is a directory, and could not be listed.
    pub(super) unlisted: Option<io::Error>,
}

impl Found {
    pub(super) fn listed(path: PathBuf) -> Self {
        Self {
            path,
            unlisted: None,
        }
    }

    fn unknown(path: &Path) -> Self {
        Self {
            path: path.to_owned(),
            unlisted: Some(io::Error::other("it is not known which files these are")),
        }
    }
}

/// Every file that is there now, directories replaced by their files.
pub(super) fn places(root: &Path) -> Vec<(Found, Kind)> {
    let stacks = pam_stack::DIRECTORIES.map(|directory| (directory, Kind::Pam));
    let mut files = files_at(root, PLACES);
    files.extend(files_at(root, &stacks));
    files
}

/// The same, of files that no login depends on.
pub(super) fn advisory_places(root: &Path, of: Advisory) -> Vec<(Found, Kind)> {
    match of {
        Advisory::SystemdUnits => files_at(root, UNITS),
        Advisory::AppArmorProfiles => files_at(root, PROFILES),
    }
}

fn files_at(root: &Path, places: &[(&str, Kind)]) -> Vec<(Found, Kind)> {
    places
        .iter()
        .flat_map(|(place, kind)| {
            let files = files_of(root, Path::new(place)).into_iter();
            files.map(|file| (file, *kind))
        })
        .collect()
}

/// A path that an included file or directory is named by; it may have one `*`, in
/// its last component. What it means otherwise is not known.
pub(super) fn expand(root: &Path, path: &Path) -> Vec<Found> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let directory = path.parent().unwrap_or(path);
    let Some((start, end)) = name.split_once('*') else {
        return match has_pattern(path) {
            true => vec![Found::unknown(path)],
            false => files_of(root, path),
        };
    };
    if has_pattern(directory) || [start, end].iter().any(|it| has_pattern(Path::new(it))) {
        return vec![Found::unknown(path)];
    }
    let is_meant = |file: &Found| {
        let name = file.path.file_name().unwrap_or_default();
        let name = name.to_string_lossy();
        file.unlisted.is_some() || (name.starts_with(start) && name.ends_with(end))
    };
    let files = files_of(root, directory).into_iter();
    files.filter(is_meant).collect()
}

/// What glob(7) would take for more than a name, or what was no text.
fn has_pattern(path: &Path) -> bool {
    let path = path.to_string_lossy();
    path.contains(['*', '?', '[', '{', char::REPLACEMENT_CHARACTER])
}

/// The place itself if it is a file, else the files in it.
fn files_of(root: &Path, place: &Path) -> Vec<Found> {
    let mut files = Vec::new();
    collect(root, place, DEEPEST, &mut files);
    files
}

/// Deeper than this nobody nests a configuration, and no loop of links goes on.
const DEEPEST: usize = 4;

fn collect(root: &Path, place: &Path, depth: usize, files: &mut Vec<Found>) {
    let there = below(root, place);
    if depth == 0 && there.is_dir() {
        return;
    }
    let unlisted = match list(&there) {
        Ok(mut names) => {
            names.sort();
            for name in names {
                collect(root, &place.join(name), depth.saturating_sub(1), files);
            }
            return;
        }
        Err(error) if matches!(error.kind(), ErrorKind::NotADirectory | ErrorKind::NotFound) => {
            None
        }
        Err(error) => Some(error),
    };
    files.push(Found {
        path: place.to_owned(),
        unlisted,
    });
}

fn list(directory: &Path) -> io::Result<Vec<OsString>> {
    std::fs::read_dir(directory)?
        .map(|entry| Ok(entry?.file_name()))
        .collect()
}
