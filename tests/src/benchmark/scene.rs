//! The machine that everything is measured on: people, and a PAM service for
//! each way to give them a `/nix`.

use std::io;
use std::path::Path;
use std::thread::sleep;
use std::time::Duration;

use super::peers;
use crate::{Background, ENTER, LEAVE, Machine, User};

/// The service that does nothing: what every time is compared with.
pub const EMPTY: &str = "empty";
/// Both lines of this module's.
pub const NIX_NS: &str = "nix-ns";
/// `pam_namespace`, which puts a directory for each user on `/nix`.
pub const PAM_NAMESPACE: &str = "pam-namespace";
/// `pam_mount`, which binds a directory of the user's; beside `/nix`, as it has
/// no namespace to do it in.
pub const PAM_MOUNT: &str = "pam-mount";

/// Whose sessions join, as one is open all the while.
pub const JOINER: &str = "alice";
/// The same, with a Nix profile.
pub const PROFILED: &str = "frank";
/// Whose sessions are the first, always.
pub const BUILDER: &str = "bob";
/// For whom `pam_namespace` runs its script, as it does unless told otherwise.
pub const SCRIPTED: &str = "carol";
/// For whom it does not.
pub const UNSCRIPTED: &str = "dave";
/// For whom `pam_mount` mounts.
pub const MOUNTED: &str = "erin";

/// The calls alone, in C.
pub const FLOOR: &str = "/usr/bin/floor";

/// In every stack: it does nothing.
const PERMIT: &str = "session required pam_permit.so";

/// A script takes a millisecond; the crowd's users do without.
const NAMESPACES: &str = "\
/nix /srv/instances/ user ~carol
/nix /srv/instances/ user:noinit root,alice,bob,carol,erin,frank
";

const MOUNTS: &str = r#"<?xml version="1.0" encoding="utf-8" ?>
<pam_mount>
<debug enable="0" />
<volume user="erin" path="/srv/store" mountpoint="/srv/mounted" options="bind" />
<mkmountpoint enable="0" />
</pam_mount>
"#;

/// One process for all of them.
const CROWD: &str = r#"
my ($first, $count) = @ARGV;
open my $users, '>>', '/etc/passwd' or die;
open my $groups, '>>', '/etc/group' or die;
for my $i (0 .. $count - 1) {
    my $id = $first + $i;
    print $users "u$i:x:$id:$id\::/home/u$i:/bin/sh
";
    print $groups "u$i:x:$id:
";
    for my $path ("/home/u$i", "/home/u$i/.config", "/home/u$i/.config/nix-ns") {
        mkdir $path, 0700 and chown $id, $id, $path or die;
    }
    my $file = "/home/u$i/.config/nix-ns/config.toml";
    open my $out, '>', $file or die;
    chown $id, $id, $file or die;
    chmod 0600, $file or die;
}
close $_ or die for $users, $groups;
"#;

/// The uid of `u0`.
pub const FIRST_OF_CROWD: u32 = 5000;

/// So long ago the site's files were written, as on any other machine: what was
/// changed just now is not remembered (`namespace/src/site_files.rs`).
const SETTLING: Duration = Duration::from_secs(2);

/// Longer than anything takes on a loaded machine.
const LONG: Duration = Duration::from_secs(900);

/// A machine with the module and what it replaces.
pub struct Scene(Machine);

impl Scene {
    /// Sets everything up.
    pub fn set_up() -> io::Result<Self> {
        let machine = Machine::start()?;
        machine.install_module();
        for program in ["pam-stopwatch", "stamping-reader", "workload"] {
            machine.install_program(program);
        }
        peers::install(&machine);
        install_floor(&machine)?;
        let scene = Self(machine);
        scene.configure();
        for name in [JOINER, BUILDER, SCRIPTED, UNSCRIPTED, MOUNTED, PROFILED] {
            scene.0.nix_user(name);
        }
        // As Nix makes it: a link to a link in the store.
        scene
            .0
            .run_as(
                PROFILED,
                "ln -s .local/state/nix/profiles/profile ~/.nix-profile",
            )
            .ok();
        sleep(SETTLING);
        Ok(scene)
    }

