//! The packages, built of the programs that are built already.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, OnceLock};

use crate::bed::Bed;
pub use crate::install::built_programs;
use crate::{Output, User};

/// Where the package is put in a bed.
const PLACE: &str = "/root/nix-ns.deb";

/// The workspace of this project.
#[must_use]
pub fn workspace() -> &'static Path {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).parent();
    workspace.expect("of a crate in it")
}

/// Builds a package by its script in `packaging/release`: the path that the script
/// prints last.
fn build(script: &str) -> PathBuf {
    // Both begin with the same sources.
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _held = ONE_AT_A_TIME.lock();
    let output = Command::new(workspace().join("packaging/release").join(script))
        .env("NIX_NS_BUILT", built_programs())
        .env_remove("MAKEFLAGS")
        .output()
        .expect("it is a program");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{script}: {said}");
    let printed = String::from_utf8_lossy(&output.stdout);
    PathBuf::from(printed.lines().last().expect("it prints a path"))
}

/// The Debian package.
///
/// # Panics
///
/// When it cannot be built.
pub fn deb() -> &'static Path {
    static DEB: OnceLock<PathBuf> = OnceLock::new();
    DEB.get_or_init(|| build("deb"))
}

/// The directory with the RPMs.
///
/// # Panics
///
/// When they cannot be built.
pub fn rpms() -> &'static Path {
    static RPMS: OnceLock<PathBuf> = OnceLock::new();
    let rpms = RPMS.get_or_init(|| build("rpm"));
    rpms.parent().expect("of files")
}

impl Bed {
    /// Installs the Debian package, as an administrator does.
    #[track_caller]
    pub fn install_package(&self) -> Output {
        self.copy_package();
        self.apt(&format!("install {PLACE}"))
    }

    /// Unpacks it and no more, as when the power goes in the middle.
    #[track_caller]
    pub fn unpack_package(&self) -> Output {
        self.copy_package();
        self.run(&format!("dpkg --unpack {PLACE}"))
    }

    /// Installs a later version of the package: the same with another number.
    ///
    /// # Panics
    ///
    /// When there is no package.
    #[track_caller]
    pub fn upgrade_package(&self) -> Output {
        self.copy_package();
        let later = "/root/later";
        self.run(&format!(
            "rm -rf {later} && dpkg-deb -R {PLACE} {later} && \
             sed -i 's/^Version: .*/&+later/' {later}/DEBIAN/control && \
             dpkg-deb --build --root-owner-group {later} {PLACE}"
        ))
        .ok();
        self.apt(&format!("install {PLACE}"))
    }

    /// Runs apt-get, which asks nothing.
    pub fn apt(&self, words: &str) -> Output {
        self.run(&format!(
            "DEBIAN_FRONTEND=noninteractive apt-get --yes --quiet {words}"
        ))
    }

    #[track_caller]
    fn copy_package(&self) {
        let package = fs::read(deb()).expect("it is built");
        self.write(PLACE, package, 0o644, &User::root());
    }
}
