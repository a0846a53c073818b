//! The caller's working directory. Kept as it is, it would be a way round every
//! mount made since: into the host's `/tmp`, or the directory under `/nix`.

use std::env;
use std::fs::{self, Metadata};
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

/// Where the caller was, by its path and by what it is.
pub(super) struct WorkingDirectory(Option<(PathBuf, Metadata)>);

impl WorkingDirectory {
    pub(super) fn remember() -> Self {
        let path = env::current_dir().ok();
        Self(path.and_then(|path| fs::metadata(".").ok().map(|it| (path, it))))
    }

    /// Goes there again by the path, if it is the same directory; else to `/`,
    /// as a login does.
    pub(super) fn follow(&self) {
        // Looked at from inside: a path could lead elsewhere a moment later.
        let is_the_same = self.0.as_ref().is_some_and(|(path, before)| {
            env::set_current_dir(path).is_ok()
                && fs::metadata(".")
                    .is_ok_and(|now| (now.dev(), now.ino()) == (before.dev(), before.ino()))
        });
        if !is_the_same {
            // Every process has one.
            let _ = env::set_current_dir("/");
        }
    }
}
