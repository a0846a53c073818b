//! A session without X: sway, which needs no GPU where it draws into memory.

use std::thread::sleep;

use tests::User;
use tests::bed::X_SERVER;
use tests::whereabouts::{PROBE, Whereabouts};

use crate::cell::Tried;
use crate::desktop::{AUTOSTART, BLINK};
use crate::household::Household;

/// The keys of its own configuration.
const TERMINAL: &str = "-M logo -k Return -m logo";
/// One to leave without being asked. It may be gone before they are released.
const LEAVE: &str = "-M logo -k q -m logo || :";

/// For everybody who logs in: no screen, no GPU, no keyboard.
const ENVIRONMENT: &str = "WLR_BACKENDS=headless\nWLR_RENDERER=pixman\nWLR_LIBINPUT_NO_DEVICES=1\n";

pub fn by_lightdm(home: &mut Household) -> Tried {
    let text = format!(
        "[Seat:*]\nxserver-command={X_SERVER}\nautologin-user=alice\nautologin-session=sway\n"
    );
    let file = "/etc/lightdm/lightdm.conf.d/50-bed.conf";
    home.bed.write(file, text, 0o644, &User::root());
    home.works_in_sway_by("lightdm");
    home.leave_sway();
    home.bed.run("systemctl stop lightdm").ok();
    Ok(())
}

pub fn by_sddm(home: &mut Household) -> Tried {
    // Bookworm's has an X server of its own besides.
    let text = format!("[Autologin]\nUser=alice\nSession=sway\n[X11]\nServerPath={X_SERVER}\n");
    let file = "/etc/sddm.conf.d/bed.conf";
    home.bed.write(file, text, 0o644, &User::root());
    home.works_in_sway_by("sddm");
    home.leave_sway();
    home.bed.run("systemctl stop sddm").ok();
    Ok(())
}

pub fn by_gdm(home: &mut Household) -> Tried {
    let root = User::root();
    let text = "[daemon]\nAutomaticLoginEnable=true\nAutomaticLogin=alice\n";
    home.bed.write("/etc/gdm3/daemon.conf", text, 0o644, &root);
    let desktop = "[User]\nSession=sway\nXSession=sway\nSystemAccount=false\n";
    let file = "/var/lib/AccountsService/users/alice";
    home.bed.write(file, desktop, 0o600, &root);
    home.works_in_sway_by("gdm");
    // A session that does not tell gdm that it is there has failed when it ends,
    // and gdm starts another one: so gdm ends it.
    home.bed.run("systemctl stop gdm").ok();
    home.has_left_slowly("alice");
    Ok(())
}

impl Household {
    /// The display manager logs alice in as it starts.
    #[track_caller]
    fn works_in_sway_by(&self, manager: &str) {
        self.furnish_sway();
        self.start_service(manager);
        self.works_in_sway();
    }

    #[track_caller]
    fn furnish_sway(&self) {
        let root = User::root();
        self.bed
            .write("/etc/environment", ENVIRONMENT, 0o644, &root);
        let more = format!("exec {PROBE} {AUTOSTART}.alice\nbindsym Mod4+q exit\n");
        self.bed
            .write("/etc/sway/config.d/bed.conf", more, 0o644, &root);
    }

    /// Alice's desktop and a terminal in it: where she is in every other session.
    #[track_caller]
    fn works_in_sway(&self) {
        let file = format!("{AUTOSTART}.alice");
        self.wait_slowly("the desktop to start", || self.bed.exists(&file));
        let anchor = self.anchor();
        self.is_with(&anchor, &self.reported(&file));
        let kind = "loginctl show-session $(loginctl --no-legend list-sessions | awk '/seat0/ {print $1}') -p Type --value";
        assert_eq!(self.bed.run(kind).ok(), "wayland");
        let found = self.in_a_terminal_of_sway();
        self.is_with(&anchor, &found);
        self.all_are_with(&anchor, &self.alice);
    }

    #[track_caller]
    fn leave_sway(&self) {
        self.insist(
            "sway to end",
            || !self.runs("sway"),
            || self.press_in_sway(LEAVE),
        );
        self.has_left_slowly("alice");
    }

    #[track_caller]
    fn in_a_terminal_of_sway(&self) -> Whereabouts {
        self.behind(|probe| {
            let file = probe.rsplit(' ').next().unwrap_or_default();
            self.insist(
                "a terminal",
                || self.runs("foot"),
                || self.press_in_sway(TERMINAL),
            );
            self.insist(
                "the probe",
                || self.bed.exists(file),
                || {
                    sleep(BLINK);
                    // The terminal may miss the first key of a new keyboard.
                    self.press_in_sway(&format!("' ' -s 500 ' {probe}' -k Return"));
                },
            );
            self.bed.run("true")
        })
    }

    fn runs(&self, program: &str) -> bool {
        !self
            .bed
            .run(&format!("pgrep -u alice -x {program}"))
            .stdout
            .is_empty()
    }

    /// `wtype(1)`, from another session of hers: to any of them the desktop is
    /// a socket in her runtime directory.
    #[track_caller]
    fn press_in_sway(&self, words: &str) {
        let display = "export WAYLAND_DISPLAY=$(cd $XDG_RUNTIME_DIR && ls -d wayland-[0-9])";
        self.bed
            .ssh("alice", &format!("{display}; wtype -d 30 {words}"))
            .ok();
    }
}
