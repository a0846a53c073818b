//! Ways to become somebody else, or to log in, that open no PAM session: what
//! is started through them stays on the `/nix` of whoever starts it, or gets
//! none.

use std::collections::BTreeSet;
use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use super::{Finding, Scene};

/// Rules of sudoers by which sudo opens no session.
pub(super) fn check_sudoers(_: &Scene) -> Vec<Finding> {
    vec![sudoers(Path::new("/"))]
}

/// Where PAM is off, nobody who comes by ssh gets anything of it.
pub(super) fn check_sshd(_: &Scene) -> Vec<Finding> {
    vec![sshd(Path::new("/"))]
}

/// Programs that are somebody else, for whoever runs them.
pub(super) fn check_setuid(_: &Scene) -> Vec<Finding> {
    vec![setuid(Path::new("/"))]
}

fn sudoers(root: &Path) -> Finding {
    const NAME: &str = "doors.sudoers";
    let mut found = Found::default();
    read_sudoers(root, Path::new("/etc/sudoers"), &mut found);
    if !found.lines.is_empty() {
        return Finding::warning(
            NAME,
            format!("sudo opens no session by {}", found.lines.join(", ")),
            "take `!pam_session` out: what runs by it, as root, runs on the /nix of whoever calls sudo",
        );
    }
    match found.unread {
        Some(why) => Finding::unknown(NAME, why),
        None => Finding::ok(NAME, "no rule of sudoers has !pam_session"),
    }
}

#[derive(Default)]
struct Found {
    lines: Vec<String>,
    unread: Option<String>,
    seen: BTreeSet<PathBuf>,
}

fn read_sudoers(root: &Path, file: &Path, found: &mut Found) {
    if !found.seen.insert(file.to_owned()) || found.seen.len() > 1000 {
        return;
    }
    let text = match read(&below(root, file)) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => return,
        Err(error) => {
            found.unread = Some(format!("{}: {error}", file.display()));
            return;
        }
    };
    for (number, line) in continued_lines(&text) {
        let mut words = line.split_whitespace();
        let directory = file.parent().unwrap_or(Path::new("/"));
        match (words.next(), words.next()) {
            (Some("@include" | "#include"), Some(named)) => {
                read_sudoers(root, &directory.join(unquoted(named)), found);
            }
            (Some("@includedir" | "#includedir"), Some(named)) => {
                let directory = directory.join(unquoted(named));
                for name in names(&below(root, &directory)) {
                    // As sudo does with those of editors and packages.
                    if !name.ends_with('~') && !name.contains('.') {
                        read_sudoers(root, &directory.join(name), found);
                    }
                }
            }
            (Some(first), _) if first.starts_with("Defaults") && opens_none(&line) => {
                found.lines.push(format!("{}:{number}", file.display()));
            }
            _ => {}
        }
    }
}

/// Lines that end in a backslash and what they go on with, by the first's number.
fn continued_lines(text: &str) -> Vec<(usize, String)> {
    let mut lines: Vec<(usize, String)> = Vec::new();
    let mut goes_on = false;
    for (number, line) in (1..).zip(text.lines()) {
        let (line, next) = match line.strip_suffix('\\') {
            Some(line) => (line, true),
            None => (line, false),
        };
        match lines.last_mut().filter(|_| goes_on) {
            Some((_, whole)) => whole.extend([" ", line]),
            None => lines.push((number, line.to_owned())),
        }
        goes_on = next;
    }
    lines
}

fn opens_none(line: &str) -> bool {
    let line = line.split('#').next().unwrap_or_default();
    let joined = line.replace("! ", "!");
    joined
        .split(|it: char| it.is_whitespace() || it == ',')
        .any(|word| word == "!pam_session")
}

fn unquoted(word: &str) -> &str {
    word.trim_matches('"')
}

