//! What is compared with: fetched once, unpacked in the machine alone.

use std::io;
use std::path::Path;
use std::process::Command;

use crate::Machine;

/// Where `tests/benchmark/peers` puts it; the machine sees it, too.
const CACHE: &str = "/var/cache/nix-ns-benchmark";

/// Fetches what is missing; not what would have to be built, unless `all` is
/// wanted.
///
/// # Errors
///
/// When it cannot be had.
pub fn fetch(all: bool) -> io::Result<()> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("benchmark/peers");
    let packages = (!all).then_some("packages");
    let ended = Command::new(&script).args(packages).status()?;
    if ended.success() {
        Ok(())
    } else {
        let script = script.display();
        Err(io::Error::other(format!("{script}: {ended}")))
    }
}

/// Puts them into a machine.
#[track_caller]
pub fn install(machine: &Machine) {
    // Not `dpkg --extract`, which makes a directory of the link /lib.
    let unpack = format!(
        "for package in {CACHE}/debs/*.deb; do
            dpkg-deb --fsys-tarfile $package | tar -x --keep-directory-symlink -C / || exit
        done
        test ! -e {CACHE}/bin/nix-user-chroot || cp {CACHE}/bin/nix-user-chroot /usr/bin/"
    );
    machine.run(&unpack).ok();
}

/// Their versions, as the names of the files have them.
#[must_use]
pub fn versions() -> String {
    let list = std::fs::read_dir(format!("{CACHE}/debs"));
    let mut names: Vec<String> = list
        .into_iter()
        .flatten()
        .filter_map(|entry| {
            let name = entry.ok()?.file_name().into_string().ok()?;
            let name = name.strip_suffix(".deb")?.rsplit_once('_')?.0.to_owned();
            ["libpam-mount", "proot", "fuse-overlayfs"]
                .iter()
                .any(|wanted| name.starts_with(wanted))
                .then(|| name.replace('_', " "))
        })
        .collect();
    names.sort();
    names.push("nix-user-chroot 2.1.1".to_owned());
    names.join(", ")
}
