//! What a walk goes through and where it stops.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::fs::{self, File, Permissions};
use std::io::{self, Write};
use std::os::fd::OwnedFd;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, lchown, symlink};
use std::path::{Path, PathBuf};

use config::walk::{MOST_LINKS, Rules, Stopped, walk};
use nix::errno::Errno;
use nix::fcntl::{FcntlArg, FdFlag, OFlag, fcntl};

const OWNER: u32 = 1001;
const SOMEBODY: u32 = 1002;

const RULES: Rules = Rules {
    owner: OWNER,
    owners_links: false,
    make_missing: false,
};
const LINKS: Rules = Rules {
    owners_links: true,
    ..RULES
};
const MAKING: Rules = Rules {
    make_missing: true,
    ..LINKS
};

/// A machine's directories, below one of root's with nothing but root's above it;
/// gone at the end.
struct Tree(PathBuf);

impl Tree {
    /// None for whoever is not root, said aloud.
    fn grow(test: &str) -> Option<Self> {
        if fs::metadata("/proc/self").unwrap().uid() != 0 {
            let _ = writeln!(io::stderr(), "SKIPPED: only root gives files away");
            return None;
        }
        let tree = Self(PathBuf::from(format!(
            "/run/nix-ns-test.{}.{test}",
            std::process::id()
        )));
        fs::create_dir_all(&tree.0).unwrap();
        for (directory, owner, mode) in [
            ("home", OWNER, 0o755),
            ("home/nix", OWNER, 0o755),
            ("home/shut", OWNER, 0o700),
            ("roots", 0, 0o755),
            ("roots/nix", 0, 0o755),
            ("somebodys", SOMEBODY, 0o755),
            ("somebodys/nix", OWNER, 0o755),
            ("groups", 0, 0o775),
            ("groups/nix", OWNER, 0o755),
            ("everybodys", 0, 0o777),
            ("everybodys/nix", OWNER, 0o755),
            ("sticky", 0, 0o1777),
            ("sticky/nix", OWNER, 0o755),
        ] {
            fs::create_dir(tree.at(directory)).unwrap();
            chown(tree.at(directory), Some(owner), None).unwrap();
            fs::set_permissions(tree.at(directory), Permissions::from_mode(mode)).unwrap();
        }
        File::create(tree.at("home/file")).unwrap();
        for (link, target, owner) in [
            ("home/link", "nix", OWNER),
            ("home/by-root", "nix", 0),
            ("home/absolute", "/run", OWNER),
            ("home/dangling", "none", OWNER),
            ("home/circle", "circle", OWNER),
            ("home/up", "../roots/nix", OWNER),
            ("by-root", "home", 0),
            ("by-owner", "home", OWNER),
            ("sticky/by-root", "nix", 0),
            ("sticky/by-owner", "nix", OWNER),
            ("sticky/by-somebody", "nix", SOMEBODY),
        ] {
            symlink(target, tree.at(link)).unwrap();
            lchown(tree.at(link), Some(owner), None).unwrap();
        }
        Some(tree)
    }

    fn at(&self, path: &str) -> PathBuf {
        self.0.join(path)
    }

    fn walk(&self, path: &str, rules: Rules) -> Result<OwnedFd, Stopped> {
        walk(&self.0, Path::new(path).iter(), rules)
    }

    #[track_caller]
    fn leads(&self, path: &str, rules: Rules, to: &Path) {
        let found = File::from(self.walk(path, rules).unwrap());
        let (found, to) = (found.metadata().unwrap(), fs::symlink_metadata(to).unwrap());
        assert_eq!((found.dev(), found.ino()), (to.dev(), to.ino()), "{path}");
    }

    #[track_caller]
    fn stops(&self, path: &str, rules: Rules, by: &Stopped) {
        assert_eq!(&self.walk(path, rules).unwrap_err(), by, "{path}");
    }

    fn denied(&self, path: &str, errno: Errno) -> Stopped {
        Stopped::Denied {
            path: self.at(path),
            what: "opened",
            errno,
        }
    }
}

