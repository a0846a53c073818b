//! Building a nix namespace around the calling thread.

use std::ffi::OsStr;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use config::{Binds, Fingerprint};
use nix::errno::Errno;

use crate::NIX;
use crate::binds::{self, Unbound};
use crate::error::Error;
use crate::kernel::{
    CallFailed, Called, FileIdentity, Kernel, MountFlags, NamespaceId, Propagation, Task,
};
use crate::mount_table::Mount;
use crate::place::{marker, marker_link_name, read_marker};
use crate::profile::Profile;
use crate::record::{FileId, Record};
use crate::store::CheckedStore;
use crate::way_back::WayBack;

/// What a namespace is built from, besides the directory.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Plan<'a> {
    pub(crate) uid: u32,
    pub(crate) identity: FileIdentity,
    pub(crate) store: &'a CheckedStore,
    pub(crate) binds: &'a Binds,
    pub(crate) host_nix: FileId,
    pub(crate) site: Option<Fingerprint>,
    pub(crate) user: Option<Fingerprint>,
    pub(crate) environment: bool,
    pub(crate) profile: Option<Profile>,
}

/// A namespace that the calling thread is in and that was verified, with the
/// way back for as long as it may still be given up.
#[derive(Debug)]
pub(crate) struct Built {
    pub(crate) record: Record,
    pub(crate) way_back: WayBack,
    /// What the site asks for and it does without.
    pub(crate) unbound: Vec<Unbound>,
}

/// Puts the calling thread into a new namespace with the plan's directory on
/// `/nix`. After an error it is exactly where it was.
///
/// # Errors
/// Any failing call, [`Error::Unverified`], and [`Error::NoWayBack`] when the
/// return itself fails.
pub(crate) fn build(kernel: &dyn Kernel, plan: &Plan) -> Result<Built, Error> {
    let mut trees = prepare(kernel, plan)?;
    let way_back = WayBack::remember(kernel)?;
    let origin = namespace_of_caller(kernel)?;
    kernel.unshare_mounts()?;
    match furnish(kernel, plan, &mut trees, origin, &way_back) {
        Ok(record) => Ok(Built {
            record,
            way_back,
            unbound: trees.binds.unbound,
        }),
        Err(error) => {
            way_back.return_there(kernel).map_err(Error::NoWayBack)?;
            Err(error)
        }
    }
}

/// All mounts, not attached to anything yet.
struct Trees {
    store: Tree,
    marker: Tree,
    binds: binds::Trees,
}

struct Tree {
    mount: OwnedFd,
    /// Flags still to be set after attaching, on kernels that cannot before.
    pending: Option<MountFlags>,
}

/// Everything that can be done from outside: a descriptor opened before
/// `unshare` can no longer be bound after it (EINVAL), a tree can.
fn prepare(kernel: &dyn Kernel, plan: &Plan) -> Called<Trees> {
    let store = plan.store;
    let tree = kernel.clone_tree(store.directory.as_fd())?;
    let pending =
        restrict(kernel, &tree, MountFlags::STORE)?.then(|| store.flags.and(MountFlags::STORE));
    let store = Tree {
        mount: tree,
        pending,
    };
    kernel.make_directory(Path::new(crate::RUN), 0o755)?;
    kernel.make_directory(&marker(), 0o755)?;
    let marker = Tree {
        mount: kernel.new_memory_tree()?,
        pending: None,
    };
    Ok(Trees {
        store,
        marker,
        binds: binds::Trees::prepare(kernel, plan.binds)?,
    })
}

/// Whether the flags are still to be set: before Linux 5.12 they cannot be
/// added to an unattached tree.
fn restrict(kernel: &dyn Kernel, tree: &OwnedFd, flags: MountFlags) -> Called<bool> {
    match kernel.restrict(tree.as_fd(), flags) {
        Ok(()) => Ok(false),
        Err(CallFailed {
            errno: Errno::ENOSYS,
            ..
        }) => Ok(true),
        Err(failed) => Err(failed),
    }
}

fn namespace_of_caller(kernel: &dyn Kernel) -> Called<NamespaceId> {
    let namespace = kernel.open_namespace(Task::Caller)?;
    kernel.namespace_id(namespace.as_fd())
}

