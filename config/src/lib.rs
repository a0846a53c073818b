//! What the site's and a user's configuration say, and what both amount to.
//!
//! Text comes in, one checked [`Answer`] goes out. Nothing here mounts, changes
//! credentials or knows PAM; the only files opened are configuration files.
//!
//! | module | concept |
//! |---|---|
//! | `account` | the account a session is opened for |
//! | `site` | `/etc/nix-ns/config.toml`, root's |
//! | `selection` | which accounts the site lets take part |
//! | `login_defs` | shadow's settings |
//! | `uid_range` | the uids of people, from `/etc/login.defs` |
//! | `users_path` | the system's own `PATH` for users, from the same |
//! | `service` | what differs from one PAM service to another |
//! | `refusal` | the refusals a site may override by name |
//! | `user` | `~/.config/nix-ns/config.toml`, the user's |
//! | `specifier` | `%u`, `%U`, `%h`, `%H`, `%%` and `~` in a written path |
//! | `source_path` | the path of a store directory: written, wished, allowed |
//! | `root` | the directories store directories must lie below |
//! | `binds` | the host's directories that sessions find in a second place |
//! | `root_uid` | which uid root has in a user namespace |
//! | `answer` | both configurations combined for one account |
//! | `owned_file` | opening a file only if its owner alone could have written it |
//! | `directories` | the same for every directory above the site's file |
//! | [`walk`] | the same for what is above a user's file or store directory |
//! | `dangling` | why a configuration file is not there: broken symlinks |
//! | `document` | TOML, with errors that name line, column and remedy |
//! | `printable` | foreign text in our messages |
//! | `example` | the commented example files |
//! | `error` | everything that can be wrong |

#![forbid(unsafe_code)]

mod account;
mod answer;
mod binds;
mod dangling;
mod directories;
mod document;
mod error;
mod example;
mod login_defs;
mod owned_file;
mod printable;
mod refusal;
mod root;
mod root_uid;
mod selection;
mod service;
mod site;
mod source_path;
mod specifier;
mod uid_range;
mod user;
mod users_path;
pub mod walk;

pub use account::Account;
pub use answer::{Answer, answer};
pub use binds::{Bind, Binds};
pub use error::Error;
pub use example::{SITE_EXAMPLE, USER_EXAMPLE};
pub use owned_file::{Fingerprint, MAX_FILE_SIZE, OwnedFile};
pub use printable::{printable, printable_message, printable_path};
pub use refusal::Refusal;
pub use root::{MOST_ROOTS, RootPattern, with_real_paths};
pub use root_uid::is_root;
pub use selection::{Participation, Selection};
pub use service::{RootSessions, ServiceRules};
pub use site::{SITE_FILE, Site};
pub use source_path::{SourcePath, StorePath, WishedPath};
pub use uid_range::UidRange;
pub use user::{USER_FILE, User};
pub use users_path::users_path;
