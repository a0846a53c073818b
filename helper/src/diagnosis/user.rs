//! The user's configuration and directory, looked at with the user's rights.

use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

use config::{
    Account, Answer, OwnedFile, Participation, Site, StorePath, USER_FILE, User, WishedPath,
};
use namespace::kernel::{Files, Linux, Mounts};
use namespace::mount_table::{Mount, MountTable};
use namespace::{CheckedStore, StoreRules, host_name};
use nix::fcntl::{OFlag, open};
use nix::sys::stat::Mode;
use nix::sys::statvfs::fstatvfs;

use super::nix_settings::{self, Setting};
use super::{Finding, Scene};
use crate::reader::open_store;

/// Less is too little for a compiler and what it needs.
const LITTLE_SPACE: u64 = 2 << 30;
const FILE_SYSTEM: &str = "user.file-system";
/// Those that several hosts can write at once.
const OVER_NETWORK: [&str; 9] = [
    "nfs",
    "nfs4",
    "lustre",
    "gpfs",
    "beegfs",
    "cifs",
    "ceph",
    "9p",
    "fuse.glusterfs",
];
/// A desktop's closure has some 100,000 files.
const FEW_FILES: u64 = 100_000;

/// Whether the site has this account take part; by what it says, not by files.
pub(super) fn check_selected(scene: &Scene) -> Vec<Finding> {
    const NAME: &str = "user.selected";
    vec![match &scene.participation {
        None => return Vec::new(),
        Some(Ok(Participation::Selected)) => Finding::ok(NAME, Participation::Selected.to_string()),
        Some(Ok(other)) => Finding::warning(
            NAME,
            format!("no /nix: {other}"),
            "an administrator can change that in [users] of the site configuration",
        ),
        Some(Err(why)) => Finding::unknown(NAME, why),
    }]
}

/// What both configurations amount to.
pub(super) fn check_configuration(scene: &Scene) -> Vec<Finding> {
    const NAME: &str = "user.configuration";
    let (Some(account), Ok(site)) = (&scene.account, &scene.site) else {
        return Vec::new();
    };
    let file = account.home.join(USER_FILE);
    let file = file.display();
    vec![match answer(site, account) {
        Err(why) => Finding::fault(NAME, why, "mend it; `nix-ns check` says when it is right"),
        Ok(Answer::NotOptedIn) => Finding::warning(
            NAME,
            format!("{file} is not there, and users opt in by having it"),
            "`nix-ns init`, then log in anew",
        ),
        Ok(Answer::DisabledByUser) => Finding::warning(
            NAME,
            format!("{file} says enable = false"),
            "set `enable = true` in it, then log in anew",
        ),
        Ok(Answer::Store { path, .. }) => {
            Finding::ok(NAME, format!("/nix is to be {}", path.as_path().display()))
        }
    }]
}

/// The store directory that both configurations amount to, and what it is on.
pub(super) fn check_directory(scene: &Scene) -> Vec<Finding> {
    let (Some(account), Ok(site)) = (&scene.account, &scene.site) else {
        return Vec::new();
    };
    match answer(site, account) {
        Ok(Answer::Store {
            path,
            allow_symlinks,
            ..
        }) => check_store(site, account, &path, allow_symlinks),
        _ => Vec::new(),
    }
}

/// Where that directory is, if there is to be one.
pub(super) fn store_path(scene: &Scene) -> Option<PathBuf> {
    let (account, site) = (scene.account.as_ref()?, scene.site.as_ref().ok()?);
    match answer(site, account).ok()? {
        Answer::Store { path, .. } => Some(path.as_path().to_owned()),
        _ => None,
    }
}

fn answer(site: &Site, account: &Account) -> Result<Answer, String> {
    let file = &account.home.join(USER_FILE);
    let read = OwnedFile::read_below(&account.home, USER_FILE, account.uid)
        .map_err(|error| error.to_string())?;
    let user = read.map(|read| User::parse(&read.text, file)).transpose();
    let user = user.map_err(|error| error.to_string())?;
    site.answer(user.as_ref(), account, &host_name())
        .map_err(|error| format!("{}: {error}", file.display()))
}