fn furnish(
    kernel: &dyn Kernel,
    plan: &Plan,
    trees: &mut Trees,
    origin: NamespaceId,
    way_back: &WayBack,
) -> Result<Record, Error> {
    // Slave first: nothing from here ever reaches the host, while its disks,
    // automounts and /run/user/UID still arrive. Then shared again, or rootless
    // containers inside could not receive mounts either.
    kernel.set_propagation(Propagation::Slave)?;
    kernel.set_propagation(Propagation::Shared)?;
    attach(kernel, &trees.store, Path::new(NIX))?;
    trees.binds.attach(kernel)?;
    let record = describe(kernel, plan, origin)?;
    mark(kernel, &trees.marker, &record)?;
    verify(kernel, plan.store, &trees.binds, &record)?;
    // The directory a caller had below /nix is now under the mount.
    if way_back.directory().is_below(Path::new(NIX)) {
        way_back.directory().follow(kernel, plan.identity)?;
    }
    Ok(record)
}

fn attach(kernel: &dyn Kernel, tree: &Tree, point: &Path) -> Called<()> {
    kernel.attach(tree.mount.as_fd(), point)?;
    match tree.pending {
        // Cut off from the user's home, it is not shared with namespaces made in here
        // yet, as it would be had it been cut off before.
        Some(flags) => {
            kernel.remount(point, flags)?;
            kernel.set_propagation(Propagation::Shared)
        }
        None => Ok(()),
    }
}

fn describe(kernel: &dyn Kernel, plan: &Plan, origin: NamespaceId) -> Called<Record> {
    let root = kernel.remembered(Path::new("/"))?;
    let nix = kernel.remembered(Path::new(NIX))?;
    Ok(Record {
        uid: plan.uid,
        namespace: namespace_of_caller(kernel)?,
        inode: kernel.namespace_inode(Task::Caller)?,
        origin,
        root: root.mount,
        nix: nix.mount,
        store: FileId::from(&plan.store.remembered),
        host_nix: plan.host_nix,
        site: plan.site,
        user: plan.user,
        environment: plan.environment,
        profile: plan.profile,
        binds: plan.binds.digest(),
        path: plan.store.path.clone(),
    })
}

/// The record is written before the marker is attached and made read-only:
/// there is no instant at which a marker says less than all.
fn mark(kernel: &dyn Kernel, tree: &Tree, record: &Record) -> Called<()> {
    kernel.link(
        &record.to_text(),
        tree.mount.as_fd(),
        OsStr::new(marker_link_name()),
    )?;
    let pending = restrict(kernel, &tree.mount, MountFlags::MARKER)?;
    kernel.attach(tree.mount.as_fd(), &marker())?;
    if pending {
        kernel.remount(&marker(), MountFlags::MARKER)
    } else {
        Ok(())
    }
}

/// In the kernel's own table: that mount, that directory, those flags. The file
/// system is not asked; it may be the user's.
fn verify(
    kernel: &dyn Kernel,
    store: &CheckedStore,
    binds: &binds::Trees,
    record: &Record,
) -> Result<(), Error> {
    if read_marker(kernel) != Some(Some(record.clone())) {
        return Err(Error::Unverified("the marker of this session"));
    }
    let nix = kernel.refer(Path::new(NIX), crate::kernel::Walk::NoLinks)?;
    let remembered = kernel.remembered_of(nix.as_fd())?;
    if remembered.mount != record.nix || !remembered.is(&store.remembered) {
        return Err(Error::Unverified("the store directory on /nix"));
    }
    let table = kernel.mount_table()?;
    let mount = Mount::find(&table, kernel.mount_number(nix.as_fd())?)
        .ok_or(Error::Unverified("a mount on /nix"))?;
    if mount.point != Path::new(NIX) || mount.root != store.root {
        return Err(Error::Unverified("the store directory on /nix"));
    }
    if !mount.flags.include(store.flags.and(MountFlags::STORE)) {
        return Err(Error::Unverified(
            "nosuid, nodev and the flags of its file system on /nix",
        ));
    }
    binds.verify(kernel, &table)
}

#[cfg(test)]
mod tests;
