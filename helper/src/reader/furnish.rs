//! What Nix looks for before it takes `/nix` for a place of its own.

use std::os::fd::{AsFd, OwnedFd};

use nix::dir::Dir;
use nix::fcntl::{OFlag, openat};
use nix::sys::stat::{Mode, mkdirat};

/// Makes `var/nix` in an empty store directory. Without it, Nix 2.10 and later
/// makes itself a second store, in `~/.local/share/nix/root`, which it cannot
/// build in (`src/libstore/store-registration.cc`).
///
/// Nix itself says what is wrong where this cannot be done.
pub(crate) fn furnish(store: &OwnedFd) {
    let _ = make_in_empty(store);
}

fn make_in_empty(store: &OwnedFd) -> nix::Result<()> {
    let flags = OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    let opened = openat(store, ".", flags | OFlag::O_RDONLY, Mode::empty())?;
    if !is_empty(&mut Dir::from_fd(opened)?)? {
        return Ok(());
    }
    let mode = Mode::from_bits_truncate(0o755);
    mkdirat(store.as_fd(), "var", mode)?;
    let var = openat(store, "var", flags | OFlag::O_PATH, Mode::empty())?;
    mkdirat(&var, "nix", mode)
}

fn is_empty(directory: &mut Dir) -> nix::Result<bool> {
    for entry in directory.iter() {
        if ![&b"."[..], b".."].contains(&entry?.file_name().to_bytes()) {
            return Ok(false);
        }
    }
    Ok(true)
}
