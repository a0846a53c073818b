//! Remembering that the privileged files were read and name `/nix` nowhere, so
//! that a login pays for reading them only after one has changed.

use std::ffi::{OsStr, OsString};
use std::os::fd::AsFd;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use super::{PrivilegedFiles, Reference};
use crate::kernel::{Called, Kernel, parse_decimal};
use crate::registry;

/// The link in the registry.
const NAME: &str = "references";
/// Its next text, until it is renamed.
const NEW: &str = "new.references";
/// A symbolic link holds 4,095 bytes; more is simply not remembered.
const LONGEST: usize = 4000;

/// The first privileged file that names `/nix`, if any.
pub(crate) fn first_reference(
    kernel: &dyn Kernel,
    files: &dyn PrivilegedFiles,
) -> Option<Reference> {
    if remembered(kernel).is_some_and(|(state, found)| files.state(&found) == state) {
        return None;
    }
    let scan = files.scan();
    if let Some(reference) = scan.references.into_iter().next() {
        return Some(reference);
    }
    // Not to remember costs time at the next login, nothing else.
    if let Some(state) = scan.state {
        let _ = remember(kernel, state, &scan.found);
    }
    None
}

fn remembered(kernel: &dyn Kernel) -> Option<(u64, Vec<PathBuf>)> {
    let text = kernel
        .link_text_at(&Path::new(registry::ROOT).join(NAME))
        .ok()?;
    let mut parts = text.as_bytes().split(|byte| *byte == b'\n');
    let state = std::str::from_utf8(parts.next()?)
        .ok()
        .and_then(parse_decimal)?;
    Some((
        state,
        parts.map(|path| OsStr::from_bytes(path).into()).collect(),
    ))
}

fn remember(kernel: &dyn Kernel, state: u64, found: &[PathBuf]) -> Called<()> {
    let mut text = state.to_string().into_bytes();
    for path in found {
        text.push(b'\n');
        text.extend_from_slice(path.as_os_str().as_bytes());
    }
    let ambiguous = found
        .iter()
        .any(|path| path.as_os_str().as_bytes().contains(&b'\n'));
    if ambiguous || text.len() > LONGEST {
        return Ok(());
    }
    let directory = registry::make_root(kernel)?;
    let new = OsStr::new(NEW);
    let _ = kernel.unlink(directory.as_fd(), new);
    kernel.link(&OsString::from_vec(text), directory.as_fd(), new)?;
    kernel.rename(directory.as_fd(), new, OsStr::new(NAME))
}

#[cfg(test)]
mod tests;
