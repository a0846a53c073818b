//! Ways to become somebody else, or to log in, that open no PAM session: what
//! is started through them stays on the `/nix` of whoever starts it, or gets
//! none.
//!
//! | module | concept |
//! |---|---|
//! | `sudoers` | rules of sudoers by which sudo opens no session |
//! | `sshd` | where PAM is off, nobody who comes by ssh gets anything of it |
//! | `setuid` | programs that are somebody else, for whoever runs them |

mod setuid;
mod sshd;
mod sudoers;

use std::fs;
use std::path::{Path, PathBuf};

use super::{Finding, Scene};
pub(super) use setuid::check as check_setuid;
pub(super) use sshd::check as check_sshd;
pub(super) use sudoers::check as check_sudoers;

/// A regular file of a bearable size.
fn read(file: &Path) -> std::io::Result<String> {
    let metadata = fs::metadata(file)?;
    if !metadata.is_file() || metadata.len() > 1 << 20 {
        return Err(std::io::Error::other("not a regular file, or too large"));
    }
    fs::read(file).map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
}

fn names(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    let mut names: Vec<String> = entries
        .filter_map(|entry| entry.file_name().into_string().ok())
        .collect();
    names.sort();
    names
}

fn below(root: &Path, path: &Path) -> PathBuf {
    root.join(path.strip_prefix("/").unwrap_or(path))
}

fn unquoted(word: &str) -> &str {
    word.trim_matches('"')
}

#[cfg(test)]
pub(super) mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    /// A system with these files; whoever asked for it removes it.
    pub(in crate::diagnosis) fn system(files: &[(&str, &str)]) -> PathBuf {
        static NUMBER: AtomicUsize = AtomicUsize::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("nix-ns-doors.{}.{number}", std::process::id());
        let root = std::env::temp_dir().join(name);
        for (file, text) in files {
            let file = root.join(file);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, text).unwrap();
        }
        root
    }
}
