//! Nix's own lock. Every Nix holds `var/nix/db/big-lock` shared while it has the
//! store open, on other hosts of a network file system as well (`LocalStore`,
//! local-store.cc). Who holds it exclusively knows that no Nix works on the
//! database, and keeps one that starts waiting.

use std::fs::File;
use std::os::fd::BorrowedFd;
use std::path::Path;

use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg, OFlag};

use super::Error;
use super::opened;

const BIG_LOCK: &str = "var/nix/db/big-lock";

/// Takes the lock without waiting; `None` if the store has no database.
pub(super) fn take(store: BorrowedFd, path: &Path) -> Result<Option<Flock<File>>, Error> {
    // For writing: network file systems make a lock of byte ranges of it, which
    // asks for that (`flock(2)`).
    let file = match opened::open(store, BIG_LOCK.as_ref(), OFlag::O_RDWR) {
        Ok(file) => File::from(file),
        Err(Errno::ENOENT | Errno::ENOTDIR) => return Ok(None),
        Err(errno) => return Err(Error::denied(path, BIG_LOCK.as_ref(), "opened", errno)),
    };
    match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
        Ok(lock) => Ok(Some(lock)),
        Err((_, Errno::EWOULDBLOCK | Errno::EACCES)) => Err(Error::NixRuns(path.to_owned())),
        Err((_, errno)) => Err(Error::denied(path, BIG_LOCK.as_ref(), "locked", errno)),
    }
}
