//! What the system's own manager starts as a user.

use crate::cell::{NotThere, Tried};
use crate::household::Household;

pub fn service_with_pam_name(home: &mut Household) -> Tried {
    let anchor = home.anchor();
    let found = home.behind(|probe| home.service("-p User=alice -p PAMName=login", probe));
    home.is_with(&anchor, &found);
    Ok(())
}

/// No session, no `/nix`: as the README says.
pub fn service_with_user(home: &mut Household) -> Tried {
    let _anchor = home.anchor();
    let found = home.behind(|probe| home.service("-p User=alice", probe));
    home.is_on_the_host(&found, home.alice.uid);
    Ok(())
}

/// A namespace of systemd's making stays what it is; the session gets its
/// `/nix` on top.
pub fn service_with_private_tmp(home: &mut Household) -> Tried {
    let anchor = home.anchor();
    let options = "-p User=alice -p PrivateTmp=yes -p PAMName=login";
    let found = home.behind(|probe| home.service(options, probe));
    home.is_alices(&found);
    assert_ne!(found.namespace, anchor.namespace);
    Ok(())
}

pub fn service_with_private_tmp_alone(home: &mut Household) -> Tried {
    let _anchor = home.anchor();
    let found = home.behind(|probe| home.service("-p User=alice -p PrivateTmp=yes", probe));
    assert_eq!(found.owner(), "0", "{found:?}");
    Ok(())
}

/// As with `PrivateTmp=`, whatever else systemd has put up.
pub fn service_with_sandboxing(home: &mut Household) -> Tried {
    let _anchor = home.anchor();
    let sandbox = "-p ProtectSystem=full -p PrivateDevices=yes -p ProtectKernelTunables=yes \
                   -p ProtectControlGroups=yes -p RestrictSUIDSGID=yes";
    let options = format!("-p User=alice -p PAMName=login {sandbox}");
    let found = home.behind(|probe| home.service(&options, probe));
    home.is_alices(&found);
    let options = format!("-p User=alice {sandbox}");
    let found = home.behind(|probe| home.service(&options, probe));
    assert_eq!(found.owner(), "0", "{found:?}");
    Ok(())
}

/// With everything that `systemd-analyze security` asks of a service, but for a
/// home out of sight.
pub fn service_that_is_hardened(home: &mut Household) -> Tried {
    let _anchor = home.anchor();
    let hardened = "-p ProtectSystem=strict -p ReadWritePaths=/srv/common -p ProtectHome=read-only -p PrivateTmp=yes -p PrivateDevices=yes \
                    -p PrivateNetwork=yes -p ProtectKernelTunables=yes -p ProtectKernelModules=yes \
                    -p ProtectKernelLogs=yes -p ProtectControlGroups=yes -p ProtectClock=yes \
                    -p ProtectHostname=yes -p ProtectProc=invisible -p RestrictSUIDSGID=yes \
                    -p RestrictNamespaces=yes -p RestrictRealtime=yes -p RestrictAddressFamilies=AF_UNIX \
                    -p LockPersonality=yes -p MemoryDenyWriteExecute=yes -p NoNewPrivileges=yes \
                    -p CapabilityBoundingSet= -p SystemCallFilter=@system-service \
                    -p SystemCallArchitectures=native";
    let options = format!("-p User=alice -p PAMName=login {hardened}");
    let found = home.behind(|probe| home.service(&options, probe));
    home.is_alices(&found);
    Ok(())
}

pub fn machinectl_shell(home: &mut Household) -> Tried {
    let anchor = home.anchor();
    let found = home.behind(|probe| {
        let shell = format!("machinectl --quiet shell alice@ {probe}");
        home.bed.run(&format!("script -qec '{shell}' /dev/null"))
    });
    home.is_with(&anchor, &found);
    Ok(())
}

pub fn run0(home: &mut Household) -> Tried {
    home.needs("run0", "systemd before 256")?;
    let anchor = home.anchor();
    let found = home.behind(|probe| home.bed.ssh("bob", &format!("run0 --user=alice {probe}")));
    home.is_with(&anchor, &found);
    Ok(())
}

pub fn run0_to_root(home: &mut Household) -> Tried {
    home.needs("run0", "systemd before 256")?;
    let _anchor = home.anchor();
    let found = home.behind(|probe| home.bed.ssh("alice", &format!("run0 {probe}")));
    home.is_on_the_host(&found, 0);
    Ok(())
}

/// A display manager's greeter has a session and a manager like everybody.
pub fn system_account(home: &mut Household) -> Tried {
    home.bed
        .run("useradd --system --create-home --home-dir /var/lib/greeter --shell /bin/sh greeter")
        .ok();
    let uid = home.bed.uid("greeter");
    let options = "-p User=greeter -p PAMName=sshd";
    let found = home.behind(|probe| home.service(options, probe));
    home.is_on_the_host(&found, uid);
    home.bed.run(&format!("systemctl start user@{uid}")).ok();
    let found = home.behind(|probe| {
        home.bed.run(&format!(
            "systemd-run --user --machine greeter@ --wait {probe} || :"
        ))
    });
    home.is_on_the_host(&found, uid);
    home.bed.run(&format!("systemctl stop user@{uid}")).ok();
    home.has_left("greeter");
    Ok(())
}

impl Household {
    /// A service of the system, once, until it has ended.
    fn service(&self, options: &str, probe: &str) -> tests::Output {
        self.bed
            .run(&format!("systemd-run --quiet --wait {options} {probe}"))
    }

    /// A door that older suites do not have.
    fn needs(&self, program: &str, without: &str) -> Result<(), NotThere> {
        let found = self.bed.run(&format!("command -v {program} || :"));
        if found.ok().is_empty() {
            return Err(NotThere(format!("no {program}: {without}")));
        }
        Ok(())
    }
}
