//! What all desktops are tried with: somebody sits down, logs in, starts
//! programs, and leaves.

use std::env;
use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

use tests::User;
use tests::bed::Screen;
use tests::whereabouts::{PROBE, Stay, Whereabouts};

use crate::cell::Tried;
use crate::household::{Household, PASSWORD};

/// What the session itself starts, as soon as it can.
pub const AUTOSTART: &str = "/srv/common/autostart";
/// Longer than any desktop takes to appear on a loaded machine without graphics.
const SLOW: Duration = Duration::from_secs(90);
/// After that, what was typed is typed again: somebody who sits there would see
/// that it was lost.
const LOST: Duration = Duration::from_secs(25);
/// How often it is typed.
const ATTEMPTS: u32 = 3;
/// What a program takes to be ready for the next key.
pub const BLINK: Duration = Duration::from_millis(1500);
/// Where pictures are to be left.
const PICTURES: &str = "NIX_NS_PICTURES";

/// A program that lets people log in at a screen.
pub struct Manager {
    /// Its unit.
    pub unit: &'static str,
    /// As whom its greeter runs.
    pub greeter: &'static str,
    /// The desktop that people get there.
    pub desktop: &'static Desktop,
    /// What makes it log alice in as it starts, or nobody.
    pub configure: fn(&Household, Entry),
    /// Brings the keyboard from a fresh greeter to a user's password.
    pub to_password: fn(&Household, &Screen, &str),
}

/// What a session shows.
pub struct Desktop {
    /// The process that it is there as long as.
    pub process: &'static str,
    /// The command that ends it.
    pub end: &'static str,
    /// The keys by which one looks for programs.
    pub search: &'static str,
}

/// A desktop without any wishes for graphics.
pub const XFCE: Desktop = Desktop {
    process: "xfce4-session",
    end: "xfce4-session-logout --logout",
    search: "alt+F3",
};

/// A desktop whose programs are children of the user's service manager.
pub const GNOME: Desktop = Desktop {
    process: "gnome-shell",
    end: "gnome-session-quit --logout --no-prompt --force",
    search: "super",
};

/// How somebody comes to have a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Entry {
    /// As the display manager starts.
    Automatic,
    /// With name and password.
    Greeter,
}

/// Alice logs in, finds herself where she is in every other session, and leaves.
pub fn log_in_and_out(home: &mut Household, manager: &Manager, entry: Entry) -> Tried {
    let screen = home.sit_down(manager, entry);
    let anchor = home.anchor();
    let found = home.launched(&screen);
    home.is_with(&anchor, &found);
    home.all_are_with(&anchor, &home.alice);
    home.keep_picture(&screen, &format!("{}-{entry:?}", manager.unit));
    drop(anchor);
    home.log_out(&home.alice, &screen, manager.desktop);
    home.stand_up(manager);
    Ok(())
}

/// The desktop starts all the same. Where nothing shows notifications, what is
/// wrong is among the session's errors.
pub fn errors_have_the_reason(home: &mut Household, manager: &Manager) -> Tried {
    home.bed.configure(&home.alice, "enabel = true\n");
    home.start(manager, Entry::Automatic);
    let (found, screen) = home.desktop_of(&home.alice);
    home.is_on_the_host(&found, home.alice.uid);
    let reason = "config.toml:1:1: `enabel` is not a key; did you mean `enable`?";
    let errors = "cd /home/alice; cat .xsession-errors .local/share/sddm/*.log 2>/dev/null || :";
    home.wait_slowly("the reason", || {
        let errors = home.bed.run(errors).stdout;
        errors.contains(&format!(
            "nix-ns: no /nix: /home/alice/.config/nix-ns/{reason}"
        ))
    });
    home.log_out(&home.alice, &screen, manager.desktop);
    home.stand_up(manager);
    Ok(())
}

impl Household {
    /// Starts the display manager, and alice's session: her screen.
    #[track_caller]
    pub fn sit_down(&self, manager: &Manager, entry: Entry) -> Screen {
        self.start(manager, entry);
        if entry == Entry::Greeter {
            let greeter = self.greeter_of(manager);
            self.keep_picture(&greeter, &format!("{}-greeter", manager.unit));
            self.is_untouched(manager.greeter);
            self.log_in_at(&greeter, manager, "alice");
        }
        let (found, screen) = self.desktop_of(&self.alice);
        let anchor = self.anchor();
        self.is_with(&anchor, &found);
        screen
    }

    #[track_caller]
    pub fn start(&self, manager: &Manager, entry: Entry) {
        self.autostart_probe();
        (manager.configure)(self, entry);
        self.start_service(manager.unit);
    }

    #[track_caller]
    pub fn start_service(&self, unit: &str) {
        // lightdm waits for servers of its own that are gone already.
        let file = format!("/etc/systemd/system/{unit}.service.d/bed.conf");
        let patience = "[Service]\nTimeoutStopSec=5\n";
        self.bed.write(&file, patience, 0o644, &User::root());
        let start = format!("systemctl daemon-reload && systemctl start {unit}");
        self.bed.run(&start).ok();
    }

