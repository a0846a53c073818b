//! Accounts with nothing in their homes but a store, and what they do with it:
//! install Nix as its makers hand it out, and send each other builds by ssh.

use tests::{Machine, User, machine_or_skip, skip};

/// A machine on which alice and bob have installed Nix, each for themselves, in
/// one session; nobody has a dot file, and the system has no Nix.
macro_rules! machine_with_two_installed_or_skip {
    () => {{
        let machine = machine_or_skip!();
        if !machine.has_nix() {
            return skip(module_path!(), "needs Nix of the distribution's (nix-bin)");
        }
        let machine = machine.set_up();
        let (alice, bob) = (machine.nix_user("alice"), machine.nix_user("bob"));
        let script = machine.unpack_nix_installer();
        for user in ["alice", "bob"] {
            machine.install_nix(user, &script);
        }
        let_in(&machine, &bob);
        machine.write_hello(&bob);
        (machine, alice, bob)
    }};
}

/// Lets a user log in to everybody's account, as root may.
fn let_in(machine: &Machine, user: &User) {
    for file in ["id_ed25519", "config"] {
        let text = machine.read(&format!("/root/.ssh/{file}"));
        machine.write(&format!("{}/.ssh/{file}", user.home), text, 0o600, user);
    }
}

/// Everything in a home that a shell might read.
#[track_caller]
fn has_no_dot_file(machine: &Machine, home: &str) {
    let found = machine.run(&format!(
        "cd {home} && find . -maxdepth 1 -type f -name '.*' ! -name .nix-channels"
    ));
    assert_eq!(found.ok(), "");
}

const BUILD: &str = "nix-build --option sandbox false hello.nix -o r";

#[test]
fn after_the_installer_ran_once_every_command_by_ssh_finds_nix() {
    let (machine, ..) = machine_with_two_installed_or_skip!();
    has_no_dot_file(&machine, "/home/alice");
    let seen = machine.ssh("alice", "command -v nix-store; nix-store --version");
    assert!(
        seen.ok()
            .starts_with("/home/alice/.nix-profile/bin/nix-store\nnix-store (Nix) "),
        "{seen}"
    );
    let own = machine.ssh("alice", "stat -L -c %U $(command -v nix-store)");
    assert_eq!(own.ok(), "alice");
    // Who has not installed it has none.
    machine.user("carol");
    machine.ssh("carol", "command -v nix-store").fails();
}

#[test]
fn the_installers_line_in_profile_names_nothing_twice() {
    let machine = machine_or_skip!();
    if !machine.has_nix() {
        return skip(module_path!(), "needs Nix of the distribution's (nix-bin)");
    }
    let machine = machine.set_up();
    let alice = machine.nix_user("alice");
    machine.write("/home/alice/.profile", "", 0o644, &alice);
    let script = machine.unpack_nix_installer();
    machine.install_nix("alice", &script);
    assert!(
        machine
            .read("/home/alice/.profile")
            .contains("added by Nix installer")
    );
    let seen = machine.ssh(
        "alice",
        "bash -lc 'nix-store --version >&2; echo $PATH:$XDG_DATA_DIRS'",
    );
    let mut entries: Vec<&str> = seen.ok().split(':').collect();
    let all = entries.len();
    entries.sort_unstable();
    entries.dedup();
    assert_eq!(entries.len(), all, "{seen}");
    assert!(entries.contains(&"/home/alice/.nix-profile/bin"), "{seen}");
    assert!(
        entries.contains(&"/home/alice/.nix-profile/share"),
        "{seen}"
    );
}

/// Where the session brought no `/nix`, the installer says so and changes nothing.
#[test]
fn without_a_nix_of_ones_own_the_installer_stops() {
    let machine = machine_or_skip!();
    if !machine.has_nix() {
        return skip(module_path!(), "needs Nix of the distribution's (nix-bin)");
    }
    let machine = machine.set_up();
    machine.user("alice");
    let script = machine.unpack_nix_installer();
    let stopped = machine.ssh("alice", &format!("NIX_BECOME=/bin/false {script}"));
    assert!(stopped.fails().contains("not writable by you"), "{stopped}");
    assert_eq!(machine.run("ls -A /nix").ok(), "");
}