    /// The machine.
    pub fn machine(&self) -> &Machine {
        &self.0
    }

    fn configure(&self) {
        let machine = &self.0;
        for (service, line) in [
            (PAM_NAMESPACE, "session required pam_namespace.so"),
            (
                PAM_MOUNT,
                "session required pam_mount.so disable_interactive",
            ),
        ] {
            machine.pam(service, &[PERMIT, line]);
        }
        machine.pam(EMPTY, &[PERMIT]);
        machine.pam(NIX_NS, &[LEAVE, PERMIT, ENTER]);
        // As it is installed.
        machine.configure_site(include_str!("../../../config/site.toml"));
        let root = User::root();
        machine.write("/etc/security/namespace.conf", NAMESPACES, 0o644, &root);
        machine.write("/etc/security/pam_mount.conf.xml", MOUNTS, 0o644, &root);
        machine
            .run("mkdir -m 0 /srv/instances && mkdir /srv/store /srv/mounted")
            .ok();
    }

    /// Where a user's store directory is.
    pub fn store(&self, user: &str) -> String {
        format!("/home/{user}/.local/share/nix")
    }

    /// Runs something that may take long.
    #[track_caller]
    pub fn run(&self, script: &str) -> String {
        self.0.run_within(LONG, script).ok().to_owned()
    }

    /// The same, as a user.
    #[track_caller]
    pub fn run_as(&self, user: &str, script: &str) -> String {
        self.0.run_as_within(LONG, user, script).ok().to_owned()
    }

    /// Gives the mount table this length.
    #[track_caller]
    pub fn have_mounts(&self, count: u64) {
        self.run(&format!("workload mounts /srv/m {count}"));
        let found = self.0.mount_table().lines().count();
        assert_eq!(found as u64, count, "the table of {count} mounts");
    }

    /// Opens sessions of these users, and keeps them until the result is dropped.
    #[must_use]
    #[track_caller]
    pub fn hold(&self, each: u32, users: &[&str]) -> Background<'_> {
        let works: Vec<String> = users
            .iter()
            .map(|user| format!("{user}={NIX_NS}:{user}"))
            .collect();
        let script = format!("exec pam-stopwatch hold {each} {}", works.join(" "));
        let mut held = self.0.spawn(&script);
        held.until_it_says("held");
        held
    }

    /// Adds users `u0`, `u1` and so on, who take part.
    #[track_caller]
    pub fn add_crowd(&self, count: u32) {
        self.0.write("/srv/crowd", CROWD, 0o644, &User::root());
        self.run(&format!("perl /srv/crowd {FIRST_OF_CROWD} {count}"));
    }

    /// Opens sessions of the crowd, by `pam-stopwatch hold` or `crowd`, `each` for
    /// so many users from `u0` on, or for those from one number to before another.
    #[must_use]
    #[track_caller]
    pub fn crowd(
        &self,
        how: &str,
        service: &str,
        each: u32,
        users: u32,
        range: &str,
    ) -> Background<'_> {
        let range = if range.is_empty() {
            format!("0 {users}")
        } else {
            range.to_owned()
        };
        // Two pipes a session.
        let script = format!(
            "ulimit -n 65536
            works=$(echo {range} | {{ read from to; seq $from $((to - 1)) | sed 's/.*/u&={service}:u&/'; }})
            exec pam-stopwatch {how} {each} $works"
        );
        let mut held = self.0.spawn(&script);
        held.until_it_says_within(LONG, "held");
        held
    }

    /// The number of a process in a user's namespace.
    #[track_caller]
    pub fn member(&self, user: &str) -> u32 {
        let list = format!("ls -d /run/nix-ns/1/$(id -u {user}).*/session.*");
        let path = self.run(&list);
        let number = path.lines().next().and_then(|path| path.rsplit('.').next());
        number
            .and_then(|number| number.parse().ok())
            .expect("a session's entry ends in its thread's number")
    }
}

fn install_floor(machine: &Machine) -> io::Result<()> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("benchmark/floor.c");
    let source = std::fs::read(source)?;
    machine.write("/root/floor.c", source, 0o644, &User::root());
    machine.run("gcc -O2 -o /usr/bin/floor /root/floor.c").ok();
    Ok(())
}
