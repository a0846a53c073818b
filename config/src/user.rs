//! The user configuration.

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::{Error, SourcePath, document};

/// The user configuration, below the home directory.
pub const USER_FILE: &str = ".config/nix-ns/config.toml";

/// What a user may say. An empty file is valid and means to opt in with the
/// site's defaults.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct User {
    /// Whether this user's sessions get their `/nix`.
    pub enable: bool,
    /// The store directory; `None` is the site's default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source_path: Option<SourcePath>,
    /// Whether components that the user controls may be symlinks.
    pub allow_symlinks: bool,
    /// Whether sessions find what the Nix profile holds, if the site lets them.
    pub environment: bool,
}

impl User {
    /// Reads a configuration from text; `origin` is the file named in errors.
    ///
    /// # Errors
    ///
    /// If it is not TOML, or says something that has no meaning.
    pub fn parse(text: &str, origin: &Path) -> Result<User, Error> {
        document::parse(text, origin)
    }

    /// The configuration as TOML.
    ///
    /// # Errors
    ///
    /// If TOML cannot express it, which does not happen to parsed ones.
    pub fn to_toml(&self) -> Result<String, Error> {
        document::print(self)
    }
}

impl Default for User {
    fn default() -> User {
        User {
            enable: true,
            source_path: None,
            allow_symlinks: false,
            environment: true,
        }
    }
}
