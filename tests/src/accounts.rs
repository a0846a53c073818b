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
