//! The Nix of each suite of Debian's, in its own booted system: what a user does
//! with it from an empty directory on, and what a desktop and `systemd --user`
//! then find. Nothing in any home tells a shell, or anything else, where Nix is.
//!
//! One test for each, as a system takes longer to boot than any of it.

use std::ops::Deref;

use tests::bed::{Bed, WITH_NIX};
use tests::real_nix::SANDBOX;
use tests::{Machine, User, root_or_skip};

/// logind keeps a user's manager for ten seconds after the last logout.
const LOGIND: &str = "[Login]\nUserStopDelaySec=0\n";

const BUILD: &str = "nix-build --option sandbox false hello.nix -o r";

/// A program for the desktop and for the service manager.
const APPLICATION: &str = r#"derivation {
  name = "painter";
  system = builtins.currentSystem;
  builder = "/bin/sh";
  args = [
    "-c"
    ''
      /bin/mkdir -p $out/bin $out/share/applications $out/share/icons/hicolor/48x48/apps $out/share/systemd/user
      printf '#!/bin/sh\nstat -c %%U /nix >$HOME/painted.$1\n' > $out/bin/painter
      /bin/chmod +x $out/bin/painter
      printf '[Desktop Entry]\nType=Application\nName=Painter\nExec=painter by-desktop\nIcon=painter\n' \
        > $out/share/applications/painter.desktop
      printf x > $out/share/icons/hicolor/48x48/apps/painter.png
      printf "[Service]\nType=oneshot\nExecStart=$out/bin/painter by-unit\n" \
        > $out/share/systemd/user/painter.service
    ''
  ];
}
"#;

/// What GTK finds for a name, as a panel or a menu asks for it.
const ICON: &str = "\
import gi
gi.require_version('Gtk', '3.0')
from gi.repository import Gtk
icon = Gtk.IconTheme.new().lookup_icon('painter', 48, 0)
print(icon.get_filename() if icon else 'none')
";

/// A display that is no screen: GTK's own.
const DISPLAY: &str = "export GDK_BACKEND=broadway BROADWAY_DISPLAY=:5; broadwayd :5 >/dev/null 2>&1 & \
                       trap \"kill $!\" EXIT; \
                       until ss -xl | grep -q broadway; do sleep 0.05; done; ";

