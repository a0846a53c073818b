//! Who takes part, under which rules, with which directory.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use config::{
    Account, Answer, Participation, Refusal, RootPattern, RootSessions, ServiceRules, Site,
    SourcePath, StorePath, UidRange, User, WishedPath, answer,
};

fn alice() -> Account {
    Account {
        name: String::from("alice"),
        uid: 1000,
        gid: 1000,
        groups: vec![1000],
        home: PathBuf::from("/home/alice"),
    }
}

fn site(text: &str) -> Site {
    Site::parse(text, Path::new("site.toml")).unwrap()
}

fn user(text: &str) -> User {
    User::parse(text, Path::new("user.toml")).unwrap()
}

fn participation(site: &Site, account: &Account) -> Participation {
    site.participation(account, UidRange::default(), &|group| group == "staff")
}

#[test]
fn a_missing_site_file_selects_people() {
    assert_eq!(
        participation(&Site::default(), &alice()),
        Participation::Selected
    );
    assert!(
        matches!(Site::read(Path::new("/etc/there is no such file")), Ok((site, None)) if site == Site::default())
    );
}

#[test]
fn root_is_decided_before_anything_configured() {
    let root = Account { uid: 0, ..alice() };
    for text in [
        "enable = false",
        "[users]\nuid_min = 0\nallow_users = [\"alice\"]",
    ] {
        assert_eq!(participation(&site(text), &root), Participation::Root);
    }
}

#[test]
fn reasons_come_in_order() {
    let daemon = Account { uid: 33, ..alice() };
    let outside = Participation::OutsideUidRange {
        uid: 33,
        range: UidRange {
            min: 1000,
            max: 60000,
        },
    };
    assert_eq!(
        participation(&site("enable = false"), &daemon),
        Participation::SiteDisabled
    );
    assert_eq!(
        participation(&site("[users]\nallow_users = [\"alice\"]"), &daemon),
        outside
    );
    assert_eq!(
        participation(&site("[users]\nuid_min = 33"), &daemon),
        Participation::Selected
    );
    assert_eq!(
        outside.to_string(),
        "uid 33 is outside the range 1000 to 60000 that the site selects"
    );
}

#[test]
fn deny_wins_over_allow() {
    for (text, expected) in [
        (
            "deny_users = ['alice']\nallow_users = ['alice']",
            "the site configuration denies user alice",
        ),
        (
            "deny_groups = ['staff']\nallow_users = ['alice']",
            "the site configuration denies group staff",
        ),
        (
            "allow_users = ['bob']",
            "the site configuration allows certain users and groups, not this one",
        ),
        (
            "allow_groups = ['wheel']",
            "the site configuration allows certain users and groups, not this one",
        ),
        (
            "allow_users = ['bob']\nallow_groups = ['staff']",
            "the site configuration selects it",
        ),
        (
            "allow_users = ['alice']\nallow_groups = ['wheel']",
            "the site configuration selects it",
        ),
        (
            "deny_users = ['bob']\ndeny_groups = ['wheel']",
            "the site configuration selects it",
        ),
    ] {
        let site = site(&format!("[users]\n{text}"));
        assert_eq!(participation(&site, &alice()).to_string(), expected);
    }
}

#[test]
fn service_sections_override_key_by_key() {
    let site =
        site("[services.lightdm]\nskip = true\n[services.sshd]\nroot = \"stay\"\nthreaded = true");
    let leave = ServiceRules {
        skip: false,
        threaded: false,
        root: RootSessions::Leave,
    };
    assert_eq!(
        site.rules_for("lightdm"),
        ServiceRules {
            skip: true,
            threaded: true,
            ..leave
        }
    );
    assert_eq!(
        site.rules_for("sshd"),
        ServiceRules {
            threaded: true,
            root: RootSessions::Stay,
            ..leave
        }
    );
    assert_eq!(
        site.rules_for("gdm-password"),
        ServiceRules {
            threaded: true,
            ..leave
        }
    );
    assert_eq!(site.rules_for("login"), leave);
}

