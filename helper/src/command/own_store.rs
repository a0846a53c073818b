//! The caller's own store directory, as both configurations have it.

use std::path::{Path, PathBuf};

use config::{
    Account, Answer, Participation, SITE_FILE, Site, StorePath, USER_FILE, UidRange, User,
};
use namespace::host_name;
use nix::unistd::{Uid, geteuid};

use super::Error;
use super::check::own_user;
use crate::account_database;
use crate::site::memberships;

/// The caller's account. Not root's: root has no `/nix`, and what races with a
/// user's own process must not run with root's rights.
pub(super) fn own_account() -> Result<Account, Error> {
    if Uid::current().is_root() || geteuid().is_root() {
        return Err(Error::Root);
    }
    Ok(account_database::account_alone(Uid::current().as_raw())?)
}

/// The caller, and what the configurations say of them.
pub(super) struct Own {
    pub(super) account: Account,
    /// Where the user configuration is, or belongs.
    pub(super) file: PathBuf,
    pub(super) user: Option<User>,
    site: Site,
}

impl Own {
    pub(super) fn read() -> Result<Self, Error> {
        let account = own_account()?;
        let file = account.home.join(USER_FILE);
        Ok(Self {
            user: own_user(&file, &account)?,
            site: Site::read(Path::new(SITE_FILE))?.0,
            account,
            file,
        })
    }

    /// An error unless the site gives this user a `/nix`, and the user wants it.
    pub(super) fn must_take_part(&self) -> Result<(), Error> {
        let groups = memberships(&self.site, &self.account)?;
        let uids = UidRange::read_login_defs()?;
        let is_member = |group: &str| groups.contains(group);
        match self.site.participation(&self.account, uids, &is_member) {
            Participation::Selected => {}
            reason => {
                let name = self.account.name.clone();
                return Err(Error::NoPart { name, reason });
            }
        }
        match &self.user {
            Some(user) if !user.enable => Err(Error::Disabled(self.file.clone())),
            _ => Ok(()),
        }
    }

    /// The store directory, and whether links on the way to it are followed: what
    /// it is once the user takes part.
    pub(super) fn store(&self) -> Result<(StorePath, bool), Error> {
        let wrong = |problem| Error::Answer {
            file: self.file.clone(),
            problem,
        };
        let user = User {
            enable: true,
            ..self.user.clone().unwrap_or_default()
        };
        let answer = self.site.answer(Some(&user), &self.account, &host_name());
        match answer.map_err(wrong)? {
            Answer::Store {
                path,
                allow_symlinks,
                ..
            } => Ok((path, allow_symlinks)),
            Answer::NotOptedIn | Answer::DisabledByUser => Err(Error::Disabled(self.file.clone())),
        }
    }
}
