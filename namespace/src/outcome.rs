//! What became of a login, and the words for it.

use std::fmt;

use config::{Participation, printable_path};

use crate::binds::Unbound;
use crate::leave::Left;
use crate::profile::Profile;
use crate::record::Record;

/// What became of a login.
#[derive(Debug)]
pub struct Opened {
    /// What it left.
    pub left: Left,
    /// What it entered.
    pub entered: Entered,
    /// What of the user's its environment is to name; nothing where the site or
    /// the user has switched that off.
    pub profile: Option<Profile>,
}

/// Whose `/nix` the session has.
#[derive(Debug)]
pub enum Entered {
    /// It was in the user's namespace already.
    Stayed(Box<Record>),
    /// It joined the user's other sessions.
    Joined(Box<Record>),
    /// It is the first in a new namespace, which later ones join; what that
    /// does without.
    Built(Box<Record>, Vec<Unbound>),
    /// It has a namespace for itself; why nobody will join it.
    BuiltAlone(Box<Record>, Vec<Unbound>, String),
    /// The host's.
    None(WithoutNix),
}

/// Why a session has no `/nix` of its own, when nothing is wrong.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WithoutNix {
    /// The site says so.
    #[error("{0}")]
    Site(Participation),
    /// The site leaves this service out.
    #[error("the site configuration skips this service")]
    ServiceSkipped,
    /// The site lets root stay where it is in this service.
    #[error("the site configuration lets root stay in this service")]
    RootStays,
    /// The user has no configuration.
    #[error("no user configuration (`nix-ns check` says which)")]
    NotOptedIn,
    /// The user has switched it off.
    #[error("the user configuration says enable = false")]
    DisabledByUser,
}

impl Opened {
    pub(crate) fn without(left: Left, why: WithoutNix) -> Self {
        Self {
            left,
            entered: Entered::None(why),
            profile: None,
        }
    }

    /// The log line about a session.
    #[must_use]
    pub fn describe(&self, session: &impl fmt::Display) -> String {
        let left = self
            .left
            .how()
            .map(|how| format!(", {how}"))
            .unwrap_or_default();
        let (record, how) = match &self.entered {
            Entered::Stayed(record) => (record, "already there".to_owned()),
            Entered::Joined(record) => (record, "joined".to_owned()),
            Entered::Built(record, _) => (record, "built".to_owned()),
            Entered::BuiltAlone(record, _, why) => {
                (record, format!("built for this session alone ({why})"))
            }
            Entered::None(why) => return format!("no /nix for {session}: {why}{left}"),
        };
        let store = printable_path(&record.path);
        format!("/nix is {store} for {session}: {how}{left}")
    }
}

impl Entered {
    /// What is known about the user's namespace, in which the session is.
    #[must_use]
    pub const fn record(&self) -> Option<&Record> {
        match self {
            Self::Stayed(record)
            | Self::Joined(record)
            | Self::Built(record, _)
            | Self::BuiltAlone(record, ..) => Some(record),
            Self::None(_) => None,
        }
    }

    /// What the site asks for and a new namespace does without.
    #[must_use]
    pub fn unbound(&self) -> &[Unbound] {
        match self {
            Self::Built(_, unbound) | Self::BuiltAlone(_, unbound, _) => unbound,
            Self::Stayed(_) | Self::Joined(_) | Self::None(_) => &[],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::tests::record;

    #[test]
    fn the_line_says_what_whose_and_how() {
        let session = "alice";
        let line = |left, entered| {
            let opened = Opened {
                left,
                entered,
                profile: None,
            };
            opened.describe(&session)
        };
        let record = || {
            Box::new(Record {
                path: "/home/alice/ni\nx".into(),
                ..record()
            })
        };
        let prefix = r"/nix is /home/alice/ni\u{a}x for alice: ";
        for (entered, how) in [
            (Entered::Stayed(record()), "already there"),
            (Entered::Joined(record()), "joined"),
            (Entered::Built(record(), Vec::new()), "built"),
            (
                Entered::BuiltAlone(record(), Vec::new(), "why".to_owned()),
                "built for this session alone (why)",
            ),
        ] {
            assert_eq!(line(Left::Nothing, entered), format!("{prefix}{how}"));
        }
        assert_eq!(
            line(Left::ToHost, Entered::Joined(record())),
            format!("{prefix}joined, left a user's /nix for the host's")
        );
        assert_eq!(
            line(Left::Nothing, Entered::None(WithoutNix::DisabledByUser)),
            "no /nix for alice: the user configuration says enable = false"
        );
    }
}
