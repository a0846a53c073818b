//! A bed that people live in, and what all of them rely on.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU32, Ordering};

use tests::bed::Bed;
use tests::whereabouts::{COMMON, PROBE, Stay, Whereabouts};
use tests::{Output, User};

/// Everybody's, root's too.
pub const PASSWORD: &str = "open-sesame";

/// logind keeps a user's manager for ten seconds after the last logout; whether
/// it goes at all does not depend on how long.
const LOGIND: &str = "[Login]\nUserStopDelaySec=0\n";
/// Nobody is there to be asked.
const POLKIT: &str = "polkit.addRule(function() { return polkit.Result.YES; });\n";

/// A bed with the module and two people who take part.
pub struct Household {
    pub bed: Bed,
    pub alice: User,
    pub bob: User,
    mounts: BTreeSet<String>,
}

impl Household {
    /// Furnishes a bed.
    pub fn move_in(bed: Bed) -> Self {
        let root = User::root();
        bed.write("/etc/systemd/logind.conf.d/bed.conf", LOGIND, 0o644, &root);
        bed.write("/etc/polkit-1/rules.d/bed.rules", POLKIT, 0o644, &root);
        bed.run("systemctl reload-or-restart systemd-logind").ok();
        bed.install();
        bed.install_probe();
        // nspawn's /dev has none before systemd 256.
        bed.run("[ -e /dev/fuse ] || mknod -m 0666 /dev/fuse c 10 229")
            .ok();
        let (alice, bob) = (bed.nix_user("alice"), bed.nix_user("bob"));
        let passwords = "printf '%s\n' alice bob root | sed 's/$/:{}/' | chpasswd";
        bed.run(&passwords.replace("{}", PASSWORD)).ok();
        let mounts = mount_points(&bed);
        Self {
            bed,
            alice,
            bob,
            mounts,
        }
    }

    /// What the bed is made of, as far as it matters to a login.
    pub fn packages(&self, names: &str) -> String {
        let query = "dpkg-query --show --showformat='${Package} ${Version}, '";
        let shown = self.bed.run(&format!("{query} {names}"));
        shown.ok().trim_end_matches(',').to_owned()
    }

    /// An ssh session of alice's that everything is compared with.
    #[track_caller]
    pub fn anchor(&self) -> Stay<'_> {
        let anchor = self.bed.keep_by_ssh("alice");
        assert_ne!(
            Some(&anchor.namespace),
            self.bed.namespace_of(1).as_ref(),
            "alice's session is on the host; log:\n{}",
            self.bed.log()
        );
        anchor
    }

    /// The mount namespace of a user's `systemd --user`.
    #[track_caller]
    pub fn namespace_of_manager(&self, user: &str) -> String {
        let managers = self.bed.run(&format!("pgrep -u {user} -x systemd"));
        let manager = managers.ok().parse().expect("there is one");
        self.bed.namespace_of(manager).expect("it stays")
    }

    /// What the probe finds behind a door. It gets a command line of one
    /// program and a file, and need not wait for it.
    #[track_caller]
    pub fn behind(&self, open: impl FnOnce(&str) -> Output) -> Whereabouts {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let file = format!("{COMMON}/behind.{number}");
        let opened = open(&format!("{PROBE} {file}"));
        self.reported_after(&file, &opened.to_string())
    }

    /// What a probe left in a file.
    #[track_caller]
    pub fn reported(&self, file: &str) -> Whereabouts {
        self.reported_after(file, "the probe")
    }

    #[track_caller]
    fn reported_after(&self, file: &str, opened: &str) -> Whereabouts {
        let what = format!("a report of {opened}");
        self.bed.wait_until(&what, || self.bed.exists(file));
        let report = self.bed.read(file);
        Whereabouts::parse(&report).unwrap_or_else(|| panic!("{report}: {opened}"))
    }

    /// Logs in at the console, and waits for the shell.
    #[track_caller]
    pub fn log_in_at_console(&self, user: &str, password: &str) {
        let host = self.bed.suite.name;
        self.bed.until_console_shows(&format!("{host} login: "));
        self.bed.enter_at_console(user);
        self.bed.until_console_shows("Password: ");
        self.bed.enter_at_console(password);
        self.bed
            .until_console_shows(&format!("{user}@{}:~", self.bed.suite.name));
    }

    /// Types a command there.
    #[track_caller]
    pub fn at_console(&self, command: &str) -> Output {
        self.bed.enter_at_console(command);
        self.bed.run("true")
    }

    /// Alice, on her own `/nix`, in the namespace of that session of hers.
    #[track_caller]
    pub fn is_with(&self, anchor: &Stay, found: &Whereabouts) {
        self.is_alices(found);
        let log = || self.bed.log();
        assert_eq!(found.namespace, anchor.namespace, "{found:?}\n{}", log());
    }

    /// Alice, on her own `/nix`, whatever the namespace.
    #[track_caller]
    pub fn is_alices(&self, found: &Whereabouts) {
        assert_eq!(found.uid, self.alice.uid, "{found:?}");
        let store = self
            .bed
            .run("stat -c %u:%d:%i /home/alice/.local/share/nix");
        assert_eq!(found.nix, store.ok(), "{found:?}\n{}", self.bed.log());
    }

    /// Somebody on the host's `/nix`, in the host's namespace.
    #[track_caller]
    pub fn is_on_the_host(&self, found: &Whereabouts, uid: u32) {
        let host = self.bed.where_the_host_is();
        assert_eq!(found.uid, uid, "{found:?}");
        assert_eq!(found.nix, host.nix, "{found:?}\n{}", self.bed.log());
        assert_eq!(found.namespace, host.namespace, "{found:?}");
    }

    /// After everybody has left: no session (one that hangs in `closing` is
    /// one), no process of theirs, no namespace of ours, no mount.
    #[track_caller]
    pub fn nothing_is_left(&self) {
        self.has_left("alice");
        self.has_left("bob");
        let elsewhere = "grep -l ' /nix ' /proc/[0-9]*/mountinfo 2>/dev/null || :";
        self.bed.wait_until("everybody to leave /nix", || {
            self.bed.run(elsewhere).ok().is_empty()
        });
        self.bed.wait_until("the mounts to be as before", || {
            mount_points(&self.bed) == self.mounts
        });
    }

    #[track_caller]
    pub fn has_left(&self, user: &str) {
        self.bed
            .wait_until(&format!("{user} to leave"), || self.is_gone(user));
    }

    /// Neither logind nor the kernel knows of anything of that user's.
    #[track_caller]
    pub fn is_gone(&self, user: &str) -> bool {
        let is_there = format!(
            "ps -o pid,stat,args -u {user}; loginctl --no-legend list-users | grep -w {user}; \
             loginctl --no-legend list-sessions | grep -w {user}; \
             ls -d /run/user/$(id -u {user}) 2>/dev/null; :"
        );
        self.bed.run(&is_there).ok().lines().count() == 1
    }
}

/// What is mounted in the view of the system itself. systemd mounts the
/// credentials of a service as it starts and stops that.
fn mount_points(bed: &Bed) -> BTreeSet<String> {
    let table = bed.mount_table();
    let points = table.lines().filter_map(|line| line.split(' ').nth(4));
    points
        .filter(|point| !point.starts_with("/run/credentials/"))
        .map(str::to_owned)
        .collect()
}
