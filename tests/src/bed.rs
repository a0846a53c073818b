//! Whole systems to log in to: Debian's packages of one suite, booted by its
//! own systemd, with logind, D-Bus and its own PAM stacks.
//!
//! A [`Bed`] is a [`Machine`], and gone in the same way when it is dropped. What
//! it runs on is the host's kernel, whatever its suite.

mod boot;
mod console;
mod module;
mod suite;
mod tree;

pub use boot::Bed;
pub use suite::{SUITES, Suite, WITH_NIX};
