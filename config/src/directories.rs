//! Every directory above the site configuration must be root's alone: whoever
//! can write one of them can put another file in its place. sudo-rs opens its
//! sudoers file under the same rule.

use std::collections::BTreeSet;
use std::fs::{self, Metadata};
use std::io::{self, ErrorKind};
use std::os::unix::fs::MetadataExt;
use std::path::{Component, Path, PathBuf};

use crate::root_uid::{is_root, is_root_hidden};
use crate::{Error, owned_file};

/// Root's uid.
pub(crate) const ROOT: u32 = 0;

/// Checks the directories above the file, and above what it is a symlink to.
pub(crate) fn check(file: &Path) -> Result<(), Error> {
    let unreadable = |source| Error::Unreadable {
        file: file.to_owned(),
        source,
    };
    let above = match without_links(file) {
        Some(above) => above,
        None => through_links(file).map_err(unreadable)?,
    };
    for (directory, metadata) in above {
        let mode = owned_file::permissions(&metadata);
        // In a user namespace without root, / itself may have been made for it, and
        // cannot be root's.
        let is_made = || directory == Path::new("/") && is_root_hidden();
        let is_trusted = is_root(metadata.uid()) || is_made();
        if !is_trusted || owned_file::is_writable_by_others(mode) {
            return Err(Error::UntrustedDirectory {
                file: file.to_owned(),
                directory,
                owner: metadata.uid(),
                mode,
            });
        }
    }
    Ok(())
}

/// The directories above a file that has no link on its way: a call each. Every
/// login asks.
fn without_links(file: &Path) -> Option<Vec<(PathBuf, Metadata)>> {
    let is_plain = |part| matches!(part, Component::RootDir | Component::Normal(_));
    let is_file_link = || fs::symlink_metadata(file).is_ok_and(|file| file.is_symlink());
    if !file.is_absolute() || !file.components().all(is_plain) || is_file_link() {
        return None;
    }
    ancestors(file.parent()?)
        .into_iter()
        .map(|directory| {
            let metadata = fs::symlink_metadata(&directory).ok()?;
            (!metadata.is_symlink()).then_some((directory, metadata))
        })
        .collect()
}

fn through_links(file: &Path) -> io::Result<Vec<(PathBuf, Metadata)>> {
    let with_metadata = |directory: PathBuf| {
        let metadata = fs::metadata(&directory)?;
        Ok((directory, metadata))
    };
    above(file)?.into_iter().map(with_metadata).collect()
}

/// Where the link is matters as much as where it leads.
fn above(file: &Path) -> io::Result<BTreeSet<PathBuf>> {
    let of_link = file.parent().map_or(Ok(None), resolved)?;
    let of_target = resolved(file)?.and_then(|target| target.parent().map(Path::to_owned));
    let nearest = [of_link, of_target].into_iter().flatten();
    Ok(nearest
        .flat_map(|directory| ancestors(&directory))
        .collect())
}

fn resolved(path: &Path) -> io::Result<Option<PathBuf>> {
    match path.canonicalize() {
        Ok(path) => Ok(Some(path)),
        // Whoever opens the file says why it is not there.
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

fn ancestors(directory: &Path) -> Vec<PathBuf> {
    directory.ancestors().map(Path::to_owned).collect()
}
