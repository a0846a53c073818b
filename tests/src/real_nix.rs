//! Nix itself, as a distribution packages it, without the network.

use crate::{Machine, Output, User};

/// For every script that uses it: the network would be asked again and again,
/// for ten seconds each.
pub const SETTINGS: &str =
    r"export NIX_CONFIG=$'substitute = false\nexperimental-features = nix-command'";

/// Builders have no search path.
const HELLO: &str = r#"derivation {
  name = "hello-ns";
  system = builtins.currentSystem;
  builder = "/bin/sh";
  args = [
    "-c"
    "/bin/mkdir -p $out/bin; printf '#!/bin/sh\necho hi-from-'$out'\n' > $out/bin/hello-ns; /bin/chmod +x $out/bin/hello-ns"
  ];
}
"#;

/// Debian's Nix has no shell of its own for the sandbox.
pub const SANDBOX: &str = "--option sandbox true --option sandbox-fallback false \
                           --option sandbox-paths '/bin /usr /lib /lib64'";

/// A machine with Nix to log in to, and alice on it, whose store is empty; or the
/// end of the test, said aloud.
#[macro_export]
macro_rules! machine_with_nix_or_skip {
    () => {{
        let machine = $crate::machine_or_skip!().set_up();
        if !machine.has_nix() {
            return $crate::skip(module_path!(), "needs Nix of the distribution's (nix-bin)");
        }
        let alice = machine.nix_user("alice");
        machine.write_hello(&alice);
        (machine, alice)
    }};
}

/// Builds what is in `hello.nix`.
pub const BUILD: &str = "nix-build --option sandbox false hello.nix -o r";

impl Machine {
    /// Whether Nix is installed, in the system's own directories.
    #[must_use]
    pub fn has_nix(&self) -> bool {
        self.exists("/usr/bin/nix-build")
    }

    /// Puts `hello.nix` into a user's home: a program that says where it is.
    #[track_caller]
    pub fn write_hello(&self, user: &User) {
        let file = format!("{}/hello.nix", user.home);
        self.write(&file, HELLO, 0o644, user);
    }

    /// Logs a user in and runs a script that uses Nix.
    pub fn ssh_nix(&self, user: &str, script: &str) -> Output {
        self.ssh(user, &format!("{SETTINGS}; {script}"))
    }
}
