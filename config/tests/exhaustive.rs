//! Every path of a few names, held against a specification that shares nothing
//! with the code.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::path::{Path, PathBuf};

use config::{StorePath, WishedPath};

const NAMES: [&str; 6] = ["a", "b", "..", ".", "", "nix"];

/// Every text of up to so many names, with slashes between them.
fn texts(most: usize) -> Vec<String> {
    let mut texts = vec![String::new()];
    let mut longest: Vec<String> = NAMES.map(String::from).to_vec();
    for _ in 0..most {
        texts.extend(longest.iter().cloned());
        longest = longest
            .iter()
            .flat_map(|text| NAMES.map(|name| format!("{text}/{name}")))
            .collect();
    }
    texts
}

/// The directory names of an absolute path; `None` where there are none that
/// can be compared without a file system.
fn names(text: &str) -> Option<Vec<&str>> {
    let names: Vec<&str> = text
        .split('/')
        .filter(|name| !["", "."].contains(name))
        .collect();
    (text.starts_with('/') && !names.contains(&"..")).then_some(names)
}

fn is_allowed(path: &[&str], root: Option<&Vec<&str>>) -> bool {
    let below = |root: &Vec<&str>| path.len() > root.len() && path.starts_with(root);
    path.first() != Some(&"nix") && root.is_some_and(below)
}

#[test]
fn a_path_is_accepted_exactly_where_it_is_strictly_below_the_root() {
    let roots: Vec<String> = texts(2)
        .into_iter()
        .flat_map(|text| [format!("/{text}"), text])
        .collect();
    let mut accepted = 0_u32;
    for path in texts(5) {
        for path in [format!("/{path}"), path] {
            let wished = WishedPath::new(Path::new(&path)).ok();
            let plain = names(&path);
            assert_eq!(wished.is_some(), plain.is_some(), "{path:?}");
            let (Some(wished), Some(plain)) = (wished, plain) else {
                continue;
            };
            let normal = format!("/{}", plain.join("/"));
            assert_eq!(wished.as_path().to_str(), Some(normal.as_str()));
            for root in &roots {
                let below = StorePath::below(wished.clone(), &[PathBuf::from(root)]);
                let allowed = is_allowed(&plain, names(root).as_ref());
                assert_eq!(below.is_ok(), allowed, "{path:?} below {root:?}");
                accepted += u32::from(allowed);
            }
        }
    }
    assert!(accepted > 1000, "{accepted} are too few to show anything");
}

#[test]
fn of_several_roots_any_is_enough_and_the_deepest_counts() {
    let roots: Vec<String> = texts(2).iter().map(|text| format!("/{text}")).collect();
    for path in texts(3).iter().map(|text| format!("/{text}")) {
        let (Ok(wished), Some(plain)) = (WishedPath::new(Path::new(&path)), names(&path)) else {
            continue;
        };
        for first in &roots {
            for second in &roots {
                let both = [PathBuf::from(first), PathBuf::from(second)];
                let deepest = [first, second]
                    .into_iter()
                    .filter_map(|root| names(root))
                    .filter(|root| is_allowed(&plain, Some(root)))
                    .map(|root| root.len())
                    .max();
                let below = StorePath::below(wished.clone(), &both).ok();
                let rest = below.map(|below| below.components().count());
                assert_eq!(
                    rest,
                    deepest.map(|root| plain.len() - root),
                    "{path:?} below {first:?} or {second:?}"
                );
            }
        }
    }
}

#[test]
fn what_is_never_a_store_is_told_by_whole_names() {
    for place in ["/nix", "/proc", "/sys", "/dev", "/run/nix-ns"] {
        for (path, allowed) in [
            (place.to_owned(), false),
            (format!("{place}/x"), false),
            (format!("{place}s/x"), true),
            (format!("/x{place}"), true),
        ] {
            let wished = WishedPath::new(Path::new(&path)).unwrap();
            let below = StorePath::below(wished, &[PathBuf::from("/")]);
            assert_eq!(below.is_ok(), allowed, "{path}");
        }
    }
}
