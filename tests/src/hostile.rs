//! Attempts to break a promise, many of a kind in one test: who tries what, how
//! it must end, and what else would be a breach.

mod family;
mod scene;
mod words;

pub use family::Family;
pub use scene::{Door, End, Scene, Step};
pub use words::{check_text, log_bytes};
