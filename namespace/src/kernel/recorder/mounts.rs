//! The mounts that the recorder keeps: on `/nix`, the marker and binds.

use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};
use std::path::Path;

use super::{HOST, Layer, Object, Recorder, STORE};
use crate::kernel::{Called, MountFlags, Mounts, Propagation, Task};

impl Mounts for Recorder {
    fn set_propagation(&self, propagation: Propagation) -> Called<()> {
        let call = match propagation {
            Propagation::Slave => "mount slave",
            Propagation::Shared => "mount shared",
        };
        self.call(call, |state| {
            assert_ne!(
                state.current, HOST,
                "the host's propagation is not ours to change"
            );
            Ok(())
        })
    }
    fn clone_tree(&self, directory: BorrowedFd) -> Called<OwnedFd> {
        self.call("open_tree", |state| {
            let Object::Path(path) = state.object(directory).clone() else {
                panic!("not a path")
            };
            let inode = state.look(&path)?.inode;
            Ok(state.hand_out(Object::Tree {
                of: Some(path),
                inode,
                flags: MountFlags::default(),
                link: None,
            }))
        })
    }
    fn new_memory_tree(&self) -> Called<OwnedFd> {
        self.call("fsmount", |state| {
            Ok(state.hand_out(Object::Tree {
                of: None,
                inode: 0,
                flags: MountFlags::default(),
                link: None,
            }))
        })
    }
    fn restrict(&self, tree: BorrowedFd, more: MountFlags) -> Called<()> {
        self.call("mount_setattr", |state| {
            if state.idle.contains("mount_setattr") {
                return Ok(());
            }
            let Some(Object::Tree { flags, .. }) = state.objects.get_mut(&tree.as_raw_fd()) else {
                panic!("no tree")
            };
            *flags = flags.and(more);
            Ok(())
        })
    }
    fn remount(&self, path: &Path, flags: MountFlags) -> Called<()> {
        self.call("mount remount", |state| {
            if path == Path::new("/nix") {
                state.here_mut().nix.last_mut().unwrap().flags = flags;
            } else if let Some((_, layer)) = state.here_mut().binds.get_mut(path) {
                layer.flags = flags;
            } else {
                assert!(flags.include(MountFlags::MARKER), "a marker to write in");
            }
            Ok(())
        })
    }
    fn attach(&self, tree: BorrowedFd, path: &Path) -> Called<()> {
        self.call("move_mount", |state| {
            assert_ne!(state.current, HOST, "nothing is ever mounted on the host");
            let Object::Tree {
                of,
                inode,
                flags,
                link,
            } = state.object(tree).clone()
            else {
                panic!("no tree")
            };
            let mount = state.take_number();
            let layer = Layer {
                inode,
                mount,
                flags,
            };
            if path == Path::new("/nix") {
                state.here_mut().nix.push(layer);
            } else if let Some(source) = of {
                let here = state.here_mut();
                here.binds.insert(path.to_owned(), (source, layer));
            } else {
                let later = state.refused.contains_key("mount_setattr");
                let now = flags.include(MountFlags::MARKER) || state.idle.contains("mount_setattr");
                assert!(later || now, "a marker to write in");
                state.here_mut().marker = link;
            }
            Ok(())
        })
    }
    fn detach(&self, path: &Path) -> Called<()> {
        self.call("umount2", |state| {
            assert_ne!(state.current, HOST, "nothing is ever unmounted on the host");
            if state.idle.contains("umount2") {
                return Ok(());
            }
            if path == Path::new("/nix") {
                state.here_mut().nix.pop();
            } else {
                state.here_mut().marker = None;
            }
            Ok(())
        })
    }
    fn mount_table(&self) -> Called<Vec<u8>> {
        self.call("read mountinfo", |state| {
            let mut table = "1 0 8:1 / / rw,relatime shared:1 - ext4 /dev/sda rw\n".to_owned();
            for layer in &state.here().nix {
                let Layer {
                    inode,
                    mount,
                    flags,
                } = *layer;
                let root = if inode == STORE {
                    "/home/alice/nix"
                } else {
                    "/"
                };
                let flags = if flags.include(MountFlags::STORE) {
                    "rw,nosuid,nodev,relatime"
                } else {
                    "rw,relatime"
                };
                table.push_str(&format!(
                    "{mount} 1 8:1 {root} /nix {flags} - ext4 /dev/sda rw\n"
                ));
            }
            for (point, (source, layer)) in &state.here().binds {
                let flags = if layer.flags.include(MountFlags::BIND) {
                    "ro,nosuid,nodev,relatime"
                } else {
                    "rw,relatime"
                };
                let (number, point) = (layer.mount, point.display());
                let source = source.display();
                table.push_str(&format!(
                    "{number} 1 8:1 {source} {point} {flags} - ext4 /dev/sda rw\n"
                ));
            }
            Ok((state.table)(table).into_bytes())
        })
    }
    fn first_mount(&self, task: Task) -> Called<u64> {
        self.call("read head of mountinfo", |state| match task {
            Task::Init => Ok(HOST),
            task => state.namespace_of(task),
        })
    }
}
