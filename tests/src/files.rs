//! Files of the machine, written and read from outside.

use std::fs::{self, File, Permissions};
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::{PermissionsExt, fchown};
use std::path::{Component, Path};

use nix::errno::Errno;
use nix::fcntl::{OFlag, OpenHow, ResolveFlag, openat2};
use nix::sys::stat::{Mode, mkdirat};

use crate::{Machine, User};

impl Machine {
    /// Writes a file with exactly these permissions and this owner, over what
    /// is there. Missing directories above it are made, the owner's and 0755.
    ///
    /// # Panics
    ///
    /// When it cannot be written.
    #[track_caller]
    pub fn write(&self, path: &str, content: impl AsRef<[u8]>, mode: u32, owner: &User) {
        self.try_write(Path::new(path), content.as_ref(), mode, owner)
            .unwrap_or_else(|error| panic!("writing {path} in the machine: {error}"));
    }

    /// Reads a file; bytes that are not UTF-8 are replaced.
    ///
    /// # Panics
    ///
    /// When it cannot be read.
    #[must_use]
    #[track_caller]
    pub fn read(&self, path: &str) -> String {
        self.try_read(Path::new(path))
            .unwrap_or_else(|error| panic!("reading {path} in the machine: {error}"))
    }

    /// Whether there is something at a path.
    #[must_use]
    pub fn exists(&self, path: &str) -> bool {
        let root = self.root().expect("the machine runs");
        open(&root, Path::new(path), OFlag::O_PATH).is_ok()
    }

    fn try_write(&self, path: &Path, content: &[u8], mode: u32, owner: &User) -> io::Result<()> {
        let root = self.root()?;
        make_parents(&root, path, owner)?;
        let flags = OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_TRUNC;
        let mut file = File::from(open(&root, path, flags)?);
        file.write_all(content)?;
        fchown(&file, Some(owner.uid), Some(owner.gid))?;
        file.set_permissions(Permissions::from_mode(mode))
    }

    fn try_read(&self, path: &Path) -> io::Result<String> {
        let mut file = File::from(open(&self.root()?, path, OFlag::O_RDONLY)?);
        let mut content = Vec::new();
        file.read_to_end(&mut content)?;
        Ok(String::from_utf8_lossy(&content).into_owned())
    }

    fn root(&self) -> io::Result<File> {
        fs::File::open(format!("/proc/{}/root", self.init()))
    }
}

fn make_parents(root: &File, path: &Path, owner: &User) -> io::Result<()> {
    let mut parent = open(root, Path::new("/"), OFlag::O_DIRECTORY)?;
    let above = path.parent().unwrap_or(Path::new("/"));
    let mut walked = Path::new("/").to_path_buf();
    for component in above.components() {
        let Component::Normal(name) = component else {
            continue;
        };
        walked.push(name);
        parent = match open(root, &walked, OFlag::O_DIRECTORY) {
            Err(Errno::ENOENT) => {
                mkdirat(&parent, name, Mode::S_IRWXU)?;
                let made = File::from(open(root, &walked, OFlag::O_DIRECTORY)?);
                fchown(&made, Some(owner.uid), Some(owner.gid))?;
                made.set_permissions(Permissions::from_mode(0o755))?;
                made.into()
            }
            opened => opened?,
        };
    }
    Ok(())
}

/// Opens a path as the machine sees it: with an absolute link in it, a plain
/// open from here would end in a file of the host. Relative all the same, so
/// that no mistake here can turn every path into one of the host's.
fn open(root: impl AsFd, path: &Path, flags: OFlag) -> nix::Result<OwnedFd> {
    let mode = if flags.contains(OFlag::O_CREAT) {
        Mode::S_IRUSR | Mode::S_IWUSR
    } else {
        Mode::empty()
    };
    let how = OpenHow::new()
        .flags(flags | OFlag::O_CLOEXEC)
        .mode(mode)
        .resolve(ResolveFlag::RESOLVE_IN_ROOT);
    let below = Path::new(".").join(path.strip_prefix("/").unwrap_or(path));
    openat2(root, &below, how)
}
