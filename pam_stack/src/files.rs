//! Where the files of stacks are, and what is in them.

use std::collections::BTreeSet;
use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

/// Where stacks are, in libpam's order: the first that has a file of the
/// service's name is read. The last two are where distributions have libpam look
/// for a vendor's.
pub const DIRECTORIES: [&str; 4] = [
    "/etc/pam.d",
    "/usr/lib/pam.d",
    "/usr/etc/pam.d",
    "/usr/share/pam.d",
];

/// No stack is larger.
const LARGEST: u64 = 1 << 20;

/// Names of all services with a file of their own on the system below `root`.
#[must_use]
pub fn services(root: &Path) -> BTreeSet<String> {
    DIRECTORIES
        .iter()
        .filter_map(|directory| fs::read_dir(below(root, directory)).ok())
        .flatten()
        .flatten()
        .filter_map(|entry| entry.file_name().into_string().ok())
        .collect()
}

/// The file of this name that libpam would read, and what is in it.
pub(crate) fn open(root: &Path, name: &str) -> Option<(PathBuf, io::Result<String>)> {
    if name.starts_with('/') {
        return read(&below(root, name)).map(|text| (PathBuf::from(name), text));
    }
    DIRECTORIES.iter().find_map(|directory| {
        let file = Path::new(directory).join(name);
        let text = read(&below(root, &file))?;
        Some((file, text))
    })
}

/// `None` if there is no such file. What is there and cannot be read must not
/// pass for absent: another file would be taken for the stack.
fn read(file: &Path) -> Option<io::Result<String>> {
    let metadata = match fs::metadata(file) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == ErrorKind::NotFound => return None,
        Err(error) => return Some(Err(error)),
    };
    if !metadata.is_file() {
        return Some(Err(io::Error::other("it is no regular file")));
    }
    if metadata.len() > LARGEST {
        return Some(Err(io::Error::from(ErrorKind::FileTooLarge)));
    }
    // libpam knows bytes, of whatever encoding.
    let bytes = fs::read(file);
    Some(bytes.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()))
}

fn below(root: &Path, path: impl AsRef<Path>) -> PathBuf {
    let path = path.as_ref();
    root.join(path.strip_prefix("/").unwrap_or(path))
}

/// A system with these files.
#[cfg(test)]
pub(crate) fn system(files: &[(&str, &str)]) -> tempfile::TempDir {
    let root = tempfile::tempdir().unwrap();
    for (file, text) in files {
        let file = below(root.path(), file);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, text).unwrap();
    }
    root
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(root: &tempfile::TempDir) -> io::Result<String> {
        let (_, text) = open(root.path(), "sshd").unwrap();
        text
    }

    #[test]
    fn what_is_there_is_read_whatever_its_encoding() {
        let root = system(&[("/usr/lib/pam.d/sshd", "session required pam_never.so")]);
        fs::create_dir(root.path().join("etc")).unwrap();
        fs::create_dir(root.path().join("etc/pam.d")).unwrap();
        let file = root.path().join("etc/pam.d/sshd");
        fs::write(&file, b"# gr\xfc\xdfe\nsession required pam_a.so\n").unwrap();
        assert!(
            text(&root)
                .unwrap()
                .ends_with("e\nsession required pam_a.so\n")
        );
    }

    #[test]
    fn what_is_there_and_cannot_be_read_does_not_pass_for_absent() {
        let root = system(&[("/usr/lib/pam.d/sshd", "session required pam_never.so")]);
        fs::create_dir_all(root.path().join("etc/pam.d/sshd")).unwrap();
        assert!(text(&root).is_err());
        let large = "#".repeat(usize::try_from(LARGEST).unwrap() + 1);
        let root = system(&[
            ("/etc/pam.d/sshd", &large),
            ("/usr/lib/pam.d/sshd", "session required pam_never.so"),
        ]);
        assert!(text(&root).is_err());
    }

    #[test]
    fn the_largest_file_is_read_and_what_is_no_directory_is_not_absent() {
        let line = "session required pam_a.so\n#";
        let room = usize::try_from(LARGEST).unwrap() - line.len();
        let largest = format!("{line}{}", "x".repeat(room));
        let root = system(&[("/etc/pam.d/sshd", &largest)]);
        assert_eq!(text(&root).unwrap(), largest);
        let root = system(&[("/usr/lib/pam.d/sshd", line)]);
        fs::write(root.path().join("etc"), "").unwrap();
        assert!(text(&root).is_err());
    }

    #[test]
    fn every_service_is_known_once() {
        let root = system(&[
            ("/etc/pam.d/sshd", ""),
            ("/usr/lib/pam.d/sshd", ""),
            ("/usr/lib/pam.d/systemd-user", ""),
        ]);
        assert_eq!(services(root.path()).len(), 2);
    }
}
