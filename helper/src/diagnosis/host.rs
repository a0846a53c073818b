//! The host's `/nix`, and whether anything privileged on the host trusts it.

use std::collections::BTreeSet;
use std::path::Path;

use config::Refusal;
use namespace::mount_table::MountTable;
use namespace::references::{Advisory, Scan};
use namespace::{Error, Linux, NIX, check_bind, refusals};
use nix::unistd::access;

use super::{Finding, Scene};

/// Everything about the host.
pub(super) fn check(scene: &Scene) -> Vec<Finding> {
    let overridden = scene
        .site
        .as_ref()
        .map(|site| site.override_refusals.clone())
        .unwrap_or_default();
    let mut findings = check_nix(scene, &overridden);
    findings.extend(check_references(scene, &overridden));
    findings.extend(check_units());
    findings.extend(check_profiles());
    findings.push(check_propagation(scene));
    findings.extend(check_binds(scene));
    findings
}

/// Both ends of the site's binds, by the checks that a login makes.
fn check_binds(scene: &Scene) -> Vec<Finding> {
    const NAME: &str = "host.binds";
    let Ok(site) = &scene.site else {
        return Vec::new();
    };
    let mut binds = site.binds.iter().peekable();
    if binds.peek().is_some() && !scene.is_on_the_host() {
        let why = "what the host has there is not to be seen from this session";
        return vec![Finding::unknown(NAME, why)];
    }
    binds
        .map(|bind| match check_bind(&Linux, bind) {
            Ok(()) => {
                let (target, source) = (bind.target.display(), bind.source.display());
                Finding::ok(NAME, format!("sessions find {source} on {target}"))
            }
            Err(unbound) => {
                let target = unbound.target.display();
                let found = format!("sessions do without {target}: {}", unbound.reason);
                Finding::warning(NAME, found, unbound.remedy)
            }
        })
        .collect()
}

/// Each refusal has its name in the site configuration.
fn check_nix(scene: &Scene, overridden: &BTreeSet<Refusal>) -> Vec<Finding> {
    const NAME: &str = "host.nix";
    if !scene.is_on_the_host() {
        let why = "the host's /nix is not to be seen from this session: ask as root, outside of it";
        return vec![Finding::unknown(NAME, why)];
    }
    match refusals(&Linux) {
        Ok(refused) if refused.is_empty() => {
            vec![Finding::ok(
                NAME,
                format!("{NIX} is an empty directory of root's"),
            )]
        }
        Ok(refused) => refused
            .iter()
            .map(|error| refusal(error, overridden))
            .collect(),
        Err(error) => vec![Finding::unknown(NAME, error.to_string())],
    }
}

fn refusal(error: &Error, overridden: &BTreeSet<Refusal>) -> Finding {
    let Error::Host {
        refusal,
        reason,
        remedy,
    } = error
    else {
        return Finding::unknown("host.nix", error.to_string());
    };
    match refusal {
        None => Finding::fault("host.nix", reason, remedy),
        Some(refusal) => named(*refusal, reason, remedy, overridden),
    }
}

/// That of the refusal, below `host`.
fn name_of(refusal: Refusal) -> String {
    let name = refusal.name();
    format!("host.{}", name.strip_prefix("host-").unwrap_or(name))
}

fn named(refusal: Refusal, reason: &str, remedy: &str, overridden: &BTreeSet<Refusal>) -> Finding {
    let name = name_of(refusal);
    if overridden.contains(&refusal) {
        let found = format!("{reason}; the site configuration overrides that");
        Finding::warning(&name, found, remedy)
    } else {
        Finding::fault(&name, reason, remedy)
    }
}

/// Every privileged file that names `/nix`. As a user, what is root's alone is
/// not to be read, which is no reference.
fn check_references(scene: &Scene, overridden: &BTreeSet<Refusal>) -> Vec<Finding> {
    let refusal = Refusal::PrivilegedReference;
    let name = name_of(refusal);
    let (mut findings, mut unread) = (Vec::new(), 0_usize);
    for reference in Scan::read(Path::new("/")).references {
        if !scene.is_root && access(&reference.file, nix::unistd::AccessFlags::R_OK).is_err() {
            unread = unread.saturating_add(1);
        } else {
            let found = format!("a privileged file names /nix, or cannot be read ({reference})");
            findings.push(named(refusal, &found, refusal.remedy(), overridden));
        }
    }
    if unread > 0 {
        let why = format!("{unread} privileged places are for root alone to read");
        findings.push(Finding::unknown(&name, why));
    }
    if findings.is_empty() {
        findings.push(Finding::ok(&name, "no privileged file names /nix"));
    }
    findings
}

fn check_units() -> Vec<Finding> {
    advisory(
        "host.systemd-units",
        Advisory::SystemdUnits,
        "no system unit names /nix",
        "a system unit names /nix",
        "a service of the system's runs in the host's view, where /nix is empty; with `PAMName=` it may run on a user's: remove the unit, or what it names",
    )
}

fn check_profiles() -> Vec<Finding> {
    advisory(
        "host.apparmor-profiles",
        Advisory::AppArmorProfiles,
        "no AppArmor profile names /nix",
        "an AppArmor profile names /nix",
        "every user can put any program there: take the rule out unless all users may have what it gives",
    )
}

/// Makes the mount point where the root directory is an image's; runs nothing of it.
const OUR_UNIT: &str = "nix-ns-mount-point.service";

fn advisory(name: &str, of: Advisory, well: &str, named: &str, remedy: &str) -> Vec<Finding> {
    let findings: Vec<Finding> = Scan::read_advisory(Path::new("/"), of)
        .references
        .iter()
        .filter(|reference| !reference.file.ends_with(OUR_UNIT))
        .map(|reference| Finding::warning(name, format!("{named} ({reference})"), remedy))
        .collect();
    if findings.is_empty() {
        vec![Finding::ok(name, well)]
    } else {
        findings
    }
}

/// Where mounts of the host travel, they reach sessions that were open before.
fn check_propagation(scene: &Scene) -> Finding {
    const NAME: &str = "host.propagation";
    let table = if scene.is_on_the_host() {
        "/proc/self/mountinfo"
    } else {
        "/proc/1/mountinfo"
    };
    let table = match std::fs::read(table) {
        Ok(text) => MountTable::parse(&text),
        Err(error) => return Finding::unknown(NAME, format!("{table}: {error}")),
    };
    match table.at(Path::new("/")) {
        Some(root) if root.shared => Finding::ok(NAME, "mounts of the host reach open sessions"),
        Some(_) => Finding::warning(
            NAME,
            "the host's / is private: what is mounted later (a home, a USB disk) does not reach sessions that are open",
            "`mount --make-rshared /` at boot, as systemd does",
        ),
        None => Finding::unknown(NAME, "the mount table has no /"),
    }
}
