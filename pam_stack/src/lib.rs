//! PAM's configuration as libpam reads it, for the module, which must know what
//! else runs in its session, and for `nix-ns doctor`.
//!
//! | module | concept |
//! |---|---|
//! | `stack` | the session lines of a service, of all the files they are in |
//! | `control` | what becomes of a stack after a module's answer |
//! | `ours` | the module's two lines and the guard |

mod control;
mod ours;
mod stack;

pub use control::{Action, Control};
pub use stack::{DIRECTORIES, Line, Place, Stack, bare, lines, services};
