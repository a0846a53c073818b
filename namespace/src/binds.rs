//! The site's binds: directories of the host's in a second place of the
//! namespace. Both ends are root's, along the whole path: what a user could
//! exchange would be seen by every other user's programs, and covered by root.
//!
//! Nothing here waits for a server: a place is looked at only after the mount
//! table has said that disks and memory answer for every step to it.

use std::fmt;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

use config::{Bind, Binds, is_root, printable_path};
use nix::errno::Errno;

use crate::error::Error;
use crate::kernel::{CallFailed, Called, Kernel, MountFlags, Remembered, Walk};
use crate::mount_table::{Mount, MountTable};

/// File systems that this host's own disks and memory answer for. Whatever is on
/// `/` is one, too: where that does not answer, nothing does.
pub(crate) const LOCAL: [&str; 17] = [
    "bcachefs", "btrfs", "erofs", "ext2", "ext3", "ext4", "f2fs", "iso9660", "jfs", "nilfs2",
    "overlay", "ramfs", "reiserfs", "squashfs", "tmpfs", "xfs", "zfs",
];

/// What a target may be on: an administrator makes it for this alone.
const OF_TARGETS: [&str; 2] = ["ramfs", "tmpfs"];

/// A bind that a session does without.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unbound {
    /// Where the directory was to be seen.
    pub target: PathBuf,
    /// What is wrong, and with what.
    pub reason: String,
    /// What the administrator can do.
    pub remedy: &'static str,
}

/// Naming the key, for a message that names the file.
impl fmt::Display for Unbound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let target = printable_path(&self.target);
        write!(f, "[binds] \"{target}\": {}; {}", self.reason, self.remedy)
    }
}

/// A bind whose both ends are in order.
#[derive(Debug)]
struct Ready {
    source: OwnedFd,
    remembered: Remembered,
    /// Its path on its own file system: what the mount table will show.
    root: PathBuf,
    /// The flags of the mount it is on, none of which may get lost.
    flags: MountFlags,
    target: PathBuf,
    covered: Remembered,
}

/// Copies of all sources that are to be had.
#[derive(Debug)]
pub(crate) struct Trees {
    trees: Vec<Tree>,
    /// What is done without. A cluster has one site configuration, and not every
    /// node has a graphics card.
    pub(crate) unbound: Vec<Unbound>,
}

/// An unattached copy of a source.
#[derive(Debug)]
struct Tree {
    mount: OwnedFd,
    ready: Ready,
    /// Flags still to be set after attaching, on kernels that cannot before.
    pending: bool,
}

/// Checks both ends of a bind as they are now, where the caller is.
///
/// # Errors
/// What is wrong with one of them.
pub fn check_bind(kernel: &dyn Kernel, bind: Bind) -> Result<(), Unbound> {
    let table = kernel
        .mount_table()
        .map_err(|failed| said_no(bind, failed))?;
    check(kernel, &MountTable::parse(&table), bind).map(drop)
}

/// Nothing, if it is in place: the caller is in a copy of a namespace that has it.
fn check(kernel: &dyn Kernel, table: &MountTable, bind: Bind) -> Result<Option<Ready>, Unbound> {
    let Bind { target, source } = bind;
    let (directory, remembered) = reach(kernel, table, bind, source, &LOCAL)?;
    let number = kernel
        .mount_number(directory.as_fd())
        .map_err(|failed| said_no(bind, failed))?;
    let on = table.by_id(number);
    let Some((on, root)) = on.and_then(|on| Some((on, on.root_of(source)?))) else {
        return Err(unbound(
            bind,
            source,
            "is hidden under a mount",
            NAME_ANOTHER,
        ));
    };
    let there = table.at(target);
    if there.is_some_and(|it| it.device == on.device && it.root == root) {
        return Ok(None);
    }
    let (_, covered) = reach(kernel, table, bind, target, &OF_TARGETS)?;
    // By its path again, as what `reach` opens cannot be read: only root could
    // have exchanged it meanwhile.
    let entries = kernel
        .open_directory(target)
        .and_then(|empty| kernel.entries(empty.as_fd()))
        .map_err(|failed| said_no(bind, failed))?;
    if let Some(name) = entries.first() {
        let why = format!("is in use (it holds {})", printable_path(name));
        return Err(unbound(bind, target, &why, "name an empty directory"));
    }
    Ok(Some(Ready {
        source: directory,
        remembered,
        root,
        flags: on.flags,
        target: target.to_owned(),
        covered,
    }))
}