#[test]
fn nix_copy_and_remote_builds_work_between_two_accounts() {
    let (machine, ..) = machine_with_two_installed_or_skip!();
    let path = machine
        .ssh_nix("bob", &format!("{BUILD} >&2 && readlink r"))
        .ok()
        .to_owned();
    machine.ssh("alice", &format!("test -e {path}")).fails();
    machine
        .ssh_nix("bob", "nix copy --to ssh://alice@localhost ./r")
        .ok();
    let said = machine.ssh("alice", &format!("{path}/bin/hello-ns; stat -c %U {path}"));
    assert_eq!(said.ok(), format!("hi-from-{path}\nalice"));

    // Built by alice, on bob's word, and sent back.
    let other = machine
        .read("/home/bob/hello.nix")
        .replace("name = \"hello-ns\"", "name = \"sent-ns\"");
    machine.write("/home/bob/sent.nix", other, 0o644, &User::root());
    let sent = machine.ssh_nix(
        "bob",
        "nix-build --max-jobs 0 --option sandbox false --builders 'ssh://alice@localhost x86_64-linux,aarch64-linux - 1' \
         sent.nix -o s >&2 && readlink s && ./s/bin/hello-ns",
    );
    let (sent, said) = sent.ok().split_once('\n').expect("two lines");
    assert_eq!(said, format!("hi-from-{sent}"));
    // Built there, which is to say that it is there, and hers.
    let built = machine.ssh("alice", &format!("stat -c %U {sent}"));
    assert_eq!(built.ok(), "alice");
    for user in ["alice", "bob"] {
        machine
            .ssh_nix(user, "nix-store --verify --check-contents")
            .ok();
        has_no_dot_file(&machine, &format!("/home/{user}"));
    }
}

const SHELL: &str = r#"derivation {
  name = "shell-ns";
  system = builtins.currentSystem;
  builder = "/bin/sh";
  stdenv = builtins.toFile "setup" "" ;
  greeting = "hello";
}
"#;

#[test]
fn nix_shell_works() {
    let (machine, alice, _) = machine_with_two_installed_or_skip!();
    machine.write("/home/alice/shell.nix", SHELL, 0o644, &alice);
    let seen = machine.ssh_nix(
        "alice",
        "NIX_BUILD_SHELL=/bin/bash nix-shell --run 'echo $greeting $name'",
    );
    assert_eq!(seen.stdout.trim(), "hello shell-ns", "{seen}");
}

/// A package with a program for the desktop, its entry and its icon.
const APPLICATION: &str = r#"derivation {
  name = "painter";
  system = builtins.currentSystem;
  builder = "/bin/sh";
  args = [
    "-c"
    "/bin/mkdir -p $out/bin $out/share/applications $out/share/icons/hicolor/48x48/apps; printf '#!/bin/sh\necho painted >$HOME/painted\n' > $out/bin/painter; /bin/chmod +x $out/bin/painter; printf '[Desktop Entry]\nType=Application\nName=Painter\nExec=painter\nIcon=painter\nMimeType=x-scheme-handler/paint;\n' > $out/share/applications/painter.desktop; printf x > $out/share/icons/hicolor/48x48/apps/painter.png"
  ];
}
"#;

/// What a desktop does with a session's environment, without a desktop.
#[test]
fn what_a_profile_brings_for_the_desktop_is_found() {
    let (machine, alice, _) = machine_with_two_installed_or_skip!();
    machine.write("/home/alice/painter.nix", APPLICATION, 0o644, &alice);
    machine
        .ssh_nix("alice", "nix-env --option sandbox false -f painter.nix -i")
        .ok();
    let seen = machine.ssh("alice", "gio mime x-scheme-handler/paint painter.desktop && gio mime x-scheme-handler/paint && gio open paint:");
    assert!(seen.ok().contains("painter.desktop"), "{seen}");
    machine.wait_until("the program", || machine.exists("/home/alice/painted"));
    let icon = machine.ssh("alice", "IFS=:; for d in $XDG_DATA_DIRS; do ls $d/icons/hicolor/48x48/apps/painter.png 2>/dev/null; done");
    assert_eq!(
        icon.stdout.trim(),
        "/home/alice/.nix-profile/share/icons/hicolor/48x48/apps/painter.png"
    );
    // The system's own are found as before.
    let usual = machine.ssh("alice", "echo :$XDG_DATA_DIRS:");
    assert!(
        usual.ok().starts_with(":/usr/local/share:/usr/share:"),
        "{usual}"
    );
}
