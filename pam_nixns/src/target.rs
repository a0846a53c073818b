//! Who logs in, and by whose rules.

use std::ffi::CStr;
use std::path::Path;

use config::{Account, Fingerprint, Participation, ServiceRules, Site, UidRange};

use crate::pam::Pam;

/// Everything about a session that is known before the caller is moved, and
/// without reading anything of the user's.
pub(crate) struct Target {
    pub(crate) account: Account,
    pub(crate) service: String,
    pub(crate) site: Result<Site, String>,
    pub(crate) site_fingerprint: Option<Fingerprint>,
    pub(crate) participation: Participation,
    pub(crate) rules: ServiceRules,
    pub(crate) host: String,
}

impl Target {
    /// Looks everything up. A site configuration that cannot be used selects
    /// nobody; sessions still leave.
    pub(crate) fn look_up(pam: &Pam, user: &CStr, site_file: &Path) -> Option<Self> {
        let account = pam.account(user)?;
        let service = pam.service();
        let (site, site_fingerprint) = match Site::read(site_file) {
            Ok((site, fingerprint)) => (Ok(site), fingerprint),
            Err(error) => (Err(error.to_string()), None),
        };
        let rules = site.as_ref().map_or_else(
            |_| ServiceRules::built_in(&service),
            |site| site.rules_for(&service),
        );
        let participation = site.as_ref().map_or(Participation::SiteDisabled, |site| {
            participation(pam, site, &account)
        });
        Some(Self {
            account,
            service,
            site,
            site_fingerprint,
            participation,
            rules,
            host: host_name(),
        })
    }

    /// Somebody without any right, whom no site selects.
    pub(crate) fn nobody(pam: &Pam) -> Self {
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
            service: pam.service(),
            site: Ok(Site::default()),
            site_fingerprint: None,
            participation: Participation::NotAllowed,
            rules: ServiceRules::default(),
            host: String::new(),
        }
    }
}

fn participation(pam: &Pam, site: &Site, account: &Account) -> Participation {
    // A login.defs that cannot be read: the built-in range is the usual one.
    let login_uids = UidRange::read_login_defs().unwrap_or_default();
    site.participation(account, login_uids, &|group| {
        pam.is_member(&account.name, group)
    })
}

fn host_name() -> String {
    nix::unistd::gethostname()
        .map(|name| name.to_string_lossy().into_owned())
        .unwrap_or_default()
}
