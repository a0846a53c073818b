//! pam_nixns(8), which says of each word and code of this module's what it means.

use std::collections::BTreeSet;

use crate::arguments::Word;
use crate::code::Code;

const PAGE: &str = include_str!("../../docs/man/pam_nixns.8");

#[test]
fn has_every_word_and_no_other() {
    let words = Word::ALL.map(|word| word.text().to_owned());
    assert_eq!(of(PAGE, ".It Cm "), words.into());
}

#[test]
fn has_every_code_and_no_other() {
    let codes = Code::NAMES.iter().map(|name| (*name).to_owned());
    assert_eq!(of(PAGE, ".It Dv PAM_"), codes.collect());
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
