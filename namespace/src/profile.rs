//! Where Nix keeps what a user has installed.

use std::path::Path;

use nix::errno::Errno;

use crate::error::{Error, Gravity};
use crate::identity::with_rights_of;
use crate::kernel::{FileIdentity, Kernel, Walk};

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

/// The profile that a user has: as far as the kernel remembers, else as was
/// found when the user's files were last read.
///
/// The link alone counts, never what it leads to, and no file system is asked: a
/// dead server delays no login here. A profile that is there is remembered as
/// long as the configuration is, which was looked at before; one that is absent
/// need not be (tmpfs never does).
pub(crate) fn look(
    kernel: &dyn Kernel,
    identity: FileIdentity,
    home: &Path,
    found: Option<Profile>,
) -> Result<Option<Profile>, Error> {
    let is_there = |profile: Profile| {
        let link = kernel.refer(&home.join(profile.place()), Walk::CachedLink);
        match link {
            Ok(_) => true,
            Err(failed) if failed.errno == Errno::ENOENT => false,
            Err(_) => found == Some(profile),
        }
    };
    let look = || Profile::of(is_there(Profile::State), is_there(Profile::Home));
    match with_rights_of(kernel, identity, look) {
        // The session is where it belongs already.
        Err(error) if error.gravity() == Gravity::Harmless => Ok(found),
        looked => looked,
    }
}

#[cfg(test)]
mod tests;
