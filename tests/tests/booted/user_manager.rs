//! What `systemd --user` starts.

use tests::whereabouts::Stay;

use crate::cell::Tried;
use crate::household::Household;

/// Starts before the session whose login starts it.
pub fn manager_itself(home: &mut Household) -> Tried {
    let anchor = home.anchor();
    let namespace = home.namespace_of_manager("alice");
    assert_eq!(namespace, anchor.namespace, "{}", home.bed.log());
    let state = home.bed.ssh("alice", "systemctl --user is-system-running");
    assert_eq!(state.ok(), "running");
    Ok(())
}

pub fn unit(home: &mut Household) -> Tried {
    by_the_manager(home, |probe| {
        format!("systemd-run --user --wait {probe} || :")
    })
}

pub fn scope(home: &mut Household) -> Tried {
    by_the_manager(home, |probe| {
        format!("systemd-run --user --scope {probe} || :")
    })
}

pub fn timer(home: &mut Household) -> Tried {
    by_the_manager(home, |probe| {
        format!("systemd-run --user --on-active=1ms --timer-property=AccuracySec=1ms {probe}")
    })
}

pub fn service_by_dbus(home: &mut Household) -> Tried {
    by_the_manager(home, |probe| {
        format!("{} && {CALL}", activated(&format!("Exec={probe}")))
    })
}

pub fn unit_by_dbus(home: &mut Household) -> Tried {
    by_the_manager(home, |probe| {
        let unit =
            format!("[Service]\\nType=dbus\\nBusName=org.example.Probe\\nExecStart={probe}\\n");
        format!(
            "mkdir -p ~/.config/systemd/user && printf '{unit}' >~/.config/systemd/user/probe.service && \
             {} && systemctl --user daemon-reload && {CALL}",
            activated("Exec=/bin/false\\nSystemdService=probe.service")
        )
    })
}

/// Started at boot, before anybody has logged in; who logs in then joins it.
pub fn lingering_at_boot(home: &mut Household) -> Tried {
    let file = "/srv/common/lingering";
    let unit = format!(
        "[Service]\nExecStart=-/usr/local/bin/probe {file}\n[Install]\nWantedBy=default.target\n"
    );
    let path = "/home/alice/.config/systemd/user/probe.service";
    home.bed.write(path, unit, 0o644, &home.alice);
    home.bed.run("chown -R alice: /home/alice/.config").ok();
    home.bed
        .ssh("alice", "systemctl --user enable probe.service")
        .ok();
    home.linger("enable");
    home.bed.boot_again();
    let found = home.reported(file);
    home.is_alices(&found);
    let session = home.anchor();
    home.is_with(&session, &found);
    drop(session);
    home.linger("disable");
    Ok(())
}

/// Its first login is over before the second one; the manager stays.
pub fn lingering_between_logins(home: &mut Household) -> Tried {
    home.linger("enable");
    let first = home.behind(|probe| home.bed.ssh("alice", probe));
    // Since systemd 256 the manager has a session as well.
    let sessions = "loginctl --no-legend list-sessions | grep -vw manager || :";
    home.bed.wait_until("the session to end", || {
        home.bed.run(sessions).ok().is_empty()
    });
    let second = home.anchor();
    home.is_with(&second, &first);
    drop(second);
    home.linger("disable");
    Ok(())
}

impl Household {
    /// From a session of root's: logind does not answer processes that it finds
    /// in no control group of its system.
    #[track_caller]
    fn linger(&self, how: &str) {
        let command = format!("loginctl {how}-linger alice");
        self.bed.ssh("root", &command).ok();
    }
}

const CALL: &str =
    "{ busctl --user call org.example.Probe / org.freedesktop.DBus.Peer Ping || :; }";

/// A service file of alice's, for her bus.
fn activated(how: &str) -> String {
    format!(
        "mkdir -p ~/.local/share/dbus-1/services && \
         printf '[D-BUS Service]\\nName=org.example.Probe\\n{how}\\n' \
         >~/.local/share/dbus-1/services/org.example.Probe.service && \
         busctl --user call org.freedesktop.DBus / org.freedesktop.DBus ReloadConfig"
    )
}

#[track_caller]
fn by_the_manager(home: &Household, command: impl FnOnce(&str) -> String) -> Tried {
    let anchor: Stay = home.anchor();
    let found = home.behind(|probe| home.bed.ssh("alice", &command(probe)));
    home.is_with(&anchor, &found);
    Ok(())
}