fn sshd(root: &Path) -> Finding {
    const NAME: &str = "doors.sshd";
    if !below(root, Path::new("/usr/sbin/sshd")).exists() {
        return Finding::note(NAME, "there is no sshd");
    }
    let mut seen = BTreeSet::new();
    match use_pam(root, Path::new("/etc/ssh/sshd_config"), &mut seen) {
        Ok(Some((place, value))) if value.eq_ignore_ascii_case("yes") => {
            Finding::ok(NAME, format!("UsePAM yes ({place})"))
        }
        Ok(found) => {
            let place = found.map_or_else(
                || "UsePAM is not set, so it is off".to_owned(),
                |(place, value)| format!("UsePAM {value} ({place})"),
            );
            Finding::warning(
                NAME,
                format!("sshd opens no PAM session: {place}"),
                "`UsePAM yes`; or nobody gets /nix by ssh",
            )
        }
        Err(why) => Finding::unknown(NAME, why),
    }
}

/// The first value counts (`sshd_config(5)`), wherever it is included from.
fn use_pam(
    root: &Path,
    file: &Path,
    seen: &mut BTreeSet<PathBuf>,
) -> Result<Option<(String, String)>, String> {
    if !seen.insert(file.to_owned()) || seen.len() > 1000 {
        return Ok(None);
    }
    let text = read(&below(root, file)).map_err(|error| format!("{}: {error}", file.display()))?;
    for (number, line) in (1_usize..).zip(text.lines()) {
        let mut words = line.split(|it: char| it.is_whitespace() || it == '=');
        let mut words = words.by_ref().filter(|word| !word.is_empty());
        match words.next().map(str::to_ascii_lowercase).as_deref() {
            Some("usepam") => {
                let value = words.next().map(unquoted).unwrap_or_default().to_owned();
                return Ok(Some((format!("{}:{number}", file.display()), value)));
            }
            Some("include") => {
                for named in words.flat_map(|named| included_by_sshd(root, unquoted(named))) {
                    if let Some(found) = use_pam(root, &named, seen)? {
                        return Ok(Some(found));
                    }
                }
            }
            // What follows holds for some connections only, and UsePAM must not.
            Some("match") => return Ok(None),
            _ => {}
        }
    }
    Ok(None)
}

/// `/etc/ssh/sshd_config.d/*.conf` and the like, in the order of their names.
fn included_by_sshd(root: &Path, pattern: &str) -> Vec<PathBuf> {
    let pattern = Path::new("/etc/ssh").join(pattern);
    let name = pattern.file_name().unwrap_or_default().to_string_lossy();
    let Some((start, end)) = name.split_once('*') else {
        return vec![pattern];
    };
    let directory = pattern.parent().unwrap_or(Path::new("/"));
    names(&below(root, directory))
        .into_iter()
        .filter(|name| name.starts_with(start) && name.ends_with(end))
        .map(|name| directory.join(name))
        .collect()
}

/// Setuid programs that open a PAM session, or start nothing of the caller's
/// choice, by their file name.
const KNOWN: &[&str] = &[
    "Xorg.wrap",
    "at",
    "bwrap",
    "chage",
    "chfn",
    "chrome-sandbox",
    "chsh",
    "cockpit-session",
    "crontab",
    "dbus-daemon-launch-helper",
    "doas",
    "expiry",
    "fusermount",
    "fusermount3",
    "gpasswd",
    "grub2-set-bootflag",
    "mount",
    "mount.cifs",
    "mount.nfs",
    "newgidmap",
    "newgrp",
    "newuidmap",
    "nix-ns-enter",
    "ntfs-3g",
    "pam_timestamp_check",
    "passwd",
    "ping",
    "pkexec",
    "polkit-agent-helper-1",
    "pppd",
    "sg",
    "snap-confine",
    "ssh-keysign",
    "su",
    "sudo",
    "sudo-rs",
    "sudoedit",
    "umount",
    "unix_chkpwd",
    "userhelper",
    "usernetctl",
    "visudo-rs",
];

