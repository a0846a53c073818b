//! The directories that the recorder keeps links in.

use std::ffi::{OsStr, OsString};
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use nix::errno::Errno;

use super::{Object, Recorder, absent, directory};
use crate::kernel::{CallFailed, Called, Directories};

impl Directories for Recorder {
    fn open_directory(&self, path: &Path) -> Called<OwnedFd> {
        self.call("open directory", |state| {
            if !state.links.contains_key(path) && state.look(path).is_err() {
                return Err(absent("open directory"));
            }
            Ok(state.hand_out(Object::Directory(path.to_owned())))
        })
    }
    fn entries(&self, directory: BorrowedFd) -> Called<Vec<OsString>> {
        self.call("getdents", |state| {
            let Object::Directory(path) = state.object(directory) else {
                panic!("not opened to be read")
            };
            Ok(state
                .links
                .get(path)
                .map(|links| links.keys().cloned().collect())
                .unwrap_or_default())
        })
    }
    fn entries_again(&self, directory: BorrowedFd) -> Called<Vec<OsString>> {
        self.entries(directory)
    }
    fn make_directory(&self, path: &Path, _: u32) -> Called<()> {
        self.call("mkdir", |state| {
            state.links.entry(path.to_owned()).or_default();
            Ok(())
        })
    }
    fn link(&self, text: &OsStr, directory: BorrowedFd, name: &OsStr) -> Called<()> {
        self.call("symlinkat", |state| {
            match state.object(directory).clone() {
                Object::Tree {
                    of, inode, flags, ..
                } => {
                    assert_eq!(name, "namespace", "nobody looks for that name");
                    let tree = Object::Tree {
                        of,
                        inode,
                        flags,
                        link: Some(text.to_owned()),
                    };
                    state.objects.insert(directory.as_raw_fd(), tree);
                }
                Object::Directory(path) => {
                    let links = state.links.get_mut(&path).unwrap();
                    if links.contains_key(name) {
                        return Err(CallFailed {
                            call: "symlinkat",
                            errno: Errno::EEXIST,
                        });
                    }
                    links.insert(name.to_owned(), text.to_owned());
                }
                other => panic!("{other:?} holds no links"),
            }
            Ok(())
        })
    }
    fn link_text(&self, directory: BorrowedFd, name: &OsStr) -> Called<OsString> {
        self.call("readlinkat", |state| {
            let Object::Directory(path) = state.object(directory) else {
                panic!("no directory")
            };
            state.links[path]
                .get(name)
                .cloned()
                .ok_or(absent("readlinkat"))
        })
    }
    fn link_text_at(&self, path: &Path) -> Called<OsString> {
        self.call("readlink", |state| {
            if path == Path::new("/run/nix-ns/self/namespace") {
                return state.here().marker.clone().ok_or(absent("readlink"));
            }
            let directory = state.links.get(path.parent().unwrap());
            let link = directory.and_then(|links| links.get(path.file_name().unwrap()));
            link.cloned().ok_or(absent("readlink"))
        })
    }
    fn rename(&self, directory: BorrowedFd, from: &OsStr, to: &OsStr) -> Called<()> {
        self.call("renameat", |state| {
            let Object::Directory(path) = state.object(directory).clone() else {
                panic!("no directory")
            };
            let links = state.links.get_mut(&path).unwrap();
            let text = links.remove(from).ok_or(absent("renameat"))?;
            links.insert(to.to_owned(), text);
            Ok(())
        })
    }
    fn unlink(&self, directory: BorrowedFd, name: &OsStr) -> Called<()> {
        self.call("unlinkat", |state| {
            let Object::Directory(path) = state.object(directory).clone() else {
                panic!("no directory")
            };
            state
                .links
                .get_mut(&path)
                .unwrap()
                .remove(name)
                .map(drop)
                .ok_or(absent("unlinkat"))
        })
    }
    fn refer_to_working_directory(&self) -> Called<OwnedFd> {
        self.call("open cwd", |state| {
            let path = state.working_directory.clone();
            let file = state.look(&path).unwrap_or(directory(0, 0, 1, false));
            Ok(state.hand_out(Object::File(path, file)))
        })
    }
    fn working_directory(&self) -> Called<PathBuf> {
        self.call("getcwd", |state| Ok(state.working_directory.clone()))
    }
    fn change_directory(&self, directory: BorrowedFd) -> Called<()> {
        self.call("fchdir", |state| {
            let (Object::Path(path) | Object::File(path, _)) = state.object(directory).clone()
            else {
                panic!("no directory")
            };
            state.working_directory = path;
            Ok(())
        })
    }
}