#[test]
fn login_defs_as_shadow_reads_it() {
    let range = UidRange::from_login_defs;
    assert_eq!(
        range(""),
        UidRange {
            min: 1000,
            max: 60000
        }
    );
    assert_eq!(
        range("#UID_MIN 1\nSYS_UID_MIN 2\nUID_MIN\t\t 500 \nUID_MAX \"0x7fff\""),
        UidRange {
            min: 500,
            max: 32767
        }
    );
    assert_eq!(
        range("UID_MIN 1\nUID_MIN 01750\nUID_MAX many"),
        UidRange {
            min: 1000,
            max: 60000
        }
    );
    assert_eq!(
        range("UID_MAX -1\nUID_MIN"),
        UidRange {
            min: 1000,
            max: 60000
        }
    );
}

#[test]
fn refusals_have_the_names_they_are_written_with() {
    for refusal in Refusal::ALL {
        let site = site(&format!("override_refusals = [\"{refusal}\"]"));
        assert!(site.override_refusals.contains(&refusal));
        assert!(refusal.remedy().ends_with('.'));
    }
}

#[test]
fn specifiers_and_home() {
    for (written, expected) in [
        ("~", "/home/alice"),
        ("~/", "/home/alice"),
        ("~/nix", "/home/alice/nix"),
        ("nix", "/home/alice/nix"),
        ("a//b/", "/home/alice/a/b"),
        ("/scratch/%u/%U-%H", "/scratch/alice/1000-node1"),
        ("%h/x", "/home/alice/x"),
        ("/data%h", "/data/home/alice"),
        ("/a/%%u/..x", "/a/%u/..x"),
        ("a~b", "/home/alice/a~b"),
    ] {
        let wished = SourcePath::parse(written)
            .unwrap()
            .expand(&alice(), "node1")
            .unwrap();
        assert_eq!(wished.as_path().as_os_str(), expected, "{written}");
    }
}

#[test]
fn specifier_values_are_never_more_than_one_name() {
    let path = SourcePath::parse("/scratch/%u/%H").unwrap();
    for bad in ["", ".", "..", "a/b", "/", "a\0b", "a\nb"] {
        let account = Account {
            name: bad.to_owned(),
            ..alice()
        };
        assert!(path.expand(&account, "node1").is_err());
        assert!(path.expand(&alice(), bad).is_err());
    }
    let account = Account {
        name: String::from("../etc"),
        ..alice()
    };
    assert_eq!(
        path.expand(&account, "node1").unwrap_err().to_string(),
        "`%u` cannot be used in a path here: the user name is \"../etc\""
    );
}

#[test]
fn a_home_is_a_directory_of_ones_own() {
    for home in ["", "/", "//", "home", "/home/../etc", "/home/a\0b"] {
        let account = Account {
            home: PathBuf::from(home),
            ..alice()
        };
        assert!(
            SourcePath::default().expand(&account, "h").is_err(),
            "{home}"
        );
        assert!(
            SourcePath::parse("x")
                .unwrap()
                .expand(&account, "h")
                .is_err(),
            "{home}"
        );
        assert!(
            RootPattern::parse("%h")
                .unwrap()
                .expand(&account, "h")
                .is_err(),
            "{home}"
        );
    }
}

#[test]
fn expansion_is_bounded() {
    let path = SourcePath::parse(&"%h".repeat(2000)).unwrap();
    let error = path.expand(&alice(), "h").unwrap_err();
    assert_eq!(error.to_string(), "the path is longer than 4095 bytes");
}

fn below(path: &str, roots: &[&str]) -> Result<StorePath, config::Error> {
    let roots: Vec<PathBuf> = roots.iter().map(PathBuf::from).collect();
    StorePath::below(WishedPath::new(Path::new(path))?, &roots)
}

#[test]
fn the_deepest_root_counts() {
    let path = below("/home/alice/a/b", &["/", "/home/alice", "/home"]).unwrap();
    assert_eq!(path.as_path(), Path::new("/home/alice/a/b"));
    assert_eq!(path.root(), Path::new("/home/alice"));
    let components: Vec<_> = path.components().map(OsString::from).collect();
    assert_eq!(components, ["a", "b"]);
}

#[test]
fn outside_every_root() {
    for (path, roots) in [
        ("/home/alice", &["/home/alice"][..]),
        ("/home/alicex/nix", &["/home/alice"]),
        (
            "/home/bob/nix",
            &["/home/alice", "home/bob", "/home/../home/bob", ""],
        ),
        ("/", &["/"]),
        ("/home/alice/nix", &[]),
    ] {
        assert!(below(path, roots).is_err(), "{path}");
    }
    assert_eq!(
        below("/etc/nix", &["/home/alice", "/scratch"])
            .unwrap_err()
            .to_string(),
        "the store directory /etc/nix is not below /home/alice or /scratch; \
         choose a `source_path` below it"
    );
}

