//! `nix-ns-reader`: reads a user's configuration and opens the user's store
//! directory, as that user. The module starts it, asks one question over
//! descriptor 0, and gets one answer.
//!
//! It holds nothing that the user could not hold as well: an empty environment,
//! one socket, the user's rights. What it says is checked by whoever asked.

mod confine;
mod furnish;
mod open_store;
mod serve;

pub(crate) use furnish::furnish;
pub(crate) use open_store::{OpenError, open_store};
pub use serve::{reply_to, serve};
