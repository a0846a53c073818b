//! The path of a store directory: as written, as wished, as allowed.

use std::ffi::OsStr;
use std::fmt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Deserializer, Serialize};

use crate::{Account, Error, document, specifier};

/// Where no store directory can be, whatever the roots are: the place it is to
/// appear in, file systems the kernel makes up, and our own registry.
const FORBIDDEN: [&str; 5] = ["/nix", "/proc", "/sys", "/dev", "/run/nix-ns"];

/// The path of a store directory as somebody wrote it: with specifiers, perhaps
/// relative to the home directory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SourcePath(String);

impl SourcePath {
    /// Checks a written path.
    ///
    /// # Errors
    ///
    /// If it could never become a usable path, whoever the account is.
    pub fn parse(written: &str) -> Result<SourcePath, Error> {
        specifier::check(written)?;
        Ok(SourcePath(written.to_owned()))
    }

    /// The path as written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The path for one account on one host.
    ///
    /// # Errors
    ///
    /// If the account's or the host's name or the home directory cannot be part
    /// of a path.
    pub fn expand(&self, account: &Account, host: &str) -> Result<WishedPath, Error> {
        let expanded = PathBuf::from(specifier::expand(&self.0, account, host)?);
        if expanded.is_absolute() {
            return WishedPath::new(&expanded);
        }
        WishedPath::new(&Path::new(specifier::home(account)?).join(expanded))
    }
}

impl Default for SourcePath {
    fn default() -> SourcePath {
        SourcePath(String::from("~/.local/share/nix"))
    }
}

impl TryFrom<String> for SourcePath {
    type Error = Error;

    fn try_from(written: String) -> Result<SourcePath, Error> {
        SourcePath::parse(&written)
    }
}

impl<'de> Deserialize<'de> for SourcePath {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<SourcePath, D::Error> {
        document::checked(deserializer)
    }
}

impl fmt::Display for SourcePath {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// Absolute, normalised (no `.`, `..`, double or trailing slash), expanded, but
/// not yet under a root and not opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WishedPath(PathBuf);

impl WishedPath {
    /// Checks and normalises a path that is already expanded, for instance one
    /// that another process sent.
    ///
    /// # Errors
    ///
    /// If it is relative, too long, or has a `..` or a control character.
    pub fn new(path: &Path) -> Result<WishedPath, Error> {
        specifier::normalised(path).map(WishedPath)
    }

    /// The path.
    #[must_use]
    pub fn as_path(&self) -> &Path {
        &self.0
    }
}

/// A wished path that lies strictly below one of the allowed roots.
///
/// Lexically: whoever opens it checks the descriptor again, because any
/// component may turn out to be a symlink.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StorePath {
    path: PathBuf,
    root: PathBuf,
    rest: PathBuf,
}

impl StorePath {
    /// Allows a wished path, if it is below one of the roots; of several, the
    /// deepest is its root, so that the part left to the user is the shortest.
    ///
    /// # Errors
    ///
    /// If it is below none, or where no store directory can ever be.
    pub fn below(wished: WishedPath, roots: &[PathBuf]) -> Result<StorePath, Error> {
        let WishedPath(path) = wished;
        if let Some(place) = FORBIDDEN.iter().find(|place| path.starts_with(place)) {
            return Err(Error::ForbiddenPlace {
                path,
                place: PathBuf::from(place),
            });
        }
        let deepest = roots
            .iter()
            .filter_map(|root| rest_below(&path, root).map(|rest| (root.clone(), rest)))
            .min_by_key(|(_, rest)| rest.components().count());
        match deepest {
            Some((root, rest)) => Ok(StorePath { path, root, rest }),
            None => Err(Error::OutsideRoots {
                path,
                roots: roots.to_vec(),
            }),
        }
    }

    /// The whole path.
    #[must_use]
    pub fn as_path(&self) -> &Path {
        &self.path
    }

    /// The root it lies under, as given to [`StorePath::below`].
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The directory names below the root, at least one.
    pub fn components(&self) -> impl Iterator<Item = &OsStr> {
        self.rest.iter()
    }
}

/// A root is not below itself: it is everybody's, or at least not made for this.
/// `strip_prefix` compares whole components, and a root that is relative or has
/// a `..` is the prefix of no normalised path.
fn rest_below(path: &Path, root: &Path) -> Option<PathBuf> {
    let rest = path.strip_prefix(root).ok()?;
    let is_below = root.is_absolute() && rest.components().next().is_some();
    is_below.then(|| rest.to_owned())
}
