//! Programs that are somebody else, for whoever runs them.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use super::{Finding, Scene, below};

pub(in crate::diagnosis) fn check(_: &Scene) -> Vec<Finding> {
    vec![setuid(Path::new("/"))]
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
