//! pam_nixns(8), which says of each word and code of this module's what it means.

use std::collections::BTreeSet;

const PAGE: &str = include_str!("../../docs/man/pam_nixns.8");

/// Checks that the page's items of one kind are these and no others.
#[track_caller]
pub(crate) fn has_exactly(item: &str, names: &[&str]) {
    assert_eq!(
        of(PAGE, item),
        names.iter().map(|name| (*name).to_owned()).collect()
    );
}

/// What follows the beginning of an item, without markup.
fn of(page: &str, item: &str) -> BTreeSet<String> {
    page.lines()
        .filter_map(|line| line.strip_prefix(item))
        .filter_map(|line| Some(line.replace(" Ns ", "").split("Ar ").next()?.to_owned()))
        .collect()
}

#[test]
fn what_is_missing_and_what_is_too_much_is_seen() {
    let words = of(PAGE, ".It Cm ");
    assert!(words.contains("leave"));
    assert_ne!(of(&PAGE.replace(".It Cm leave\n", ""), ".It Cm "), words);
    assert_ne!(of(&format!("{PAGE}.It Cm enter\n"), ".It Cm "), words);
}
