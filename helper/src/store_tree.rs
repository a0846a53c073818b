//! A store as a tree of files: counted, taken over, removed, and never left.
//!
//! From the command down to one file:
//!
//! | module | concept |
//! |---|---|
//! | [`found`] | a directory that may be taken over or removed |
//! | [`in_use`] | the caller's processes that have a directory as their `/nix` |
//! | [`nix_lock`] | Nix's own lock, held by every Nix that has the store open |
//! | [`take_over`] | a store moved into another directory, or copied there |
//! | [`purge`] | a store set aside, then removed |
//! | [`moving`] | what is in one directory moved into another |
//! | [`room`] | whether a store fits on a file system |
//! | [`copy`] | a tree copied, and gone on with after a kill |
//! | [`contents`] | what is in a file, and on it |
//! | [`remove`] | a tree removed |
//! | [`count`] | how much is in a tree |
//! | [`walk`] | every file of a tree, once |
//! | [`descent`] | the open directories from the top of a tree down to one of it |
//! | [`opened`] | one directory opened in another: no link, no mount |
//! | [`error`] | what stops it |

mod contents;
mod copy;
mod count;
mod descent;
mod error;
mod found;
mod in_use;
mod moving;
mod nix_lock;
mod opened;
mod purge;
mod remove;
mod room;
mod take_over;
mod walk;

pub use count::{Count, count};
pub use error::Error;
pub use found::Found;
pub use in_use::{Process, processes_on};
pub use purge::{Purge, Purged};
pub use remove::Left;
pub use take_over::{COPYING, TakenOver, take_over, tidy_up};
