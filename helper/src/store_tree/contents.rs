//! What is in a file, and on it.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;

use nix::errno::Errno;
use nix::sys::stat::{FileStat, futimens};
use nix::sys::time::TimeSpec;
use nix::unistd::{Whence, ftruncate, lseek};
use rustix::fs::{XattrFlags, fgetxattr, flistxattr, fsetxattr};
use rustix::io::Errno as RawErrno;

/// What `st_blocks` counts in.
const BLOCK: i64 = 512;
/// Largest list of names, largest value (`xattr(7)`).
const MOST: usize = 65536;

/// Copies what is in a regular file; where there is nothing on the disk, there
/// will be nothing either.
pub(super) fn copy(from: &OwnedFd, to: &OwnedFd, stat: &FileStat) -> io::Result<()> {
    let mut from = File::from(from.try_clone()?);
    let mut to = File::from(to.try_clone()?);
    // Lets the kernel copy where it can (copy_file_range, reflinks).
    if stat.st_blocks.saturating_mul(BLOCK) >= stat.st_size {
        return io::copy(&mut from, &mut to).map(drop);
    }
    let mut at = 0;
    while let Some((start, end)) = next_data(&from, at)? {
        lseek(&from, start, Whence::SeekSet)?;
        lseek(&to, start, Whence::SeekSet)?;
        let length = u64::try_from(end.saturating_sub(start)).unwrap_or_default();
        io::copy(&mut Read::by_ref(&mut from).take(length), &mut to)?;
        at = end;
    }
    ftruncate(&to, stat.st_size)?;
    Ok(())
}

/// Where the next bytes that are not a hole begin and end.
fn next_data(file: &File, at: i64) -> nix::Result<Option<(i64, i64)>> {
    match lseek(file, at, Whence::SeekData) {
        Ok(start) => Ok(Some((start, lseek(file, start, Whence::SeekHole)?))),
        Err(Errno::ENXIO) => Ok(None),
        Err(errno) => Err(errno),
    }
}

/// An extended attribute.
pub(super) type Attribute = (OsString, Vec<u8>);

/// The extended attributes that a user may give to a file. Others are the
/// system's (`security.*`), and made anew where the file goes.
pub(super) fn attributes(file: impl AsFd) -> io::Result<Vec<Attribute>> {
    let mut names = Vec::new();
    match read_all(|buffer| flistxattr(&file, buffer)) {
        Err(RawErrno::NOTSUP) => return Ok(Vec::new()),
        answer => names.extend(answer?),
    }
    let mut attributes = Vec::new();
    for name in names.split(|byte| *byte == 0) {
        let name = std::ffi::OsStr::from_bytes(name);
        let bytes = name.as_bytes();
        if !bytes.starts_with(b"user.") && !bytes.starts_with(b"system.posix_acl_") {
            continue;
        }
        match read_all(|buffer| fgetxattr(&file, name, buffer)) {
            // Removed since it was listed, or not to be read.
            Err(RawErrno::NODATA | RawErrno::ACCESS | RawErrno::PERM) => {}
            answer => attributes.push((name.to_owned(), answer?)),
        }
    }
    Ok(attributes)
}

fn read_all(
    mut read: impl FnMut(&mut [u8]) -> rustix::io::Result<usize>,
) -> rustix::io::Result<Vec<u8>> {
    // Most files have none: nothing is reserved for those.
    let mut few = [0; 256];
    match read(&mut few) {
        Ok(length) => return Ok(few.get(..length).unwrap_or_default().to_owned()),
        Err(RawErrno::RANGE) => {}
        Err(errno) => return Err(errno),
    }
    let mut many = vec![0; MOST];
    let length = read(&mut many)?;
    many.truncate(length);
    Ok(many)
}

/// Gives a file extended attributes, as far as its file system takes them.
pub(super) fn set_attributes(file: impl AsFd, attributes: &[Attribute]) -> io::Result<()> {
    for (name, value) in attributes {
        match fsetxattr(&file, name.as_os_str(), value, XattrFlags::empty()) {
            Ok(()) | Err(RawErrno::NOTSUP | RawErrno::PERM | RawErrno::INVAL) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

/// Gives a file the time of another. The last that is done to a copy: who finds
/// this time on it knows that the copy is whole.
pub(super) fn set_time(file: impl AsFd, stat: &FileStat) -> nix::Result<()> {
    futimens(file, &TimeSpec::UTIME_OMIT, &time(stat))
}

pub(super) fn time(stat: &FileStat) -> TimeSpec {
    TimeSpec::new(stat.st_mtime, stat.st_mtime_nsec)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use rustix::fs::{getxattr, setxattr};

    use super::*;

    /// In the build directory: not every file system has attributes of a user's.
    #[test]
    fn attributes_of_the_users_are_copied_even_to_what_is_read_only() {
        let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/attributes");
        fs::create_dir_all(&directory).unwrap();
        let (from, to) = (directory.join("from"), directory.join("to"));
        fs::write(&from, "").unwrap();
        fs::write(&to, "").unwrap();
        for value in [&b"value"[..], &[0xff; 2000]] {
            setxattr(&from, "user.nix-ns", value, XattrFlags::empty()).unwrap();
            let found = attributes(fs::File::open(&from).unwrap()).unwrap();
            assert_eq!(found, [("user.nix-ns".into(), value.to_owned())]);
            set_attributes(fs::File::open(&to).unwrap(), &found).unwrap();
            let mut copied = vec![0; MOST];
            let length = getxattr(&to, "user.nix-ns", &mut *copied).unwrap();
            assert_eq!(&copied[..length], value);
        }
        fs::remove_dir_all(directory).unwrap();
    }
}
