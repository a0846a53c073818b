//! Whether a configuration or a directory is still the one a namespace was
//! made from, without asking anybody: only what the kernel has in its caches
//! counts as an answer, so a dead file server delays no login here.

use std::os::fd::AsFd;
use std::path::Path;

use config::Fingerprint;
use nix::errno::Errno;

use crate::error::Error;
use crate::identity::with_rights_of;
use crate::kernel::{FileIdentity, Kernel, Remembered, Walk};
use crate::profile::ProfileLinks;
use crate::record::{FileId, Record};

/// What the caches say about the user's configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum UserFile {
    Absent,
    Present(Fingerprint),
    /// Not cached, not permitted, or no such kind of look-up on this kernel.
    #[default]
    Unknown,
}

/// A look at a user's files with that user's rights.
#[derive(Default)]
pub(crate) struct Freshness {
    pub(crate) user_file: UserFile,
    /// The records whose store directory is surely still at its path.
    in_place: Vec<Record>,
    links: ProfileLinks,
}

impl Freshness {
    /// Looks at the configuration and the profile, below a home directory, and at
    /// the directories of these records. All at once: to take on a user's rights
    /// and to give them back costs more than the looking.
    pub(crate) fn look(
        kernel: &dyn Kernel,
        identity: FileIdentity,
        home: &Path,
        records: &[&Record],
    ) -> Result<Self, Error> {
        with_rights_of(kernel, identity, || Self {
            user_file: look_at_file(kernel, &home.join(config::USER_FILE)),
            in_place: records
                .iter()
                .filter(|record| is_in_place(kernel, record))
                .map(|record| (*record).clone())
                .collect(),
            links: match records {
                // Whoever reads the files looks at these, too.
                [] => ProfileLinks::default(),
                _ => ProfileLinks::look(kernel, home),
            },
        })
    }

    /// What a record says of the user's profile, as far as it is known better: the
    /// first profile is made in a session.
    pub(crate) fn brought_up_to_date(&self, record: &Record) -> Record {
        Record {
            profile: self.links.profile(record.profile),
            ..record.clone()
        }
    }

    /// Whether a namespace is surely what today's configurations amount to.
    pub(crate) fn confirms(&self, record: &Record, site: Option<Fingerprint>) -> bool {
        let user = match self.user_file {
            UserFile::Absent => None,
            UserFile::Present(fingerprint) => Some(fingerprint),
            UserFile::Unknown => return false,
        };
        record.user == user && record.site == site && self.in_place.contains(record)
    }
}

fn look_at_file(kernel: &dyn Kernel, path: &Path) -> UserFile {
    let file = kernel
        .refer(path, Walk::Cached)
        .and_then(|file| kernel.remembered_of(file.as_fd()));
    match file {
        Ok(file) => UserFile::Present(fingerprint(&file)),
        Err(failed) if failed.errno == Errno::ENOENT && !is_link(kernel, path) => UserFile::Absent,
        Err(_) => UserFile::Unknown,
    }
}

/// A link that leads nowhere is a mistake the user is told of, not an absence.
fn is_link(kernel: &dyn Kernel, path: &Path) -> bool {
    !matches!(kernel.refer(path, Walk::CachedLink), Err(failed) if failed.errno == Errno::ENOENT)
}

/// A directory that was renamed is cached under its new name only: not to find
/// it is no answer.
fn is_in_place(kernel: &dyn Kernel, record: &Record) -> bool {
    kernel
        .refer(&record.path, Walk::Cached)
        .and_then(|directory| kernel.remembered_of(directory.as_fd()))
        .is_ok_and(|directory| FileId::from(&directory) == record.store)
}

/// As [`Fingerprint`] has it when the file is opened and read.
pub(crate) fn fingerprint(file: &Remembered) -> Fingerprint {
    let (ctime_seconds, ctime_nanoseconds) = file.changed;
    Fingerprint {
        device: file.device,
        inode: file.inode,
        size: file.size,
        ctime_seconds,
        ctime_nanoseconds: ctime_nanoseconds.into(),
    }
}

#[cfg(test)]
mod tests;
