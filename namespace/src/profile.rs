//! Where Nix keeps what a user has installed.

use std::path::Path;

use nix::errno::Errno;

use crate::kernel::{Kernel, Walk};

/// Text of [`Profile::State`] in what is written down and sent.
const STATE: &str = "state";
/// Text of [`Profile::Home`].
const HOME: &str = "home";
/// Text of no profile.
const NONE: &str = "none";

/// A link of the user's to a profile of theirs, which Nix makes when something
/// is installed for the first time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Profile {
    /// Of Nix since 2.14 with `use-xdg-base-directories`; preferred where there
    /// are both.
    State,
    /// The one of old.
    Home,
}

impl Profile {
    /// The one that counts, where there is the one, or the other, or both.
    #[must_use]
    pub const fn of(state: bool, home: bool) -> Option<Self> {
        match (state, home) {
            (true, _) => Some(Self::State),
            (false, true) => Some(Self::Home),
            (false, false) => None,
        }
    }

    /// As written down and sent.
    #[must_use]
    pub(crate) const fn to_text(profile: Option<Self>) -> &'static str {
        match profile {
            Some(Self::State) => STATE,
            Some(Self::Home) => HOME,
            None => NONE,
        }
    }

    /// Reads what [`Profile::to_text`] wrote, and nothing else; the outer `None`
    /// is anything else.
    #[expect(clippy::option_option, reason = "two different absences")]
    pub(crate) fn parse(text: &str) -> Option<Option<Self>> {
        match text {
            STATE => Some(Some(Self::State)),
            HOME => Some(Some(Self::Home)),
            NONE => Some(None),
            _ => None,
        }
    }

    /// Its place, below the home directory.
    #[must_use]
    pub const fn place(self) -> &'static str {
        match self {
            Self::State => ".local/state/nix/profile",
            Self::Home => ".nix-profile",
        }
    }
}

/// A link of a user's, as far as the kernel remembers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Link {
    There,
    Absent,
    /// Not cached, or not permitted.
    #[default]
    Unknown,
}

/// Both links.
///
/// The link alone counts, never what it leads to, and no file system is asked: a
/// dead server delays no login here. A profile that is there is remembered as
/// long as the configuration is, which is looked at before; one that is absent
/// need not be (tmpfs never does).
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct ProfileLinks {
    state: Link,
    home: Link,
}

impl ProfileLinks {
    /// Looks below a home directory, with the rights the caller has.
    pub(crate) fn look(kernel: &dyn Kernel, home: &Path) -> Self {
        let look = |profile: Profile| {
            let link = kernel.refer(&home.join(profile.place()), Walk::GlimpsedLink);
            match link {
                Ok(_) => Link::There,
                Err(failed) if failed.errno == Errno::ENOENT => Link::Absent,
                Err(_) => Link::Unknown,
            }
        };
        Self {
            state: look(Profile::State),
            home: look(Profile::Home),
        }
    }

    /// The profile that a user has, else as was found when the user's files were
    /// last read.
    pub(crate) fn profile(self, found: Option<Profile>) -> Option<Profile> {
        let is_there = |link, profile| match link {
            Link::There => true,
            Link::Absent => false,
            Link::Unknown => found == Some(profile),
        };
        Profile::of(
            is_there(self.state, Profile::State),
            is_there(self.home, Profile::Home),
        )
    }
}

#[cfg(test)]
mod tests;