macro_rules! with_nix_of {
    ($($(#[$ignored:meta])? $suite:ident: $bed:literal;)*) => { $(
        mod $suite {
            #[test]
            $(#[$ignored])?
            fn a_user_begins_with_nothing_and_ends_with_a_sound_store() {
                super::try_in($bed, super::begin_with_nothing);
            }

            #[test]
            $(#[$ignored])?
            fn desktop_and_service_manager_start_what_a_profile_holds() {
                super::try_in($bed, super::start_from_profile);
            }
        }
    )* };
}

with_nix_of! {
    #[ignore = "a tree of its own for the Nix that all other tests use: make test-full"]
    bookworm: "nix-bookworm";
    trixie: "nix-trixie";
    #[ignore = "a tree of its own: make test-full"]
    sid: "nix-sid";
}

/// A booted system, alice, and bob, who may log in as alice.
struct Place {
    bed: Bed,
    alice: User,
    bob: User,
}

impl Deref for Place {
    type Target = Machine;

    fn deref(&self) -> &Machine {
        &self.bed
    }
}

#[track_caller]
fn try_in(bed: &str, act: fn(&Place)) {
    if !root_or_skip(bed) {
        return;
    }
    let suite = WITH_NIX.into_iter().find(|it| it.name == bed).unwrap();
    let bed = Bed::boot(suite).unwrap_or_else(|error| panic!("{error}"));
    let root = User::root();
    bed.write("/etc/systemd/logind.conf.d/bed.conf", LOGIND, 0o644, &root);
    bed.run("systemctl reload-or-restart systemd-logind").ok();
    bed.install();
    bed.install_probe();
    let (alice, bob) = (bed.nix_user("alice"), bed.nix_user("bob"));
    for file in ["id_ed25519", "config"] {
        let text = bed.read(&format!("/root/.ssh/{file}"));
        bed.write(&format!("/home/bob/.ssh/{file}"), text, 0o600, &bob);
    }
    act(&Place { bed, alice, bob });
}

fn begin_with_nothing(place: &Place) {
    let (alice, bob) = (&place.alice, &place.bob);
    let version = place.ssh("alice", "nix --version");
    assert!(version.ok().starts_with("nix (Nix) 2."), "{version}");
    for user in [alice, bob] {
        place.write_hello(user);
    }
    // Not elsewhere: newer Nix has a second store for whom it finds no first.
    let seen = place.ssh_nix(
        "alice",
        "nix-store --init && stat -c '%U %a' /nix /nix/store /nix/var/nix/db; ls -A ~/.local/share",
    );
    assert_eq!(seen.ok(), "alice 700\nalice 755\nalice 755\nnix");
    let built = place.ssh_nix("alice", &format!("{BUILD} >&2 && ./r/bin/hello-ns"));
    assert!(built.ok().starts_with("hi-from-/nix/store/"), "{built}");
    let sandboxed = format!("nix-build {SANDBOX} --check hello.nix");
    place.ssh_nix("alice", &sandboxed).ok();

    // The old way of installing, and then the newer one, into another place.
    place
        .ssh_nix("alice", "nix-env --option sandbox false -f hello.nix -i")
        .ok();
    let used = place.ssh("alice", "command -v hello-ns; hello-ns");
    assert!(
        used.ok().contains("/.nix-profile/bin/hello-ns\nhi-from-"),
        "{used}"
    );
    place
        .ssh_nix("bob", &format!("{BUILD} && nix profile install ./r"))
        .ok();
    let used = place.ssh(
        "bob",
        "command -v hello-ns; hello-ns; nix profile list --extra-experimental-features nix-command",
    );
    assert!(used.ok().contains("hi-from-/nix/store/"), "{used}");

    // To another account, by ssh, of what that account has not.
    let other = place
        .read("/home/bob/hello.nix")
        .replace("name = \"hello-ns\"", "name = \"sent-ns\"");
    place.write("/home/bob/sent.nix", other, 0o644, bob);
    let sent = place.ssh_nix(
        "bob",
        "nix-build --option sandbox false sent.nix -o s >&2 && nix copy --to ssh://alice@localhost ./s && readlink s",
    );
    let path = sent.ok();
    let there = place.ssh("alice", &format!("stat -c %U {path}; {path}/bin/hello-ns"));
    assert_eq!(there.ok(), format!("alice\nhi-from-{path}"));

    // What another session runs stays, what nobody needs goes.
    place
        .ssh_nix(
            "alice",
            &format!("nix-store --gc >&2; ! test -e {path} && hello-ns"),
        )
        .ok();
    for user in ["alice", "bob"] {
        let sound = place.ssh_nix(user, "nix-store --verify --check-contents");
        let said = sound.to_string();
        sound.ok();
        assert!(
            !said.contains("disappeared") && !said.contains("modified"),
            "{said}"
        );
        let second = place.ssh(user, "ls -d ~/.local/share/nix/root 2>/dev/null; :");
        assert_eq!(second.ok(), "");
    }
    assert_eq!(place.run("ls -A /nix").ok(), "");
}

fn start_from_profile(place: &Place) {
    place.write("/home/alice/painter.nix", APPLICATION, 0o644, &place.alice);
    place.write("/home/alice/icon.py", ICON, 0o644, &place.alice);
    let before = place.ssh("alice", &format!("{DISPLAY} gtk-launch painter.desktop"));
    assert!(!place.exists("/home/alice/painted.by-desktop"), "{before}");
    place
        .ssh_nix("alice", "nix-env --option sandbox false -f painter.nix -i")
        .ok();
    // The service manager has its environment from when it was started.
    place.wait_until("alice to leave", || {
        place.run("pgrep -u alice -x systemd || :").ok().is_empty()
    });

    // Or the manager would go and come with every command.
    let _anchor = place.keep_by_ssh("alice");
    let launched = place.ssh(
        "alice",
        &format!(
            "{DISPLAY} gtk-launch painter.desktop; s=$?; \
             for i in $(seq 100); do [ -s ~/painted.by-desktop ] && break; sleep 0.05; done; exit $s"
        ),
    );
    launched.ok();
    assert_eq!(place.read("/home/alice/painted.by-desktop").trim(), "alice");
    let icon = place.ssh("alice", "python3 icon.py");
    let profile = "/home/alice/.nix-profile/share/icons/hicolor/48x48/apps/painter.png";
    assert_eq!(icon.ok(), profile);

    let path = place.ssh(
        "alice",
        "systemctl --user show -P FragmentPath painter.service",
    );
    let unit = "/home/alice/.nix-profile/share/systemd/user/painter.service";
    assert_eq!(path.ok(), unit);
    place
        .ssh("alice", "systemctl --user start painter.service")
        .ok();
    assert_eq!(place.read("/home/alice/painted.by-unit").trim(), "alice");
    // By name alone, as a user types it.
    let by_name = "systemd-run --user --quiet --wait painter by-name";
    place.ssh("alice", by_name).ok();
    assert_eq!(place.read("/home/alice/painted.by-name").trim(), "alice");
}
