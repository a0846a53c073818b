//! The root tree of a suite: made of Debian's packages once, kept between runs.

use std::fs::{self, DirBuilder, File};
use std::io::{self, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use nix::fcntl::{Flock, FlockArg};

use super::Suite;

/// Root's alone: the trees have setuid programs that nobody keeps up to date.
pub const CACHE: &str = "/var/cache/nix-ns-beds";

/// Where the tree is; it is made if it is not there.
pub fn tree(suite: Suite) -> io::Result<PathBuf> {
    let _held = locked(suite.name)?;
    let tree = Path::new(CACHE).join(suite.tree_name());
    if !tree.exists() {
        remove_others(suite.name)?;
        make(suite, &tree)?;
    }
    Ok(tree)
}

/// Tests that need the same trees start together, in processes of their own too.
pub(super) fn locked(family: &str) -> io::Result<Flock<File>> {
    let cache = Path::new(CACHE);
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(cache)?;
    let lock = File::create(cache.join(format!("{family}.lock")))?;
    let held = Flock::lock(lock, FlockArg::LockExclusive).map_err(|(_, error)| error)?;
    Ok(held)
}

/// Trees of other recipes, and one that was not finished.
pub(super) fn remove_others(family: &str) -> io::Result<()> {
    let prefix = format!("{family}-");
    for entry in fs::read_dir(CACHE)? {
        let entry = entry?;
        if entry.file_name().to_string_lossy().starts_with(&prefix) {
            fs::remove_dir_all(entry.path())?;
        }
    }
    Ok(())
}

fn make(suite: Suite, tree: &Path) -> io::Result<()> {
    let _ = writeln!(
        io::stderr(),
        "making the tree of Debian {}: a minute",
        suite.name
    );
    let unfinished = tree.with_extension("unfinished");
    let mut recipe = suite.recipe();
    recipe.push(unfinished.to_string_lossy().into_owned());
    // In namespaces of its own, so that its processes and mounts end with it.
    let made = Command::new("unshare")
        .args(["--mount", "--pid", "--mount-proc", "--fork", "--kill-child"])
        .args(["--", "mmdebstrap", "--quiet"])
        .args(recipe)
        .stdin(Stdio::null())
        .output()?;
    if !made.status.success() {
        let said = String::from_utf8_lossy(&made.stderr);
        return Err(io::Error::other(format!("mmdebstrap failed:\n{said}")));
    }
    fs::rename(unfinished, tree)
}