fn check_store(
    site: &Site,
    account: &Account,
    path: &StorePath,
    allow_symlinks: bool,
) -> Vec<Finding> {
    const NAME: &str = "user.directory";
    const REMEDY: &str = "mend that, or set `source_path` to another directory";
    let shown = path.as_path().display();
    if let Some(above) = nearest_above(path.as_path()) {
        return check_missing(account, path, allow_symlinks, &above);
    }
    // It is there, so this makes nothing.
    let directory = match open_store(path, allow_symlinks) {
        Ok(directory) => directory,
        Err(error) => return vec![Finding::fault(NAME, error.to_string(), REMEDY)],
    };
    let rules = StoreRules {
        account,
        roots: &open_roots(site, account),
        overridden: &site.override_refusals,
    };
    match CheckedStore::check(&Linux, directory, &rules) {
        Ok(store) => {
            let mut findings = vec![Finding::ok(
                NAME,
                format!("{shown} is there, and as it must be"),
            )];
            findings.extend(check_mount(account, path.as_path(), store.directory()));
            findings.extend(check_room(store.directory()));
            findings
        }
        Err(error) => vec![Finding::fault(NAME, error.to_string(), REMEDY)],
    }
}

/// The deepest directory above that is there, if the path itself is not.
fn nearest_above(path: &Path) -> Option<PathBuf> {
    let mut above = path
        .ancestors()
        .filter(|path| path.symlink_metadata().is_ok());
    above
        .next()
        .filter(|nearest| *nearest != path)
        .map(Path::to_owned)
}

fn check_missing(
    account: &Account,
    path: &StorePath,
    allow_symlinks: bool,
    above: &Path,
) -> Vec<Finding> {
    const NAME: &str = "user.directory";
    const REMEDY: &str =
        "make it, the user's own and with mode 0700, or set `source_path` to another directory";
    let shown = path.as_path().display();
    if let Err(why) = can_be_reached(path, allow_symlinks, above) {
        return vec![Finding::fault(NAME, why, REMEDY)];
    }
    if nix::unistd::access(above, nix::unistd::AccessFlags::W_OK).is_err() {
        let (name, above) = (&account.name, above.display());
        let found = format!("{shown} is not there, and {name} may not make it in {above}");
        return vec![Finding::fault(NAME, found, REMEDY)];
    }
    let made = format!("{shown} will be made at the next login");
    let mut findings = vec![Finding::ok(NAME, made)];
    if let Ok(above) = open(above, OFlag::O_PATH | OFlag::O_CLOEXEC, Mode::empty()) {
        findings.extend(check_mount(account, path.as_path(), above.as_fd()));
        findings.extend(check_room(above.as_fd()));
    }
    findings
}

/// Whether a login comes as far as `above`, which is there.
fn can_be_reached(path: &StorePath, allow_symlinks: bool, above: &Path) -> Result<(), String> {
    let root = path.root();
    if !root.is_dir() {
        return Err(format!("{} is no directory, or not there", root.display()));
    }
    if above == root {
        return Ok(());
    }
    let wished = WishedPath::new(above).map_err(|error| error.to_string())?;
    let above = StorePath::below(wished, &[root.to_owned()]).map_err(|error| error.to_string())?;
    let opened = open_store(&above, allow_symlinks);
    opened.map(drop).map_err(|error| error.to_string())
}

fn open_roots(site: &Site, account: &Account) -> Vec<OwnedFd> {
    let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
    let roots = site.expanded_roots(account, &host_name());
    let roots = roots.unwrap_or_default();
    roots
        .iter()
        .filter_map(|root| open(root.as_path(), flags, Mode::empty()).ok())
        .collect()
}

/// What the directory is on, and what that means for Nix.
fn check_mount(
    account: &Account,
    path: &Path,
    directory: std::os::fd::BorrowedFd<'_>,
) -> Vec<Finding> {
    let mount = Linux
        .mount_number(directory)
        .and_then(|number| Ok((number, Linux.mount_table()?)))
        .map(|(number, table)| MountTable::parse(&table).by_id(number).cloned());
    let Ok(Some(mount)) = mount else {
        return vec![Finding::unknown(
            FILE_SYSTEM,
            "the mount table does not say",
        )];
    };
    let point = mount.point.display();
    let mut findings = vec![check_file_system(&mount, account, path)];
    if mount.flags.no_exec {
        findings.push(Finding::fault(
            "user.noexec",
            format!("{point} is mounted noexec: Nix installs, and nothing that it installs runs"),
            "set `source_path` to a directory on another file system, or have an administrator take noexec off",
        ));
    }
    if mount.flags.read_only {
        findings.push(Finding::fault(
            "user.read-only",
            format!("{point} is mounted read-only"),
            "set `source_path` to a directory on another file system",
        ));
    }
    if mount.source.starts_with("/dev/") && mount.point != Path::new("/") {
        findings.push(Finding::note(
            "user.device",
            format!(
                "{} ({point}) cannot be unmounted while a session of this user lives",
                mount.source
            ),
        ));
    }
    findings
}

