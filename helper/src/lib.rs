//! What the programs of this crate share.
//!
//! | module | concept |
//! |---|---|
//! | [`account_database`] | accounts and groups, asked of `getent` |
//! | [`command`] | the subcommands of `nix-ns` |
//! | [`program`] | what a user asked to run, in place of this program |
//! | [`reentry`] | `nix-ns-enter`: back into one's own namespace, setuid |
//! | [`progress`] | how far something is, shown |
//! | [`reader`] | `nix-ns-reader`: a user's files, read as that user |
//! | [`store_tree`] | a store as a tree of files: taken over, removed |
//! | [`limits`], [`kernel`] | what a caller's limits may not do; all `unsafe` |

pub mod account_database;
pub mod command;
pub mod program;
pub mod progress;
pub mod reader;
pub mod reentry;
pub mod store_tree;

mod kernel;
mod limits;
