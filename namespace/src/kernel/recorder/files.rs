//! The files of a machine with one user, alice.

use std::os::fd::{BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use nix::errno::Errno;

use super::{HOST, HOST_NIX, Object, ROOT_DIRECTORY, Recorder, STORE, State, absent, directory};
use crate::kernel::{CallFailed, Called, Files, MountId, Remembered, Walk};

impl State {
    pub(super) fn look(&self, path: &Path) -> Called<Remembered> {
        let here = self.here();
        if path == Path::new(".") {
            return self.look(&self.working_directory);
        }
        if let Some((_, layer)) = here.binds.get(path) {
            return Ok(directory(layer.inode, 0, layer.mount, true));
        }
        if let Some(file) = self.files.get(path) {
            return *file;
        }
        let text = path.to_str().unwrap();
        if self.blind && text.starts_with("/proc/1/") {
            return Err(CallFailed {
                call: "statx",
                errno: Errno::EACCES,
            });
        }
        match text {
            "/nix" => match here.nix.last() {
                Some(layer) if layer.inode == HOST_NIX => {
                    Ok(directory(layer.inode, 0, layer.mount, true))
                }
                Some(layer) => Ok(directory(layer.inode, 1001, layer.mount, true)),
                None => Ok(directory(HOST_NIX, 0, self.current * 1000, false)),
            },
            "/nix/store" => match here.nix.last() {
                Some(layer) => Ok(directory(layer.inode + 1, 1001, layer.mount, false)),
                None => Err(absent("statx")),
            },
            "/proc/1/root/nix" => Ok(directory(HOST_NIX, 0, HOST * 1000, false)),
            "/run/nix-ns/self" => Ok(directory(3, 0, 7, here.marker.is_some())),
            "/" | "/proc/1/root/" => Ok(directory(ROOT_DIRECTORY, 0, 1, true)),
            "/home/alice/nix" => Ok(directory(STORE, 1001, 1, false)),
            "/home/alice/.config/nix-ns/config.toml" => Ok(Remembered {
                mode: libc::S_IFREG | 0o600,
                ..directory(600, 1001, 1, false)
            }),
            _ if text.starts_with("/home") => Ok(directory(700, 1001, 1, false)),
            _ => Err(absent("statx")),
        }
    }
}

impl Files for Recorder {
    fn remembered(&self, path: &Path) -> Called<Remembered> {
        self.call("statx", |state| state.look(path))
    }
    fn current(&self, path: &Path) -> Called<Remembered> {
        self.call("statx now", |state| state.look(path))
    }
    fn remembered_of(&self, file: BorrowedFd) -> Called<Remembered> {
        self.call("statx fd", |state| match state.object(file).clone() {
            Object::Path(path) | Object::Directory(path) => state.look(&path),
            Object::File(_, file) => Ok(file),
            other => panic!("{other:?} is not looked at"),
        })
    }
    fn mount_number(&self, file: BorrowedFd) -> Called<u64> {
        self.call("statx mount", |state| match state.object(file).clone() {
            Object::Path(path) => match state.look(&path)?.mount {
                MountId::Unique(id) | MountId::Reused(id) => Ok(id),
            },
            other => panic!("{other:?} is on no mount"),
        })
    }
    fn known_path(&self, file: BorrowedFd) -> Called<PathBuf> {
        self.call("readlink fd", |state| match state.object(file).clone() {
            Object::Path(path) => Ok(path),
            other => panic!("{other:?} has no path"),
        })
    }
    fn refer(&self, path: &Path, walk: Walk) -> Called<OwnedFd> {
        self.call("openat2", |state| {
            state.walked = Some(walk);
            let is_link = matches!(walk, Walk::CachedLink | Walk::GlimpsedLink)
                && state.dangling.contains(path);
            if !is_link {
                state.look(path)?;
            }
            let path = if path == Path::new(".") {
                state.working_directory.clone()
            } else {
                path.to_owned()
            };
            Ok(state.hand_out(Object::Path(path)))
        })
    }
}
