//! Every door of a booted system, in every bed: Debian's own packages, started
//! by its own systemd, with the README's installation in its PAM stacks.
//!
//! The kernel is the host's in each of them. `make matrix` runs all of them and
//! prints doors by beds; a door that a suite does not have passes, and is named
//! with the reason there.

mod cell;
mod household;

mod ssh;

/// A test for every door and bed: `bookworm::ssh::command`.
macro_rules! beds {
    ($($bed:ident),*; $doors:tt) => { $(
        mod $bed {
            doors! { $doors }
        }
    )* };
}

macro_rules! doors {
    ({ $($group:ident: $($door:ident),*;)* }) => { $(
        mod $group { $(
            #[test]
            fn $door() {
                crate::cell::try_door(module_path!(), stringify!($door), crate::$group::$door);
            }
        )* }
    )* };
}

beds! {
    bookworm, trixie, sid;
    {
        ssh: command, shell_with_terminal, sftp, multiplexed;
    }
}
