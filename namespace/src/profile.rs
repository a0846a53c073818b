//! Where Nix keeps what a user has installed.

use std::path::Path;

use nix::errno::Errno;

use crate::error::{Error, Gravity};
use crate::identity::with_rights_of;
use crate::kernel::{FileIdentity, Kernel, Walk};

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

    /// Its place, below the home directory.
    #[must_use]
    pub const fn place(self) -> &'static str {
        match self {
            Self::State => ".local/state/nix/profile",
            Self::Home => ".nix-profile",
        }
    }
}

/// What the kernel remembers of one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Presence {
    There,
    Absent,
    /// Not cached, not permitted, or no such kind of look-up on this kernel.
    Unknown,
}

/// The profile that a user has, as far as the kernel remembers; the outer
/// `None` is that it does not.
///
/// The link alone counts, never what it leads to, and no file system is asked:
/// a dead server delays no login here.
#[expect(clippy::option_option, reason = "two different absences")]
pub(crate) fn look(
    kernel: &dyn Kernel,
    identity: FileIdentity,
    home: &Path,
) -> Result<Option<Option<Profile>>, Error> {
    let look_at = |profile: Profile| presence(kernel, &home.join(profile.place()));
    let look = || (look_at(Profile::State), look_at(Profile::Home));
    Ok(match with_rights_of(kernel, identity, look) {
        Ok((Presence::There, _)) => Some(Profile::of(true, false)),
        Ok((Presence::Absent, Presence::There)) => Some(Profile::of(false, true)),
        Ok((Presence::Absent, Presence::Absent)) => Some(None),
        Ok(_) => None,
        // The session is where it belongs already.
        Err(error) if error.gravity() == Gravity::Harmless => None,
        Err(error) => return Err(error),
    })
}

fn presence(kernel: &dyn Kernel, link: &Path) -> Presence {
    match kernel.refer(link, Walk::CachedLink) {
        Ok(_) => Presence::There,
        Err(failed) if failed.errno == Errno::ENOENT => Presence::Absent,
        Err(_) => Presence::Unknown,
    }
}

#[cfg(test)]
mod tests;