    /// Stops the display manager.
    #[track_caller]
    pub fn stand_up(&self, manager: &Manager) {
        self.has_left_slowly("alice");
        self.bed
            .run(&format!("systemctl stop {}", manager.unit))
            .ok();
        // A gdm that is stopped while its greeter is starting leaves that behind,
        // and a session of which logind has not heard, or that it has closed while
        // its scope was starting: none of its own commands ends either.
        let slice = format!(
            "systemctl stop user-$(id -u {}).slice || :",
            manager.greeter
        );
        self.insist(
            "the greeter to leave",
            || self.is_gone(manager.greeter),
            || {
                self.bed.run(&slice).ok();
            },
        );
    }

    /// Configures a display manager's X server and gives alice and bob a program
    /// that their desktops start by themselves: the probe.
    #[track_caller]
    pub fn autostart_probe(&self) {
        for user in [&self.alice, &self.bob] {
            let entry = format!(
                "[Desktop Entry]\nType=Application\nName=Probe\nExec={PROBE} {AUTOSTART}.{}\n",
                user.name
            );
            let place = format!("{}/.config/autostart/probe.desktop", user.home);
            self.bed.write(&place, entry, 0o644, user);
        }
    }

    /// Waits until a user's desktop has started: where that finds itself, and on
    /// which screen.
    #[track_caller]
    pub fn desktop_of(&self, user: &User) -> (Whereabouts, Screen) {
        let file = format!("{AUTOSTART}.{}", user.name);
        self.wait_slowly("the desktop to start", || self.bed.exists(&file));
        let found = self.reported(&file);
        self.bed.run(&format!("rm -f {file}")).ok();
        (found, self.screen_of(user))
    }

    /// The screen that a user's programs are shown on.
    #[track_caller]
    fn screen_of(&self, user: &User) -> Screen {
        let displays = self.bed.run(&format!(
            "for it in $(pgrep -u {}); do tr '\\0' '\\n' </proc/$it/environ 2>/dev/null; done | \
             sed -n 's/^DISPLAY=\\(:[0-9]*\\).*/\\1/p' | sort -u",
            user.uid
        ));
        let displays: Vec<&str> = displays.stdout.lines().collect();
        let screens = self.bed.screens();
        let found = screens
            .iter()
            .find(|screen| displays.contains(&screen.display.as_str()));
        found
            .unwrap_or_else(|| panic!("{displays:?} of {screens:?}"))
            .clone()
    }

    /// The screen that the greeter is on, when it has something to show there.
    #[track_caller]
    pub fn greeter_of(&self, manager: &Manager) -> Screen {
        let greeter = format!("pgrep -u {}", manager.greeter);
        let shown = || {
            let there = !self.bed.run(&greeter).stdout.is_empty();
            let last = self.bed.screens().pop().filter(|_| there);
            last.filter(|it| self.bed.shows_something(it))
        };
        self.wait_slowly("the greeter", || shown().is_some());
        sleep(BLINK);
        shown().expect("it was there")
    }

    /// Types name and password at a greeter.
    #[track_caller]
    pub fn log_in_at(&self, greeter: &Screen, manager: &Manager, user: &str) {
        let is_there = format!("pgrep -u {user} -x {}", manager.desktop.process);
        let began = || !self.bed.run(&is_there).stdout.is_empty();
        self.insist(&format!("{user}'s desktop"), began, || {
            (manager.to_password)(self, greeter, user);
            sleep(BLINK);
            self.bed.type_at(greeter, PASSWORD);
            self.bed.press_at(greeter, "Return");
        });
    }

    /// Types alice's password where that is asked for.
    #[track_caller]
    pub fn unlock(&self, screen: &Screen, unlocked: impl Fn() -> bool) {
        self.insist("the screen to be unlocked", unlocked, || {
            self.bed.type_at(screen, PASSWORD);
            self.bed.press_at(screen, "Return");
        });
    }

    /// Opens a terminal that says what is on `/nix`, for a picture.
    #[track_caller]
    pub fn show_where(&self, screen: &Screen, picture: &str) {
        let shown = || {
            self.bed
                .run("pgrep -u alice -f sleep.900")
                .stdout
                .lines()
                .count()
                > 0
        };
        let script = "#!/bin/sh\nPS4='$ '\nset -x\nfindmnt -no TARGET,SOURCE /nix\n\
                      readlink -f ~/.nix-profile/bin/zebraclock\nsleep 900\n";
        let file = "/usr/local/bin/where-am-i";
        self.bed.write(file, script, 0o755, &User::root());
        let terminal = "xterm -geometry 100x12+60+300 -e where-am-i";
        self.launch(screen, terminal, shown);
        sleep(BLINK);
        self.keep_picture(screen, picture);
    }

    /// Where a terminal's program is that the desktop's launcher starts.
    #[track_caller]
    pub fn launched(&self, screen: &Screen) -> Whereabouts {
        self.behind(|probe| {
            let file = probe.rsplit(' ').next().unwrap_or_default();
            self.launch(screen, &format!("xterm -e {probe}"), || {
                self.bed.exists(file)
            });
            self.bed.run("true")
        })
    }

