//! gdm, and GNOME for whoever logs in there.

use tests::User;

use crate::cell::Tried;
use crate::desktop::{Entry, GNOME, Manager, log_in_and_out};
use crate::household::Household;

pub const GDM: Manager = Manager {
    unit: "gdm",
    greeter: "Debian-gdm",
    desktop: &GNOME,
    configure,
    // It shows all users, the first one selected.
    to_password: |home, greeter| home.bed.press_at(greeter, "Return"),
};

pub fn autologin(home: &mut Household) -> Tried {
    log_in_and_out(home, &GDM, Entry::Automatic)
}

pub fn password(home: &mut Household) -> Tried {
    log_in_and_out(home, &GDM, Entry::Greeter)
}

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
