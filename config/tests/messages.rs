//! What people read when a configuration is wrong: file, line, column, mend.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::path::{Path, PathBuf};

use config::{Site, User, printable_message};

fn site(text: &str) -> String {
    Site::parse(text, Path::new("/etc/nix-ns/config.toml"))
        .unwrap_err()
        .to_string()
}

fn user(text: &str) -> String {
    User::parse(text, Path::new("/home/alice/c.toml"))
        .unwrap_err()
        .to_string()
}

#[test]
fn unknown_key_names_the_nearest_and_all() {
    assert_eq!(
        user("enable = true\n  sourcepath = \"x\"\n"),
        "/home/alice/c.toml:2:3: `sourcepath` is not a key; did you mean `source_path`? \
         the keys are `enable`, `source_path`, `allow_symlinks`, `environment`"
    );
    assert_eq!(
        user("colour = 1"),
        "/home/alice/c.toml:1:1: `colour` is not a key; \
         the keys are `enable`, `source_path`, `allow_symlinks`, `environment`"
    );
    assert!(site("[users]\nallow-user = []").starts_with(
        "/etc/nix-ns/config.toml:2:1: `allow-user` is not a key; did you mean `allow_users`?"
    ));
    assert!(
        site("[services.sshd]\nSkip = true")
            .starts_with("/etc/nix-ns/config.toml:2:1: `Skip` is not a key; did you mean `skip`?")
    );
}

#[test]
fn unknown_key_cannot_forge_the_message() {
    assert!(user("\"a`, expected `b\\n\\u001b[2J\" = 1").starts_with(
        r"/home/alice/c.toml:1:1: `a`, expected `b\u{a}\u{1b}[2J` is not a key; the keys are"
    ));
    assert!(user(&format!("{} = 1", "k".repeat(60_000))).chars().count() < 800);
}

#[test]
fn unknown_choice_names_the_nearest_and_all() {
    assert_eq!(
        site("override_refusals = [\n  \"nixos\",\n  \"userfuse\",\n]"),
        "/etc/nix-ns/config.toml:3:3: `userfuse` is not a choice; did you mean `user-fuse`? \
         the choices are `host-nix-owner`, `host-nix-writable`, `host-nix-not-empty`, `nixos`, \
         `privileged-reference`, `user-fuse`"
    );
    assert_eq!(
        site("[services.sshd]\nroot = \"remain\""),
        "/etc/nix-ns/config.toml:2:8: `remain` is not a choice; the choices are `leave`, `stay`"
    );
}

#[test]
fn wrong_types() {
    assert_eq!(
        user("enable = \"yes\""),
        "/home/alice/c.toml:1:10: invalid type: string \"yes\", expected a boolean"
    );
    assert!(
        site("\n[users]\nuid_min = -1").starts_with("/etc/nix-ns/config.toml:3:11: invalid value")
    );
    assert!(site("users = 3").starts_with("/etc/nix-ns/config.toml:1:9: invalid type"));
    assert!(site("roots = \"%h\"").starts_with("/etc/nix-ns/config.toml:1:9: invalid type"));
    let long = user(&format!("enable = \"{}\"", "é\u{202e}".repeat(10_000)));
    assert!(!long.contains('\u{202e}') && long.chars().count() < 600);
}

#[test]
fn broken_syntax() {
    assert!(user("enable = true\nenable").starts_with("/home/alice/c.toml:2:7: "));
    assert!(
        user("enable = true\nenable = false").starts_with("/home/alice/c.toml:2:1: duplicate key")
    );
    assert!(user("[[[").starts_with("/home/alice/c.toml:1:"));
    assert!(user("# é\nenable = tru # é").starts_with("/home/alice/c.toml:2:10: "));
    assert!(!user("a = \"\n\"").contains('\n'));
}

#[test]
fn deep_nesting_is_an_error_not_a_crash() {
    let deep = 60_000;
    for text in [
        format!("enable = {}", "[".repeat(deep)),
        format!("enable = {}{}", "[".repeat(deep / 2), "]".repeat(deep / 2)),
        format!("enable = {}", "{a=".repeat(deep / 3)),
        format!("{}a = 1", "a.".repeat(deep / 2)),
        format!("[{}a]", "a.".repeat(deep / 2)),
        format!("enable = {{{}a = 1}}", "a.".repeat(deep / 2)),
    ] {
        assert!(user(&text).starts_with("/home/alice/c.toml:1:"));
    }
}