fn check_file_system(mount: &Mount, account: &Account, path: &Path) -> Finding {
    let kind = mount.file_system.as_str();
    if OVER_NETWORK.contains(&kind) {
        let host = host_name();
        let of_this_host = path.components().any(|it| it.as_os_str() == host.as_str());
        let write_ahead = nix_settings::find("use-sqlite-wal", account);
        return over_network(kind, of_this_host, write_ahead.as_ref());
    }
    if ["tmpfs", "ramfs"].contains(&kind) {
        return Finding::note(
            FILE_SYSTEM,
            format!("{kind}: the store is gone after a reboot"),
        );
    }
    Finding::ok(FILE_SYSTEM, kind)
}

/// `SQLite`'s write-ahead log has an index in memory that processes share, which
/// those of two hosts do not: <https://sqlite.org/wal.html>.
fn over_network(kind: &str, of_this_host: bool, write_ahead: Option<&Setting>) -> Finding {
    const SLOW: &str = "expect 100,000 small files to take their time";
    let without = write_ahead.filter(|it| ["false", "no", "0"].contains(&it.value.as_str()));
    if of_this_host {
        let found = format!("{kind}, with a directory for each host: {SLOW}");
        return Finding::note(FILE_SYSTEM, found);
    }
    if let Some(Setting { place, .. }) = without {
        let found = format!("{kind} ({place}): collect garbage from one host at a time, {SLOW}");
        return Finding::note(FILE_SYSTEM, found);
    }
    let why = match write_ahead {
        Some(Setting { place, .. }) => format!("as {place} has it"),
        None => "as it does by default".to_owned(),
    };
    Finding::warning(
        FILE_SYSTEM,
        format!(
            "{kind}: Nix writes its database with a write-ahead log, {why}; two hosts that do so at once break it"
        ),
        "in /etc/nix/nix.conf of every host set `use-sqlite-wal = false` and `ignored-acls = system.nfs4_acl security.selinux`; or have a directory a host, with %H in `source_path`",
    )
}

fn check_room(directory: std::os::fd::BorrowedFd<'_>) -> Vec<Finding> {
    const REMEDY: &str = "free some, or set `source_path` to a directory with more";
    let Ok(room) = fstatvfs(directory) else {
        return vec![Finding::unknown(
            "user.space",
            "the file system does not say",
        )];
    };
    let free = room.blocks_available().saturating_mul(room.fragment_size());
    let shown = format!("{} MiB are free", free >> 20);
    let space = if free < LITTLE_SPACE {
        Finding::warning("user.space", format!("only {shown}"), REMEDY)
    } else {
        Finding::ok("user.space", shown)
    };
    let (all, files) = (room.files(), room.files_available());
    // Some file systems (btrfs) have no such number.
    let inodes = if all > 0 && files < FEW_FILES {
        Finding::warning(
            "user.inodes",
            format!("only {files} more files fit"),
            REMEDY,
        )
    } else {
        Finding::ok("user.inodes", "there is room for many files")
    };
    vec![space, inodes]
}

#[cfg(test)]
mod tests {
    use super::super::Outcome;
    use super::*;

    #[test]
    fn a_database_that_two_hosts_would_break_is_warned_of() {
        let set = |value: &str| Setting {
            key: "use-sqlite-wal".to_owned(),
            value: value.to_owned(),
            place: format!("/etc/nix/nix.conf:2: use-sqlite-wal = {value}"),
        };
        for (of_this_host, write_ahead, outcome, says) in [
            (false, None, Outcome::Warning, "by default"),
            (
                false,
                Some(set("true")),
                Outcome::Warning,
                "nix.conf:2: use",
            ),
            (false, Some(set("false")), Outcome::Note, "nix.conf:2: use"),
            (true, None, Outcome::Note, "for each host"),
        ] {
            let found = over_network("nfs4", of_this_host, write_ahead.as_ref());
            assert_eq!(found.outcome, outcome, "{found:?}");
            assert!(found.found.contains(says), "{found:?}");
        }
    }
}
