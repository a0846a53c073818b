//! The module, installed as the README tells administrators to.

use std::env;
use std::ffi::OsString;
use std::process::Command;

use super::Bed;
use crate::package::workspace;
use crate::{ENTER, LEAVE_OR_GUARD, User};

/// What every service of Debian's includes.
const COMMON: [&str; 2] = ["common-session", "common-session-noninteractive"];

impl Bed {
    /// Installs the module and gives the common files its two lines and the
    /// guard.
    ///
    /// # Panics
    ///
    /// When it is not built.
    #[track_caller]
    pub fn install(&self) {
        self.make_install();
        for file in COMMON {
            self.surround(&format!("/etc/pam.d/{file}"));
        }
    }

    /// Puts the files in place, and does nothing to the PAM stacks.
    ///
    /// # Panics
    ///
    /// When they are not built.
    #[track_caller]
    pub fn make_install(&self) {
        let mut destination = OsString::from("DESTDIR=");
        destination.push(format!("/proc/{}/root", self.init()));
        let mut make = Command::new("make");
        make.arg("-C").arg(workspace());
        make.args(["--silent", "install"]).arg(destination);
        if let Some(built) = env::var_os("NIX_NS_BUILT") {
            let mut setting = OsString::from("BUILT=");
            setting.push(built);
            make.arg(setting);
        }
        // Else a `make -j` that runs the tests would be asked for its tokens.
        let installed = make
            .env_remove("MAKEFLAGS")
            .output()
            .expect("make is there");
        let said = String::from_utf8_lossy(&installed.stderr);
        assert!(installed.status.success(), "make install: {said}");
    }

    fn surround(&self, path: &str) {
        let shipped = self.read(path);
        let text = format!("{LEAVE_OR_GUARD}{shipped}\n{ENTER}\n");
        self.write(path, text, 0o644, &User::root());
    }
}
