//! What a security module's policy confines the calling process to: the first
//! thing to look at where root is denied something.

use std::fs;

/// For a line about what was denied, after it: nothing where no policy is in force.
#[must_use]
pub fn hint() -> String {
    // SELinux's context, or the name of AppArmor's profile.
    let label = fs::read_to_string("/proc/thread-self/attr/current").unwrap_or_default();
    confined_as(&label).unwrap_or_default()
}

fn confined_as(label: &str) -> Option<String> {
    let label = label.trim_end_matches(['\0', '\n']);
    let is_confined = !["", "unconfined"].contains(&label) && !label.contains(":unconfined_t:");
    if !is_confined {
        return None;
    }
    let label = config::printable(label);
    let (whose, remedy) = if label.ends_with(')') {
        ("AppArmor profile", "let it mount")
    } else {
        ("SELinux context", "load nix-ns's policy module")
    };
    Some(format!(
        "; this process has the {whose} {label}, which may forbid that: {remedy} if the audit log (AVC) says so"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_confined_is_told_by_what() {
        let said = |label| confined_as(label).unwrap_or_default();
        assert_eq!(said("unconfined\n"), "");
        assert_eq!(said(""), "");
        assert_eq!(said("unconfined_u:unconfined_r:unconfined_t:s0\0"), "");
        let apparmor = said("sshd (enforce)\n");
        assert!(
            apparmor.contains("AppArmor profile sshd (enforce),"),
            "{apparmor}"
        );
        let selinux = said("system_u:system_r:sshd_t:s0-s0:c0.c1023\0");
        assert!(
            selinux.contains("SELinux context system_u:system_r:sshd_t:s0-s0:c0.c1023,"),
            "{selinux}"
        );
    }
}
