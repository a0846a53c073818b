//! What has to be asked before a site configuration says anything of an account.

use std::collections::BTreeSet;
use std::fs;
use std::io;

use config::{Account, Site};

use crate::account_database;

/// Those groups the site mentions that the account is a member of.
///
/// # Errors
///
/// If the account database gives no usable answer.
pub fn memberships<'a>(
    site: &'a Site,
    account: &Account,
) -> Result<BTreeSet<&'a str>, account_database::Error> {
    let mut memberships = BTreeSet::new();
    for group in site
        .users
        .deny_groups
        .iter()
        .chain(&site.users.allow_groups)
    {
        if account_database::is_member(account, group)? {
            memberships.insert(group.as_str());
        }
    }
    Ok(memberships)
}

/// The kernel's own name for the host: what `%H` stands for.
///
/// # Errors
///
/// If procfs is not there.
pub fn host_name() -> io::Result<String> {
    let name = fs::read_to_string("/proc/sys/kernel/hostname")?;
    Ok(name.trim_end_matches('\n').to_owned())
}
