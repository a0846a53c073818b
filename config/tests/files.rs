//! Which files are read at all.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::fs::{self, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::Command;

use config::{Error, Fingerprint, MAX_FILE_SIZE, OwnedFile, Site};

/// A fresh directory for one test.
fn directory(test: &str) -> PathBuf {
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join(test);
    let _ = fs::remove_dir_all(&directory);
    fs::create_dir_all(&directory).unwrap();
    directory
}

fn write(path: &Path, bytes: impl AsRef<[u8]>) {
    fs::write(path, bytes).unwrap();
    fs::set_permissions(path, Permissions::from_mode(0o644)).unwrap();
}

fn me() -> u32 {
    fs::metadata("/proc/self").unwrap().uid()
}

fn read(path: &Path) -> Result<Option<OwnedFile>, Error> {
    OwnedFile::read(path, me())
}

fn complaint(path: &Path) -> String {
    read(path).unwrap_err().to_string()
}

#[test]
fn reads_text_and_fingerprint() {
    let file = directory("reads").join("config.toml");
    assert_eq!(read(&file).unwrap(), None);
    write(&file, "enable = true\n");
    let first = read(&file).unwrap().unwrap();
    assert_eq!(first.text, "enable = true\n");
    assert_eq!(
        first.fingerprint,
        Fingerprint::from(&fs::metadata(&file).unwrap())
    );
    write(&file, "enable = false\n");
    assert_ne!(read(&file).unwrap().unwrap().fingerprint, first.fingerprint);
}

#[test]
fn follows_symlinks() {
    let directory = directory("follows");
    write(&directory.join("target"), "x");
    symlink("target", directory.join("link")).unwrap();
    assert_eq!(read(&directory.join("link")).unwrap().unwrap().text, "x");
}

#[test]
fn size_is_bounded() {
    let file = directory("size").join("config.toml");
    let most = usize::try_from(MAX_FILE_SIZE).unwrap();
    write(&file, "#".repeat(most));
    assert!(read(&file).is_ok());
    write(&file, "#".repeat(most + 1));
    assert!(complaint(&file).contains("larger than 65536 bytes"));
}

#[test]
fn somebody_elses() {
    let file = directory("owner").join("config.toml");
    write(&file, "");
    let result = OwnedFile::read(&file, me() + 1);
    if me() == 0 {
        assert!(result.is_ok(), "root's files are as good as one's own");
        std::os::unix::fs::chown(&file, Some(7), None).unwrap();
        assert!(complaint(&file).contains("belongs to uid 7, not to uid 0"));
    } else {
        assert!(matches!(result, Err(Error::NotOwned { .. })));
    }
    assert_eq!(OwnedFile::read_draft(&file).unwrap().unwrap().text, "");
}

#[test]
fn writable_by_others() {
    let file = directory("mode").join("config.toml");
    write(&file, "");
    for mode in [0o664, 0o646, 0o606] {
        fs::set_permissions(&file, Permissions::from_mode(mode)).unwrap();
        assert!(complaint(&file).contains(&format!("(mode {mode:04o}); `chmod go-w ")));
    }
    fs::set_permissions(&file, Permissions::from_mode(0o755)).unwrap();
    assert!(read(&file).is_ok());
}

#[test]
fn not_utf8_says_where() {
    let file = directory("utf8").join("config.toml");
    write(&file, b"a = 1\nb\xc3\xa9 = \xff\xfe");
    let expected = format!("{}:2:6: not UTF-8", file.display());
    assert!(complaint(&file).starts_with(&expected));
}

#[test]
fn not_regular_and_never_blocking() {
    let directory = directory("regular");
    assert!(complaint(&directory).contains("not a regular file"));
    let fifo = directory.join("fifo");
    assert!(
        Command::new("mkfifo")
            .arg(&fifo)
            .status()
            .unwrap()
            .success()
    );
    assert!(complaint(&fifo).contains("not a regular file"));
    assert!(complaint(Path::new("/dev/null")).contains("not a regular file"));
    // A socket's name must be short, and this directory's need not be.
    let socket = PathBuf::from(format!("/tmp/nix-ns-{}", std::process::id()));
    let _listener = UnixListener::bind(&socket).unwrap();
    let complaint = complaint(&socket);
    fs::remove_file(&socket).unwrap();
    assert!(complaint.contains("not a regular file"), "{complaint}");
}

