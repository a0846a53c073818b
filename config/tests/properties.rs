//! What holds for every input.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path, PathBuf};

use config::{
    Account, Answer, Binds, Refusal, RootPattern, RootSessions, Selection, ServiceRules, Site,
    SourcePath, UidRange, User, answer, printable,
};
use proptest::collection::{btree_map, btree_set, vec};
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

const ORIGIN: &str = "config.toml";

/// Text that is nearly a path: the pieces that mean something, in any order.
fn path_like() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        4 => Just("/"), 1 => Just("."), 1 => Just(".."), 2 => Just("a"), 1 => Just("nix"), 1 => Just("proc"),
        1 => Just("%u"), 1 => Just("%U"), 2 => Just("%h"), 1 => Just("%H"), 1 => Just("%%"), 1 => Just("%"),
        2 => Just("~"), 1 => Just("é"), 1 => Just("\0"),
    ];
    vec(piece, 0..12).prop_map(|pieces| pieces.concat())
}

/// Account and host names as a hostile directory service would give them.
fn name() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => "[a-z]{1,8}",
        1 => Just(String::from("..")),
        1 => Just(String::from(".")),
        1 => Just(String::new()),
        1 => Just(String::from("../../etc")),
        1 => Just(String::from("%h")),
        1 => any::<String>(),
    ]
}

fn account() -> impl Strategy<Value = Account> {
    let home = prop_oneof![Just(String::from("/home/alice")), path_like()];
    (name(), 1u32.., home).prop_map(|(name, uid, home)| Account {
        name,
        uid,
        gid: uid,
        groups: Vec::new(),
        home: PathBuf::from(home),
    })
}

/// Directory names that parse, whatever they expand to.
const NAMES: &[&str] = &[
    "a", "..x", "%u", "%U", "%H", "%%", "%%h", "é", "nix", "proc", "%h", "x%h", "",
];

/// A path that parses, so that what comes after parsing is tried often.
fn usable(starts: &'static [&'static str]) -> impl Strategy<Value = String> {
    (select(starts), vec(select(NAMES), 0..4))
        .prop_map(|(start, names)| format!("{start}{}", names.join("/")))
}

fn source_path() -> impl Strategy<Value = SourcePath> {
    let written = usable(&["s", "/", "~/", "%h/", "/srv/"]);
    written.prop_map(|written| SourcePath::parse(&written).unwrap())
}

fn root_pattern() -> impl Strategy<Value = RootPattern> {
    let written = prop_oneof![
        usable(&["/", "~/", "%h/"]),
        select(&["%h", "~", "/", "/srv"][..]).prop_map(String::from)
    ];
    written.prop_map(|written| RootPattern::parse(&written).unwrap())
}

fn user() -> impl Strategy<Value = User> {
    let switches = (any::<bool>(), any::<bool>(), any::<bool>());
    let fields = (switches, option::of(source_path()));
    fields.prop_map(
        |((enable, allow_symlinks, environment), source_path)| User {
            enable,
            source_path,
            allow_symlinks,
            environment,
        },
    )
}

fn rules() -> impl Strategy<Value = ServiceRules> {
    (any::<bool>(), any::<bool>(), any::<bool>()).prop_map(|(skip, threaded, stay)| ServiceRules {
        skip,
        threaded,
        root: if stay {
            RootSessions::Stay
        } else {
            RootSessions::Leave
        },
    })
}

fn selection() -> impl Strategy<Value = Selection> {
    let names = || vec(any::<String>(), 0..3);
    let uid = || option::of(any::<u32>());
    (uid(), uid(), names(), names(), names(), names()).prop_map(
        |(uid_min, uid_max, allow_users, deny_users, allow_groups, deny_groups)| Selection {
            uid_min,
            uid_max,
            allow_users,
            deny_users,
            allow_groups,
            deny_groups,
        },
    )
}

/// Of directories beside each other, or one would be below another.
fn binds() -> impl Strategy<Value = Binds> {
    let targets = btree_set(
        select(&["/run/x", "/run/y y", "/srv/é", "/opt/a\"b"][..]),
        0..4,
    );
    targets.prop_map(|targets| {
        let line = |target| format!("{target:?} = \"/srv/from\"\n");
        let lines: String = targets.into_iter().map(line).collect();
        let text = format!("[binds]\n{lines}");
        Site::parse(&text, Path::new("binds")).unwrap().binds
    })
}

fn site() -> impl Strategy<Value = Site> {
    (
        (any::<bool>(), any::<bool>(), any::<bool>(), any::<bool>()),
        source_path(),
        vec(root_pattern(), 0..4),
        btree_set(select(&Refusal::ALL[..]), 0..4),
        selection(),
        btree_map("[a-z0-9.\" -]{0,8}", rules(), 0..4),
        binds(),
    )
        .prop_map(
            |(switches, source_path, roots, override_refusals, users, services, binds)| {
                let (enable, opt_in, strict, environment) = switches;
                let override_refusals: BTreeSet<Refusal> = override_refusals;
                let services: BTreeMap<String, ServiceRules> = services;
                Site {
                    enable,
                    opt_in,
                    strict,
                    environment,
                    source_path,
                    roots,
                    override_refusals,
                    users,
                    services,
                    binds,
                }
            },
        )
}

