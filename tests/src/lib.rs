//! A throw-away machine to log in to, and what is tried on it.
//!
//! [`Machine::start`] makes, in a fraction of a second, a system of its own on
//! top of the running one: its own `/etc`, `/home`, `/run`, processes, network
//! and PAM stacks, and an empty `/nix`. Whatever happens in it, nothing of it
//! reaches the host, and nothing is left when it is dropped or the test run is
//! killed.
//!
//! ```no_run
//! let machine = tests::Machine::start()?;
//! machine.user("alice");
//! machine.install_module();
//! machine.sshd();
//! assert_eq!(machine.ssh("alice", "stat -c %U /nix").ok(), "alice");
//! # Ok::<(), std::io::Error>(())
//! ```

mod accounts;
mod alone;
pub mod bed;
pub mod benchmark;
mod command;
mod files;
pub mod guide;
pub mod hostile;
mod install;
mod installer;
pub mod kernel;
mod machine;
mod output;
mod pace;
pub mod package;
mod pam;
mod pam_host;
pub mod real_nix;
mod setup;
mod skip;
mod ssh;
pub mod whereabouts;

pub use accounts::User;
pub use alone::alone;
pub use command::Background;
pub use machine::Machine;
pub use output::{Output, Status};
pub use pace::at_this_pace;
pub use pam::{ENTER, LEAVE, LEAVE_OR_GUARD, Lines};
pub use skip::{root_or_skip, skip};