#[test]
fn links_into_the_store() {
    let directory = directory("store");
    let file = directory.join("config.toml");
    symlink(
        "/nix/store/x-home-manager-files/config.toml",
        directory.join("generation"),
    )
    .unwrap();
    symlink("generation", &file).unwrap();
    assert_eq!(
        complaint(&file),
        format!(
            "{0}: {0} is a symlink into /nix (/nix/store/x-home-manager-files/config.toml), which is \
             not there before your session has it: keep this one file outside the store, as a regular file",
            file.display()
        )
    );
}

#[test]
fn a_directory_that_is_a_link_into_the_store() {
    let directory = directory("directory");
    let up = "../".repeat(directory.components().count());
    symlink(format!("{up}nix/store/x"), directory.join("nix-ns")).unwrap();
    let complaint = complaint(&directory.join("nix-ns/config.toml"));
    assert!(
        complaint.contains("nix-ns is a symlink into /nix ("),
        "{complaint}"
    );
}

#[test]
fn other_dangling_links_name_their_target() {
    let directory = directory("dangling");
    let file = directory.join("config.toml");
    symlink("dotfiles/config.toml", &file).unwrap();
    assert_eq!(
        complaint(&file),
        format!(
            "{0}: {0} is a symlink to {1}/dotfiles/config.toml, which is not there; \
             make the target or remove the link",
            file.display(),
            directory.display()
        )
    );
}

#[test]
fn unreadable_says_why() {
    let directory = directory("unreadable");
    write(&directory.join("file"), "");
    assert!(
        complaint(&directory.join("file/config.toml"))
            .contains("something above it is not a directory")
    );
    symlink("loop", directory.join("loop")).unwrap();
    assert!(complaint(&directory.join("loop")).contains("lead in a circle"));
    if me() != 0 {
        fs::set_permissions(directory.join("file"), Permissions::from_mode(0o000)).unwrap();
        assert!(complaint(&directory.join("file")).contains("permission denied"));
    }
}

#[test]
fn the_site_file_needs_trusted_directories() {
    let directory = directory("site");
    let file = directory.join("config.toml");
    write(&file, "");
    fs::set_permissions(&directory, Permissions::from_mode(0o777)).unwrap();
    let complaint = Site::read(&file).unwrap_err().to_string();
    assert!(
        complaint.contains("must be root's and writable by nobody else"),
        "{complaint}"
    );
}

/// A directory of root's with nothing but root's above it, gone at the end.
struct RootsOwn(PathBuf);

impl RootsOwn {
    /// None for whoever is not root, said aloud.
    fn make() -> Option<Self> {
        if me() != 0 {
            let _ = writeln!(
                io::stderr(),
                "SKIPPED: only root makes a directory of root's"
            );
            return None;
        }
        let directory = PathBuf::from(format!("/run/nix-ns-test.{}", std::process::id()));
        for below in ["a", "b", "open/b"] {
            fs::create_dir_all(directory.join(below)).unwrap();
        }
        for below in ["a", "b", "open", "open/b"] {
            write(
                &directory.join(below).join("config.toml"),
                "enable = false\n",
            );
        }
        symlink("a", directory.join("to-a")).unwrap();
        symlink("open", directory.join("to-open")).unwrap();
        symlink("open/b", directory.join("to-b-in-open")).unwrap();
        symlink("../b/config.toml", directory.join("a/to-b")).unwrap();
        symlink("../open/config.toml", directory.join("a/to-open")).unwrap();
        symlink("../b/config.toml", directory.join("open/to-b")).unwrap();
        fs::set_permissions(directory.join("open"), Permissions::from_mode(0o777)).unwrap();
        Some(Self(directory))
    }
}

