//! What stands outside the two lines, and so runs on somebody's `/nix`.

use pam_stack::{Line, View};

use super::door::Door;
use super::{BOTH_LINES, Finding, unless_empty};

/// Modules that neither run anything of somebody's choice nor mount.
const HARMLESS: &[&str] = &[
    "pam_access",
    "pam_cap",
    "pam_ck_connector",
    "pam_console",
    "pam_deny",
    "pam_echo",
    "pam_elogind",
    "pam_env",
    "pam_faildelay",
    "pam_faillock",
    "pam_gdm",
    "pam_gnome_keyring",
    "pam_group",
    "pam_issue",
    "pam_keyinit",
    "pam_krb5",
    "pam_kwallet5",
    "pam_lastlog",
    "pam_lastlog2",
    "pam_limits",
    "pam_localuser",
    "pam_loginuid",
    "pam_mail",
    // Its scripts are read by the scan of privileged files.
    "pam_motd",
    "pam_nologin",
    "pam_permit",
    "pam_rootok",
    "pam_securetty",
    "pam_selinux",
    "pam_sepermit",
    "pam_shells",
    "pam_sss",
    "pam_succeed_if",
    "pam_systemd",
    "pam_systemd_home",
    "pam_time",
    "pam_tty_audit",
    "pam_umask",
    "pam_unix",
    "pam_warn",
    "pam_winbind",
    "pam_xauth",
];

/// Modules that run programs or mount: theirs must happen in the host's view.
const ACTIVE: &[&str] = &[
    "pam_ecryptfs",
    "pam_exec",
    "pam_fscrypt",
    "pam_mkhomedir",
    "pam_mount",
    "pam_namespace",
    "pam_oddjob_mkhomedir",
    "pam_python",
    "pam_script",
    "pam_zfs_key",
];

pub(super) fn check(doors: &[Door]) -> Vec<Finding> {
    const NAME: &str = "pam.order";
    let mut findings = Vec::new();
    for Door { service, stack } in doors {
        for (view, line) in stack.views() {
            let consequence = match view {
                View::Hosts => continue,
                // That it is missing is another finding.
                View::Callers if stack.leave().is_none() => continue,
                View::Callers => {
                    "before the line that leaves, so it runs on the /nix of whoever calls"
                }
                View::Users => "after the line that enters, so it runs on the user's /nix, as root",
            };
            findings.extend(order(service, line, consequence));
        }
        if let (Some(leave), Some(enter)) = (stack.leave(), stack.enter()) {
            if enter < leave {
                let found =
                    format!("{service}: the line that enters comes before the one that leaves");
                findings.push(Finding::fault(NAME, found, BOTH_LINES));
            }
        }
    }
    unless_empty(findings, Finding::ok(NAME, "leave first, enter last"))
}

fn order(service: &str, line: &Line, consequence: &str) -> Option<Finding> {
    const REMEDY: &str = "put it between the module's two lines";
    let module = line.module.as_str();
    if line.is_ours() || line.guards() || HARMLESS.contains(&module) {
        return None;
    }
    let found = format!(
        "{service}: {} stands {consequence} ({})",
        module, line.place
    );
    Some(if ACTIVE.contains(&module) {
        Finding::fault("pam.order", found, REMEDY)
    } else {
        Finding::warning("pam.order", found, REMEDY)
    })
}
