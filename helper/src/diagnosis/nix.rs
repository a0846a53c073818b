//! Nix itself: found or not, on which store, with what it needs to build.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use super::{Finding, Scene};

/// As the user: which Nix, which store.
pub(super) fn check(scene: &Scene) -> Vec<Finding> {
    let Some(account) = &scene.account else {
        return Vec::new();
    };
    vec![
        check_found(&account.home),
        check_store(scene),
        check_second_store(scene, &account.home),
    ]
}

/// Nix's own program in a user's profile, old style and new.
pub(super) fn profile_programs(home: &Path) -> [PathBuf; 2] {
    [".nix-profile/bin", ".local/state/nix/profiles/profile/bin"]
        .map(|directory| home.join(directory).join("nix-store"))
}

fn check_found(home: &Path) -> Finding {
    const NAME: &str = "nix.found";
    let mut places = profile_programs(home).to_vec();
    places.extend(["/usr/bin/nix-store", "/usr/local/bin/nix-store"].map(PathBuf::from));
    match places.iter().find(|program| program.exists()) {
        Some(program) => Finding::ok(NAME, program.display().to_string()),
        // Its links lead into a /nix that is not to be seen from here.
        None if home.join(".nix-profile").is_symlink() => Finding::ok(NAME, "a profile on /nix"),
        None => Finding::note(
            NAME,
            "no Nix yet: in a session with its own /nix, run Nix's installer with --no-daemon",
        ),
    }
}

/// Without a `/nix` it may write, Nix from 2.10 on quietly keeps a store in the
/// home, which nobody notices until half of everything is in each.
fn check_second_store(scene: &Scene, home: &Path) -> Finding {
    const NAME: &str = "nix.second-store";
    let second = home.join(".local/share/nix/root/nix");
    let in_use = second
        .join("store")
        .read_dir()
        .is_ok_and(|mut entries| entries.next().is_some());
    let is_ours = super::user::store_path(scene).is_some_and(|path| path == second);
    if !in_use || is_ours {
        return Finding::ok(NAME, "Nix keeps no second store");
    }
    Finding::warning(
        NAME,
        format!(
            "{} holds a second store, which Nix makes where it has no /nix",
            second.display()
        ),
        "use it: `source_path = \"~/.local/share/nix/root/nix\"`; or remove it: `chmod -R u+w` it, then `rm -r`",
    )
}

/// Which store Nix uses.
fn check_store(scene: &Scene) -> Finding {
    const NAME: &str = "nix.store";
    const REMEDY: &str = "take it out: Nix then uses the store on /nix directly";
    let remote = env::var("NIX_REMOTE").unwrap_or_default();
    if scene.is_about_the_caller() && !["", "auto", "local"].contains(&remote.as_str()) {
        let found = format!("NIX_REMOTE={remote} sends Nix to another store");
        return Finding::warning(NAME, found, REMEDY);
    }
    match elsewhere() {
        Some(found) => Finding::warning(NAME, found, REMEDY),
        None => Finding::ok(NAME, "the one on /nix"),
    }
}

/// A setting of the system's that sends Nix to another store.
fn elsewhere() -> Option<String> {
    let settings = super::nix_settings::of_the_system();
    let elsewhere = settings.iter().find(|setting| {
        setting.key == "store" && !["auto", "local"].contains(&setting.value.as_str())
    })?;
    Some(format!("{} sends Nix to another store", elsewhere.place))
}

/// What Nix's sandbox needs; without, it builds without a sandbox, or refuses.
pub(super) fn check_user_namespaces(_: &Scene) -> Vec<Finding> {
    const NAME: &str = "nix.user-namespaces";
    let off = [
        ("/proc/sys/user/max_user_namespaces", "0"),
        ("/proc/sys/kernel/unprivileged_userns_clone", "0"),
        (
            "/proc/sys/kernel/apparmor_restrict_unprivileged_userns",
            "1",
        ),
    ];
    let mut findings: Vec<Finding> = off
        .iter()
        .filter(|(file, off)| fs::read_to_string(file).is_ok_and(|value| value.trim() == *off))
        .map(|(file, off)| {
            Finding::warning(
                NAME,
                format!("{file} is {off}: Nix builds without a sandbox. /nix itself needs no user namespaces"),
                "set it otherwise, with sysctl, if builds are to be sandboxed",
            )
        })
        .collect();
    if findings.is_empty() {
        findings.push(Finding::ok(NAME, "Nix can sandbox its builds"));
    }
    findings
}
