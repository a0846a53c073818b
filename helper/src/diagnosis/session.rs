//! Where the session that asks is, and whether that is where it should be.

use std::fs;
use std::path::{Path, PathBuf};

use config::{Fingerprint, Participation, RootSessions, SITE_FILE, ServiceRules, USER_FILE};
use namespace::kernel::{Files, Linux, MountFlags, Mounts};
use namespace::mount_table::{Mount, MountTable};
use namespace::place::Place;
use namespace::record::Record;

use super::{Finding, Scene};

/// Everything about the session.
pub(super) fn check(scene: &Scene) -> Vec<Finding> {
    if scene.is_root_on_a_users_nix() {
        return vec![check_root(scene)];
    }
    match &scene.place {
        Some(Place::Nix(record)) => check_own(scene, record),
        Some(Place::Derived(_)) => vec![Finding::note(
            NAMESPACE,
            "in a namespace that another tool made from a nix namespace",
        )],
        Some(Place::Host | Place::Private { .. }) => vec![check_without(scene)],
        None => vec![Finding::unknown(
            NAMESPACE,
            "the kernel does not say where this session is",
        )],
    }
}

const NAMESPACE: &str = "session.namespace";

fn check_root(scene: &Scene) -> Finding {
    const FOUND: &str = "root is on a user's /nix";
    const REMEDY: &str =
        "leave it, and run nothing of /nix: the door it came through does not leave";
    let stays = |rules: &ServiceRules| rules.root == RootSessions::Stay;
    let is_allowed = scene
        .site
        .as_ref()
        .is_ok_and(|site| site.services.values().any(stays));
    if is_allowed {
        Finding::warning(NAMESPACE, FOUND, REMEDY)
    } else {
        Finding::fault(NAMESPACE, FOUND, REMEDY)
    }
}

fn check_own(scene: &Scene, record: &Record) -> Vec<Finding> {
    let own = scene
        .account
        .as_ref()
        .is_some_and(|account| account.uid == record.uid);
    if !own {
        return vec![Finding::fault(
            NAMESPACE,
            format!("this session is on the /nix of uid {}", record.uid),
            "leave it; the door it came through lacks the line that leaves",
        )];
    }
    let mut findings = vec![Finding::ok(
        NAMESPACE,
        "this session is in your nix namespace",
    )];
    findings.push(check_mount(record));
    findings.push(match stale(record, scene) {
        None => Finding::ok("session.fresh", "made by the configuration as it is now"),
        Some(file) => Finding::warning(
            "session.fresh",
            format!("{file} has changed since this session's /nix was made"),
            "log in anew; sessions that are open keep what they have",
        ),
    });
    findings.extend(check_binds(scene));
    findings
}

fn check_binds(scene: &Scene) -> Vec<Finding> {
    const NAME: &str = "session.binds";
    bound(scene)
        .into_iter()
        .map(|(target, is_there)| {
            let target = target.display();
            if is_there {
                Finding::ok(NAME, format!("the site's directory is on {target}"))
            } else {
                Finding::warning(
                    NAME,
                    format!("this session does without the site's directory on {target}"),
                    "an administrator sees by `nix-ns doctor` on the host what is wrong with it; once that is mended, end all your sessions and log in anew",
                )
            }
        })
        .collect()
}

/// Where the site has directories mounted, and whether one is there.
#[must_use]
pub fn bound(scene: &Scene) -> Vec<(PathBuf, bool)> {
    let (Ok(site), Ok(table)) = (&scene.site, Linux.mount_table()) else {
        return Vec::new();
    };
    let table = MountTable::parse(&table);
    let is_there = |target| {
        let mount = table.at(target);
        mount.is_some_and(|mount| mount.flags.include(MountFlags::BIND))
    };
    let binds = site.binds.iter();
    binds
        .map(|bind| (bind.target.to_owned(), is_there(bind.target)))
        .collect()
}

fn check_without(scene: &Scene) -> Finding {
    let selected = matches!(scene.participation, Some(Ok(Participation::Selected)));
    if selected && super::user::store_path(scene).is_some() {
        return Finding::fault(
            NAMESPACE,
            "this session has no /nix of its own",
            "log in anew: it may be older than your configuration, or have come through a door without the module's lines; `nix-ns enter` does without",
        );
    }
    Finding::note(NAMESPACE, "this session is on the host's /nix")
}

/// The kernel's word on what is mounted on `/nix`.
#[must_use]
pub fn mounted() -> Option<Mount> {
    let table = MountTable::parse(&Linux.mount_table().ok()?);
    table.at(Path::new(namespace::NIX)).cloned()
}

fn check_mount(record: &Record) -> Finding {
    const NAME: &str = "session.mount";
    const REMEDY: &str = "log in anew; if it stays so, somebody mounts over /nix";
    let Some(mount) = mounted() else {
        return Finding::fault(NAME, "nothing is mounted on /nix", REMEDY);
    };
    if !mount.flags.include(MountFlags::STORE) {
        let found = "what is mounted on /nix lacks nosuid or nodev";
        return Finding::fault(NAME, found, REMEDY);
    }
    let is_recorded = Linux
        .remembered(Path::new(namespace::NIX))
        .is_ok_and(|nix| nix.mount == record.nix);
    if is_recorded {
        Finding::ok(NAME, "nosuid, nodev, and the mount that was made")
    } else {
        Finding::fault(NAME, "something else is mounted over your /nix", REMEDY)
    }
}

/// Which configuration has changed since a namespace was made by it.
#[must_use]
pub fn stale(record: &Record, scene: &Scene) -> Option<String> {
    let home = scene
        .account
        .as_ref()
        .map(|account| account.home.as_path())?;
    let user_file = home.join(USER_FILE);
    [
        (Path::new(SITE_FILE), record.site),
        (user_file.as_path(), record.user),
    ]
    .iter()
    .find(|(file, recorded)| fingerprint(file) != *recorded)
    .map(|(file, _)| file.display().to_string())
}

fn fingerprint(file: &Path) -> Option<Fingerprint> {
    let metadata = fs::metadata(file).ok()?;
    metadata.is_file().then(|| Fingerprint::from(&metadata))
}
