//! What is remembered of the whole host, for the next login: the text of a link.

use std::ffi::{OsStr, OsString};
use std::os::fd::{AsFd, BorrowedFd};
use std::path::Path;

use super::{ROOT, make_root};
use crate::kernel::{Called, Kernel};

/// A link in the registry's own directory, and the name it has until it is whole.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RememberedLink {
    pub(crate) name: &'static str,
    pub(crate) new: &'static str,
}

impl RememberedLink {
    /// What was remembered last.
    pub(crate) fn text(self, kernel: &dyn Kernel) -> Option<OsString> {
        kernel.link_text_at(&Path::new(ROOT).join(self.name)).ok()
    }

    /// Remembers this instead, in a registry that is made if need be.
    pub(crate) fn remember(self, kernel: &dyn Kernel, text: &OsStr) -> Called<()> {
        let directory = make_root(kernel)?;
        self.write(kernel, directory.as_fd(), text)
    }

    /// The same in a registry that is there: who never builds a namespace needs
    /// none.
    pub(crate) fn remember_if_there(self, kernel: &dyn Kernel, text: &OsStr) -> Called<()> {
        let directory = kernel.open_directory(Path::new(ROOT))?;
        self.write(kernel, directory.as_fd(), text)
    }

    fn write(self, kernel: &dyn Kernel, directory: BorrowedFd, text: &OsStr) -> Called<()> {
        let new = OsStr::new(self.new);
        let _ = kernel.unlink(directory, new);
        kernel.link(text, directory, new)?;
        kernel.rename(directory, new, OsStr::new(self.name))
    }
}
