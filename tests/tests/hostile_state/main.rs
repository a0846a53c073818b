//! What a user, or two who help each other, can do with what is theirs: mounts
//! over `/nix`, sandboxes, processes at bad moments, the state that su and sudo
//! inherit. Each is tried for real, by real doors, and must not work.
//!
//! A breach is: a command of root's or of another user's runs on a user's
//! `/nix`; root touches what it should not; somebody else's login fails or has
//! to wait; the host changes.

mod bench;
mod caller;
mod exploits;
mod forged;
mod hidden;
mod moments;
mod planted;
mod reader;
mod reentry;
mod registry;
mod traces;
