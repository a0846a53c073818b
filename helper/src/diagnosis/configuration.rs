//! The site configuration: valid, and what it gives away.

use config::{RootSessions, SITE_FILE};

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
