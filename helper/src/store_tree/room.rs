//! Whether a store fits on a file system. A quota is not seen here: the copy
//! meets it, and can be gone on with.

use nix::sys::statvfs::fstatvfs;

use super::Error;
use super::count::Count;
use super::found::Found;
use crate::progress::{Bytes, Number};

/// Checks that what is not copied yet fits.
pub(super) fn check(store: &Found, whole: Count, copied: Count) -> Result<(), Error> {
    let denied = |errno| Error::denied(&store.path, "".as_ref(), "measured", errno);
    let system = fstatvfs(&store.directory).map_err(denied)?;
    // Not of the same size on every architecture.
    #[allow(clippy::useless_conversion, reason = "32 bits elsewhere")]
    let (blocks, size, free_files) = (
        u64::from(system.blocks_available()),
        u64::from(system.fragment_size()),
        u64::from(system.files_available()),
    );
    let free_bytes = blocks.saturating_mul(size);
    let bytes = whole.amount.bytes.saturating_sub(copied.amount.bytes);
    let files = whole.inodes().saturating_sub(copied.inodes());
    // btrfs has no table of inodes, and says 0 of 0.
    let counts_files = system.files() > 0;
    if bytes <= free_bytes && (files <= free_files || !counts_files) {
        return Ok(());
    }
    Err(Error::NoRoom {
        path: store.path.clone(),
        bytes: Bytes(bytes),
        files: Number(files),
        free_bytes: Bytes(free_bytes),
        free_files: Number(free_files),
    })
}