/// TOML that gets past the parser more often than arbitrary text does.
fn toml_like() -> impl Strategy<Value = String> {
    let key = prop_oneof![
        Just("enable"),
        Just("source_path"),
        Just("allow_symlinks"),
        Just("roots"),
        Just("users"),
        Just("services"),
        Just("services.sshd.root"),
        Just("[users]\nuid_min"),
        Just("[services.x]\nskip"),
        Just("[binds]\n\"/run/x\""),
    ];
    let value = prop_oneof![
        any::<bool>().prop_map(|value| value.to_string()),
        any::<i64>().prop_map(|value| value.to_string()),
        path_like().prop_map(|value| format!("{value:?}")),
        path_like().prop_map(|value| format!("[{value:?}]")),
        any::<String>(),
    ];
    vec((key, value), 0..5).prop_map(|lines| {
        lines
            .iter()
            .map(|(key, value)| format!("{key} = {value}\n"))
            .collect()
    })
}

proptest! {
    #[test]
    fn no_bytes_make_a_parser_panic(bytes in vec(any::<u8>(), 0..512)) {
        let text = String::from_utf8_lossy(&bytes);
        let _ = User::parse(&text, Path::new(ORIGIN));
        let _ = Site::parse(&text, Path::new(ORIGIN));
        let _ = UidRange::from_login_defs(&text);
    }

    #[test]
    fn errors_are_one_printable_line_with_a_place(text in prop_oneof![toml_like(), any::<String>()]) {
        let errors = [
            User::parse(&text, Path::new(ORIGIN)).err(),
            Site::parse(&text, Path::new(ORIGIN)).err(),
        ];
        for error in errors.into_iter().flatten() {
            let message = error.to_string();
            let place = message.strip_prefix("config.toml:").unwrap();
            let numbers: Vec<&str> = place.splitn(3, ':').take(2).collect();
            prop_assert!(numbers.iter().all(|number| number.parse::<usize>().unwrap() > 0));
            prop_assert!(!message.contains(char::is_control));
        }
    }

    #[test]
    fn accepted_store_paths_are_strictly_below_a_root(
        text in toml_like(), site in site(), account in account(), host in name(), opt_in in any::<bool>(),
    ) {
        let roots: Vec<PathBuf> =
            site.roots.iter().filter_map(|root| root.expand(&account, &host).ok()).collect();
        let user = User::parse(&text, Path::new(ORIGIN)).ok();
        let answer = answer(&site.source_path, opt_in, &roots, user.as_ref(), &account, &host);
        let Ok(Answer::Store { path, .. }) = answer else { return Ok(()) };
        prop_assert!(roots.iter().any(|root| root == path.root()));
        prop_assert!(path.components().count() > 0);
        let rejoined = path.components().fold(path.root().to_owned(), |above, name| above.join(name));
        prop_assert_eq!(rejoined.as_path(), path.as_path());
        prop_assert!(path.components().all(|name| name != ".." && name != "." && !name.is_empty()));
        prop_assert!(is_clean(path.as_path()));
        for place in ["/nix", "/proc", "/sys", "/dev", "/run/nix-ns"] {
            prop_assert!(!path.as_path().starts_with(place));
        }
    }

    #[test]
    fn expansion_is_always_a_clean_path(
        written in source_path(), root in root_pattern(), account in account(), host in name(),
    ) {
        if let Ok(wished) = written.expand(&account, &host) {
            prop_assert!(is_clean(wished.as_path()));
        }
        if let Ok(root) = root.expand(&account, &host) {
            prop_assert!(is_clean(&root));
        }
    }

    #[test]
    fn printed_users_parse_back(user in user()) {
        prop_assert_eq!(User::parse(&user.to_toml().unwrap(), Path::new(ORIGIN)).unwrap(), user);
    }

    #[test]
    fn printed_sites_parse_back(site in site()) {
        prop_assert_eq!(Site::parse(&site.to_toml().unwrap(), Path::new(ORIGIN)).unwrap(), site);
    }

    #[test]
    fn printable_text_is_short_and_harmless(text in any::<String>()) {
        let shown = printable(&text);
        prop_assert!(shown.chars().count() <= 512);
        prop_assert!(!shown.contains(char::is_control));
    }
}

fn is_clean(path: &Path) -> bool {
    let text = path.to_str().unwrap();
    let normal: PathBuf = path.components().collect();
    path.is_absolute()
        && !text.contains('\0')
        && normal.as_os_str() == path.as_os_str()
        && path
            .components()
            .all(|part| matches!(part, Component::RootDir | Component::Normal(_)))
}
