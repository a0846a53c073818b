//! The user's directory, as a type that only the checks can make.

use std::collections::BTreeSet;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use config::{Account, Refusal};
use nix::errno::Errno;

use crate::error::Error;
use crate::kernel::{Kernel, MountFlags, Remembered};
use crate::mount_table::Mount;
use crate::record::LONGEST_PATH;

/// File systems that are the kernel's own doing: some hand a user directories
/// of the user's (`/proc/PID`, a delegated control group) that are no place to
/// keep anything.
const KERNEL_FILE_SYSTEMS: [&str; 19] = [
    "autofs",
    "binfmt_misc",
    "bpf",
    "cgroup",
    "cgroup2",
    "configfs",
    "debugfs",
    "devpts",
    "devtmpfs",
    "efivarfs",
    "fusectl",
    "hugetlbfs",
    "mqueue",
    "nsfs",
    "proc",
    "pstore",
    "securityfs",
    "sysfs",
    "tracefs",
];

/// An open directory that may become somebody's `/nix`.
#[derive(Debug)]
pub struct CheckedStore {
    pub(crate) directory: OwnedFd,
    pub(crate) remembered: Remembered,
    /// Where it is now, by the kernel's word.
    pub(crate) path: PathBuf,
    /// Its path on its own file system: what the mount table will show.
    pub(crate) root: PathBuf,
    /// The flags of the mount it is on, none of which may get lost.
    pub(crate) flags: MountFlags,
}

/// What a directory is checked against.
pub struct StoreRules<'a> {
    /// Whose it has to be.
    pub account: &'a Account,
    /// The site's roots, opened with the user's rights by a process that was
    /// not yet the user's to meddle with.
    pub roots: &'a [OwnedFd],
    /// Refusals that the site overrides.
    pub overridden: &'a BTreeSet<Refusal>,
}

impl CheckedStore {
    /// The directory, opened for reference.
    #[must_use]
    pub fn directory(&self) -> BorrowedFd<'_> {
        self.directory.as_fd()
    }

    /// Where it is now, by the kernel's word.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Checks a directory that a process of the user's has sent. Nothing here
    /// asks the file system behind it, which may be the user's own program.
    ///
    /// # Errors
    /// [`Error::User`] with what is wrong and what to do.
    pub fn check(
        kernel: &dyn Kernel,
        directory: OwnedFd,
        rules: &StoreRules,
    ) -> Result<Self, Error> {
        let path = kernel.known_path(directory.as_fd())?;
        let remembered = match kernel.remembered_of(directory.as_fd()) {
            // A FUSE file system that admits nobody but who mounted it.
            Err(failed) if failed.errno == Errno::EACCES => {
                let why =
                    format!("is not to be looked at ({failed}): choose a directory on a disk");
                return Err(Error::not_a_place_for_nix(&path, &why));
            }
            answer => answer?,
        };
        check_directory(&path, &remembered, rules.account)?;
        check_below_roots(kernel, &path, rules.roots)?;
        let table = kernel.mount_table()?;
        let number = kernel.mount_number(directory.as_fd())?;
        // A user can mount what they like in a user namespace of their own and
        // send a directory of that; it is in no table of this namespace.
        let mount = Mount::find(&table, number).ok_or_else(|| {
            Error::not_a_place_for_nix(&path, "is on a mount of another mount namespace: choose a directory that every session sees")
        })?;
        check_file_system(&path, &mount, rules.overridden)?;
        let root = mount.root_of(&path).ok_or_else(|| {
            Error::not_a_place_for_nix(
                &path,
                "is hidden under another mount: choose another source_path",
            )
        })?;
        Ok(Self {
            directory,
            remembered,
            root,
            flags: mount.flags,
            path,
        })
    }
}

fn check_directory(path: &Path, directory: &Remembered, account: &Account) -> Result<(), Error> {
    let refuse = |why: String| Err(Error::not_a_place_for_nix(path, &why));
    if directory.mode & libc::S_IFMT != libc::S_IFDIR {
        return refuse(
            "is not a directory: remove it, or set source_path to another place".to_owned(),
        );
    }
    if directory.links == 0 {
        return refuse("was just removed: log in again".to_owned());
    }
    if directory.uid != account.uid {
        return refuse(format!(
            "belongs to uid {}, not to {} (uid {}): choose a directory of your own",
            directory.uid, account.name, account.uid
        ));
    }
    if directory.mode & 0o022 != 0 {
        return refuse(format!(
            "is writable by others (mode {:04o}): chmod go-w it",
            directory.mode & 0o7777
        ));
    }
    if path.as_os_str().len() > LONGEST_PATH {
        return refuse(format!(
            "has a path of more than {LONGEST_PATH} bytes: choose a shorter one"
        ));
    }
    Ok(())
}

/// By the kernel's own path of either descriptor, which no link and no rename
/// can bend; a directory that was moved since is the user's own in any case.
fn check_below_roots(kernel: &dyn Kernel, path: &Path, roots: &[OwnedFd]) -> Result<(), Error> {
    let mut known = Vec::new();
    for root in roots {
        let root = kernel.known_path(root.as_fd())?;
        if path != root && path.starts_with(&root) {
            return Ok(());
        }
        known.push(root.to_string_lossy().into_owned());
    }
    let places = if known.is_empty() {
        "none of which can be reached".to_owned()
    } else {
        // Cut as one: a site may have many.
        config::printable(&known.join(", "))
    };
    Err(Error::not_a_place_for_nix(
        path,
        &format!(
            "is not below a directory that the site allows ({places}): set source_path to one that is"
        ),
    ))
}

fn check_file_system(
    path: &Path,
    mount: &Mount,
    overridden: &BTreeSet<Refusal>,
) -> Result<(), Error> {
    if KERNEL_FILE_SYSTEMS.contains(&mount.file_system.as_str()) {
        return Err(Error::not_a_place_for_nix(
            path,
            &format!("is on {}: choose a directory on a disk", mount.file_system),
        ));
    }
    let by_user = mount.fuse_user().is_some_and(|user| user != 0);
    if by_user && !overridden.contains(&Refusal::UserFuse) {
        return Err(Error::not_a_place_for_nix(
            path,
            &format!(
                "is on {}, which a program of a user's serves: choose a directory on a disk (refusal {})",
                mount.file_system,
                Refusal::UserFuse
            ),
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
