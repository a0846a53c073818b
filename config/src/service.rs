//! What differs from one PAM service to another.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize};

use crate::{document, printable};

/// Services whose program has threads when it opens the session, and in which
/// entering from the calling thread alone is right: the session is started by
/// that thread. Anywhere else a thread moved away from its process is a hazard
/// (JupyterHub opens `login` inside a hub thread).
const THREADED: [&str; 9] = [
    "lightdm",
    "lightdm-autologin",
    "lightdm-greeter",
    "gdm-password",
    "gdm-autologin",
    "gdm-fingerprint",
    "gdm-smartcard",
    "gdm-launch-environment",
    "slurm",
];

/// The rules for sessions of one PAM service.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct ServiceRules {
    /// Whether this service's sessions are never given a `/nix`.
    pub skip: bool,
    /// Whether to enter even if the program has several threads.
    pub threaded: bool,
    /// Where root's sessions go that were started in a user's namespace.
    pub root: RootSessions,
}

/// Where a session of root's goes that was started on a user's `/nix`, by
/// `sudo` for example.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RootSessions {
    /// Back to the host's view.
    #[default]
    Leave,
    /// Nowhere: root runs on that user's `/nix`, and trusts that user.
    Stay,
}

impl ServiceRules {
    /// The rules for a service that the site says nothing about.
    #[must_use]
    pub fn built_in(service: &str) -> ServiceRules {
        ServiceRules {
            threaded: THREADED.contains(&service),
            ..ServiceRules::default()
        }
    }
}

/// A `[services.X]` section: what is not written stays as built in.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Section {
    skip: Option<bool>,
    threaded: Option<bool>,
    root: Option<RootSessions>,
}

impl Section {
    fn over(self, built_in: ServiceRules) -> ServiceRules {
        ServiceRules {
            skip: self.skip.unwrap_or(built_in.skip),
            threaded: self.threaded.unwrap_or(built_in.threaded),
            root: self.root.unwrap_or(built_in.root),
        }
    }
}

/// The name of a service, as PAM has it: `pam_start` makes every name lower
/// case, so that a section with a capital letter would silently never apply.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct ServiceName(String);

impl TryFrom<String> for ServiceName {
    type Error = String;

    fn try_from(name: String) -> Result<ServiceName, String> {
        if name.chars().any(|letter| letter.is_ascii_uppercase()) {
            let lower = name.to_ascii_lowercase();
            return Err(format!(
                "PAM has service names in lower case; write `{}`",
                printable(&lower)
            ));
        }
        Ok(ServiceName(name))
    }
}

impl<'de> Deserialize<'de> for ServiceName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<ServiceName, D::Error> {
        document::checked(deserializer)
    }
}

/// Reads `[services]` and lays every section over what is built in.
pub(crate) fn deserialize_sections<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<BTreeMap<String, ServiceRules>, D::Error> {
    let sections = BTreeMap::<ServiceName, Section>::deserialize(deserializer)?;
    let rules = sections.into_iter().map(|(ServiceName(service), section)| {
        let rules = section.over(ServiceRules::built_in(&service));
        (service, rules)
    });
    Ok(rules.collect())
}
