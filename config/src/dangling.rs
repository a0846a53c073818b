//! Why a file is not there: there is none, or a symlink on its path is broken.
//!
//! home-manager and stow make the file, or a directory above it, a symlink. One
//! into the store cannot work: the store is not there before this file is read.

use std::fs;
use std::path::{Component, Path, PathBuf};

use crate::Error;
use crate::walk::MOST_LINKS;

/// `Ok` if nothing but absence keeps `file` from being opened.
pub(crate) fn check(file: &Path) -> Result<(), Error> {
    let mut path = file.to_owned();
    let mut first = None;
    for _ in 0..MOST_LINKS {
        let Some((link, target)) = broken_link(&path) else {
            break;
        };
        let rest = path
            .strip_prefix(&link)
            .map(Path::to_owned)
            .unwrap_or_default();
        // Not `join`: with nothing left it would add a slash, and follow the link.
        path = target.components().chain(rest.components()).collect();
        let link = first.get_or_insert(link).clone();
        if lexically_normalised(&target).starts_with("/nix") {
            return Err(Error::LinkIntoNix {
                file: file.to_owned(),
                link,
                target,
            });
        }
    }
    match first {
        None => Ok(()),
        Some(link) => Err(Error::DanglingLink {
            file: file.to_owned(),
            link,
            target: path,
        }),
    }
}

/// The deepest existing component of a path, if it is a symlink, and its target.
fn broken_link(path: &Path) -> Option<(PathBuf, PathBuf)> {
    let existing = path
        .ancestors()
        .find(|ancestor| ancestor.symlink_metadata().is_ok())?;
    let target = fs::read_link(existing).ok()?;
    let directory = existing.parent().unwrap_or(Path::new("/"));
    Some((existing.to_owned(), directory.join(target)))
}

/// For the choice of words only: `..` behind another symlink may mean another
/// directory.
fn lexically_normalised(path: &Path) -> PathBuf {
    let mut normalised = PathBuf::new();
    for component in path.components() {
        match component {
            Component::ParentDir => drop(normalised.pop()),
            other => normalised.push(other),
        }
    }
    normalised
}
