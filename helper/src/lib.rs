//! What the programs of this crate share.
//!
//! | module | concept |
//! |---|---|
//! | [`account_database`] | accounts and groups, asked of files and `getent` |
//! | [`bounded`] | work that may hang, or that only a user may do, in a child |
//! | [`command`] | the subcommands of `nix-ns` |
//! | [`diagnosis`] | every condition between a user and their `/nix`, checked |
//! | [`program`] | what a user asked to run, in place of this program |
//! | [`reentry`] | `nix-ns-enter`: back into one's own namespace, setuid |
//! | [`progress`] | how far something is, shown |
//! | [`reader`] | `nix-ns-reader`: a user's files, read as that user |
//! | [`site`] | what is asked before a site configuration says anything of an account |
//! | [`store_tree`] | a store as a tree of files: taken over, removed |
//! | [`user_namespace`] | `nix-ns enter` without any privilege, and isolation |
//! | [`limits`], [`kernel`] | what a caller's limits may not do; all `unsafe` |

pub mod account_database;
pub mod bounded;
pub mod command;
pub mod diagnosis;
pub mod program;
pub mod progress;
pub mod reader;
pub mod reentry;
pub mod site;
pub mod store_tree;
pub mod user_namespace;

mod kernel;
mod limits;
