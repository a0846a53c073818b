//! The program that opens PAM sessions for a test: `pam-host`, whose source
//! says how it is called.

use std::env;
use std::fs;
use std::path::PathBuf;

use crate::{Machine, Output, User};

impl Machine {
    /// Puts `pam-host` into the machine, at `/usr/bin`.
    ///
    /// # Panics
    ///
    /// When it is not built.
    #[track_caller]
    pub fn install_pam_host(&self) {
        let program = fs::read(built_program()).expect("built beside the test");
        self.write("/usr/bin/pam-host", program, 0o755, &User::root());
    }

    /// Runs `pam-host` with these arguments, written as in a shell.
    pub fn pam_host(&self, arguments: &str) -> Output {
        self.run(&format!("pam-host {arguments}"))
    }
}

fn built_program() -> PathBuf {
    let test = env::current_exe().expect("procfs is mounted");
    test.ancestors()
        .skip(1)
        .map(|directory| directory.join("pam-host"))
        .find(|program| program.is_file())
        .expect("cargo builds it")
}
