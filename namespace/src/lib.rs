//! The mount namespace in which `/nix` is one user's store directory.
//!
//! A session's life here, in the order it happens:
//!
//! - [`place`]: where the calling thread is. The marker says it, nothing else.
//! - [`leave`]: off somebody's `/nix`, back to the host's view.
//! - [`host`]: whether the host's own `/nix` may be covered at all.
//! - [`references`]: whether anything privileged on the host trusts `/nix`.
//! - [`reader`]: the user's configuration and directory, read as the user, in
//!   another program.
//! - [`store`]: the directory that came back, checked.
//! - [`registry`]: which namespaces the user already has; [`freshness`]: whether the
//!   user's files are still what they were for one of them.
//! - [`join`]: into one of them, verified, or back.
//! - [`binds`]: the host's directories that it has in a second place.
//! - [`build`]: a new one around the calling thread, verified, or back.
//! - [`entering`]: which of the two, and what when others do the same at once.
//! - [`profile`]: what of the user's the session's environment is to name.
//! - [`login`]: all of the above, as one decision for a login.
//! - [`target`]: who logs in, at which service, and what the site says;
//!   [`site_files`]: in which files, and how not to read them each time.
//! - [`environment`]: what its environment says then.
//! - [`outcome`]: what became of it, and the words for it.
//!
//! Beneath: [`kernel`], the seam to the system calls; [`mount_table`] and
//! [`record`], what is read and written; [`identity`], as whom a file is looked at;
//! [`way_back`], which makes "all or nothing" true; [`error`], every reason not to have `/nix`; [`confinement`], whose
//! policy may have denied it.

pub mod confinement;
pub mod environment;
pub mod error;
pub mod kernel;
pub mod login;
pub mod mount_table;
pub mod outcome;
pub mod place;
pub mod profile;
pub mod reader;
pub mod record;
pub mod references;
pub mod target;

mod binds;
mod build;
mod entering;
mod freshness;
mod host;
mod identity;
mod join;
mod leave;
mod registry;
mod site_files;
mod store;
mod way_back;

pub use binds::{Unbound, bind, check_bind};
pub use error::{Error, Gravity};
pub use host::{check_host, refusals};
pub use kernel::{Kernel, Linux};
pub use leave::Left;
pub use login::{Door, Login, refuse_sandbox};
pub use outcome::{Entered, Opened, WithoutNix};
pub use registry::{Holder, Living, ROOT as REGISTRY, holders, living};
pub use store::{CheckedStore, StoreRules};
pub use target::{Target, host_name};

/// Where the store directory is mounted.
pub const NIX: &str = "/nix";
/// Root's directory for the marker and the registry.
pub const RUN: &str = "/run/nix-ns";
