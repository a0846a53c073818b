//! Reading a file only if its owner alone could have written it, with every
//! check made on the descriptor that is read.

use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, ErrorKind, Read};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

use nix::errno::Errno;
use serde::{Deserialize, Serialize};

use crate::document::Position;
use crate::walk::{Rules, Stopped, walk};
use crate::{Error, dangling, is_root};

/// Largest configuration file, in bytes.
pub const MAX_FILE_SIZE: u64 = 64 * 1024;

/// A FIFO must not block the opener, a terminal must not become its terminal;
/// `O_RDONLY` and `O_CLOEXEC` the standard library sets itself.
const OPEN_FLAGS: i32 = libc::O_NONBLOCK | libc::O_NOCTTY;

/// Permission bits for writing by group and others.
const WRITABLE_BY_OTHERS: u32 = 0o022;

/// A file's text, and which file in which state it was read from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnedFile {
    /// The whole text.
    pub text: String,
    /// The file, taken before its text: what is written meanwhile shows as a
    /// change later.
    pub fingerprint: Fingerprint,
}

impl OwnedFile {
    /// Reads a file that must be `owner`'s or root's; `None` if there is none.
    ///
    /// Symlinks are followed with the caller's rights.
    ///
    /// # Errors
    ///
    /// If it is there and not a regular file, somebody else's, writable by
    /// others, larger than [`MAX_FILE_SIZE`], not UTF-8 or not readable, or if a
    /// symlink leads nowhere.
    pub fn read(path: &Path, owner: u32) -> Result<Option<OwnedFile>, Error> {
        let Some((file, metadata)) = open(path)? else {
            return Ok(None);
        };
        check_owner(path, owner, &metadata)?;
        read_text(path, file, &metadata).map(Some)
    }

    /// As [`OwnedFile::read`], for a file of `owner`'s below `home`: nobody else
    /// may be able to exchange a directory or a link on the way to it.
    ///
    /// # Errors
    ///
    /// As [`OwnedFile::read`], or if somebody else is.
    pub fn read_below(home: &Path, file: &str, owner: u32) -> Result<Option<OwnedFile>, Error> {
        let path = home.join(file);
        // What is there is opened by its path again: nobody but the owner, who
        // may write the file as well, can make that another one.
        if is_reached(home, &path, file, owner)? {
            OwnedFile::read(&path, owner)
        } else {
            dangling::check(&path).map(|()| None)
        }
    }

    /// Reads a file that is not in its place yet, so that it matters what it
    /// says and not whose it is; `None` if there is none.
    ///
    /// # Errors
    ///
    /// As [`OwnedFile::read`], but for owner and permissions.
    pub fn read_draft(path: &Path) -> Result<Option<OwnedFile>, Error> {
        match open(path)? {
            Some((file, metadata)) => read_text(path, file, &metadata).map(Some),
            None => Ok(None),
        }
    }
}

/// Whether the file is there, at the end of a way that others cannot change.
fn is_reached(home: &Path, path: &Path, file: &str, owner: u32) -> Result<bool, Error> {
    let rules = Rules {
        owner,
        owners_links: true,
        make_missing: false,
    };
    let unreadable = |errno| Error::Unreadable {
        file: path.to_owned(),
        source: io::Error::from_raw_os_error(errno),
    };
    match walk(home, Path::new(file).iter(), rules) {
        Ok(_) => Ok(true),
        Err(Stopped::Denied {
            errno: Errno::ENOENT,
            ..
        }) => Ok(false),
        Err(Stopped::Foreign {
            path: way,
            owner: found,
            mode,
        }) => Err(Error::ForeignWay {
            file: path.to_owned(),
            way,
            found,
            owner,
            mode,
        }),
        Err(Stopped::Denied { errno, .. }) => Err(unreadable(errno as i32)),
        Err(Stopped::NotDirectory(_)) => Err(unreadable(libc::ENOTDIR)),
        Err(Stopped::Link(_) | Stopped::ManyLinks(_)) => Err(unreadable(libc::ELOOP)),
    }
}

fn open(path: &Path) -> Result<Option<(File, Metadata)>, Error> {
    let unreadable = |source| Error::Unreadable {
        file: path.to_owned(),
        source,
    };
    let file = match OpenOptions::new()
        .read(true)
        .custom_flags(OPEN_FLAGS)
        .open(path)
    {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => {
            return dangling::check(path).map(|()| None);
        }
        Err(source) => return Err(unreadable(source)),
    };
    let metadata = file.metadata().map_err(unreadable)?;
    if !metadata.is_file() {
        return Err(Error::NotRegular(path.to_owned()));
    }
    Ok(Some((file, metadata)))
}

fn check_owner(path: &Path, owner: u32, metadata: &Metadata) -> Result<(), Error> {
    let found = metadata.uid();
    if found != owner && !is_root(found) {
        return Err(Error::NotOwned {
            file: path.to_owned(),
            found,
            owner,
        });
    }
    let mode = permissions(metadata);
    if is_writable_by_others(mode) {
        return Err(Error::WritableByOthers {
            file: path.to_owned(),
            mode,
        });
    }
    Ok(())
}

/// The permission bits of a mode, without the file's type.
pub(crate) fn permissions(metadata: &Metadata) -> u32 {
    metadata.mode() & 0o7777
}

/// Whether group or others may write.
pub(crate) fn is_writable_by_others(mode: u32) -> bool {
    mode & WRITABLE_BY_OTHERS != 0
}

fn read_text(path: &Path, file: File, metadata: &Metadata) -> Result<OwnedFile, Error> {
    // With room for all of it, and to see that this was all.
    let length = metadata.len().min(MAX_FILE_SIZE).saturating_add(1);
    let mut bytes = Vec::with_capacity(length.try_into().unwrap_or_default());
    // One byte more than allowed, and no further: the file may grow meanwhile.
    file.take(MAX_FILE_SIZE.saturating_add(1))
        .read_to_end(&mut bytes)
        .map_err(|source| Error::Unreadable {
            file: path.to_owned(),
            source,
        })?;
    if u64::try_from(bytes.len()).is_ok_and(|length| length > MAX_FILE_SIZE) {
        return Err(Error::TooLarge(path.to_owned()));
    }
    Ok(OwnedFile {
        text: utf8(path, bytes)?,
        fingerprint: Fingerprint::from(metadata),
    })
}

fn utf8(path: &Path, bytes: Vec<u8>) -> Result<String, Error> {
    String::from_utf8(bytes).map_err(|error| {
        let text = String::from_utf8_lossy(error.as_bytes());
        let Position { line, column } = Position::of(&text, error.utf8_error().valid_up_to());
        Error::NotUtf8 {
            file: path.to_owned(),
            line,
            column,
        }
    })
}

/// Tells whether a file is the one that was read, and unchanged: no write can
/// keep the ctime, and nobody but root can set it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Fingerprint {
    /// Device the file is on.
    pub device: u64,
    /// Inode number.
    pub inode: u64,
    /// Size in bytes.
    pub size: u64,
    /// Time of the last change, seconds since 1970.
    pub ctime_seconds: i64,
    /// Time of the last change, nanoseconds within the second.
    pub ctime_nanoseconds: i64,
}

impl From<&Metadata> for Fingerprint {
    fn from(metadata: &Metadata) -> Fingerprint {
        Fingerprint {
            device: metadata.dev(),
            inode: metadata.ino(),
            size: metadata.size(),
            ctime_seconds: metadata.ctime(),
            ctime_nanoseconds: metadata.ctime_nsec(),
        }
    }
}
