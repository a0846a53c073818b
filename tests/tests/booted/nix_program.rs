//! A program with a window that Nix has built and alice has installed, with an
//! entry for launchers.

use tests::real_nix::SETTINGS;

use crate::cell::Tried;
use crate::desktop::{Entry, Manager};
use crate::household::Household;

/// What it is called in menus; nothing else there has such a name.
const NAME: &str = "Zebraclock";

/// Debian's clock with all its libraries, so that nothing of it is outside of
/// the store when it runs.
const CLOCK: &str = r#"derivation {
  name = "zebraclock";
  system = builtins.currentSystem;
  builder = "/bin/sh";
  args = [
    "-c"
    ''
      PATH=/usr/bin:/bin
      mkdir -p $out/bin $out/lib $out/libexec $out/share/applications
      cp /usr/bin/xclock $out/libexec
      for file in $(ldd /usr/bin/xclock | grep -o '/[^ ]*'); do cp -L $file $out/lib; done
      loader=$(ls $out/lib/ld-linux*)
      printf '#!/bin/sh\nexec %s --library-path %s %s -digital -geometry 300x60+60+60 "$@"\n' \
        $loader $out/lib $out/libexec/xclock >$out/bin/zebraclock
      chmod 0755 $out/bin/zebraclock
      printf '[Desktop Entry]\nType=Application\nName=Zebraclock\nExec=zebraclock\n' \
        >$out/share/applications/zebraclock.desktop
    ''
  ];
}
"#;

/// The desktop finds it by its name, and starts it.
pub fn found_and_started(home: &mut Household, manager: &Manager) -> Tried {
    home.install_nix_program();
    let screen = home.sit_down(manager, Entry::Automatic);
    let anchor = home.anchor();
    let runs = || home.nix_program_runs(&anchor.namespace);
    home.look_up(&screen, manager.desktop.search, NAME, runs);
    home.show_where(&screen, &format!("{}-nix", manager.unit));
    drop(anchor);
    home.log_out(&home.alice, &screen, manager.desktop);
    home.stand_up(manager);
    Ok(())
}

impl Household {
    /// Has alice build it and install it into her profile.
    #[track_caller]
    fn install_nix_program(&self) {
        let file = format!("{}/clock.nix", self.alice.home);
        self.bed.write(&file, CLOCK, 0o644, &self.alice);
        let script = "nix-env --option sandbox false -i -f clock.nix >/dev/null && \
                      test -x ~/.nix-profile/bin/zebraclock";
        self.bed.ssh("alice", &format!("{SETTINGS}; {script}")).ok();
    }

    /// Whether it runs: from the store, in the namespace of alice's sessions.
    fn nix_program_runs(&self, namespace: &str) -> bool {
        let found = self.bed.run(
            "for it in $(pgrep -u alice); do
                 case $(readlink /proc/$it/exe) in
                 /nix/store/*zebraclock*) readlink /proc/$it/ns/mnt ;;
                 esac
             done; :",
        );
        found.ok() == namespace
    }
}
