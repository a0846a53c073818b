//! Whole systems to log in to: Debian's packages of one suite, booted by its
//! own systemd, with logind, D-Bus and its own PAM stacks.
//!
//! A [`Bed`] is a [`Machine`], and gone in the same way when it is dropped. What
//! it runs on is the host's kernel, whatever its suite.

mod boot;
mod console;
mod layer;
mod module;
mod screen;
mod seat;
mod suite;
mod tree;

pub use boot::Bed;
pub use layer::{DESKTOPS, Layer, WAYLAND};
pub use screen::{Screen, X_SERVER};
pub use suite::{CLUSTER, SUITES, Suite, WITH_NIX};
pub use tree::CACHE;
