//! The commented example files, which packages install.
//!
//! A line `#key = value` is a default, a line `#   key = value` an example of
//! something that has no default, everything else is prose.

/// Every key of the site configuration, commented out.
pub const SITE_EXAMPLE: &str = include_str!("../site.toml");

/// Every key of the user configuration, commented out.
pub const USER_EXAMPLE: &str = include_str!("../user.toml");
