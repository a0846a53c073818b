//! A machine on which everything is set up, and what the module says there.

use crate::{Machine, Output, User};

/// Where the site's configuration is.
const SITE_FILE: &str = "/etc/nix-ns/config.toml";

impl Machine {
    /// The same machine with the module and the probe installed and the ssh server
    /// running.
    ///
    /// # Panics
    ///
    /// When that cannot be done.
    #[must_use]
    #[track_caller]
    pub fn set_up(self) -> Self {
        self.install_module();
        self.install_probe();
        self.sshd();
        self
    }

    /// Writes the site's configuration.
    #[track_caller]
    pub fn configure_site(&self, text: &str) {
        self.write(SITE_FILE, text, 0o644, &User::root());
    }

    /// What the module has said to the log so far, a line a message.
    #[must_use]
    pub fn module_log(&self) -> Vec<String> {
        let log = self.log();
        let lines = log.lines().filter(|line| line.contains("pam_nixns("));
        lines.map(str::to_owned).collect()
    }

    /// Runs something, and tells what the module said to the log meanwhile.
    pub fn logged_during(&self, act: impl FnOnce() -> Output) -> (Output, Vec<String>) {
        let before = self.module_log().len();
        let output = act();
        let mut log = self.module_log();
        (output, log.split_off(before))
    }
}
