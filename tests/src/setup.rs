//! A machine on which everything is set up, and what the module says there.

use crate::{Background, Machine, Output, User};

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

    /// Starts the ssh server anew, by something that starts it in another way
    /// than usual, such as `capsh --drop=cap_sys_admin -- -c`; it gets the
    /// server's path as its last word.
    ///
    /// # Panics
    ///
    /// When it does not listen.
    #[track_caller]
    pub fn restart_sshd_by(&self, starter: &str) {
        self.run("kill $(cat /run/sshd.pid)").ok();
        let listens = || self.run("ss -Hltn 'sport = 22'").ok().contains(":22");
        self.wait_until("the server to end", || !listens());
        self.run(&format!("{starter} /usr/sbin/sshd")).ok();
        self.wait_until("the server to listen", listens);
    }

    /// Mounts a file system whose server never answers anything, until the
    /// result is dropped.
    #[must_use]
    #[track_caller]
    pub fn mount_mute(&self, place: &str) -> Background<'_> {
        let options = "fd=3,rootmode=40000,user_id=0,group_id=0,allow_other";
        let mut server = self.spawn(&format!(
            "exec 3<>/dev/fuse && mount -i -t fuse -o {options} mute {place} && \
             echo mounted && exec sleep 1000"
        ));
        server.until_it_says("mounted");
        server
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