const NAME_ANOTHER: &str = "name another directory";

/// Opens one end, step by step from `/`, if every step is a directory that root
/// alone can change.
fn reach(
    kernel: &dyn Kernel,
    table: &MountTable,
    bind: Bind,
    end: &Path,
    kinds: &[&str],
) -> Result<(OwnedFd, Remembered), Unbound> {
    let mut steps: Vec<&Path> = end.ancestors().collect();
    steps.reverse();
    for step in &steps {
        let mount = table.at(step).filter(|_| *step != Path::new("/"));
        if let Some(mount) = mount.filter(|it| !kinds.contains(&it.file_system.as_str())) {
            let why = format!("is on {}", mount.file_system);
            let remedy = "name a directory on the file system of /, or in memory; a source may be on any disk of this host";
            return Err(unbound(bind, step, &why, remedy));
        }
    }
    let mut last = None;
    for step in &steps {
        last = Some(check_step(kernel, bind, step)?);
    }
    last.ok_or_else(|| unbound(bind, end, "is no path", NAME_ANOTHER))
}

fn check_step(
    kernel: &dyn Kernel,
    bind: Bind,
    step: &Path,
) -> Result<(OwnedFd, Remembered), Unbound> {
    let opened = kernel
        .refer(step, Walk::NoLinks)
        .and_then(|file| Ok((kernel.remembered_of(file.as_fd())?, file)));
    let (found, file) = match opened {
        Ok(opened) => opened,
        Err(failed) => {
            return Err(match failed.errno {
                Errno::ENOENT => unbound(
                    bind,
                    step,
                    "is not there",
                    "make that directory (below /run: at every boot, by tmpfiles.d), or take the line out",
                ),
                Errno::ELOOP => unbound(
                    bind,
                    step,
                    "is a symbolic link",
                    "name the directory that it leads to (`realpath`)",
                ),
                _ => said_no(bind, failed),
            });
        }
    };
    if found.mode & libc::S_IFMT != libc::S_IFDIR {
        return Err(unbound(bind, step, "is not a directory", NAME_ANOTHER));
    }
    if !is_root(found.uid) {
        let why = format!("belongs to uid {}, who can exchange it", found.uid);
        return Err(unbound(
            bind,
            step,
            &why,
            "name one that is root's all along",
        ));
    }
    if found.mode & 0o022 != 0 {
        let why = format!("is writable by others (mode {:04o})", found.mode & 0o7777);
        return Err(unbound(
            bind,
            step,
            &why,
            "`chmod go-w` it, or name another",
        ));
    }
    Ok((file, found))
}

/// Makes the copy of a source; nothing, if it is in place.
fn prepare(kernel: &dyn Kernel, table: &MountTable, bind: Bind) -> Result<Option<Tree>, Unbound> {
    let Some(ready) = check(kernel, table, bind)? else {
        return Ok(None);
    };
    let failed = |failed| said_no(bind, failed);
    let mount = kernel.clone_tree(ready.source.as_fd()).map_err(failed)?;
    let pending = match kernel.restrict(mount.as_fd(), MountFlags::BIND) {
        Ok(()) => false,
        // Before Linux 5.12.
        Err(CallFailed {
            errno: Errno::ENOSYS,
            ..
        }) => true,
        Err(why) => return Err(failed(why)),
    };
    Ok(Some(Tree {
        mount,
        ready,
        pending,
    }))
}

