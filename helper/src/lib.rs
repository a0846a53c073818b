//! What the programs of this crate share.
//!
//! | module | concept |
//! |---|---|
//! | [`account_database`] | accounts and groups, asked of `getent` |
//! | [`command`] | the subcommands of `nix-ns` |
//! | [`reader`] | `nix-ns-reader`: a user's files, read as that user |
//! | [`site`] | what is asked before a site configuration says anything of an account |

pub mod account_database;
pub mod command;
pub mod reader;
pub mod site;
