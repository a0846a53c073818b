//! Which accounts the site lets take part.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{Account, UidRange, printable};

/// The `[users]` section: who is selected.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Selection {
    /// Lowest uid; `None` is `UID_MIN` of `login.defs`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub uid_min: Option<u32>,
    /// Highest uid; `None` is `UID_MAX` of `login.defs`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub uid_max: Option<u32>,
    /// Users that take part; if this and `allow_groups` are empty, all do.
    pub allow_users: Vec<String>,
    /// Users that never take part.
    pub deny_users: Vec<String>,
    /// Groups whose members take part.
    pub allow_groups: Vec<String>,
    /// Groups whose members never take part.
    pub deny_groups: Vec<String>,
}

impl Selection {
    /// Decides for an account other than root's; deny wins over allow.
    pub(crate) fn decide(
        &self,
        account: &Account,
        login_uids: UidRange,
        is_member: &dyn Fn(&str) -> bool,
    ) -> Participation {
        let range = self.uid_range(login_uids);
        if !range.contains(account.uid) {
            return Participation::OutsideUidRange {
                uid: account.uid,
                range,
            };
        }
        if self.deny_users.contains(&account.name) {
            return Participation::Denied {
                by: format!("user {}", account.name),
            };
        }
        if let Some(group) = self.deny_groups.iter().find(|group| is_member(group)) {
            return Participation::Denied {
                by: format!("group {group}"),
            };
        }
        if self.allows(account, is_member) {
            Participation::Selected
        } else {
            Participation::NotAllowed
        }
    }

    /// The uids that take part, where the site leaves the system's range alone.
    #[must_use]
    pub fn uid_range(&self, login_uids: UidRange) -> UidRange {
        UidRange {
            min: self.uid_min.unwrap_or(login_uids.min),
            max: self.uid_max.unwrap_or(login_uids.max),
        }
    }

    fn allows(&self, account: &Account, is_member: &dyn Fn(&str) -> bool) -> bool {
        let everybody = self.allow_users.is_empty() && self.allow_groups.is_empty();
        everybody
            || self.allow_users.contains(&account.name)
            || self.allow_groups.iter().any(|group| is_member(group))
    }
}

/// Whether an account takes part as far as the site is concerned, and if not,
/// why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Participation {
    /// It does.
    Selected,
    /// Root never does: nothing privileged may run on a user's `/nix`.
    Root,
    /// `enable = false`.
    SiteDisabled,
    /// A system account.
    OutsideUidRange {
        /// The account's uid.
        uid: u32,
        /// The uids that take part.
        range: UidRange,
    },
    /// On a deny list.
    Denied {
        /// "user bob" or "group guests".
        by: String,
    },
    /// There are allow lists, and it is on none.
    NotAllowed,
}

impl fmt::Display for Participation {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Participation::Selected => formatter.write_str("the site configuration selects it"),
            Participation::Root => formatter.write_str("root never gets a user's /nix"),
            Participation::SiteDisabled => {
                formatter.write_str("the site configuration says enable = false")
            }
            Participation::OutsideUidRange {
                uid,
                range: UidRange { min, max },
            } => write!(
                formatter,
                "uid {uid} is outside the range {min} to {max} that the site selects"
            ),
            Participation::Denied { by } => {
                write!(formatter, "the site configuration denies {}", printable(by))
            }
            Participation::NotAllowed => formatter
                .write_str("the site configuration allows certain users and groups, not this one"),
        }
    }
}