#[test]
fn unusable_paths() {
    for (written, problem) in [
        ("", "the path is empty"),
        (
            "a\\nb",
            r#"the path "a\u{a}b" has a control character in it"#,
        ),
        (
            "a\\u0000b",
            r#"the path "a\u{0}b" has a control character in it"#,
        ),
        ("%x/nix", "`%x` in \"%x/nix\" means nothing; there are %u"),
        ("nix%", "`%` in \"nix%\" means nothing"),
        ("a/../b", "`..` in \"a/../b\": write the path without it"),
        ("..", "`..` in \"..\""),
        (
            "./nix",
            "`.` as a directory name in \"./nix\": leave it out",
        ),
        ("~bob/nix", "\"~bob/nix\": only one's own home can be meant"),
    ] {
        let message = user(&format!("source_path = \"{written}\""));
        assert!(
            message.starts_with(&format!("/home/alice/c.toml:1:15: {problem}")),
            "{message}"
        );
    }
    let long = format!("source_path = \"{}\"", "x".repeat(5_000));
    assert!(user(&long).ends_with("the path is longer than 4095 bytes"));
}

#[test]
fn unusable_roots() {
    for written in ["home", "%u", "%%h", "a%h"] {
        assert_eq!(
            site(&format!("strict = true\nroots = [\"/a\", \"{written}\"]")),
            format!(
                "/etc/nix-ns/config.toml:2:16: the root \"{written}\" is not absolute; \
                 begin it with `/`, `~` or `%h`"
            )
        );
    }
}

#[test]
fn service_names_are_lower_case() {
    let message = site("\n[services.SSHD]\nskip = true");
    assert!(
        message.starts_with("/etc/nix-ns/config.toml:2:")
            && message.ends_with("PAM has service names in lower case; write `sshd`"),
        "{message}"
    );
}

#[test]
fn a_value_that_is_no_text_says_what_is_wanted() {
    let message = user("source_path = true");
    assert!(message.contains("expected a string"), "{message}");
}

#[test]
fn what_keeps_a_file_from_being_read_says_what_to_do() {
    // EACCES, ENOTDIR, ELOOP and ENXIO, as every Linux numbers them.
    for (errno, words) in [
        (13, "its owner must be able to read it"),
        (20, "something above it is not a directory"),
        (40, "lead in a circle"),
        (6, "not a regular file"),
    ] {
        let error = config::Error::Unreadable {
            file: "config.toml".into(),
            source: std::io::Error::from_raw_os_error(errno),
        };
        assert!(error.to_string().contains(words), "{error}");
    }
}

#[test]
fn what_a_user_writes_never_hides_what_to_do() {
    let long = "\\n".repeat(30_000);
    for (text, mend) in [
        (format!("\"{long}\" = 1"), "`environment`"),
        (format!("enable = \"{long}\""), "expected a boolean"),
        (
            format!("enable = \"{long}, expected {long}\""),
            "expected a boolean",
        ),
        (
            format!("source_path = \"{}\"", "../".repeat(1_300)),
            "write the path without it",
        ),
        (
            format!("source_path = \"%x{}\"", "é".repeat(2_000)),
            "and %% (a percent sign)",
        ),
        (
            format!("source_path = \"~{}\"", "x".repeat(4_000)),
            "or an absolute path",
        ),
    ] {
        let file = "/".to_owned() + &"ü".repeat(4_000);
        let error = User::parse(&text, Path::new(&file)).unwrap_err();
        let message = error.to_string();
        assert!(message.ends_with(mend), "{message}");
        assert_eq!(printable_message(&message), message);
    }
    let services = format!("[services.\"{}\"]", "A".repeat(60_000));
    assert!(site(&services).ends_with("a…`"), "{}", site(&services));
}

