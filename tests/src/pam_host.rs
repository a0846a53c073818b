//! Programs of this crate that run in the machine: `pam-host`, which opens PAM
//! sessions for a test, and others; their sources say how they are called.

use std::env;
use std::fs;
use std::path::PathBuf;

use crate::{Machine, Output, User};

impl Machine {
    /// Puts `pam-host` into the machine.
    #[track_caller]
    pub fn install_pam_host(&self) {
        self.install_program("pam-host");
    }

    /// Runs `pam-host` with these arguments, written as in a shell.
    pub fn pam_host(&self, arguments: &str) -> Output {
        self.run(&format!("pam-host {arguments}"))
    }

    /// Puts a program of this crate into the machine, at `/usr/bin`.
    ///
    /// # Panics
    ///
    /// When it is not built.
    #[track_caller]
    pub fn install_program(&self, name: &str) {
        let program = fs::read(built_program(name)).expect("built beside the test");
        let place = format!("/usr/bin/{name}");
        self.write(&place, program, 0o755, &User::root());
    }
}

fn built_program(name: &str) -> PathBuf {
    let test = env::current_exe().expect("procfs is mounted");
    test.ancestors()
        .skip(1)
        .map(|directory| directory.join(name))
        .find(|program| program.is_file())
        .expect("cargo builds it")
}
