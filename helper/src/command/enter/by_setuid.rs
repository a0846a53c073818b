//! Through `nix-ns-enter`, which does the work: this program has no rights.

use std::convert::Infallible;
use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::process::Command;

use nix::sys::prctl::get_no_new_privs;
use nix::sys::statvfs::{FsFlags, statvfs};

use super::Error;
use crate::kernel;
use crate::program::Environment;
use crate::reentry::PROGRAM;

const SETUID: u32 = 0o4000;

/// What keeps it from having rights, started from here.
pub(super) fn obstacle() -> Option<&'static str> {
    let Ok(program) = fs::symlink_metadata(PROGRAM) else {
        return Some("it is not installed");
    };
    let setuid = program.permissions().mode() & SETUID != 0 && program.uid() == 0;
    if !setuid {
        Some("it is not setuid root")
    } else if get_no_new_privs().unwrap_or(true) {
        Some("this process has no_new_privs")
    } else if statvfs(Path::new(PROGRAM)).is_ok_and(|it| it.flags().contains(FsFlags::ST_NOSUID)) {
        Some("it is on a file system mounted nosuid")
    } else if !root_is_root() {
        Some("this process is in a user namespace")
    } else {
        None
    }
}

/// In a user namespace, root is another (`/proc/PID/uid_map`,
/// user_namespaces(7)).
fn root_is_root() -> bool {
    fs::read_to_string("/proc/self/uid_map")
        .is_ok_and(|map| map.split_whitespace().eq(["0", "0", "4294967295"]))
}

/// Becomes it.
pub(super) fn exec(words: Vec<OsString>, environment: Environment) -> Result<Infallible, Error> {
    let mut command = Command::new(PROGRAM);
    command.args(words).env_clear().envs(environment);
    kernel::exec_as_found(&mut command).map_err(Error::NotInstalled)
}
