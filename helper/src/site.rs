//! What has to be asked before a site configuration says anything of an account.

use std::collections::BTreeSet;

use config::{Account, Site};

use crate::account_database;

/// Those groups the site mentions that the account is a member of; its own are
/// asked for only where the site mentions any.
///
/// # Errors
///
/// If the account database gives no usable answer.
pub fn memberships<'a>(
    site: &'a Site,
    account: &Account,
) -> Result<BTreeSet<&'a str>, account_database::Error> {
    let users = &site.users;
    let mut mentioned = users
        .deny_groups
        .iter()
        .chain(&users.allow_groups)
        .peekable();
    let mut memberships = BTreeSet::new();
    if mentioned.peek().is_none() {
        return Ok(memberships);
    }
    let account = account_database::with_groups(account.clone())?;
    for group in mentioned {
        if account_database::is_member(&account, group)? {
            memberships.insert(group.as_str());
        }
    }
    Ok(memberships)
}