/// Where programs are, and how deep.
const PROGRAMS: [(&str, usize); 8] = [
    ("/usr/bin", 0),
    ("/usr/sbin", 0),
    ("/usr/local/bin", 0),
    ("/usr/local/sbin", 0),
    ("/usr/libexec", 2),
    ("/usr/lib", 2),
    ("/opt", 3),
    ("/snap/bin", 0),
];

fn setuid(root: &Path) -> Finding {
    const NAME: &str = "doors.setuid";
    let mut unknown = Vec::new();
    for (directory, depth) in PROGRAMS {
        find_setuid(&below(root, Path::new(directory)), depth, &mut unknown);
    }
    if unknown.is_empty() {
        return Finding::ok(NAME, "no setuid-root program but the known ones");
    }
    unknown.sort();
    let names = unknown.iter().map(|path| path.display().to_string());
    Finding::note(
        NAME,
        format!(
            "also setuid root: {}; if one of them runs programs of its caller's choice as somebody else, or reads /nix, it does so on the caller's /nix",
            names.collect::<Vec<_>>().join(", ")
        ),
    )
}

fn find_setuid(directory: &Path, depth: usize, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        let Ok(metadata) = entry.metadata() else {
            continue;
        };
        let is_setuid = metadata.permissions().mode() & 0o4000 != 0 && metadata.uid() == 0;
        let is_known = entry
            .file_name()
            .to_str()
            .is_some_and(|name| KNOWN.contains(&name));
        if metadata.is_dir() && depth > 0 {
            find_setuid(&entry.path(), depth.saturating_sub(1), found);
        } else if metadata.is_file() && is_setuid && !is_known {
            found.push(entry.path());
        }
    }
}

/// A regular file of a bearable size.
fn read(file: &Path) -> std::io::Result<String> {
    let metadata = fs::metadata(file)?;
    if !metadata.is_file() || metadata.len() > 1 << 20 {
        return Err(std::io::Error::other("not a regular file, or too large"));
    }
    fs::read(file).map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
}

fn names(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    let mut names: Vec<String> = entries
        .filter_map(|entry| entry.file_name().into_string().ok())
        .collect();
    names.sort();
    names
}

fn below(root: &Path, path: &Path) -> PathBuf {
    root.join(path.strip_prefix("/").unwrap_or(path))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnosis::Outcome;

    #[test]
    fn a_rule_without_a_session_is_found_in_any_form() {
        for line in [
            "Defaults !pam_session",
            "Defaults:alice env_reset, !pam_session",
            "Defaults>root ! pam_session",
        ] {
            assert!(opens_none(line), "{line}");
        }
        for line in ["Defaults pam_session", "Defaults env_reset # !pam_session"] {
            assert!(!opens_none(line), "{line}");
        }
    }

    #[test]
    fn included_files_are_read_as_sudo_and_sshd_read_them() {
        let root = std::env::temp_dir().join(format!("nix-ns-doors.{}", std::process::id()));
        for (file, text) in [
            ("etc/sudoers", "@includedir /etc/sudoers.d\n@include more\n"),
            ("etc/sudoers.d/a.dpkg-old", "Defaults !pam_session\n"),
            ("etc/more", "x \\\n y\nDefaults \\\n !pam_session\n"),
            ("usr/sbin/sshd", ""),
            (
                "etc/ssh/sshd_config",
                "Include sshd_config.d/*.conf\nUsePAM yes\n",
            ),
            ("etc/ssh/sshd_config.d/x.conf", "# UsePAM yes\nusepam=no\n"),
        ] {
            let file = root.join(file);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, text).unwrap();
        }
        let sudoers = sudoers(&root);
        let sshd = super::sshd(&root);
        fs::remove_dir_all(&root).unwrap();
        assert_eq!(sudoers.outcome, Outcome::Warning);
        assert_eq!(sudoers.found, "sudo opens no session by /etc/more:3");
        assert_eq!(sshd.outcome, Outcome::Warning);
        assert!(
            sshd.found.contains("sshd_config.d/x.conf:2"),
            "{}",
            sshd.found
        );
    }
}
