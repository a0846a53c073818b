//! Remembering that the privileged files were read and name `/nix` nowhere, so
//! that a login pays for reading them only after one has changed.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::PathBuf;

use super::{PrivilegedFiles, Reference};
use crate::kernel::{Called, Kernel, parse_decimal};
use crate::registry::RememberedLink;

const LINK: RememberedLink = RememberedLink {
    name: "references",
    new: "new.references",
};
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
    let text = LINK.text(kernel)?;
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
    LINK.remember(kernel, &OsString::from_vec(text))
}

#[cfg(test)]
mod tests;
