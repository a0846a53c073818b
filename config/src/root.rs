//! The directories below which the site allows store directories.

use std::fmt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Deserializer, Serialize};

use crate::{Account, Error, document, specifier};

/// Most roots that a site may have: they travel as descriptors in one message.
pub const MOST_ROOTS: usize = 128;

/// A directory below which store directories may lie, with specifiers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RootPattern(String);

impl RootPattern {
    /// Checks a written root.
    ///
    /// # Errors
    ///
    /// If it could never become a usable path, or would be relative.
    pub fn parse(written: &str) -> Result<RootPattern, Error> {
        specifier::check(written)?;
        if !specifier::is_absolute(written) {
            return Err(Error::RelativeRoot(written.to_owned()));
        }
        Ok(RootPattern(written.to_owned()))
    }

    /// The home directory.
    pub(crate) fn home() -> RootPattern {
        RootPattern(String::from("%h"))
    }

    /// The root for one account on one host: absolute and normalised.
    ///
    /// # Errors
    ///
    /// If the account's or the host's name or the home directory cannot be part
    /// of a path.
    pub fn expand(&self, account: &Account, host: &str) -> Result<PathBuf, Error> {
        specifier::normalised(Path::new(&specifier::expand(&self.0, account, host)?))
    }
}

impl TryFrom<String> for RootPattern {
    type Error = Error;

    fn try_from(written: String) -> Result<RootPattern, Error> {
        RootPattern::parse(&written)
    }
}

/// The roots as the site writes them and as they really are: behind root's
/// `/home -> /gpfs/home`, a user may write either. Looked up with the caller's
/// rights.
#[must_use]
pub fn with_real_paths(roots: &[PathBuf]) -> Vec<PathBuf> {
    let real = roots.iter().filter_map(|root| root.canonicalize().ok());
    let mut all: Vec<PathBuf> = roots.iter().cloned().chain(real).collect();
    all.sort();
    all.dedup();
    all
}

/// Reads the `roots` of a site.
pub(crate) fn deserialize_few<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Vec<RootPattern>, D::Error> {
    let roots = Vec::<RootPattern>::deserialize(deserializer)?;
    if roots.len() > MOST_ROOTS {
        let many = roots.len();
        return Err(serde::de::Error::custom(format!(
            "{many} roots are too many; name at most {MOST_ROOTS}, or a directory above them"
        )));
    }
    Ok(roots)
}

impl<'de> Deserialize<'de> for RootPattern {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<RootPattern, D::Error> {
        document::checked(deserializer)
    }
}

impl fmt::Display for RootPattern {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}