impl Drop for Tree {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

macro_rules! tree_or_skip {
    ($name:literal) => {
        match Tree::grow($name) {
            Some(tree) => tree,
            None => return,
        }
    };
}

#[test]
fn through_directories_of_roots_and_the_owners() {
    let tree = tree_or_skip!("through");
    for path in ["home/nix", "roots/nix", "sticky/nix", "home/file", "home"] {
        tree.leads(path, RULES, &tree.at(path));
    }
    // Whose the last one is, its caller looks at.
    for path in ["somebodys", "groups", "everybodys"] {
        tree.leads(path, RULES, &tree.at(path));
    }
}

#[test]
fn through_none_that_somebody_else_can_change() {
    let tree = tree_or_skip!("foreign");
    for (directory, owner, mode) in [
        ("somebodys", SOMEBODY, 0o755),
        ("groups", 0, 0o775),
        ("everybodys", 0, 0o777),
    ] {
        let by = Stopped::Foreign {
            path: tree.at(directory),
            owner,
            mode,
        };
        tree.stops(&format!("{directory}/nix"), MAKING, &by);
    }
}

#[test]
fn links_that_only_root_can_have_made_are_followed() {
    let tree = tree_or_skip!("roots-links");
    tree.leads("by-root/nix", RULES, &tree.at("home/nix"));
    tree.leads("by-root", RULES, &tree.at("home"));
    for link in [
        "by-owner",
        "home/link",
        "home/by-root",
        "sticky/by-root",
        "sticky/by-owner",
        "sticky/by-somebody",
    ] {
        tree.stops(link, RULES, &Stopped::Link(tree.at(link)));
        tree.stops(&format!("{link}/nix"), RULES, &Stopped::Link(tree.at(link)));
    }
}

#[test]
fn links_of_the_owners_are_followed_where_that_is_allowed() {
    let tree = tree_or_skip!("links");
    for (path, to) in [
        ("home/link", "home/nix"),
        ("home/by-root", "home/nix"),
        ("by-owner/link", "home/nix"),
        ("sticky/by-owner", "sticky/nix"),
        ("sticky/by-root", "sticky/nix"),
        ("home/up", "roots/nix"),
    ] {
        tree.leads(path, LINKS, &tree.at(to));
    }
    tree.leads("home/absolute", LINKS, Path::new("/run"));
    let by = Stopped::Foreign {
        path: tree.at("sticky/by-somebody"),
        owner: SOMEBODY,
        mode: 0o777,
    };
    tree.stops("sticky/by-somebody", LINKS, &by);
    let circle = tree.at("home/circle");
    tree.stops("home/circle", LINKS, &Stopped::ManyLinks(circle));
}

/// As many as the kernel follows, and not one more.
#[test]
fn the_last_link_that_is_followed_is_the_kernels_last() {
    let tree = tree_or_skip!("many");
    for number in 0..=MOST_LINKS {
        let target = match number {
            0 => String::from("nix"),
            _ => format!("chain-{}", number - 1),
        };
        let link = tree.at(&format!("home/chain-{number}"));
        symlink(target, &link).unwrap();
        lchown(&link, Some(OWNER), None).unwrap();
    }
    let (last, more) = (MOST_LINKS - 1, MOST_LINKS);
    tree.leads(&format!("home/chain-{last}"), LINKS, &tree.at("home/nix"));
    let by = Stopped::ManyLinks(tree.at("home/chain-0"));
    tree.stops(&format!("home/chain-{more}"), LINKS, &by);
    assert!(fs::metadata(tree.at(&format!("home/chain-{last}"))).is_ok());
    assert!(fs::metadata(tree.at(&format!("home/chain-{more}"))).is_err());
}

#[test]
fn what_is_missing_is_made_only_where_it_was_asked_for() {
    let tree = tree_or_skip!("missing");
    tree.stops("home/new", LINKS, &tree.denied("home/new", Errno::ENOENT));
    let none = tree.denied("home/none", Errno::ENOENT);
    tree.stops("home/dangling", MAKING, &none);
    assert!(!tree.at("home/none").exists());
    tree.leads("home/nix", MAKING, &tree.at("home/nix"));
    let made = tree.walk("home/new/below", MAKING).unwrap();
    let made = File::from(made).metadata().unwrap();
    assert_eq!(made.mode() & 0o7777, 0o700);
    assert_eq!(
        made.ino(),
        fs::metadata(tree.at("home/new/below")).unwrap().ino()
    );
}

#[test]
fn a_file_leads_nowhere() {
    let tree = tree_or_skip!("file");
    let by = Stopped::NotDirectory(tree.at("home/file"));
    tree.stops("home/file/nix", MAKING, &by);
    let from = tree.at("home/file");
    let by = tree.denied("home/file", Errno::ENOTDIR);
    assert_eq!(walk(&from, [].into_iter(), RULES).unwrap_err(), by);
}

/// Nothing is read, nothing waits, and nobody inherits it.
#[test]
fn all_is_opened_for_reference_only() {
    let tree = tree_or_skip!("reference");
    for path in ["", "home", "home/file"] {
        let found = tree.walk(path, RULES).unwrap();
        let flags = fcntl(&found, FcntlArg::F_GETFL).unwrap();
        assert!(
            OFlag::from_bits_retain(flags).contains(OFlag::O_PATH),
            "{path}"
        );
        let flags = fcntl(&found, FcntlArg::F_GETFD).unwrap();
        assert_eq!(flags, FdFlag::FD_CLOEXEC.bits(), "{path}");
    }
}
