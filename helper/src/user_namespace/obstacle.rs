//! Why the kernel allows no user namespace. It says little more than "no"; the
//! switches that make it say so can be read.

use std::fmt;
use std::fs;

use config::printable;
use nix::errno::Errno;

/// What stands in the way, and what helps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Obstacle {
    /// `user.max_user_namespaces` is 0.
    SwitchedOff,
    /// A limit of `/proc/sys/user` is reached, or 32 levels.
    LimitReached,
    /// `kernel.unprivileged_userns_clone` is 0 (Debian's and Arch's patch).
    PrivilegedOnly,
    /// `kernel.apparmor_restrict_unprivileged_userns` is 1 (Ubuntu's).
    AppArmor {
        /// The profile the caller runs under.
        profile: String,
    },
    /// The caller is in a chroot (`user_namespaces(7)`, EPERM).
    Chroot,
    /// A filter of system calls is in force.
    Seccomp,
    /// The kernel was built without.
    NotBuilt,
    /// Something else.
    Other(Errno),
}

/// What can be read of the system.
#[derive(Debug, Clone, Default)]
struct Switches {
    most: Option<String>,
    unprivileged: Option<String>,
    apparmor: Option<String>,
    profile: String,
    filtered: bool,
    chrooted: bool,
    built: bool,
}

/// Why `unshare(CLONE_NEWUSER)` failed.
pub(super) fn of_user_namespace(errno: Errno) -> Obstacle {
    Switches::read().explain(errno)
}

/// Why something failed that every owner of a user namespace may do in it.
pub(super) fn after_user_namespace(errno: Errno) -> Obstacle {
    Switches::read().explain_denial_inside(errno)
}

impl Switches {
    fn read() -> Self {
        let text = |file: &str| fs::read_to_string(file).ok().map(|it| it.trim().to_owned());
        let status = text("/proc/self/status").unwrap_or_default();
        Self {
            most: text("/proc/sys/user/max_user_namespaces"),
            unprivileged: text("/proc/sys/kernel/unprivileged_userns_clone"),
            apparmor: text("/proc/sys/kernel/apparmor_restrict_unprivileged_userns"),
            profile: text("/proc/self/attr/apparmor/current").unwrap_or_default(),
            filtered: status
                .lines()
                .any(|line| line.strip_prefix("Seccomp:").map(str::trim) == Some("2")),
            chrooted: !is_mount_root("/"),
            built: fs::symlink_metadata("/proc/self/ns/user").is_ok(),
        }
    }

    fn explain(&self, errno: Errno) -> Obstacle {
        match errno {
            Errno::ENOSPC | Errno::EUSERS if self.most.as_deref() == Some("0") => {
                Obstacle::SwitchedOff
            }
            Errno::ENOSPC | Errno::EUSERS => Obstacle::LimitReached,
            Errno::EINVAL | Errno::ENOSYS if !self.built => Obstacle::NotBuilt,
            Errno::EPERM | Errno::EACCES if self.unprivileged.as_deref() == Some("0") => {
                Obstacle::PrivilegedOnly
            }
            Errno::EPERM if self.chrooted => Obstacle::Chroot,
            _ => self.explain_denial_inside(errno),
        }
    }

    fn explain_denial_inside(&self, errno: Errno) -> Obstacle {
        match errno {
            Errno::ENOSPC => Obstacle::LimitReached,
            Errno::EPERM | Errno::EACCES if self.apparmor.as_deref() == Some("1") => {
                Obstacle::AppArmor {
                    profile: self.profile.clone(),
                }
            }
            // Docker's filter answers EPERM, others ENOSYS.
            Errno::EPERM | Errno::EACCES | Errno::ENOSYS if self.filtered => Obstacle::Seccomp,
            other => Obstacle::Other(other),
        }
    }
}

fn is_mount_root(path: &str) -> bool {
    use namespace::kernel::{Files, Linux};
    Linux
        .remembered(std::path::Path::new(path))
        .is_ok_and(|it| it.mount_root)
}

