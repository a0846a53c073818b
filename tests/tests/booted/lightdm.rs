//! lightdm, and XFCE for whoever logs in there.

use tests::User;
use tests::bed::{Screen, X_SERVER};
use tests::whereabouts::Whereabouts;

use crate::cell::Tried;
use crate::desktop::{Entry, Manager, XFCE, errors_have_the_reason, log_in_and_out};
use crate::household::Household;
use crate::nix_program::found_and_started;

const LIGHTDM: Manager = Manager {
    unit: "lightdm",
    greeter: "lightdm",
    desktop: &XFCE,
    configure,
    to_password: |home, greeter, user| {
        home.bed.type_at(greeter, user);
        home.bed.press_at(greeter, "Return");
    },
};

pub fn autologin(home: &mut Household) -> Tried {
    log_in_and_out(home, &LIGHTDM, Entry::Automatic)
}

pub fn greeter(home: &mut Household) -> Tried {
    log_in_and_out(home, &LIGHTDM, Entry::Greeter)
}

/// At the same greeter, once more.
pub fn log_in_again(home: &mut Household) -> Tried {
    let first = home.sit_down(&LIGHTDM, Entry::Greeter);
    home.log_out(&home.alice, &first, LIGHTDM.desktop);
    home.has_left_slowly("alice");
    let greeter = home.greeter_of(&LIGHTDM);
    home.log_in_at(&greeter, &LIGHTDM, "alice");
    let (found, second) = home.desktop_of(&home.alice);
    let anchor = home.anchor();
    home.is_with(&anchor, &found);
    drop(anchor);
    home.log_out(&home.alice, &second, LIGHTDM.desktop);
    home.stand_up(&LIGHTDM);
    Ok(())
}

/// Locked by a greeter of its own; who unlocks it is asked for the password, and
/// no session begins.
pub fn lock_and_unlock(home: &mut Household) -> Tried {
    let screen = home.sit_down(&LIGHTDM, Entry::Automatic);
    let anchor = home.anchor();
    home.launch(&screen, "dm-tool lock", || !home.is_in_front("alice"));
    let greeter = home.greeter_of(&LIGHTDM);
    home.is_untouched(LIGHTDM.greeter);
    home.unlock(&greeter, || home.is_in_front("alice"));
    let found = home.launched(&screen);
    home.is_with(&anchor, &found);
    home.all_are_with(&anchor, &home.alice);
    drop(anchor);
    home.log_out(&home.alice, &screen, LIGHTDM.desktop);
    home.stand_up(&LIGHTDM);
    Ok(())
}

/// Bob comes while alice stays: on another terminal, on his own `/nix`.
pub fn switch_user(home: &mut Household) -> Tried {
    let alices = home.sit_down(&LIGHTDM, Entry::Automatic);
    let switched = || !home.is_in_front("alice");
    home.launch(&alices, "dm-tool switch-to-greeter", switched);
    let greeter = home.greeter_of(&LIGHTDM);
    home.log_in_at(&greeter, &LIGHTDM, "bob");
    let (found, bobs) = home.desktop_of(&home.bob);
    assert_ne!(bobs, alices);
    home.keep_apart(&found, &alices, &bobs);
    home.log_out(&home.bob, &bobs, LIGHTDM.desktop);
    home.has_left_slowly("bob");
    home.log_out(&home.alice, &alices, LIGHTDM.desktop);
    home.stand_up(&LIGHTDM);
    Ok(())
}

/// Two people in front of one machine.
pub fn second_seat(home: &mut Household) -> Tried {
    home.bed.furnish_second_seat();
    let more = "[Seat:seat1]\nautologin-user=bob\n";
    let file = "/etc/lightdm/lightdm.conf.d/60-bed.conf";
    home.bed.write(file, more, 0o644, &User::root());
    let alices = home.sit_down(&LIGHTDM, Entry::Automatic);
    let (found, bobs) = home.desktop_of(&home.bob);
    let seats = home.bed.run("loginctl --no-legend list-sessions").stdout;
    let is_on = |user, seat| {
        seats
            .lines()
            .any(|it| it.contains(user) && it.contains(seat))
    };
    assert!(is_on("alice", "seat0") && is_on("bob", "seat1"), "{seats}");
    home.keep_apart(&found, &alices, &bobs);
    home.log_out(&home.bob, &bobs, LIGHTDM.desktop);
    home.log_out(&home.alice, &alices, LIGHTDM.desktop);
    home.has_left_slowly("bob");
    home.stand_up(&LIGHTDM);
    Ok(())
}

/// In a session of XFCE's.
pub fn applications(home: &mut Household) -> Tried {
    let screen = home.sit_down(&LIGHTDM, Entry::Automatic);
    let anchor = home.anchor();
    home.try_applications(&screen, &anchor);
    home.all_are_with(&anchor, &home.alice);
    drop(anchor);
    home.log_out(&home.alice, &screen, LIGHTDM.desktop);
    home.stand_up(&LIGHTDM);
    Ok(())
}

pub fn broken_configuration(home: &mut Household) -> Tried {
    errors_have_the_reason(home, &LIGHTDM)
}

pub fn nix_program(home: &mut Household) -> Tried {
    found_and_started(home, &LIGHTDM)
}

#[track_caller]
fn configure(home: &Household, entry: Entry) {
    let automatic = match entry {
        Entry::Automatic => "autologin-user=alice\n",
        Entry::Greeter => "",
    };
    let text = format!(
        "[Seat:*]\nxserver-command={X_SERVER}\nuser-session=xfce\ngreeter-hide-users=true\n\
         [Seat:seat0]\n{automatic}"
    );
    let file = "/etc/lightdm/lightdm.conf.d/50-bed.conf";
    home.bed.write(file, text, 0o644, &User::root());
}

impl Household {
    /// Alice and bob at the same time: each where all sessions of theirs are.
    #[track_caller]
    fn keep_apart(&self, bobs_desktop: &Whereabouts, alices: &Screen, bobs: &Screen) {
        let alice = self.anchor();
        let bob = self.bed.keep_by_ssh("bob");
        assert_ne!(alice.namespace, bob.namespace);
        let store = "stat -c %u:%d:%i /home/bob/.local/share/nix";
        for found in [bobs_desktop, &self.launched(bobs)] {
            assert_eq!(found.uid, self.bob.uid, "{found:?}");
            assert_eq!(found.namespace, bob.namespace, "{found:?}");
            assert_eq!(found.nix, self.bed.run(store).ok(), "{found:?}");
        }
        self.is_with(&alice, &self.launched(alices));
        self.all_are_with(&alice, &self.alice);
        self.all_are_with(&bob, &self.bob);
    }

    /// Whether a user's graphical session is the one that is seen.
    fn is_in_front(&self, user: &str) -> bool {
        let sessions = "for it in $(loginctl --no-legend list-sessions | awk '{print $1}'); do \
                            loginctl show-session $it -p Name -p Active -p Type --value | sort | tr '\\n' ' '; echo; \
                        done; :";
        let shown = self.bed.run(sessions);
        let front = |line: &str| ["yes", "x11", user].iter().all(|it| line.contains(it));
        shown.ok().lines().any(front)
    }
}
