//! Colours, where somebody looks who wants them (<https://no-color.org>).

use std::env;
use std::io::{self, IsTerminal};

/// A colour for one kind of word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Colour {
    Green,
    Yellow,
    Red,
    Grey,
}

/// Whether colours are wanted.
#[derive(Debug, Clone, Copy)]
pub(super) struct Paint(bool);

impl Paint {
    /// On a terminal, unless `NO_COLOR` is set.
    pub(super) fn for_output() -> Self {
        let unwanted = env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        Self(io::stdout().is_terminal() && !unwanted)
    }

    /// A text in a colour, as it is to be written.
    pub(super) fn text(self, colour: Colour, text: &str) -> String {
        let code = match colour {
            Colour::Green => 32,
            Colour::Yellow => 33,
            Colour::Red => 31,
            Colour::Grey => 90,
        };
        if self.0 {
            format!("\x1b[{code}m{text}\x1b[0m")
        } else {
            text.to_owned()
        }
    }

    /// Whether somebody looks.
    pub(super) fn is_for_a_terminal(self) -> bool {
        self.0
    }
}
