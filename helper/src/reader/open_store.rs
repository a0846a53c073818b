//! Opening the store directory; what is missing of it is made.

use std::os::fd::OwnedFd;
use std::path::PathBuf;

use config::walk::{MOST_LINKS, Rules, Stopped, walk};
use config::{StorePath, printable_path};
use nix::errno::Errno;
use nix::sys::stat::{SFlag, fstat};
use nix::unistd::geteuid;

/// Why a store directory could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error("{} is a symbolic link: set allow_symlinks = true, or source_path to where it leads", printable_path(.0))]
    Link(PathBuf),
    #[error("{} leads through more than {MOST_LINKS} symbolic links", printable_path(.0))]
    ManyLinks(PathBuf),
    #[error("{} is not a directory: remove it, or set source_path to another place", printable_path(.0))]
    NotDirectory(PathBuf),
    #[error("others can change {} (owner uid {owner}, mode {mode:04o}), and with it what lies below: set source_path to a place below directories of your own", printable_path(.path))]
    Foreign {
        path: PathBuf,
        owner: u32,
        mode: u32,
    },
    #[error("{} cannot be {what}: {errno}", printable_path(.path))]
    Denied {
        path: PathBuf,
        what: &'static str,
        errno: Errno,
    },
}

impl From<Stopped> for OpenError {
    fn from(stopped: Stopped) -> Self {
        match stopped {
            Stopped::Link(path) => Self::Link(path),
            Stopped::ManyLinks(path) => Self::ManyLinks(path),
            Stopped::NotDirectory(path) => Self::NotDirectory(path),
            Stopped::Foreign { path, owner, mode } => Self::Foreign { path, owner, mode },
            Stopped::Denied { path, what, errno } => Self::Denied { path, what, errno },
        }
    }
}

/// Opens a directory that is allowed by its path, for reference only.
///
/// The root of the path is the site's and is followed as it is.
pub(crate) fn open_store(path: &StorePath, allow_symlinks: bool) -> Result<OwnedFd, OpenError> {
    let rules = Rules {
        owner: geteuid().as_raw(),
        owners_links: allow_symlinks,
        make_missing: true,
    };
    let end = walk(path.root(), path.components(), rules)?;
    let file = fstat(&end).map_err(|errno| OpenError::Denied {
        path: path.as_path().to_owned(),
        what: "looked at",
        errno,
    })?;
    let kind = SFlag::from_bits_truncate(file.st_mode & SFlag::S_IFMT.bits());
    if kind != SFlag::S_IFDIR {
        return Err(OpenError::NotDirectory(path.as_path().to_owned()));
    }
    Ok(end)
}