#[test]
fn nothing_that_a_site_or_a_link_says_hides_what_to_do() {
    let long = || PathBuf::from("/".to_owned() + &"\n".repeat(4_000));
    for (error, mend) in [
        (
            config::Error::OutsideRoots {
                path: long(),
                roots: vec![long(); 128],
            },
            "choose a `source_path` below it",
        ),
        (
            config::Error::LinkIntoNix {
                file: long(),
                link: long(),
                target: long(),
            },
            "as a regular file",
        ),
        (
            config::Error::DanglingLink {
                file: long(),
                link: long(),
                target: long(),
            },
            "make the target or remove the link",
        ),
        (
            config::Error::NotOwned {
                file: long(),
                found: u32::MAX,
                owner: u32::MAX,
            },
            "write it anew as that user",
        ),
        (
            config::Error::ForbiddenPlace {
                path: long(),
                place: long(),
            },
            "choose another `source_path`",
        ),
    ] {
        let message = error.to_string();
        assert!(message.ends_with(mend), "{message}");
        assert_eq!(printable_message(&message), message);
    }
}

#[test]
fn a_bind_that_would_do_harm_is_refused() {
    let refused = |target: &str, source: &str| site(&format!("[binds]\n{target:?} = {source:?}"));
    for target in [
        "/",
        "/run",
        "/var",
        "/etc/ld.so.conf.d",
        "/nix",
        "/nix/store",
        "/usr/lib/x",
        "/home/alice/x",
        "/run/nix-ns/self",
        "/run/user/1001",
        "/tmp/x",
        "/proc/1",
        "/lib64",
        "//run/./user//x",
    ] {
        let said = refused(target, "/srv/driver");
        let at = "/etc/nix-ns/config.toml:2:1: ";
        assert!(said.starts_with(at), "{said}");
        assert!(
            said.contains("cannot be the target of a bind") || said.contains("`.`"),
            "{said}"
        );
    }
    for source in [
        "/",
        "/nix/store",
        "/proc/self",
        "/sys",
        "/dev/shm",
        "/run/nix-ns",
    ] {
        let said = refused("/run/x", source);
        assert!(said.contains("cannot be the source of a bind"), "{said}");
        assert!(said.starts_with("/etc/nix-ns/config.toml:2:12: "), "{said}");
    }
    for wrong in [
        "relative",
        "/srv/../etc",
        "",
        "/a\nb",
        "~/x",
        "%h",
        "/srv/%u",
    ] {
        refused(wrong, "/srv/driver");
        refused("/run/x", wrong);
    }
    assert!(refused("/run/x", "/srv/%u").contains("no `%`"));
    assert!(
        site("[binds]\n\"/opt/x/y\" = \"/srv/a\"\n\"/opt/x\" = \"/srv/b\"")
            .contains("/opt/x/y is below /opt/x")
    );
    assert!(refused("/run/x", "/").contains("nothing of / can"));
    assert!(refused("/run/x", "/proc/self").contains("nothing of /proc can"));
    let many = |count| {
        let lines = (0..count).map(|number| format!("\"/opt/{number}\" = \"/srv/a\"\n"));
        format!("[binds]\n{}", lines.collect::<String>())
    };
    assert!(Site::parse(&many(16), Path::new("site")).is_ok());
    assert!(site(&many(17)).contains("17 binds are too many"));
    assert!(
        site("[binds]\n\"/opt/a\" = \"/srv/a\"\n\"/opt/a\" = \"/srv/b\"").contains("duplicate")
    );
}

#[test]
fn so_many_roots_and_no_more() {
    let many = |count: usize| {
        let roots = (0..count).map(|number| format!("'/srv/{number}'"));
        format!("roots = [{}]", roots.collect::<Vec<_>>().join(", "))
    };
    assert!(Site::parse(&many(config::MOST_ROOTS), Path::new("site")).is_ok());
    let more = config::MOST_ROOTS.saturating_add(1);
    assert!(site(&many(more)).contains("129 roots are too many"));
}

#[test]
fn binds_are_what_is_written() {
    let text = "[binds]\n\"/run//driver/\" = \"/srv/driver\"\n\"/opt/x\" = \"/usr/lib/x\"\n";
    let binds = Site::parse(text, Path::new("site")).unwrap().binds;
    let pairs: Vec<_> = binds.iter().map(|it| (it.target, it.source)).collect();
    let path = Path::new;
    assert_eq!(
        pairs,
        [
            (path("/opt/x"), path("/usr/lib/x")),
            (path("/run/driver"), path("/srv/driver"))
        ]
    );
    let other = text.replace("/usr/lib/x", "/usr/lib/y");
    let other = Site::parse(&other, Path::new("site")).unwrap().binds;
    assert_ne!(binds.digest(), other.digest());
    assert_ne!(binds.digest(), Site::default().binds.digest());
}