    /// Has the desktop's launcher start a command: both have it on the same keys.
    #[track_caller]
    pub fn launch(&self, screen: &Screen, command: &str, started: impl Fn() -> bool) {
        self.look_up(screen, "alt+F2", command, started);
    }

    /// Types something into what these keys open, and takes what that finds.
    #[track_caller]
    pub fn look_up(&self, screen: &Screen, keys: &str, text: &str, came: impl Fn() -> bool) {
        self.insist(text, came, || {
            self.bed.press_at(screen, "Escape");
            self.bed.press_at(screen, keys);
            sleep(BLINK);
            self.bed.type_at(screen, text);
            sleep(BLINK);
            self.bed.press_at(screen, "Return");
        });
    }

    /// Types a command into the terminal that is in front.
    #[track_caller]
    pub fn insist_in_terminal(&self, screen: &Screen, command: &str, done: impl Fn() -> bool) {
        self.insist(command, done, || {
            sleep(BLINK);
            self.bed.type_at(screen, command);
            self.bed.press_at(screen, "Return");
        });
    }

    #[track_caller]
    pub fn log_out(&self, user: &User, screen: &Screen, desktop: &Desktop) {
        let is_there = format!("pgrep -u {} -x {}", user.name, desktop.process);
        let ended = || self.bed.run(&is_there).stdout.is_empty();
        self.launch(screen, desktop.end, ended);
    }

    /// Every process of a user's is in that session's namespace.
    #[track_caller]
    pub fn all_are_with(&self, anchor: &Stay, user: &User) {
        let strays = self.not_in(&anchor.namespace, &user.name);
        assert_eq!(strays, "", "log:\n{}", self.bed.log());
        let all = self.bed.run(&format!("pgrep -c -u {}", user.uid));
        assert!(
            all.ok().parse::<u32>().is_ok_and(|count| count > 5),
            "{all}"
        );
    }

    /// Every process of an account is where the system is.
    #[track_caller]
    pub fn is_untouched(&self, user: &str) {
        let host = self.bed.where_the_host_is();
        assert_eq!(self.not_in(&host.namespace, user), "");
        self.bed.run(&format!("pgrep -u {user}")).ok();
    }

    /// Processes of a user's that are in another namespace. A sandbox, which has a
    /// user namespace of its own, may make itself any view: those of programs
    /// that show pictures come and go in every desktop of these days.
    #[track_caller]
    fn not_in(&self, namespace: &str, user: &str) -> String {
        let strays = format!(
            "for it in $(pgrep -u {user}); do
                 its=$(readlink /proc/$it/ns/mnt) || continue
                 [ /proc/$it/ns/user -ef /proc/1/ns/user ] || continue
                 [ \"$its\" = '{namespace}' ] || ps -o pid=,args= -p $it
             done; :"
        );
        self.bed.run(&strays).ok().to_owned()
    }

    /// Keeps a picture of a screen, if somebody wants them.
    pub fn keep_picture(&self, screen: &Screen, name: &str) {
        let Some(directory) = env::var_os(PICTURES) else {
            return;
        };
        let name = format!("{}-{name}.png", self.bed.suite.name);
        let file = Path::new(&directory).join(name);
        self.bed.picture(screen, &file).expect("it can be written");
    }

    /// As [`tests::Machine::wait_until`], with more patience.
    #[track_caller]
    pub fn wait_slowly(&self, what: &str, is_so: impl Fn() -> bool) {
        if !self.is_so_within(SLOW, &is_so) {
            self.show_all();
            self.bed.wait_until(what, is_so);
        }
    }

    /// Does something until it had its effect, as a person would.
    #[track_caller]
    pub fn insist(&self, what: &str, is_so: impl Fn() -> bool, act: impl Fn()) {
        for _ in 0..ATTEMPTS {
            act();
            if self.is_so_within(LOST, &is_so) {
                return;
            }
        }
        self.show_all();
        self.bed.wait_until(what, is_so);
    }

    fn is_so_within(&self, limit: Duration, is_so: impl Fn() -> bool) -> bool {
        let deadline = Instant::now() + limit;
        while Instant::now() < deadline {
            if is_so() {
                return true;
            }
            sleep(Duration::from_millis(100));
        }
        false
    }

    /// For whoever wonders why something does not happen.
    fn show_all(&self) {
        for screen in self.bed.screens() {
            self.keep_picture(&screen, &format!("stuck{}", screen.display));
        }
    }

    /// As [`Household::has_left`]: the agents of a desktop look only every ten
    /// seconds whether it is still there.
    #[track_caller]
    pub fn has_left_slowly(&self, user: &str) {
        let is_there = format!("pgrep -u {user}");
        self.wait_slowly(&format!("{user} to leave"), || {
            self.bed.run(&is_there).stdout.is_empty()
        });
        self.has_left(user);
    }
}
