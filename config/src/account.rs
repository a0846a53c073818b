//! The account a session is opened for.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// The account as the account database (NSS) gave it; numbers decide, the name
/// is for people and specifiers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// Login name.
    pub name: String,
    /// User id.
    pub uid: u32,
    /// Primary group id.
    pub gid: u32,
    /// Supplementary group ids.
    pub groups: Vec<u32>,
    /// Home directory.
    pub home: PathBuf,
}
