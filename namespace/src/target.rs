//! Who logs in, and by whose rules: what both doors know before anybody is
//! moved, and without reading anything of the user's.

use std::fmt;
use std::path::Path;

use config::{Account, Fingerprint, Participation, ServiceRules, Site, printable};

use crate::kernel::Linux;
use crate::login::{Door, Login};
use crate::references::HostFiles;
use crate::site_files::SiteFiles;

/// An account at a service, and what the site says about both.
#[derive(Debug)]
pub struct Target {
    /// The account.
    pub account: Account,
    /// The PAM service, or the program.
    pub service: String,
    /// The site configuration, or why there is none.
    pub site: Result<Site, String>,
    /// What the site says about the account.
    pub participation: Participation,
    site_fingerprint: Option<Fingerprint>,
    rules: ServiceRules,
}

impl Target {
    /// Looks everything up. A site configuration that cannot be used selects
    /// nobody; sessions still leave.
    #[must_use]
    pub fn look_up(
        account: Account,
        service: String,
        site_file: &Path,
        is_member: &dyn Fn(&str) -> bool,
    ) -> Self {
        let SiteFiles {
            site,
            fingerprint: site_fingerprint,
            login_uids,
        } = SiteFiles::read(&Linux, site_file);
        let rules = site.as_ref().map_or_else(
            |_| ServiceRules::built_in(&service),
            |site| site.rules_for(&service),
        );
        let participation = site.as_ref().map_or(Participation::SiteDisabled, |site| {
            site.participation(&account, login_uids, is_member)
        });
        Self {
            account,
            service,
            site,
            participation,
            site_fingerprint,
            rules,
        }
    }

    /// Somebody without any right, whom no site selects.
    #[must_use]
    pub fn nobody(service: String) -> Self {
        /// The kernel's own number for nobody (`overflowuid`).
        const NOBODY: u32 = 65534;
        Self {
            account: Account {
                name: "nobody known".to_owned(),
                uid: NOBODY,
                gid: NOBODY,
                groups: Vec::new(),
                home: "/".into(),
            },
            service,
            site: Ok(Site::default()),
            participation: Participation::NotAllowed,
            site_fingerprint: None,
            rules: ServiceRules::default(),
        }
    }

    /// The login, with the groups of its files' reader.
    pub fn login<'a>(&'a self, groups: &'a dyn Fn() -> Vec<u32>, door: Door) -> Login<'a> {
        Login {
            account: &self.account,
            groups,
            site: self.site.as_ref().map_err(Clone::clone),
            site_fingerprint: self.site_fingerprint,
            participation: self.participation.clone(),
            rules: self.rules,
            host: &host_name,
            privileged_files: &HostFiles,
            door,
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, service) = (printable(&self.account.name), printable(&self.service));
        write!(f, "{name} (uid {}), service {service}", self.account.uid)
    }
}

/// The kernel's own name for the host, which `%H` stands for; empty where it is
/// none that a path could have.
#[must_use]
pub fn host_name() -> String {
    nix::unistd::gethostname()
        .map(|name| name.to_string_lossy().into_owned())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_is_shown_in_one_line() {
        let mut target = Target::nobody("ss\nhd".to_owned());
        target.account.name = "al\u{1b}ice".to_owned();
        assert_eq!(
            target.to_string(),
            r"al\u{1b}ice (uid 65534), service ss\u{a}hd"
        );
    }

    #[test]
    fn the_host_is_named_as_the_kernel_has_it() {
        let kernels = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap();
        assert_eq!(host_name(), kernels.trim_end());
    }
}
