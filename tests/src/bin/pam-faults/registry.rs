//! The registry, remembered and put back, so that every case begins alike.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

const ROOT: &str = "/run/nix-ns/1";
/// Set-group-ID, and the owner's alone.
const MODE: u32 = 0o2700;

/// Every entry: its path below the root, and what it says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Registry(BTreeMap<PathBuf, PathBuf>);

impl Registry {
    /// As it is now.
    pub fn look() -> io::Result<Self> {
        let mut entries = BTreeMap::new();
        let users = match fs::read_dir(ROOT) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Self::default()),
            users => users?,
        };
        for user in users {
            let user = user?.path();
            if user.is_symlink() {
                entries.insert(user.clone(), fs::read_link(user)?);
                continue;
            }
            for entry in fs::read_dir(user)? {
                let path = entry?.path();
                entries.insert(path.clone(), fs::read_link(path)?);
            }
        }
        Ok(Self(entries))
    }

    /// How many entries there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Makes it so again.
    pub fn restore(&self) -> io::Result<()> {
        if fs::exists(ROOT)? {
            fs::remove_dir_all(ROOT)?;
        }
        for (path, text) in &self.0 {
            let below_root = |above: &&Path| above.starts_with(ROOT) && above != path;
            let mut above: Vec<&Path> = path.ancestors().filter(below_root).collect();
            above.reverse();
            for above in above {
                if !fs::exists(above)? {
                    fs::create_dir(above)?;
                    fs::set_permissions(above, fs::Permissions::from_mode(MODE))?;
                }
            }
            symlink(text, path)?;
        }
        Ok(())
    }
}
