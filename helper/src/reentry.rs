//! `nix-ns-enter`: back into one's own nix namespace from where PAM did not
//! lead, with the rights of a setuid program.
//!
//! It serves the real user id and no other, takes a command and nothing else
//! from its caller, decides by the same code as the module, and gives its
//! rights up for good before the command runs.
//!
//! - [`arguments`]: the command;
//! - [`privilege`]: root's rights, narrowed step by step and given up;
//! - [`log`]: what the site learns of it;
//! - [`error`]: why there is no session.

mod arguments;
mod error;
mod log;
mod privilege;

use std::cell::{OnceCell, RefCell};
use std::convert::Infallible;
use std::env;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use config::Account;
use namespace::environment::{NIX_NS, variables};
use namespace::reader::SpawnedReader;
use namespace::{Door, Entered, Linux, Opened, Target};

pub use error::Error;

use crate::account_database;
use crate::kernel;
use crate::program::Environment;
use arguments::Arguments;
use privilege::{Caller, Privilege};

/// Where the program is installed: fixed when this is built, so that nobody can
/// have another run in its place by where `nix-ns` is (CVE-2021-44730).
pub const PROGRAM: &str = match option_env!("NIX_NS_ENTER") {
    Some(path) => path,
    None => "/usr/libexec/nix-ns-enter",
};

/// The name by which the site configuration's `[services.X]` knows it.
const SERVICE: &str = "nix-ns-enter";

/// Enters, and becomes the command.
///
/// # Errors
///
/// Whatever kept it from that; nothing was run then.
pub fn enter() -> Result<Infallible, Error> {
    let arguments = Arguments::parse(env::args_os().skip(1))?;
    let environment = kernel::take_environment();
    let privilege = Privilege::take()?;
    let entered = find_and_enter(&privilege);
    let caller = privilege.drop_for_good()?;
    let environment = match entered {
        Ok(there) => there.extend(environment),
        Err(error) if arguments.or_without && error.is_harmless() => environment,
        Err(error) => return Err(error),
    };
    if arguments.no_new_privileges {
        nix::sys::prctl::set_no_new_privs().map_err(Error::NoNewPrivileges)?;
    }
    Ok(arguments.program.exec(caller.uid, environment)?)
}

fn find_and_enter(privilege: &Privilege) -> Result<There, Error> {
    // Not logged: what listens at /dev/log in a sandbox may be anybody.
    namespace::refuse_sandbox(&Linux)?;
    let caller = privilege.caller();
    let nameless = format!("uid {}", caller.uid);
    let target = look_up(caller).inspect_err(|error| log::refused(&nameless, error))?;
    privilege.narrow_to_namespaces()?;
    let entered = move_into_namespace(&target, caller);
    match &entered {
        Ok(opened) => log::entered(&target, opened),
        Err(error) => log::refused(&target, error),
    }
    Ok(There {
        home: target.account.home,
        opened: entered?,
    })
}

fn look_up(caller: &Caller) -> Result<Target, Error> {
    let mut account = account_database::account_alone(caller.uid)?;
    let groups = Groups::of(account.clone(), caller);
    account.gid = caller.gid;
    let unanswered = RefCell::new(None);
    let is_member = |group: &str| {
        groups.include(group).unwrap_or_else(|error| {
            unanswered.replace(Some(error));
            false
        })
    };
    let file = Path::new(config::SITE_FILE);
    let target = Target::look_up(account, SERVICE.to_owned(), file, &is_member);
    match unanswered.into_inner() {
        Some(error) => Err(error.into()),
        None => Ok(target),
    }
}

/// Those of the account database and the caller's own: whoever is a member by
/// either is one. Asked for only once the site names any.
struct Groups<'a> {
    account: Account,
    caller: &'a Caller,
    all: OnceCell<Account>,
}

impl<'a> Groups<'a> {
    const fn of(account: Account, caller: &'a Caller) -> Self {
        Self {
            account,
            caller,
            all: OnceCell::new(),
        }
    }

    fn include(&self, group: &str) -> Result<bool, account_database::Error> {
        let all = match self.all.get() {
            Some(all) => all,
            None => {
                let mut all = account_database::with_groups(self.account.clone())?;
                all.groups.push(self.caller.gid);
                all.groups.extend(&self.caller.groups);
                self.all.get_or_init(|| all)
            }
        };
        account_database::is_member(all, group)
    }
}

fn move_into_namespace(target: &Target, caller: &Caller) -> Result<Opened, Error> {
    let groups = || caller.groups.clone();
    let login = target.login(&groups, Door::Command);
    let opened = login.enter(&Linux, &SpawnedReader)?;
    match opened.entered {
        Entered::None(why) => Err(Error::WithoutNix(why)),
        _ => Ok(opened),
    }
}

/// A caller that is on its own `/nix`.
struct There {
    home: PathBuf,
    opened: Opened,
}

impl There {
    /// As PAM would have extended it.
    fn extend(self, mut environment: Environment) -> Environment {
        let known = |name: &str| environment.get(OsStr::new(name)).cloned();
        let profile = self.opened.profile;
        let variables = profile.and_then(|profile| variables(profile, &self.home, &known));
        let (name, value) = NIX_NS;
        environment.insert(name.into(), value.into());
        for (name, value) in variables.unwrap_or_default() {
            environment.insert(name.into(), value);
        }
        environment
    }
}
