//! The site configuration: valid, and what it gives away.

use std::os::unix::fs::MetadataExt;
use std::path::Path;

use config::{RootSessions, SITE_FILE, Site};

use super::{Finding, Scene};

/// Everything about the site configuration.
pub(super) fn check(scene: &Scene) -> Vec<Finding> {
    let site = match &scene.site {
        Ok(site) => site,
        Err(why) => {
            let found = format!("{why}; until it is mended nobody gets /nix");
            let remedy = "mend that line; `nix-ns check --site` says when it is right";
            return vec![Finding::fault("config.site", found, remedy)];
        }
    };
    let found = if std::path::Path::new(SITE_FILE).exists() {
        SITE_FILE.to_owned()
    } else {
        format!("{SITE_FILE} is not there, so every default holds")
    };
    let mut findings = vec![Finding::ok("config.site", found)];
    if site.enable {
        findings.push(Finding::ok("config.enable", "enable = true"));
    } else {
        findings.push(Finding::warning(
            "config.enable",
            "enable = false: nobody gets /nix",
            "set `enable = true` in the site configuration",
        ));
    }
    findings.extend(check_strict(site));
    for refusal in &site.override_refusals {
        findings.push(Finding::warning(
            "config.overrides",
            format!("{refusal} is overridden, and what it protects given away"),
            refusal.remedy(),
        ));
    }
    for (service, rules) in &site.services {
        if rules.root == RootSessions::Stay {
            findings.push(Finding::warning(
                "config.root-stays",
                format!("root stays in {service}: who may use it can run programs of their own as root"),
                "take `root = \"stay\"` out, unless all who may use this service are trusted with root",
            ));
        }
    }
    findings
}

/// Who makes another's directory first keeps them from a `/nix`, and with `strict`
/// from their sessions.
fn check_strict(site: &Site) -> Option<Finding> {
    const WRITABLE_BY_ALL: u32 = 0o002;
    let is_open = |directory: &Path| -> bool {
        let metadata = std::fs::metadata(directory);
        metadata.is_ok_and(|it| it.mode() & WRITABLE_BY_ALL != 0)
    };
    let roots = site.roots.iter().map(ToString::to_string);
    let root = roots.into_iter().find(|root| {
        // With a specifier, what it is in: its own name can be taken there.
        let named = root
            .split_once('%')
            .map_or(root.as_str(), |(start, _)| start);
        let there = Path::new(named).ancestors().find(|it| it.exists());
        there.is_some_and(is_open)
    });
    root.filter(|_| site.strict).map(|root| {
        Finding::fault(
            "config.strict",
            format!("everybody may write in {root}, or above it: who makes a directory of another's name there first locks them out, as `strict = true`"),
            "have root make a directory for each user in a place of root's, or take `strict` out",
        )
    })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::diagnosis::doors::tests::system;

    #[test]
    fn strictness_is_not_for_places_where_names_can_be_taken() {
        let system = system(&[("scratch/x", "")]);
        let root = system.join("scratch");
        for (strict, mode, is_fault) in [
            (true, 0o1777, true),
            (false, 0o1777, false),
            (true, 0o755, false),
        ] {
            std::fs::set_permissions(&root, PermissionsExt::from_mode(mode)).unwrap();
            for below in ["", "%u", "%H/%u"] {
                let root = root.join(below);
                let text = format!("strict = {strict}\nroots = [\"%h\", {root:?}]\n");
                let site = Site::parse(&text, Path::new("site.toml")).unwrap();
                let found = check_strict(&site).is_some();
                assert_eq!(found, is_fault, "{strict} {mode:o} {below}");
            }
        }
        std::fs::remove_dir_all(system).unwrap();
    }
}
