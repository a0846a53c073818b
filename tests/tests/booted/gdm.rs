//! gdm, and GNOME for whoever logs in there.

use tests::User;

use crate::cell::{NotThere, Tried};
use crate::desktop::{Entry, GNOME, Manager, log_in_and_out};
use crate::household::Household;
use crate::nix_program::found_and_started;

const GDM: Manager = Manager {
    unit: "gdm",
    greeter: "Debian-gdm",
    desktop: &GNOME,
    configure,
    // It shows all users, the first one selected.
    to_password: |home, greeter, _| home.bed.press_at(greeter, "Return"),
};

pub fn autologin(home: &mut Household) -> Tried {
    shows_gnome(home)?;
    log_in_and_out(home, &GDM, Entry::Automatic)
}

pub fn password(home: &mut Household) -> Tried {
    shows_gnome(home)?;
    log_in_and_out(home, &GDM, Entry::Greeter)
}

/// GNOME's own lock screen; who unlocks it is asked by a PAM conversation that
/// opens no session.
pub fn lock_and_unlock(home: &mut Household) -> Tried {
    shows_gnome(home)?;
    let screen = home.sit_down(&GDM, Entry::Automatic);
    let anchor = home.anchor();
    let locked = || home.bed.run(LOCKED).stdout.contains("yes");
    // Not as long as the shell is busy with itself.
    home.insist("the screen to be locked", locked, || {
        home.bed.ssh("root", "loginctl lock-sessions").ok();
    });
    home.bed.press_at(&screen, "Return");
    home.unlock(&screen, || !locked());
    let found = home.launched(&screen);
    home.is_with(&anchor, &found);
    drop(anchor);
    home.log_out(&home.alice, &screen, GDM.desktop);
    home.stand_up(&GDM);
    Ok(())
}

/// The desktop starts all the same, and says what is wrong.
pub fn broken_configuration(home: &mut Household) -> Tried {
    shows_gnome(home)?;
    home.bed.configure(&home.alice, "enabel = true\n");
    let mut bus = home.bed.spawn_ssh("alice", &[], LISTEN);
    bus.until_it_says("NameAcquired");
    home.start(&GDM, Entry::Automatic);
    let (found, screen) = home.desktop_of(&home.alice);
    home.is_on_the_host(&found, home.alice.uid);
    bus.until_it_says("config.toml:1:1: `enabel` is not a key; did you mean `enable`?");
    drop(bus);
    // It tries again until somebody shows it.
    home.wait_slowly("the notification to be shown", || {
        home.bed
            .run("pgrep -u alice -f nix-ns-notice")
            .stdout
            .is_empty()
    });
    assert!(!home.bed.log().contains("nix-ns: no /nix:"));
    // Off the overview that GNOME begins with.
    home.bed.press_at(&screen, "Escape");
    std::thread::sleep(std::time::Duration::from_secs(3));
    home.keep_picture(&screen, "gdm-broken-configuration");
    home.log_out(&home.alice, &screen, GDM.desktop);
    home.stand_up(&GDM);
    Ok(())
}

pub fn nix_program(home: &mut Household) -> Tried {
    shows_gnome(home)?;
    found_and_started(home, &GDM)
}

/// A terminal of GNOME's is no child of the session but of `systemd --user`,
/// which D-Bus has asked for it.
pub fn terminal_by_the_shell(home: &mut Household) -> Tried {
    shows_gnome(home)?;
    let screen = home.sit_down(&GDM, Entry::Automatic);
    let anchor = home.anchor();
    let found = home.behind(|probe| {
        let file = probe.rsplit(' ').next().unwrap_or_default();
        home.look_up(&screen, "super", "Terminal", || {
            !home
                .bed
                .run("pgrep -u alice -f gnome-terminal-server")
                .stdout
                .is_empty()
        });
        home.insist_in_terminal(&screen, probe, || home.bed.exists(file));
        home.bed.run("true")
    });
    home.is_with(&anchor, &found);
    let parent = home
        .bed
        .run("ps -o comm= -p $(ps -o ppid= -p $(pgrep -u alice -f gnome-terminal-server))");
    assert_eq!(parent.ok(), "systemd");
    drop(anchor);
    home.log_out(&home.alice, &screen, GDM.desktop);
    home.stand_up(&GDM);
    Ok(())
}

/// There is no GPU, which GNOME wants where it is not shown by an X server.
fn shows_gnome(home: &Household) -> Tried {
    if home.bed.exists("/usr/share/xsessions/gnome-xorg.desktop") {
        return Ok(());
    }
    Err(NotThere("GNOME without X11, which wants a GPU".into()))
}

/// Whether a screen is locked, as the shell has told logind.
const LOCKED: &str = "for it in $(loginctl --no-legend list-sessions | awk '{print $1}'); do \
                          loginctl show-session $it -p LockedHint --value; done";
/// Everything that anybody asks the session's bus to show.
const LISTEN: &str = "exec dbus-monitor --session interface=org.freedesktop.Notifications";

#[track_caller]
fn configure(home: &Household, entry: Entry) {
    let root = User::root();
    let automatic = match entry {
        Entry::Automatic => "AutomaticLoginEnable=true\nAutomaticLogin=alice\n",
        Entry::Greeter => "",
    };
    let text = format!("[daemon]\nWaylandEnable=false\n{automatic}");
    home.bed.write("/etc/gdm3/daemon.conf", text, 0o644, &root);
    let desktop = "[User]\nSession=gnome-xorg\nXSession=gnome-xorg\nSystemAccount=false\n";
    home.bed.write(
        "/var/lib/AccountsService/users/alice",
        desktop,
        0o600,
        &root,
    );
}
