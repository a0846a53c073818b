//! The way back: everything needed to return a caller to exactly where it was.

use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

use crate::error::Error;
use crate::identity::with_rights_of;
use crate::kernel::{Called, FileIdentity, Kernel, Remembered, Task, Walk};

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
    path: PathBuf,
    /// `None` for `/`, which every change of namespace leads to by itself.
    opened: Option<(OwnedFd, Remembered)>,
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
        match &self.directory.opened {
            Some((directory, _)) => kernel.change_directory(directory.as_fd()),
            None => Ok(()),
        }
    }
}

impl WorkingDirectory {
    pub(crate) fn remember(kernel: &dyn Kernel) -> Called<Self> {
        // A directory that was removed or lies outside the root has no path: it
        // can be returned to, not followed.
        let path = kernel.working_directory().unwrap_or_default();
        let opened = if path == Path::new("/") {
            None
        } else {
            let directory = kernel.refer(Path::new("."), Walk::Any)?;
            let remembered = kernel.remembered_of(directory.as_fd())?;
            Some((directory, remembered))
        };
        Ok(Self { path, opened })
    }

    /// Whether it lies on the mount that is about to be covered or taken away.
    pub(crate) fn is_below(&self, point: &Path) -> bool {
        self.path.as_os_str().is_empty() || self.path.starts_with(point)
    }

    /// Finds the directory again in the namespace the caller is in now, by path
    /// and with the rights of `identity`; `/` where it cannot.
    ///
    /// A descriptor would keep the caller in the old namespace's mounts, and
    /// root's rights would take it where the new user may not go (snapd's
    /// bypass of 2019 restored the directory while still root).
    pub(crate) fn follow(&self, kernel: &dyn Kernel, identity: FileIdentity) -> Result<(), Error> {
        let Some((_, there)) = &self.opened else {
            return Ok(());
        };
        let followed = !self.path.as_os_str().is_empty()
            && with_rights_of(kernel, identity, || self.follow_as_assumed(kernel, there))?;
        if followed {
            return Ok(());
        }
        let root = kernel.refer(Path::new("/"), Walk::NoLinks)?;
        Ok(kernel.change_directory(root.as_fd())?)
    }

    fn follow_as_assumed(&self, kernel: &dyn Kernel, there: &Remembered) -> bool {
        let Ok(directory) = kernel.refer(&self.path, Walk::NoLinks) else {
            return false;
        };
        let same = kernel
            .remembered_of(directory.as_fd())
            .is_ok_and(|here| here.is(there));
        same && kernel.change_directory(directory.as_fd()).is_ok()
    }
}
