//! Directories of the host's that sessions with a `/nix` of their own find in a
//! second place: a driver directory on `/run/opengl-driver`.

use std::collections::BTreeMap;
use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Deserializer, Serialize};

use crate::{Error, document, specifier};

/// More than one login should mount.
const MOST_BINDS: usize = 16;

/// What the kernel makes up, what a session's own `/nix` is, and our registry:
/// neither end of a bind.
const NO_END: [&str; 5] = ["/nix", "/proc", "/sys", "/dev", "/run/nix-ns"];

/// What the system and its privileged programs read, and what belongs to users:
/// no place to cover, not even an empty directory of it.
const NO_TARGET: [&str; 14] = [
    "/bin",
    "/boot",
    "/etc",
    "/home",
    "/lib",
    "/lib32",
    "/lib64",
    "/libx32",
    "/root",
    "/run/user",
    "/sbin",
    "/tmp",
    "/usr",
    "/var/tmp",
];

/// Which directory is to be seen where: by target, so that each has one source.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize)]
#[serde(transparent)]
pub struct Binds(BTreeMap<Target, Source>);

/// One directory, and where it is to be seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bind<'a> {
    /// The empty directory that it is mounted on.
    pub target: &'a Path,
    /// The directory itself.
    pub source: &'a Path,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
struct Target(PathBuf);

#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
#[serde(transparent)]
struct Source(PathBuf);

impl Binds {
    /// Every bind, in the order of their targets.
    pub fn iter(&self) -> impl Iterator<Item = Bind<'_>> {
        self.0
            .iter()
            .map(|(Target(target), Source(source))| Bind { target, source })
    }

    /// A number that tells one set of binds from another; not across versions of
    /// this program.
    #[must_use]
    pub fn digest(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        self.hash(&mut hasher);
        hasher.finish()
    }
}

impl TryFrom<String> for Target {
    type Error = Error;

    fn try_from(written: String) -> Result<Target, Error> {
        let path = absolute(&written)?;
        let mut covered = NO_END.iter().chain(&NO_TARGET).map(Path::new);
        // What is above such a place would hide it.
        match covered.find(|place| path.starts_with(place) || place.starts_with(&path)) {
            Some(place) => Err(Error::BindTarget {
                path,
                place: place.to_owned(),
            }),
            None => Ok(Target(path)),
        }
    }
}

impl TryFrom<String> for Source {
    type Error = Error;

    fn try_from(written: String) -> Result<Source, Error> {
        let path = absolute(&written)?;
        let root = Path::new("/");
        let mut refused = NO_END.iter().map(Path::new);
        match refused.find(|place| path == root || path.starts_with(place)) {
            Some(place) => Err(Error::BindSource {
                place: if path == root { root } else { place }.to_owned(),
                path,
            }),
            None => Ok(Source(path)),
        }
    }
}

/// The same for everybody on every host: no specifier means anything here.
fn absolute(written: &str) -> Result<PathBuf, Error> {
    if written.contains('%') {
        return Err(Error::BindSpecifier(written.to_owned()));
    }
    specifier::check(written)?;
    specifier::normalised(Path::new(written))
}

impl<'de> Deserialize<'de> for Target {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Target, D::Error> {
        document::checked(deserializer)
    }
}

impl<'de> Deserialize<'de> for Source {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Source, D::Error> {
        document::checked(deserializer)
    }
}

impl<'de> Deserialize<'de> for Binds {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Binds, D::Error> {
        let binds = BTreeMap::<Target, Source>::deserialize(deserializer)?;
        if binds.len() > MOST_BINDS {
            let many = binds.len();
            return Err(serde::de::Error::custom(format!(
                "{many} binds are too many; name at most {MOST_BINDS}"
            )));
        }
        // Sorted by name, what is below a target comes right after it.
        let mut pairs = binds.keys().zip(binds.keys().skip(1));
        if let Some((Target(above), Target(below))) =
            pairs.find(|(Target(above), Target(below))| below.starts_with(above))
        {
            return Err(serde::de::Error::custom(Error::BindBelowBind {
                above: above.clone(),
                below: below.clone(),
            }));
        }
        Ok(Binds(binds))
    }
}
