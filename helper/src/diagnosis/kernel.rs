//! What the kernel can do.

use std::fs;
use std::os::fd::AsFd;
use std::path::Path;

use namespace::kernel::{Files, Linux, MountId, NamespaceId, Namespaces, Task};

use super::{Finding, Scene};
use crate::kernel::knows_call;

const OLDEST: (u32, u32) = (5, 10);

/// Everything about the kernel.
pub(super) fn check(_: &Scene) -> Vec<Finding> {
    vec![
        check_version(),
        check_mount_setattr(),
        check_namespace_ids(),
        check_mount_ids(),
    ]
}

fn check_version() -> Finding {
    const NAME: &str = "kernel.version";
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let release = release.trim();
    match version(release) {
        Some(version) if version >= OLDEST => Finding::ok(NAME, format!("Linux {release}")),
        Some(_) => Finding::fault(
            NAME,
            format!("Linux {release} is older than 5.10"),
            "run a newer kernel: the calls that make the mount are not there",
        ),
        None => Finding::unknown(NAME, "/proc/sys/kernel/osrelease does not say"),
    }
}

fn version(release: &str) -> Option<(u32, u32)> {
    let mut numbers = release.split(|character: char| !character.is_ascii_digit());
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

fn check_mount_setattr() -> Finding {
    const NAME: &str = "kernel.mount-setattr";
    if knows_call(libc::SYS_mount_setattr) {
        Finding::ok(NAME, "mount_setattr is there")
    } else {
        Finding::note(
            NAME,
            "mount_setattr (Linux 5.12) is not there, or kept from this process: flags are carried over by hand",
        )
    }
}

fn check_namespace_ids() -> Finding {
    const NAME: &str = "kernel.namespace-ids";
    let id = Linux
        .open_namespace(Task::Caller)
        .and_then(|namespace| Linux.namespace_id(namespace.as_fd()));
    match id {
        Ok(NamespaceId::Unique(_)) => Finding::ok(NAME, "mount namespaces have unique numbers"),
        Ok(NamespaceId::Inode(_)) => Finding::note(
            NAME,
            "mount namespaces have no unique numbers (Linux 6.11): a login whose only living relative is a background process (tmux) gets a second namespace on the same directory",
        ),
        Err(failed) => Finding::unknown(NAME, failed.to_string()),
    }
}

fn check_mount_ids() -> Finding {
    const NAME: &str = "kernel.mount-ids";
    match Linux.remembered(Path::new("/")) {
        Ok(root) if matches!(root.mount, MountId::Unique(_)) => {
            Finding::ok(NAME, "mounts have unique numbers")
        }
        Ok(_) => Finding::note(NAME, "mounts have no unique numbers (Linux 6.8)"),
        Err(failed) => Finding::unknown(NAME, failed.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_compared_as_numbers() {
        for (release, at_least) in [
            ("5.10.0-30-amd64", true),
            ("5.9.16", false),
            ("5.4.0", false),
            ("6.1", true),
            ("10.0.1+", true),
            ("4.18.0-553.el8", false),
        ] {
            assert_eq!(version(release).unwrap() >= OLDEST, at_least, "{release}");
        }
        assert_eq!(version("unknown"), None);
        assert_eq!(version("5"), None);
    }
}
