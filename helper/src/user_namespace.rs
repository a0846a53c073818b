//! The way to one's own `/nix` without any privilege: a user namespace, in which
//! the caller is who they are outside, and nobody else exists. And more
//! isolation, for whoever asks for it.
//!
//! In the order it happens:
//!
//! - [`own_store`]: the same configuration and the same checks as a login's.
//! - [`nix_here`]: what is on `/nix` now, and whether it may be covered.
//! - [`id_ranges`]: which further ids the caller may have, if they are asked for.
//! - [`identity_map`]: into a user namespace, as oneself.
//! - [`obstacle`]: which switch of the system forbids that, and what helps.
//! - [`first_process`]: the first process of a PID namespace, and the one that
//!   stays outside for it.
//! - [`private_root`]: a root directory with a `/nix`, where the host has none.
//! - [`furnishing`]: what is mounted, verified in the kernel's own table.
//! - [`loopback`]: the one interface of a network namespace.
//! - [`working_directory`]: the caller's, if it is the same one inside.

mod error;
mod first_process;
mod furnishing;
mod id_ranges;
mod identity_map;
mod isolation;
mod loopback;
mod nix_here;
mod obstacle;
mod own_store;
mod private_root;
mod working_directory;

use std::io::Write;

use caps::{CapSet, Capability};
use config::Account;
use namespace::mount_table::MountTable;
use nix::sched::{CloneFlags, unshare};

pub use error::Error;
pub use isolation::Isolation;

use crate::kernel;
use error::failed;
use furnishing::Furnishing;
use identity_map::IdentityMap;
use namespace::kernel::{Linux, Mounts};
use nix_here::NixHere;
use own_store::OwnStore;
use working_directory::WorkingDirectory;

/// What is asked for besides one's own `/nix`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wish {
    /// How much is kept apart from the rest of the system.
    pub isolation: Isolation,
    /// Whether `/nix` cannot be written.
    pub read_only: bool,
    /// Whether the caller's ranges of subordinate ids are mapped, too.
    pub id_ranges: bool,
}

impl Wish {
    /// Whether nothing is asked for that a session of PAM's does not have.
    #[must_use]
    pub fn is_plain(self) -> bool {
        let plain = Wish {
            isolation: Isolation::None,
            read_only: false,
            id_ranges: false,
        };
        self == plain
    }
}

/// Puts the caller on their own `/nix`, and into what else is wished. Where
/// `/nix` is the caller's own already, nothing is done that is not wished.
///
/// Returns in the process that is to become the caller's program. With a PID
/// namespace that is another one than the caller's, which never returns: it ends
/// as that program ends.
///
/// # Errors
///
/// Whatever keeps the caller from having all of it. The process may then be
/// anywhere, and must end.
pub fn enter(account: &Account, wish: Wish, notices: &mut dyn Write) -> Result<(), Error> {
    // Before anything of the caller's is looked at.
    identity_map::check_not_setuid()?;
    let own = OwnStore::find(account)?;
    let nix = NixHere::find(&own, account)?;
    if nix == NixHere::Own && wish.is_plain() {
        return Ok(());
    }
    if !kernel::is_single_threaded() {
        return Err(Error::Threads);
    }
    let map = IdentityMap::of_caller(wish.id_ranges.then_some(account))?;
    let directory = WorkingDirectory::remember();
    let before = mount_table()?;
    map.enter()?;
    unshare(CloneFlags::CLONE_NEWNS | wish.isolation.namespaces())
        .map_err(|errno| Error::Namespaces(obstacle::after_user_namespace(errno)))?;
    let outside = wish.isolation.is_more_than_none();
    let tie = outside.then(first_process::begin).transpose()?;
    if nix == NixHere::Missing {
        private_root::enter()?;
    }
    Furnishing {
        store: &own.store,
        nix,
        wish,
        before: &before,
    }
    .furnish()?;
    // A root directory of our own making is nobody's to have mount points of root's.
    if nix != NixHere::Missing {
        for unbound in namespace::bind(&Linux, &own.binds)? {
            let _ = writeln!(notices, "nix-ns: {}: {unbound}", config::SITE_FILE);
        }
    }
    if wish.isolation == Isolation::Lockdown {
        loopback::bring_up()?;
    }
    if outside || wish.read_only {
        lock(&map)?;
    }
    furnishing::share()?;
    directory.follow();
    notice(notices);
    if let Some(tie) = tie {
        first_process::start(tie)?;
    }
    surrender(wish)
}

fn mount_table() -> Result<MountTable, Error> {
    Ok(MountTable::parse(&Linux.mount_table()?))
}

/// Into a second user namespace, in which every mount, and every flag of it, is
/// locked: they come from a more privileged one (`mount_namespaces(7)`). What
/// gets capabilities in here, a program with file capabilities say, can mount
/// over things, and take nothing away.
fn lock(map: &IdentityMap) -> Result<(), Error> {
    map.enter_below()?;
    unshare(CloneFlags::CLONE_NEWNS)
        .map_err(|errno| Error::Namespaces(obstacle::after_user_namespace(errno)))
}

fn notice(notices: &mut dyn Write) {
    // Whoever closed it does not want to know.
    let _ = writeln!(
        notices,
        "nix-ns: /nix is yours by a user namespace: in here, setuid programs (sudo, su, mount) \
         do not work"
    );
}

/// What the program is not to have. Exec takes the capabilities of a user that is
/// not root; but ranges of ids are of no use without two of them.
fn surrender(wish: Wish) -> Result<(), Error> {
    if wish.isolation.is_more_than_none() || wish.read_only {
        nix::sys::prctl::set_no_new_privs().map_err(failed("prctl PR_SET_NO_NEW_PRIVS"))?;
    }
    // An open directory, or a socket, leads past every namespace.
    if wish.isolation.is_more_than_none() {
        kernel::keep_standard_descriptors().map_err(error::at("/proc/self/fd".as_ref()))?;
    }
    if wish.id_ranges {
        for capability in [Capability::CAP_SETUID, Capability::CAP_SETGID] {
            caps::raise(None, CapSet::Inheritable, capability)?;
            caps::raise(None, CapSet::Ambient, capability)?;
        }
    }
    Ok(())
}
