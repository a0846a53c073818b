//! Users of the machine.

use std::collections::HashSet;

use crate::Machine;

/// The first number given to a user: clear of 1000, which images often have.
const FIRST_UID: u32 = 1001;

/// An account of the machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// Login name.
    pub name: String,
    /// User number.
    pub uid: u32,
    /// Number of the user's own group.
    pub gid: u32,
    /// Home directory.
    pub home: String,
}

impl User {
    /// The owner of system files.
    #[must_use]
    pub fn root() -> Self {
        Self {
            name: "root".into(),
            uid: 0,
            gid: 0,
            home: "/root".into(),
        }
    }
}

impl Machine {
    /// Adds a user with a home of mode 0700 that root can log in to by ssh. The
    /// first gets the first free number from 1001 on, the second the next.
    ///
    /// # Panics
    ///
    /// When the user cannot be added.
    #[track_caller]
    pub fn user(&self, name: &str) -> User {
        let uid = self.free_uid();
        let added = self.run(&format!(
            "groupadd --gid {uid} {name} && useradd --uid {uid} --gid {uid} --shell /bin/bash \
             --create-home --skel /nonexistent --key HOME_MODE=0700 {name}"
        ));
        added.ok();
        let user = User {
            name: name.into(),
            uid,
            gid: uid,
            home: format!("/home/{name}"),
        };
        self.authorise(&user);
        user
    }

    /// Adds a user, with a group that they are in, whom another source of the name
    /// service switch knows than `/etc/passwd` (libnss-extrausers), and who takes
    /// part and may be logged in as by ssh.
    ///
    /// # Panics
    ///
    /// When that cannot be done.
    #[track_caller]
    pub fn directory_user(&self, name: &str, uid: u32, group: &str) -> User {
        let root = User::root();
        let switch =
            "passwd: files extrausers\ngroup: files extrausers\nshadow: files extrausers\n";
        self.write("/etc/nsswitch.conf", switch, 0o644, &root);
        let home = format!("/home/{name}");
        for (file, line) in [
            (
                "passwd",
                format!("{name}:x:{uid}:{uid}::{home}:/bin/bash\n"),
            ),
            (
                "group",
                format!("{name}:x:{uid}:\n{group}:x:{}:{name}\n", uid + 1),
            ),
            ("shadow", format!("{name}:*:19000:0:99999:7:::\n")),
        ] {
            self.write(&format!("/var/lib/extrausers/{file}"), line, 0o644, &root);
        }
        let user = User {
            name: name.into(),
            uid,
            gid: uid,
            home: home.clone(),
        };
        self.run(&format!("install -d -m 700 -o {uid} -g {uid} {home}"))
            .ok();
        self.run(&format!(
            "cd {home} && install -d -o {uid} -g {uid} .config .config/nix-ns .ssh"
        ))
        .ok();
        self.configure(&user, "");
        self.authorise(&user);
        user
    }

    /// Adds many users who take part, `user0` and so on, at once and without keys:
    /// for sessions that nobody logs in to.
    ///
    /// # Panics
    ///
    /// When they cannot be added.
    #[track_caller]
    pub fn nix_users(&self, count: u32) {
        self.run(&format!(
            "set -e; number=0; while [ $number -lt {count} ]; do
               name=user$number; id=$((3000 + number)); home=/home/$name
               echo $name:x:$id:$id::$home:/bin/sh >>/etc/passwd
               echo $name:x:$id: >>/etc/group
               mkdir -p $home/.config/nix-ns; : >$home/.config/nix-ns/config.toml
               chown -R $id:$id $home; chmod 700 $home
               number=$((number + 1))
             done"
        ))
        .ok();
    }

    /// Lets everybody run anything by sudo without a password.
    pub(crate) fn allow_sudo(&self) {
        let rule = "ALL ALL=(ALL:ALL) NOPASSWD: ALL\n";
        self.write("/etc/sudoers.d/machine", rule, 0o440, &User::root());
    }

    fn free_uid(&self) -> u32 {
        let taken: HashSet<u32> = ["/etc/passwd", "/etc/group"]
            .iter()
            .flat_map(|file| numbers(&self.read(file)))
            .collect();
        (FIRST_UID..)
            .find(|uid| !taken.contains(uid))
            .expect("there are four thousand million")
    }
}

/// The third field of every line.
fn numbers(table: &str) -> Vec<u32> {
    table
        .lines()
        .filter_map(|line| line.split(':').nth(2)?.parse().ok())
        .collect()
}
