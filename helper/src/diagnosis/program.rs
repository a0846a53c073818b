//! Whether everything is installed, and as it must be.

use std::fs::{self, Metadata};
use std::io::Read;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use super::{Finding, Scene, elf};
use crate::reentry::PROGRAM as ENTER;

const MODULE: &str = "pam_nixns.so";
const INSTALL: &str = "install it: `make install`, or your distribution's package";

/// The reader may be run by everybody and read by nobody but root: what a user
/// may not read, the user may not trace.
const READER_MODE: u32 = 0o711;

/// `pam_nixns.so`: there, root's, and what libpam looks for in it.
pub(super) fn check_module(_: &Scene) -> Vec<Finding> {
    let directories = module_directories();
    let installed: Vec<PathBuf> = directories
        .iter()
        .map(|directory| directory.join(MODULE))
        .filter(|module| module.symlink_metadata().is_ok())
        .collect();
    if installed.is_empty() {
        let places = directories
            .iter()
            .map(|directory| directory.display().to_string());
        let places = places.collect::<Vec<_>>().join(", ");
        let found = format!("{MODULE} is not in the PAM modules' directory ({places})");
        return vec![Finding::fault("module.installed", found, INSTALL)];
    }
    installed
        .iter()
        .flat_map(|module| examine_module(module))
        .collect()
}

/// Where this system's own modules are: those with `pam_permit.so` in them, each
/// once, by whatever names `/lib` leads to it.
fn module_directories() -> Vec<PathBuf> {
    let mut directories: Vec<PathBuf> = ["/lib", "/usr/lib"]
        .iter()
        .flat_map(fs::read_dir)
        .flatten()
        .flatten()
        .map(|entry| entry.path().join("security"))
        .chain(["/lib/security", "/lib64/security", "/usr/lib64/security"].map(PathBuf::from))
        .filter(|directory| directory.join("pam_permit.so").exists())
        .filter_map(|directory| directory.canonicalize().ok())
        .collect();
    directories.sort();
    directories.dedup();
    directories
}

fn examine_module(module: &Path) -> Vec<Finding> {
    let shown = module.display().to_string();
    let metadata = match fs::metadata(module) {
        Ok(metadata) => metadata,
        Err(error) => {
            return vec![Finding::fault(
                "module.installed",
                format!("{shown}: {error}"),
                INSTALL,
            )];
        }
    };
    let mut findings = vec![Finding::ok("module.installed", shown.clone())];
    findings.push(match trust(&metadata) {
        Ok(()) => Finding::ok("module.permissions", "root's, and writable by root alone"),
        Err(why) => Finding::fault(
            "module.permissions",
            format!("{shown} {why}: whoever writes it is root at the next login"),
            "`chown root:root` and `chmod 0644` it, after installing it anew",
        ),
    });
    findings.push(check_symbols(module, &metadata));
    findings
}

/// Larger than any build of the module.
const LARGEST: u64 = 64 << 20;

fn check_symbols(module: &Path, metadata: &Metadata) -> Finding {
    const NAME: &str = "module.symbols";
    let mut bytes = Vec::new();
    let read = if metadata.is_file() && metadata.len() <= LARGEST {
        fs::File::open(module).and_then(|file| file.take(LARGEST).read_to_end(&mut bytes))
    } else {
        Ok(0)
    };
    if let Err(error) = read {
        return Finding::unknown(NAME, error.to_string());
    }
    let exported = elf::exports(&bytes).unwrap_or_default();
    let missing: Vec<&str> = ["pam_sm_open_session", "pam_sm_close_session"]
        .into_iter()
        .filter(|name| !exported.iter().any(|exported| exported == name))
        .collect();
    if missing.is_empty() {
        return Finding::ok(NAME, "pam_sm_open_session, pam_sm_close_session");
    }
    Finding::fault(
        NAME,
        format!(
            "{} exports no {}: libpam loads it and finds nothing to call",
            module.display(),
            missing.join(" and no ")
        ),
        "install it anew",
    )
}

