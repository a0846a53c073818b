//! What the programs of this crate share.
//!
//! | module | concept |
//! |---|---|
//! | [`account_database`] | accounts and groups, asked of `getent` |
//! | [`bounded`] | work that may hang, or that only a user may do, in a child |
//! | [`command`] | the subcommands of `nix-ns` |
//! | [`diagnosis`] | every condition between a user and their `/nix`, checked |
//! | [`reader`] | `nix-ns-reader`: a user's files, read as that user |

pub mod account_database;
pub mod bounded;
pub mod command;
pub mod diagnosis;
pub mod reader;
