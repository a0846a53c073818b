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
    /// Of Nix since 2.14 with `use-xdg-base-directories`. Nix's own `nix.sh`
    /// takes this one where there are both.
    State,
    /// The one of old.
    Home,
}

impl Profile {
    /// Its place, below the home directory.
    #[must_use]
    pub const fn place(self) -> &'static str {
        match self {
            Self::State => ".local/state/nix/profile",
            Self::Home => ".nix-profile",
        }
    }
}

#[derive(PartialEq, Eq)]
enum Presence {
    There,
    Absent,
    /// Not cached, not permitted, or no such kind of look-up on this kernel.
    Unknown,
}

/// The profiles that a user has, or may have.
///
/// The link alone counts, never what it leads to, and only what the kernel
/// remembers: a dead file server delays no login. What is not known is taken to
/// be there, since to name a directory that is missing does no harm, and a
/// profile that is not found does.
pub(crate) fn look(
    kernel: &dyn Kernel,
    identity: FileIdentity,
    home: &Path,
) -> Result<Vec<Profile>, Error> {
    let presence_of = |profile: Profile| presence(kernel, &home.join(profile.place()));
    let look = || (presence_of(Profile::State), presence_of(Profile::Home));
    let (state, old) = match with_rights_of(kernel, identity, look) {
        // The session is where it belongs already.
        Err(error) if error.gravity() == Gravity::Harmless => {
            (Presence::Unknown, Presence::Unknown)
        }
        looked => looked?,
    };
    let mut profiles = Vec::new();
    if state != Presence::Absent {
        profiles.push(Profile::State);
    }
    if state != Presence::There && old != Presence::Absent {
        profiles.push(Profile::Home);
    }
    Ok(profiles)
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
