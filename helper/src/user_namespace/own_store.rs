//! What both configurations amount to, by the code that answers a login.

use std::collections::BTreeSet;
use std::path::Path;

use config::{Account, Binds, Participation, Refusal, SITE_FILE, Site, UidRange};
use namespace::kernel::{Files, Walk};
use namespace::reader::{Finding, Request};
use namespace::{CheckedStore, Linux, StoreRules, host_name};

use super::Error;
use crate::reader;
use crate::site::memberships;

/// The caller's store directory, and what the site says beyond it.
pub(super) struct OwnStore {
    pub(super) store: CheckedStore,
    pub(super) overridden: BTreeSet<Refusal>,
    pub(super) binds: Binds,
}

impl OwnStore {
    /// Reads both configurations and opens the directory.
    pub(super) fn find(account: &Account) -> Result<Self, Error> {
        let site = Site::read(Path::new(SITE_FILE))?.0;
        check_participation(&site, account)?;
        let host = host_name();
        let request = Request {
            opt_in: site.opt_in,
            source_path: site.source_path.clone(),
            roots: site.expanded_roots(account, &host)?,
            host,
            account: account.clone(),
        };
        let (reply, directory) = reader::reply_to(&request);
        let directory = match reply.finding {
            Finding::Store { .. } => directory.ok_or(Error::NotOptedIn),
            Finding::NotOptedIn => Err(Error::NotOptedIn),
            Finding::Disabled => Err(Error::DisabledByUser),
            Finding::Refused(why) => Err(Error::Refused(why)),
        }?;
        let opened = request.roots.iter();
        let opened: Vec<_> = opened
            .filter_map(|root| Linux.refer(root, Walk::Any).ok())
            .collect();
        let rules = StoreRules {
            account,
            roots: &opened,
            overridden: &site.override_refusals,
        };
        Ok(Self {
            store: CheckedStore::check(&Linux, directory, &rules)?,
            overridden: site.override_refusals,
            binds: site.binds,
        })
    }
}

fn check_participation(site: &Site, account: &Account) -> Result<(), Error> {
    let groups = memberships(site, account)?;
    let uids = UidRange::read_login_defs()?;
    match site.participation(account, uids, &|group| groups.contains(group)) {
        Participation::Selected => Ok(()),
        other => Err(Error::NotSelected(other)),
    }
}
