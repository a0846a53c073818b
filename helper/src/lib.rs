//! What the programs of this crate share.
//!
//! | module | concept |
//! |---|---|
//! | [`account_database`] | accounts and groups, asked of `getent` |
//! | [`command`] | the subcommands of `nix-ns` |
//! | [`kernel`] | the system calls that have no safe wrapper |
//! | [`reader`] | `nix-ns-reader`: a user's files, read as that user |
//! | [`site`] | what is asked before a site configuration says anything of an account |
//! | [`user_namespace`] | `nix-ns enter` without any privilege, and isolation |

pub mod account_database;
pub mod command;
pub mod kernel;
pub mod reader;
pub mod site;
pub mod user_namespace;
