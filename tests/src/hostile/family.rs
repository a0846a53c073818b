//! Cases that belong together, counted.

use std::any::Any;
use std::io::{self, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// One family of attempts. Dropping it without [`Family::finish`] loses what it
/// found, and the compiler says so.
#[derive(Debug)]
#[must_use]
pub struct Family {
    name: &'static str,
    cases: usize,
    breaches: Vec<String>,
}

impl Family {
    /// A family without a case so far.
    pub const fn new(name: &'static str) -> Self {
        Self {
            name,
            cases: 0,
            breaches: Vec::new(),
        }
    }

    /// Makes one attempt, which says what it broke. One that panics could not be
    /// made or broke the machine; the others are made all the same.
    pub fn case(&mut self, name: &str, attempt: impl FnOnce() -> Result<(), String>) {
        self.cases += 1;
        let ended = catch_unwind(AssertUnwindSafe(attempt))
            .unwrap_or_else(|panic| Err(panic_text(panic.as_ref())));
        if let Err(what) = ended {
            self.breaches.push(format!("{name}: {what}"));
        }
    }

    /// Says how many there were, where the harness cannot hide it.
    ///
    /// # Panics
    ///
    /// When anything was broken.
    #[track_caller]
    pub fn finish(self) {
        let Self {
            name,
            cases,
            breaches,
        } = self;
        let line = format!(
            "hostile: {name}: {cases} cases, {} breaches",
            breaches.len()
        );
        let _ = writeln!(io::stderr(), "{line}");
        assert!(cases > 0, "a family of none proves nothing");
        assert!(breaches.is_empty(), "{line}\n\n{}", breaches.join("\n\n"));
    }
}

fn panic_text(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().cloned();
    text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()))
        .unwrap_or_else(|| "it panicked".to_owned())
}