impl fmt::Display for Obstacle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SwitchedOff => f.write_str(
                "they are switched off on this host (sysctl user.max_user_namespaces = 0). \
                 The administrator can raise that, or set up the PAM module, which needs none",
            ),
            Self::LimitReached => f.write_str(
                "there are as many as this host allows already (sysctl user.max_user_namespaces \
                 and its kin), or 32 inside each other. End some, or have the limit raised",
            ),
            Self::PrivilegedOnly => f.write_str(
                "this host leaves them to root (sysctl kernel.unprivileged_userns_clone = 0). \
                 The administrator can set that to 1, or set up the PAM module, which needs none",
            ),
            Self::AppArmor { profile } => write!(
                f,
                "AppArmor restricts them on this host (sysctl \
                 kernel.apparmor_restrict_unprivileged_userns = 1; this process runs under \
                 \"{}\"). The administrator can give nix-ns a profile that has `userns,`, set \
                 that to 0, or set up the PAM module, which needs none",
                printable(profile)
            ),
            Self::Chroot => f.write_str(
                "a process in a chroot may make none. Start this outside of it, or in a container \
                 with a root mount of its own",
            ),
            Self::Seccomp => f.write_str(
                "a filter of system calls forbids it (seccomp: a container's, or a service's \
                 RestrictNamespaces=). Whoever made that can allow it",
            ),
            Self::NotBuilt => {
                f.write_str("this kernel has none (CONFIG_USER_NS). The PAM module needs none")
            }
            Self::Other(Errno::EPERM) => f.write_str(
                "EPERM, and no switch known to do that is set. A security module's policy, \
                 perhaps (SELinux: user_namespace); the kernel's log may tell",
            ),
            Self::Other(errno) => write!(f, "{errno}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn switches() -> Switches {
        Switches {
            most: Some("1000".to_owned()),
            built: true,
            ..Switches::default()
        }
    }

    #[test]
    fn every_switch_is_told_from_the_others() {
        let on = |text: &str| Some(text.to_owned());
        let (ours, apparmor) = (switches(), "unprivileged_userns (enforce)".to_owned());
        for (switches, errno, expected) in [
            (
                Switches {
                    most: on("0"),
                    ..ours.clone()
                },
                Errno::ENOSPC,
                Obstacle::SwitchedOff,
            ),
            (ours.clone(), Errno::ENOSPC, Obstacle::LimitReached),
            (ours.clone(), Errno::EUSERS, Obstacle::LimitReached),
            (
                Switches {
                    unprivileged: on("0"),
                    filtered: true,
                    ..ours.clone()
                },
                Errno::EPERM,
                Obstacle::PrivilegedOnly,
            ),
            (
                Switches {
                    unprivileged: on("1"),
                    ..ours.clone()
                },
                Errno::EPERM,
                Obstacle::Other(Errno::EPERM),
            ),
            (
                Switches {
                    apparmor: on("1"),
                    profile: apparmor.clone(),
                    ..ours.clone()
                },
                Errno::EACCES,
                Obstacle::AppArmor { profile: apparmor },
            ),
            (
                Switches {
                    apparmor: on("0"),
                    ..ours.clone()
                },
                Errno::EACCES,
                Obstacle::Other(Errno::EACCES),
            ),
            (
                Switches {
                    chrooted: true,
                    filtered: true,
                    ..ours.clone()
                },
                Errno::EPERM,
                Obstacle::Chroot,
            ),
            (
                Switches {
                    filtered: true,
                    ..ours.clone()
                },
                Errno::EPERM,
                Obstacle::Seccomp,
            ),
            (
                Switches {
                    built: false,
                    ..ours.clone()
                },
                Errno::EINVAL,
                Obstacle::NotBuilt,
            ),
            (ours, Errno::EINVAL, Obstacle::Other(Errno::EINVAL)),
        ] {
            assert_eq!(switches.explain(errno), expected, "{switches:?}");
        }
    }

    #[test]
    fn a_right_denied_inside_is_apparmors_doing_or_a_filters() {
        let apparmor = Switches {
            apparmor: Some("1".to_owned()),
            ..switches()
        };
        assert!(matches!(
            apparmor.explain_denial_inside(Errno::EPERM),
            Obstacle::AppArmor { .. }
        ));
        let chrooted = Switches {
            chrooted: true,
            ..switches()
        };
        assert_eq!(
            chrooted.explain_denial_inside(Errno::EPERM),
            Obstacle::Other(Errno::EPERM)
        );
    }

    #[test]
    fn what_is_shown_of_a_profile_moves_no_cursor() {
        let profile = "\u{1b}[2J".to_owned();
        assert!(
            !Obstacle::AppArmor { profile }
                .to_string()
                .contains('\u{1b}')
        );
    }
}