impl Drop for RootsOwn {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[test]
fn every_directory_above_the_site_file_is_looked_at() {
    let Some(RootsOwn(ref directory)) = RootsOwn::make() else {
        return;
    };
    for (file, open) in [
        ("a/config.toml", None),
        ("to-a/config.toml", None),
        ("a/to-b", None),
        ("a/../b/config.toml", None),
        ("open/config.toml", Some("open")),
        ("open/b/config.toml", Some("open")),
        ("to-open/config.toml", Some("open")),
        ("to-b-in-open/config.toml", Some("open")),
        // Where it leads.
        ("a/to-open", Some("open")),
        // Where it is.
        ("open/to-b", Some("open")),
        // Not what it looks like.
        ("to-b-in-open/../config.toml", Some("open")),
        // What is not there has not been put there by others.
        ("open/none.toml", Some("open")),
    ] {
        let read = Site::read(&directory.join(file));
        match open {
            None => assert!(read.unwrap().1.is_some(), "{file}"),
            Some(open) => {
                let complaint = read.unwrap_err().to_string();
                let named = directory.join(open).display().to_string();
                assert!(complaint.contains(&named), "{file}: {complaint}");
                assert!(complaint.contains("must be root's"), "{file}: {complaint}");
            }
        }
    }
    for none in ["a/none.toml", "none/config.toml"] {
        let (_, fingerprint) = Site::read(&directory.join(none)).unwrap();
        assert!(fingerprint.is_none(), "{none}");
    }
    std::os::unix::fs::chown(directory.join("b"), Some(7), None).unwrap();
    let complaint = Site::read(&directory.join("a/to-b")).unwrap_err();
    assert!(
        complaint.to_string().contains("it is uid 7's"),
        "{complaint}"
    );
}

#[test]
fn a_trusted_site_file_is_read() {
    // Root's on every system, below directories that are root's; not TOML.
    let complaint = Site::read(Path::new("/etc/passwd"))
        .unwrap_err()
        .to_string();
    assert!(complaint.starts_with("/etc/passwd:1:"), "{complaint}");
}

/// What is said of `a/config.toml` below a directory of this name.
fn below(home: &Path) -> Result<Option<OwnedFile>, Error> {
    OwnedFile::read_below(home, "a/config.toml", me())
}

#[test]
fn a_file_below_a_directory_that_others_can_write_is_refused() {
    let home = directory("below");
    assert_eq!(below(&home).unwrap(), None);
    assert_eq!(below(&home.join("missing")).unwrap(), None);
    fs::create_dir(home.join("a")).unwrap();
    assert_eq!(below(&home).unwrap(), None);
    write(&home.join("a/config.toml"), "x");
    for (mode, is_closed) in [
        (0o755, true),
        (0o775, false),
        (0o757, false),
        (0o1777, true),
        (0o700, true),
    ] {
        fs::set_permissions(home.join("a"), Permissions::from_mode(mode)).unwrap();
        let read = below(&home);
        assert_eq!(read.is_ok(), is_closed, "{mode:o}: {read:?}");
    }
}

#[test]
fn what_a_link_leads_through_is_looked_at_as_well() {
    let home = directory("through");
    for below in ["a", "open/b", "b"] {
        fs::create_dir_all(home.join(below)).unwrap();
    }
    fs::set_permissions(home.join("open"), Permissions::from_mode(0o777)).unwrap();
    write(&home.join("b/config.toml"), "x");
    write(&home.join("open/b/config.toml"), "x");
    let link = home.join("a/config.toml");
    symlink("../b/config.toml", &link).unwrap();
    assert_eq!(below(&home).unwrap().unwrap().text, "x");
    for (target, mode) in [
        ("../open/b/config.toml", 0o777),
        // A link in an open directory, to a closed one.
        ("../open/link", 0o777),
        // A link in a directory where only owners rename is its owner's.
        ("../open/link", 0o1777),
    ] {
        fs::remove_file(&link).unwrap();
        symlink(target, &link).unwrap();
        let open = home.join("open");
        fs::set_permissions(&open, Permissions::from_mode(mode)).unwrap();
        let _ = fs::remove_file(open.join("link"));
        symlink("../b/config.toml", open.join("link")).unwrap();
        let way = if mode == 0o777 { "open" } else { "open/link" };
        if mode == 0o1777 {
            if me() != 0 {
                continue;
            }
            std::os::unix::fs::lchown(open.join("link"), Some(7), None).unwrap();
        }
        let message = below(&home).unwrap_err().to_string();
        let way = home.join(way).display().to_string();
        let expected = format!("others can change {way} (owner");
        assert!(message.contains(&expected), "{message}");
        let mend = match mode {
            0o777 => format!("`chmod go-w {way}`"),
            _ => String::from("keep it below directories of your own"),
        };
        assert!(message.contains(&mend), "{message}");
    }
}
