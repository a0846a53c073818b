//! lightdm, and XFCE for whoever logs in there.

use tests::User;
use tests::bed::X_SERVER;

use crate::cell::Tried;
use crate::desktop::{Entry, Manager, XFCE, log_in_and_out};
use crate::household::Household;

const LIGHTDM: Manager = Manager {
    unit: "lightdm",
    greeter: "lightdm",
    desktop: &XFCE,
    configure,
    to_password: |home, greeter| {
        home.bed.type_at(greeter, "alice");
        home.bed.press_at(greeter, "Return");
    },
};

pub fn autologin(home: &mut Household) -> Tried {
    log_in_and_out(home, &LIGHTDM, Entry::Automatic)
}

pub fn greeter(home: &mut Household) -> Tried {
    log_in_and_out(home, &LIGHTDM, Entry::Greeter)
}

#[track_caller]
fn configure(home: &Household, entry: Entry) {
    let automatic = match entry {
        Entry::Automatic => "autologin-user=alice\n",
        Entry::Greeter => "",
    };
    let text = format!(
        "[Seat:*]\nxserver-command={X_SERVER}\nuser-session=xfce\ngreeter-hide-users=true\n{automatic}"
    );
    let file = "/etc/lightdm/lightdm.conf.d/50-bed.conf";
    home.bed.write(file, text, 0o644, &User::root());
}