/// `nix-ns-reader` at the one path at which it is run.
pub(super) fn check_reader(_: &Scene) -> Vec<Finding> {
    let path = Path::new(namespace::reader::PROGRAM);
    let metadata = match fs::symlink_metadata(path) {
        Ok(metadata) if metadata.is_file() => metadata,
        Ok(_) => {
            let found = format!("{} is no regular file", path.display());
            return vec![Finding::fault("reader.installed", found, INSTALL)];
        }
        Err(error) => {
            let found = format!("{}: {error}; without it nobody gets /nix", path.display());
            return vec![Finding::fault("reader.installed", found, INSTALL)];
        }
    };
    let mode = metadata.permissions().mode() & 0o7777;
    let permissions = match trust(&metadata) {
        Ok(()) if mode == READER_MODE => Finding::ok("reader.permissions", "root's, mode 0711"),
        Ok(()) => Finding::fault(
            "reader.permissions",
            format!(
                "{} has mode {mode:04o}: {}",
                path.display(),
                consequence(mode)
            ),
            "`chmod 0711` it",
        ),
        Err(why) => Finding::fault(
            "reader.permissions",
            format!("{} {why}", path.display()),
            "`chown root:root` and `chmod 0711` it, after installing it anew",
        ),
    };
    vec![
        Finding::ok("reader.installed", path.display().to_string()),
        permissions,
    ]
}

fn consequence(mode: u32) -> &'static str {
    if mode & 0o001 == 0 {
        "users cannot run it, so nobody gets /nix"
    } else {
        "what a user may read, the user may trace while it reads"
    }
}

/// `nix-ns-enter`, which a site may install setuid root or not at all.
pub(super) fn check_enter(_: &Scene) -> Vec<Finding> {
    const NAME: &str = "enter.installed";
    let Ok(metadata) = fs::symlink_metadata(ENTER) else {
        return vec![Finding::note(NAME, format!("{ENTER} is not installed"))];
    };
    let mode = metadata.permissions().mode();
    vec![if mode & 0o4000 == 0 {
        Finding::note(NAME, format!("{ENTER} is installed, and not setuid"))
    } else {
        match trust(&metadata) {
            Ok(()) => Finding::note(NAME, format!("{ENTER} is installed setuid root")),
            Err(why) => Finding::fault(
                NAME,
                format!("{ENTER} is setuid and {why}"),
                "`chown root:root` it and `chmod go-w` it, after installing it anew; chown takes the setuid bit off",
            ),
        }
    }]
}

/// `/run/nix-ns`: what is in it decides whose `/nix` a session is on.
pub(super) fn check_run(_: &Scene) -> Vec<Finding> {
    const NAME: &str = "run.directory";
    let mut findings = Vec::new();
    for path in [
        namespace::RUN,
        namespace::place::MARKER,
        namespace::REGISTRY,
    ] {
        match fs::symlink_metadata(path) {
            Ok(metadata) => match trust(&metadata) {
                Ok(()) if metadata.is_dir() => {}
                Ok(()) => findings.push(Finding::fault(
                    NAME,
                    format!("{path} is not a directory"),
                    "remove it; the next login makes it",
                )),
                Err(why) => findings.push(Finding::fault(
                    NAME,
                    format!("{path} {why}: whoever writes it can forge whose /nix a session is on"),
                    "`chown root:root` and `chmod 0755` it, and look for who did that",
                )),
            },
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                findings.push(Finding::note(
                    NAME,
                    format!("{path} is made at the first login that gets /nix"),
                ))
            }
            Err(error) => findings.push(Finding::unknown(NAME, format!("{path}: {error}"))),
        }
    }
    if findings.is_empty() {
        findings.push(Finding::ok(NAME, namespace::RUN));
    }
    findings
}

/// Whether only root can have made it what it is.
fn trust(metadata: &Metadata) -> Result<(), String> {
    let mode = metadata.permissions().mode() & 0o7777;
    if metadata.uid() != 0 {
        Err(format!("belongs to uid {}", metadata.uid()))
    } else if mode & 0o022 != 0 {
        Err(format!("is writable by others (mode {mode:04o})"))
    } else {
        Ok(())
    }
}
