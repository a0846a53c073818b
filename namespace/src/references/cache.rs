//! Remembering that the privileged files were read and name `/nix` nowhere, so
//! that a login pays for reading them only after one has changed.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};

use super::{Lead, PrivilegedFiles, Reference, Whose};
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

fn remembered(kernel: &dyn Kernel) -> Option<(u64, Vec<Lead>)> {
    let text = LINK.text(kernel)?;
    let mut parts = text.as_bytes().split(|byte| *byte == b'\n');
    let state = std::str::from_utf8(parts.next()?)
        .ok()
        .and_then(parse_decimal)?;
    let found: Option<_> = parts.map(Lead::parse).collect();
    Some((state, found?))
}

fn remember(kernel: &dyn Kernel, state: u64, found: &[Lead]) -> Called<()> {
    let mut text = state.to_string().into_bytes();
    for lead in found {
        text.push(b'\n');
        text.push(lead.whose.letter());
        text.extend_from_slice(lead.path.as_os_str().as_bytes());
    }
    let ambiguous = found
        .iter()
        .any(|lead| lead.path.as_os_str().as_bytes().contains(&b'\n'));
    if ambiguous || text.len() > LONGEST {
        return Ok(());
    }
    LINK.remember(kernel, &OsString::from_vec(text))
}

impl Lead {
    fn parse(text: &[u8]) -> Option<Self> {
        let (letter, path) = text.split_first()?;
        let all = [Whose::Anybodys, Whose::Roots];
        Some(Self {
            whose: all.into_iter().find(|whose| whose.letter() == *letter)?,
            path: OsStr::from_bytes(path).into(),
        })
    }
}

impl Whose {
    const fn letter(self) -> u8 {
        match self {
            Self::Anybodys => b'a',
            Self::Roots => b'r',
        }
    }
}

#[cfg(test)]
mod tests;
