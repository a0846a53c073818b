//! The host's `/nix`. Nothing privileged on the host may trust what is on it;
//! an empty directory of root's is the first sign that nothing does.

use std::collections::BTreeSet;
use std::os::fd::AsFd;
use std::path::Path;

use config::{Refusal, is_root, printable_path};
use nix::errno::Errno;

use crate::error::Error;
use crate::kernel::{Kernel, Remembered};
use crate::references::{PrivilegedFiles, first_reference};

/// Files that only a NixOS system has. Its setuid wrappers run programs of
/// `/nix/store`: whoever controls `/nix` there is root.
const NIXOS_MARKERS: [&str; 3] = ["/etc/NIXOS", "/run/current-system", "/run/wrappers"];

/// Checks that `/nix` may be covered in a session, and says what it is.
///
/// # Errors
/// [`Error::Host`] with the refusal's name, unless the site overrides it.
pub fn check_host(
    kernel: &dyn Kernel,
    overridden: &BTreeSet<Refusal>,
) -> Result<Remembered, Error> {
    let nix = check_directory(kernel)?;
    for (refusal, found) in findings(kernel, &nix)? {
        if !overridden.contains(&refusal) {
            return Err(refused(refusal, found));
        }
    }
    Ok(nix)
}

/// Everything about the host for which it gives no `/nix`, not only the first,
/// for whoever is to mend it; each is an [`Error::Host`]. The caller must be in
/// the host's namespace.
///
/// # Errors
/// When the kernel does not say what `/nix` is.
pub fn refusals(kernel: &dyn Kernel) -> Result<Vec<Error>, Error> {
    let nix = match check_directory(kernel) {
        Err(never @ Error::Host { .. }) => return Ok(vec![never]),
        answer => answer?,
    };
    let findings = findings(kernel, &nix)?.into_iter();
    Ok(findings
        .map(|(refusal, why)| refused(refusal, why))
        .collect())
}

/// Checks that no privileged file names `/nix`. Dearer than [`check_host`], so
/// it is asked when a namespace is built, not when one is joined.
///
/// # Errors
/// [`Error::Host`] with the file and the line.
pub(crate) fn check_references(
    kernel: &dyn Kernel,
    files: &dyn PrivilegedFiles,
    overridden: &BTreeSet<Refusal>,
) -> Result<(), Error> {
    let refusal = Refusal::PrivilegedReference;
    if overridden.contains(&refusal) {
        return Ok(());
    }
    match first_reference(kernel, files) {
        None => Ok(()),
        Some(reference) => {
            let why = format!("a privileged file names /nix, or cannot be read ({reference})");
            Err(refused(refusal, why))
        }
    }
}

fn check_directory(kernel: &dyn Kernel) -> Result<Remembered, Error> {
    let nix = match kernel.remembered(Path::new(crate::NIX)) {
        Ok(nix) => nix,
        Err(failed) if failed.errno == Errno::ENOENT => {
            return Err(never(
                "this host has no /nix",
                "make the mount point: mkdir -m 0755 /nix",
            ));
        }
        Err(failed) => return Err(failed.into()),
    };
    match nix.mode & libc::S_IFMT {
        libc::S_IFDIR => Ok(nix),
        libc::S_IFLNK => Err(never(
            "/nix is a symbolic link",
            "Nix refuses one, too: make it an empty directory",
        )),
        _ => Err(never(
            "/nix is not a directory",
            "make it an empty directory",
        )),
    }
}

/// What a site may override.
fn refused(refusal: Refusal, reason: String) -> Error {
    Error::Host {
        refusal: Some(refusal),
        reason,
        remedy: refusal.remedy(),
    }
}

/// What nobody may.
fn never(reason: &str, remedy: &'static str) -> Error {
    Error::Host {
        refusal: None,
        reason: reason.to_owned(),
        remedy,
    }
}

fn findings(kernel: &dyn Kernel, nix: &Remembered) -> Result<Vec<(Refusal, String)>, Error> {
    let mut found = Vec::new();
    if !is_root(nix.uid) {
        found.push((
            Refusal::HostNixOwner,
            format!("the host's /nix belongs to uid {}", nix.uid),
        ));
    }
    if nix.mode & 0o022 != 0 {
        let mode = nix.mode & 0o7777;
        found.push((
            Refusal::HostNixWritable,
            format!("the host's /nix is writable by others (mode {mode:04o})"),
        ));
    }
    let directory = kernel.open_directory(Path::new(crate::NIX))?;
    if let Some(name) = kernel.entries(directory.as_fd())?.first() {
        let name = printable_path(name);
        found.push((
            Refusal::HostNixNotEmpty,
            format!("the host's /nix is in use (it holds {name})"),
        ));
    }
    for marker in NIXOS_MARKERS {
        if kernel.remembered(Path::new(marker)).is_ok() {
            found.push((
                Refusal::Nixos,
                format!("this is a NixOS system ({marker} exists)"),
            ));
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests;
