//! What cannot be tried here is said aloud, never passed over in silence.

use std::env;
use std::io::{self, Write};

use nix::unistd::Uid;

/// A machine, or the end of the test when there cannot be one: with a loud line
/// where a person runs it, with a failure in continuous integration.
#[macro_export]
macro_rules! machine_or_skip {
    () => {{
        fn here() {}
        if !$crate::root_or_skip(::std::any::type_name_of_val(&here)) {
            return;
        }
        $crate::Machine::start().expect("root can start a machine")
    }};
}

/// A machine to log in to, and alice on it, who has a configuration; or the end of
/// the test, said aloud.
#[macro_export]
macro_rules! machine_with_alice_or_skip {
    () => {{
        let machine = $crate::machine_or_skip!().set_up();
        let alice = machine.nix_user("alice");
        (machine, alice)
    }};
}

/// Whether the caller is root; if not, [`skip`]s the test.
#[must_use]
pub fn root_or_skip(test: &str) -> bool {
    let root = Uid::effective().is_root();
    if !root {
        skip(test, "needs root");
    }
    root
}

/// Says that a test is not run, where the harness cannot hide it.
///
/// # Panics
///
/// In continuous integration (`CI` is set), which skips none.
pub fn skip(test: &str, reason: &str) {
    let test = test.trim_end_matches("::here");
    let line = format!("SKIPPED ({reason}): {test}");
    assert!(env::var_os("CI").is_none(), "{line}");
    // Not eprintln: its output is captured and thrown away when a test passes.
    let _ = writeln!(io::stderr(), "{line}");
}