#[test]
fn forbidden_places() {
    for path in [
        "/nix",
        "/nix/a",
        "/proc/1",
        "/sys/a",
        "/dev/shm/a",
        "/run/nix-ns/a",
    ] {
        assert!(
            below(path, &["/", "/nix", "/dev/shm"])
                .unwrap_err()
                .to_string()
                .contains("where none can be")
        );
    }
    assert!(below("/nixx/a", &["/"]).is_ok());
}

#[test]
fn both_configurations_combined() {
    let site = Site::default();
    let roots = [PathBuf::from("/home/alice")];
    let combine = |opt_in, user: Option<&User>| {
        answer(&site.source_path, opt_in, &roots, user, &alice(), "node1").unwrap()
    };
    let store = |path, allow_symlinks| Answer::Store {
        path: below(path, &["/home/alice"]).unwrap(),
        allow_symlinks,
        environment: true,
    };
    assert_eq!(combine(true, None), Answer::NotOptedIn);
    assert_eq!(
        combine(false, None),
        store("/home/alice/.local/share/nix", false)
    );
    assert_eq!(
        combine(true, Some(&user(""))),
        store("/home/alice/.local/share/nix", false)
    );
    assert_eq!(
        combine(false, Some(&user("enable = false"))),
        Answer::DisabledByUser
    );
    assert_eq!(
        combine(
            true,
            Some(&user("source_path = 'n'\nallow_symlinks = true"))
        ),
        store("/home/alice/n", true)
    );
    let switched_off = user("environment = false");
    let Answer::Store { environment, .. } = combine(true, Some(&switched_off)) else {
        panic!("a store");
    };
    assert!(!environment);
}

#[test]
fn a_path_may_be_as_long_as_the_kernel_takes_and_no_longer() {
    let of_length = |length: usize| format!("/{}", "x".repeat(length - 1));
    let wish = |path: &str| config::WishedPath::new(Path::new(path));
    let expand = |home: usize, written: &str| {
        let account = Account {
            home: PathBuf::from(of_length(home)),
            ..alice()
        };
        SourcePath::parse(written).unwrap().expand(&account, "h")
    };
    assert!(SourcePath::parse(&of_length(4095)).is_ok());
    assert!(SourcePath::parse(&of_length(4096)).is_err());
    assert!(wish(&of_length(4095)).is_ok());
    for length in [4096, 5000] {
        assert!(wish(&of_length(length)).is_err());
    }
    assert!(expand(4093, "%h/x").is_ok());
    for home in [4094, 4095] {
        assert!(expand(home, "%h/x").is_err());
        assert!(expand(home, "x").is_err());
    }
}

#[test]
fn paths_and_roots_are_shown_as_they_were_written() {
    let path = SourcePath::parse("~/%u").unwrap();
    assert_eq!((path.as_str(), path.to_string().as_str()), ("~/%u", "~/%u"));
    let root = config::RootPattern::parse("%h/x").unwrap();
    assert_eq!(root.to_string(), "%h/x");
}

#[test]
fn a_lone_zero_in_login_defs_is_zero() {
    let range = UidRange::from_login_defs("UID_MIN 0\nUID_MAX 00\n");
    assert_eq!((range.min, range.max), (0, 0));
}

/// What the running system says, whatever that is.
#[test]
fn the_systems_own_range_is_read() {
    let text = std::fs::read_to_string("/etc/login.defs")
        .or_else(|_| std::fs::read_to_string("/usr/etc/login.defs"))
        .unwrap_or_default();
    assert_eq!(
        UidRange::read_login_defs().unwrap(),
        UidRange::from_login_defs(&text)
    );
}

#[test]
fn a_root_behind_a_link_counts_under_both_names() {
    let scratch = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("roots");
    let _ = std::fs::remove_dir_all(&scratch);
    std::fs::create_dir_all(scratch.join("gpfs")).unwrap();
    std::os::unix::fs::symlink("gpfs", scratch.join("home")).unwrap();
    let scratch = scratch.canonicalize().unwrap();
    let roots = config::with_real_paths(&[scratch.join("home"), scratch.join("gone")]);
    let both = ["gone", "gpfs", "home"].map(|name| scratch.join(name));
    assert_eq!(roots, both);
    std::fs::remove_dir_all(scratch).unwrap();
}
