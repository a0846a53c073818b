//! `pam_nixns.so`: every user of a shared machine a private, real `/nix`.
//!
//! The module is thin. What it does with a session is decided in `namespace`,
//! what the configurations mean in `config`; here are
//!
//! - [`entry`]: the two functions that Linux-PAM calls, and the boundary that
//!   no panic crosses;
//! - [`arguments`]: the words after the module's name in `/etc/pam.d`;
//! - [`hooks`]: what a session's opening and closing amount to;
//! - [`environment`]: what the session's environment says;
//! - [`runners`]: what PAM would run as root with it;
//! - [`code`]: what the module answers;
//! - [`report`]: the one log line of a session;
//! - [`pam`]: Linux-PAM itself, and but for [`entry`] all of this crate's `unsafe`.

mod arguments;
mod code;
mod entry;
mod environment;
mod hooks;
mod pam;
mod report;
mod runners;

#[cfg(test)]
mod manual;
