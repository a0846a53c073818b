//! What the programs of this crate share.
//!
//! | module | concept |
//! |---|---|
//! | [`account_database`] | accounts and groups, asked of `getent` |
//! | [`command`] | the subcommands of `nix-ns` |
//! | [`progress`] | how far something is, shown |
//! | [`reader`] | `nix-ns-reader`: a user's files, read as that user |
//! | [`store_tree`] | a store as a tree of files: taken over, removed |

pub mod account_database;
pub mod command;
pub mod progress;
pub mod reader;
pub mod store_tree;
