//! Installed setuid root, it runs a program of `/nix` as root: what every
//! wrapper of NixOS does (`nixos/modules/security/wrappers/wrapper.c`).

use std::os::unix::process::CommandExt;
use std::process::Command;

use nix::unistd::{Uid, setuid};

fn main() {
    // Root for good, or the shell of a script would give it up.
    setuid(Uid::from_raw(0)).expect("installed setuid root");
    let error = Command::new("/nix/store/tool").exec();
    eprintln!("/nix/store/tool: {error}");
}
