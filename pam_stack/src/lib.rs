//! PAM's configuration as libpam reads it (`pam.conf(5)`), for the module, which must know what
//! else runs in its session, and for `nix-ns doctor`.
//!
//! | module | concept |
//! |---|---|
//! | `files` | where the files of stacks are, and what is in them |
//! | `text` | the lines of a file and their words |
//! | `stack` | the session lines of a service, of all the files they are in |
//! | `control` | what becomes of a stack after a module's answer |
//! | `ours` | the module's two lines, whose `/nix` they make it, and the guard |

mod control;
mod files;
mod ours;
mod stack;
mod text;

pub use control::{Action, Control};
pub use files::{DIRECTORIES, services};
pub use ours::View;
pub use stack::{Line, Place, Stack};
pub use text::{Release, Words, lines};
