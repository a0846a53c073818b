//! Who asks, about whom, from where: found out once, before any check.

use std::path::Path;

use config::{Account, Participation, SITE_FILE, Site, UidRange};
use namespace::Linux;
use namespace::place::Place;
use nix::unistd::Uid;

use crate::site::memberships;

/// What all checks know.
#[derive(Debug)]
pub struct Scene {
    /// Whether root asks.
    pub is_root: bool,
    /// Whose `/nix` it is about; none if root asks about the host alone.
    pub account: Option<Account>,
    /// The site configuration, or what is wrong with it.
    pub site: Result<Site, String>,
    /// Where the caller is; `None` when the kernel does not say.
    pub place: Option<Place>,
    /// What the site says of the account, or why that is not known.
    pub participation: Option<Result<Participation, String>>,
}

impl Scene {
    /// The scene as it is for the caller, about this account.
    #[must_use]
    pub fn of(account: Option<Account>) -> Self {
        let site = Site::read(Path::new(SITE_FILE));
        let site = site
            .map(|(site, _)| site)
            .map_err(|error| error.to_string());
        let participation = match (&site, &account) {
            (Ok(site), Some(account)) => Some(participation(site, account)),
            _ => None,
        };
        Self {
            is_root: Uid::effective().is_root(),
            account,
            site,
            place: Place::find(&Linux).ok(),
            participation,
        }
    }

    /// Whether the caller is the user it is about.
    #[must_use]
    pub fn is_about_the_caller(&self) -> bool {
        let caller = Uid::effective().as_raw();
        self.account
            .as_ref()
            .is_some_and(|account| account.uid == caller)
    }

    /// Whether root is where nobody but a user should be.
    #[must_use]
    pub fn is_root_on_a_users_nix(&self) -> bool {
        self.is_root && matches!(self.place, Some(Place::Nix(_) | Place::Derived(_)))
    }

    /// Whether what the caller sees at `/nix` is the host's.
    #[must_use]
    pub fn is_on_the_host(&self) -> bool {
        self.place == Some(Place::Host)
    }
}

fn participation(site: &Site, account: &Account) -> Result<Participation, String> {
    let uids = UidRange::read_login_defs().map_err(|error| error.to_string())?;
    let groups = memberships(site, account).map_err(|error| error.to_string())?;
    Ok(site.participation(account, uids, &|group| groups.contains(group)))
}
