//! The way back: everything needed to return a caller to exactly where it was.

use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

use crate::error::Error;
use crate::identity::with_rights_of;
use crate::kernel::{Called, FileIdentity, Kernel, Task, Walk};

/// Where the calling thread is, before it is moved.
#[derive(Debug)]
pub(crate) struct WayBack {
    namespace: OwnedFd,
    directory: WorkingDirectory,
}

/// A working directory, as a path to try in another namespace and as a
/// descriptor that is good in its own one only.
#[derive(Debug)]
pub(crate) struct WorkingDirectory {
    /// `None` for one that was removed or lies outside the root: it can be
    /// returned to, not followed.
    path: Option<PathBuf>,
    /// `None` for `/`, which every change of namespace leads to by itself.
    opened: Option<OwnedFd>,
}

impl WayBack {
    pub(crate) fn remember(kernel: &dyn Kernel) -> Called<Self> {
        Ok(Self {
            namespace: kernel.open_namespace(Task::Caller)?,
            directory: WorkingDirectory::remember(kernel)?,
        })
    }

    pub(crate) const fn directory(&self) -> &WorkingDirectory {
        &self.directory
    }

    /// Enters the namespace left, and its working directory by the descriptor
    /// opened there.
    pub(crate) fn return_there(&self, kernel: &dyn Kernel) -> Called<()> {
        kernel.unshare_directories()?;
        kernel.enter_namespace(self.namespace.as_fd())?;
        if let Some(directory) = &self.directory.opened {
            // One that root may not enter (FUSE, a file server's root_squash) is
            // exchanged for /, where setns has put the caller.
            let _ = kernel.change_directory(directory.as_fd());
        }
        Ok(())
    }
}

impl WorkingDirectory {
    pub(crate) fn remember(kernel: &dyn Kernel) -> Called<Self> {
        let path = kernel.working_directory().ok();
        let opened = match &path {
            Some(path) if path == Path::new("/") => None,
            _ => Some(kernel.refer_to_working_directory()?),
        };
        Ok(Self { path, opened })
    }

    /// Whether it lies on the mount that is about to be covered or taken away.
    pub(crate) fn is_below(&self, point: &Path) -> bool {
        self.path
            .as_ref()
            .is_none_or(|path| path.starts_with(point))
    }

    /// Finds the directory again in the namespace the caller is in now, by path
    /// and with the rights of `identity`; `/` where it cannot.
    ///
    /// A descriptor would keep the caller in the old namespace's mounts, and
    /// root's rights would take it where the new user may not go (snapd's
    /// bypass of 2019 restored the directory while still root).
    pub(crate) fn follow(&self, kernel: &dyn Kernel, identity: FileIdentity) -> Result<(), Error> {
        let Some(there) = &self.opened else {
            return Ok(());
        };
        let followed = match &self.path {
            Some(path) => with_rights_of(kernel, identity, || {
                follow_as(kernel, identity, path, there)
            })?,
            None => false,
        };
        if followed {
            return Ok(());
        }
        let root = kernel.refer(Path::new("/"), Walk::NoLinks)?;
        Ok(kernel.change_directory(root.as_fd())?)
    }
}

/// The path is whoever's the caller was. Root walks it in the kernel's caches
/// only: a dead file server on the way must not hold it up.
fn follow_as(kernel: &dyn Kernel, identity: FileIdentity, path: &Path, there: &OwnedFd) -> bool {
    let walk = if identity.uid == 0 {
        Walk::CachedNoLinks
    } else {
        Walk::NoLinks
    };
    let Ok(directory) = kernel.refer(path, walk) else {
        return false;
    };
    let (Ok(here), Ok(there)) = (
        kernel.remembered_of(directory.as_fd()),
        kernel.remembered_of(there.as_fd()),
    ) else {
        return false;
    };
    here.is(&there) && kernel.change_directory(directory.as_fd()).is_ok()
}

#[cfg(test)]
mod tests;
