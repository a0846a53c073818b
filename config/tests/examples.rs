//! The commented example files are true: their defaults are the defaults, and
//! they leave nothing out.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use config::{SITE_EXAMPLE, Selection, ServiceRules, Site, SourcePath, USER_EXAMPLE, User};

/// `#key = value` and `#[section]`: the defaults.
fn defaults(example: &str) -> String {
    uncommented(example, |line| {
        line.strip_prefix('#').filter(|rest| !rest.starts_with(' '))
    })
}

/// The defaults, and `#   key = value`: what has none.
fn everything(example: &str) -> String {
    uncommented(example, |line| {
        let rest = line
            .strip_prefix("#   ")
            .or_else(|| line.strip_prefix('#'))?;
        (!rest.starts_with(' ')).then_some(rest)
    })
}

fn uncommented(example: &str, setting: impl Fn(&str) -> Option<&str>) -> String {
    example
        .lines()
        .filter_map(setting)
        .flat_map(|line| [line, "\n"])
        .collect()
}

/// Every `key =` and every `[section]` of a TOML text.
fn keys(text: &str) -> BTreeSet<String> {
    let key = |line: &str| match line.split_once(" = ") {
        Some((key, _)) => Some(key.to_owned()),
        None => line.starts_with('[').then(|| line.to_owned()),
    };
    text.lines().filter_map(key).collect()
}

#[test]
fn site_example_shows_the_defaults() {
    for text in [SITE_EXAMPLE, &defaults(SITE_EXAMPLE)] {
        assert_eq!(
            Site::parse(text, Path::new("site.toml")).unwrap(),
            Site::default()
        );
    }
}

#[test]
fn site_example_has_every_key() {
    let full = Site {
        users: Selection {
            uid_min: Some(1000),
            uid_max: Some(60000),
            ..Selection::default()
        },
        services: BTreeMap::from([(String::from("sshd"), ServiceRules::built_in("sshd"))]),
        binds: Site::parse(
            "[binds]\n\"/run/opengl-driver\" = \"/usr/lib/nvidia/current\"",
            Path::new("binds"),
        )
        .unwrap()
        .binds,
        ..Site::default()
    };
    let everything = everything(SITE_EXAMPLE);
    assert_eq!(
        Site::parse(&everything, Path::new("site.toml")).unwrap(),
        full
    );
    assert_eq!(keys(&everything), keys(&full.to_toml().unwrap()));
}

#[test]
fn site_example_names_every_refusal() {
    for refusal in config::Refusal::ALL {
        assert!(
            SITE_EXAMPLE.contains(&format!("\"{refusal}\"")),
            "{refusal}"
        );
    }
}

#[test]
fn user_example_shows_the_defaults() {
    for text in [USER_EXAMPLE, &defaults(USER_EXAMPLE)] {
        assert_eq!(
            User::parse(text, Path::new("user.toml")).unwrap(),
            User::default()
        );
    }
}

#[test]
fn user_example_has_every_key() {
    let full = User {
        source_path: Some(SourcePath::default()),
        ..User::default()
    };
    let everything = everything(USER_EXAMPLE);
    assert_eq!(
        User::parse(&everything, Path::new("user.toml")).unwrap(),
        full
    );
    assert_eq!(keys(&everything), keys(&full.to_toml().unwrap()));
}
