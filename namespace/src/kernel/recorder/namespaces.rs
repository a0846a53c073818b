//! The namespaces that the recorder keeps.

use std::os::fd::{BorrowedFd, OwnedFd};

use super::{Object, Recorder};
use crate::kernel::{Called, NamespaceId, Namespaces, Task};

impl Namespaces for Recorder {
    fn open_namespace(&self, task: Task) -> Called<OwnedFd> {
        self.call("open ns/mnt", |state| {
            let namespace = state.namespace_of(task)?;
            Ok(state.hand_out(Object::Namespace(namespace)))
        })
    }
    fn namespace_inode(&self, task: Task) -> Called<u64> {
        self.call("readlink ns/mnt", |state| state.namespace_of(task))
    }
    fn namespace_id(&self, namespace: BorrowedFd) -> Called<NamespaceId> {
        self.call("ioctl NS_GET_MNTNS_ID", |state| {
            match state.object(namespace) {
                Object::Namespace(id) if state.old => Ok(NamespaceId::Inode(*id)),
                Object::Namespace(id) => Ok(NamespaceId::Unique(*id)),
                other => panic!("{other:?} is no namespace"),
            }
        })
    }
    fn owned_by_callers_user_namespace(&self, _: BorrowedFd) -> Called<bool> {
        self.call("ioctl NS_GET_USERNS", |state| Ok(state.ours))
    }
    fn unshare_directories(&self) -> Called<()> {
        self.call("unshare CLONE_FS", |_| Ok(()))
    }
    fn unshare_mounts(&self) -> Called<()> {
        self.call("unshare CLONE_NEWNS", |state| {
            let copy = state.here().clone();
            let again = state.given_again.take();
            let id = again.unwrap_or_else(|| state.take_number());
            state.namespaces.insert(id, copy);
            state.current = id;
            Ok(())
        })
    }
    fn enter_namespace(&self, namespace: BorrowedFd) -> Called<()> {
        self.call("setns", |state| {
            let Object::Namespace(id) = *state.object(namespace) else {
                panic!("setns to no namespace")
            };
            state.current = id;
            state.working_directory = "/".into();
            Ok(())
        })
    }
}
