//! sddm, and XFCE for whoever logs in there.

use tests::User;
use tests::bed::X_SERVER;

use crate::cell::Tried;
use crate::desktop::{Entry, Manager, XFCE, errors_have_the_reason, log_in_and_out};
use crate::household::Household;
use crate::nix_program::found_and_started;

const SDDM: Manager = Manager {
    unit: "sddm",
    greeter: "sddm",
    desktop: &XFCE,
    configure,
    // It shows all users, and asks the last one, or else the first, for the
    // password.
    to_password: |_, _, _| (),
};

pub fn autologin(home: &mut Household) -> Tried {
    log_in_and_out(home, &SDDM, Entry::Automatic)
}

pub fn greeter(home: &mut Household) -> Tried {
    log_in_and_out(home, &SDDM, Entry::Greeter)
}

/// By a program of the session's own, which has a setuid one look at the
/// password.
pub fn lock_and_unlock(home: &mut Household) -> Tried {
    let screen = home.sit_down(&SDDM, Entry::Automatic);
    let anchor = home.anchor();
    let locked = || !home.bed.run("pgrep -u alice -x i3lock").stdout.is_empty();
    home.launch(&screen, "i3lock --nofork", locked);
    home.unlock(&screen, || !locked());
    let found = home.launched(&screen);
    home.is_with(&anchor, &found);
    home.all_are_with(&anchor, &home.alice);
    drop(anchor);
    home.log_out(&home.alice, &screen, SDDM.desktop);
    home.stand_up(&SDDM);
    Ok(())
}

pub fn broken_configuration(home: &mut Household) -> Tried {
    errors_have_the_reason(home, &SDDM)
}

pub fn nix_program(home: &mut Household) -> Tried {
    found_and_started(home, &SDDM)
}

#[track_caller]
fn configure(home: &Household, entry: Entry) {
    let automatic = match entry {
        Entry::Automatic => "[Autologin]\nUser=alice\nSession=xfce\n",
        Entry::Greeter => "",
    };
    let root = User::root();
    let text = format!("{automatic}[General]\nDisplayServer=x11\n[X11]\nServerPath={X_SERVER}\n");
    home.bed
        .write("/etc/sddm.conf.d/bed.conf", text, 0o644, &root);
    let last = "[Last]\nSession=/usr/share/xsessions/xfce.desktop\nUser=alice\n";
    home.bed
        .write("/var/lib/sddm/state.conf", last, 0o644, &root);
}
