//! Services with a mount namespace of their own: sessions that come through them
//! get a `/nix`, but do not share it with their user's other sessions.

use std::fs;
use std::path::{Path, PathBuf};

use super::{Finding, Scene};

/// Units that sessions come through.
const UNITS: [&str; 16] = [
    "atd.service",
    "cron.service",
    "crond.service",
    "display-manager.service",
    "gdm.service",
    "gdm3.service",
    "getty@.service",
    "jupyterhub.service",
    "lightdm.service",
    "sddm.service",
    "slurmd.service",
    "ssh.service",
    "ssh@.service",
    "sshd.service",
    "user@.service",
    "xrdp-sesman.service",
];

/// From the least to the most important (`systemd.unit(5)`).
const DIRECTORIES: [&str; 4] = [
    "/usr/lib/systemd/system",
    "/usr/local/lib/systemd/system",
    "/run/systemd/system",
    "/etc/systemd/system",
];

/// Settings for which systemd makes a mount namespace (`systemd.exec(5)`,
/// "Sandboxing" and "Paths").
const SETTINGS: [&str; 20] = [
    "BindPaths",
    "BindReadOnlyPaths",
    "ExecPaths",
    "InaccessiblePaths",
    "MountImages",
    "NoExecPaths",
    "PrivateDevices",
    "PrivateMounts",
    "PrivateTmp",
    "ProcSubset",
    "ProtectControlGroups",
    "ProtectHome",
    "ProtectKernelLogs",
    "ProtectKernelModules",
    "ProtectKernelTunables",
    "ProtectProc",
    "ProtectSystem",
    "ReadOnlyPaths",
    "ReadWritePaths",
    "TemporaryFileSystem",
];

/// Those among the units that have such settings.
pub(super) fn check(_: &Scene) -> Vec<Finding> {
    check_below(Path::new("/"))
}

fn check_below(root: &Path) -> Vec<Finding> {
    const NAME: &str = "doors.private-services";
    let findings: Vec<Finding> = UNITS
        .iter()
        .flat_map(|unit| settings_of(root, unit).into_iter().map(move |it| (unit, it)))
        .map(|(unit, (file, setting))| {
            Finding::warning(
                NAME,
                format!("{unit} has a mount namespace of its own ({}: {setting}): its sessions get a /nix that no other session shares", file.display()),
                "take that setting out, with `systemctl edit`, if its sessions are to share",
            )
        })
        .collect();
    if findings.is_empty() {
        vec![Finding::ok(NAME, "sessions of all services share")]
    } else {
        findings
    }
}

/// What counts in the end of the unit's file and of what is dropped into it.
fn settings_of(root: &Path, unit: &str) -> Vec<(PathBuf, String)> {
    let mut set: Vec<(PathBuf, &str, String)> = Vec::new();
    for file in files_of(root, unit) {
        for line in read(&below(root, &file)).lines() {
            let Some((key, value)) = line.split_once('=') else {
                continue;
            };
            if let Some(key) = SETTINGS.iter().find(|it| **it == key.trim()) {
                set.retain(|(_, known, _)| known != key);
                set.push((file.clone(), key, value.trim().to_owned()));
            }
        }
    }
    set.retain(|(_, _, value)| is_on(value));
    set.into_iter()
        .map(|(file, key, value)| (file, format!("{key}={value}")))
        .collect()
}

/// A regular file of a bearable size, or nothing.
fn read(file: &Path) -> String {
    let readable = fs::metadata(file).is_ok_and(|it| it.is_file() && it.len() < 1 << 20);
    let bytes = readable.then(|| fs::read(file)).and_then(Result::ok);
    String::from_utf8_lossy(&bytes.unwrap_or_default()).into_owned()
}

fn is_on(value: &str) -> bool {
    let off = ["", "0", "no", "n", "false", "f", "off", "default", "all"];
    !off.contains(&value.to_ascii_lowercase().as_str())
}

/// The most important file of the unit's name, then what is dropped into it.
fn files_of(root: &Path, unit: &str) -> Vec<PathBuf> {
    let places = DIRECTORIES.iter().map(Path::new);
    let mut own = places.clone().map(|place| place.join(unit));
    let own = own.rfind(|file| below(root, file).exists());
    let mut dropped: Vec<PathBuf> = places
        .flat_map(|place| {
            let directory = place.join(format!("{unit}.d"));
            let entries = fs::read_dir(below(root, &directory)).into_iter().flatten();
            entries
                .flatten()
                .map(|entry| directory.join(entry.file_name()))
                .collect::<Vec<_>>()
        })
        .filter(|file| file.extension().is_some_and(|it| it == "conf"))
        .collect();
    dropped.sort_by(|left, right| left.file_name().cmp(&right.file_name()));
    own.into_iter().chain(dropped).collect()
}

fn below(root: &Path, path: &Path) -> PathBuf {
    root.join(path.strip_prefix("/").unwrap_or(path))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnosis::Outcome;

    #[test]
    fn what_is_dropped_in_last_counts() {
        let root = std::env::temp_dir().join(format!("nix-ns-units.{}", std::process::id()));
        let write = |file: &str, text: &str| {
            let file = root.join(file);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, text).unwrap();
        };
        let outcome = || check_below(&root)[0].outcome;
        write(
            "usr/lib/systemd/system/cron.service",
            "[Service]\nPrivateTmp=yes\n",
        );
        assert_eq!(outcome(), Outcome::Warning);
        write(
            "etc/systemd/system/cron.service.d/a.conf",
            "[Service]\nPrivateTmp=no\n",
        );
        assert_eq!(outcome(), Outcome::Ok);
        write(
            "etc/systemd/system/cron.service.d/b.conf",
            "[Service]\nReadWritePaths=/srv\n",
        );
        assert_eq!(outcome(), Outcome::Warning);
        write(
            "etc/systemd/system/cron.service.d/b.conf.off",
            "[Service]\nPrivateTmp=yes\n",
        );
        write(
            "etc/systemd/system/cron.service.d/c.conf",
            "[Service]\nReadWritePaths=\n",
        );
        assert_eq!(outcome(), Outcome::Ok);
        fs::remove_dir_all(root).unwrap();
    }
}
