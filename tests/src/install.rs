//! The built program, put where a package would put it.

use std::env;
use std::fs;
use std::path::PathBuf;

use crate::package::workspace;
use crate::{Machine, User};

impl Machine {
    /// Installs the module, its reader and the command, and gives every service
    /// both PAM lines.
    ///
    /// # Panics
    ///
    /// When they are not built.
    #[track_caller]
    pub fn install_module(&self) {
        let modules = module_directory();
        let module = format!("{}/pam_nixns.so", modules.display());
        for (built, place, mode) in [
            ("libpam_nixns.so", module.as_str(), 0o644),
            ("nix-ns-reader", "/usr/libexec/nix-ns-reader", 0o711),
            ("nix-ns-enter", "/usr/libexec/nix-ns-enter", 0o711),
            ("nix-ns", "/usr/bin/nix-ns", 0o755),
        ] {
            self.write(place, read_built(built), mode, &User::root());
        }
        let snippet = workspace().join("packaging/profile.d/nix-ns.sh");
        let snippet = fs::read(snippet).expect("of this project");
        self.write("/etc/profile.d/nix-ns.sh", snippet, 0o644, &User::root());
        self.run("install -d -m 0755 /run/nix-ns /run/nix-ns/self")
            .ok();
        self.add_module_to_pam_stacks();
    }
}

/// The directory libpam takes modules from, which has the name of the
/// architecture in it on Debian: where `pam_permit.so` is.
fn module_directory() -> PathBuf {
    let below_lib = fs::read_dir("/lib").expect("there is /lib");
    below_lib
        .filter_map(|entry| Some(entry.ok()?.path().join("security")))
        .chain(["/lib/security".into(), "/lib64/security".into()])
        .find(|directory| directory.join("pam_permit.so").exists())
        .expect("PAM is installed")
}

#[track_caller]
fn read_built(name: &str) -> Vec<u8> {
    let path = built_programs().join(name);
    fs::read(&path).unwrap_or_else(|error| {
        panic!(
            "{}: {error}: run `make build` first, or set NIX_NS_BUILT to the directory it is in",
            path.display()
        )
    })
}

/// The directory with the built programs.
#[must_use]
pub fn built_programs() -> PathBuf {
    let release = || workspace().join("target/release");
    env::var_os("NIX_NS_BUILT").map_or_else(release, PathBuf::from)
}