/// Mounts every bind in the mount namespace that the caller has just made for
/// itself, and tells which ones it does without.
///
/// # Errors
/// A failing call, or [`Error::Unverified`]: the namespace must not be used.
pub fn bind(kernel: &dyn Kernel, binds: &Binds) -> Result<Vec<Unbound>, Error> {
    let mut trees = Trees::prepare(kernel, binds)?;
    trees.attach(kernel)?;
    trees.verify(kernel, &kernel.mount_table()?)?;
    Ok(trees.unbound)
}

impl Trees {
    /// Everything that can be done before `unshare`: a descriptor from before can
    /// no longer be bound after it (EINVAL), a tree can.
    pub(crate) fn prepare(kernel: &dyn Kernel, binds: &Binds) -> Called<Self> {
        let (mut trees, mut unbound) = (Vec::new(), Vec::new());
        if binds.iter().next().is_some() {
            let table = MountTable::parse(&kernel.mount_table()?);
            for bind in binds.iter() {
                match prepare(kernel, &table, bind) {
                    Ok(tree) => trees.extend(tree),
                    Err(why) => unbound.push(why),
                }
            }
        }
        Ok(Self { trees, unbound })
    }

    pub(crate) fn attach(&mut self, kernel: &dyn Kernel) -> Called<()> {
        for tree in std::mem::take(&mut self.trees) {
            match tree.attach(kernel)? {
                Ok(()) => self.trees.push(tree),
                Err(why) => self.unbound.push(why),
            }
        }
        Ok(())
    }

    /// # Errors
    /// [`Error::Unverified`], if the kernel does not show all that was attached.
    pub(crate) fn verify(&self, kernel: &dyn Kernel, table: &[u8]) -> Result<(), Error> {
        let mut trees = self.trees.iter();
        trees.try_for_each(|tree| tree.verify(kernel, table))
    }
}

impl Tree {
    /// Attaches it in the caller's new namespace. Only root could have exchanged
    /// the target since.
    ///
    /// What the kernel does not attach is done without; what it attaches, it has to
    /// give its flags as well.
    fn attach(&self, kernel: &dyn Kernel) -> Called<Result<(), Unbound>> {
        let target = &self.ready.target;
        if let Err(failed) = kernel.attach(self.mount.as_fd(), target) {
            return Ok(Err(self.not_attached(failed)));
        }
        if self.pending {
            kernel.remount(target, self.ready.flags.and(MountFlags::BIND))?;
        }
        Ok(Ok(()))
    }

    /// The kernel shows that directory there, with these flags.
    fn verify(&self, kernel: &dyn Kernel, table: &[u8]) -> Result<(), Error> {
        let Ready {
            remembered,
            root,
            flags,
            target,
            covered,
            ..
        } = &self.ready;
        let there = kernel.refer(target, Walk::NoLinks)?;
        let found = kernel.remembered_of(there.as_fd())?;
        let mount = Mount::find(table, kernel.mount_number(there.as_fd())?);
        let is_right = mount.is_some_and(|mount| {
            mount.point == *target
                && mount.root == *root
                && mount.flags.include(flags.and(MountFlags::BIND))
        });
        if is_right && found.is(remembered) && !found.is(covered) {
            return Ok(());
        }
        Err(Error::Unverified("a directory of the site's [binds]"))
    }

    fn not_attached(&self, failed: CallFailed) -> Unbound {
        Unbound {
            target: self.ready.target.clone(),
            reason: format!("cannot be mounted ({failed})"),
            remedy: NAME_ANOTHER,
        }
    }
}

fn unbound(bind: Bind, what: &Path, why: &str, remedy: &'static str) -> Unbound {
    Unbound {
        target: bind.target.to_owned(),
        reason: format!("{} {why}", printable_path(what)),
        remedy,
    }
}

fn said_no(bind: Bind, failed: CallFailed) -> Unbound {
    Unbound {
        target: bind.target.to_owned(),
        reason: format!("cannot be had ({failed})"),
        remedy: NAME_ANOTHER,
    }
}

#[cfg(test)]
mod tests;
