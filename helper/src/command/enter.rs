//! `nix-ns enter`: back into one's own `/nix` from where PAM did not lead.

mod by_setuid;
mod by_sudo;
mod error;

use std::convert::Infallible;
use std::env;
use std::ffi::{OsStr, OsString};

use nix::unistd::Uid;

pub use error::Error;

use crate::account_database;
use crate::program::Environment;

/// What sshd leaves of the client's command when the site forces its own
/// (`ForceCommand`, sshd_config(5)).
const FORCED_COMMAND: &str = "SSH_ORIGINAL_COMMAND";

/// Run a command, or your login shell, with your own /nix.
///
/// For sessions that did not get it: a shell begun before the installation, su
/// without the PAM lines, dropbear, a service. With `ForceCommand nix-ns enter`
/// in sshd_config, it runs what the client asked for. Exits as the command does,
/// or with 125 if there is no /nix to be had, 126 if the command cannot be run,
/// 127 if there is no such command.
#[derive(Debug, clap::Args)]
pub struct Enter {
    /// Run the command even if there is no /nix to be had
    #[arg(long)]
    or_without: bool,
    /// Set no_new_privs: sudo and other setuid programs have no effect below
    #[arg(long)]
    no_new_privs: bool,
    /// Command and its arguments
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    command: Vec<OsString>,
}

impl Enter {
    /// Becomes the command.
    pub(super) fn run(&self) -> Result<Infallible, Error> {
        let uid = Uid::current();
        let mut environment: Environment = env::vars_os().collect();
        if uid.is_root() {
            let account = by_sudo::find_caller(&mut environment)?;
            let words = self.words(account.uid, &mut environment);
            by_sudo::become_caller(&account)?;
            return by_setuid::exec(words, environment);
        }
        let words = self.words(uid.as_raw(), &mut environment);
        by_setuid::check()?;
        by_setuid::exec(words, environment)
    }

    /// What `nix-ns-enter` is called with.
    fn words(&self, uid: u32, environment: &mut Environment) -> Vec<OsString> {
        let options = [
            (self.or_without, "--or-without"),
            (self.no_new_privs, "--no-new-privs"),
            (true, "--"),
        ];
        let chosen = options.into_iter().filter(|(chosen, _)| *chosen);
        let mut words: Vec<OsString> = chosen.map(|(_, option)| option.into()).collect();
        // Not to be seen below: the next `nix-ns enter` would run it again.
        let forced = environment.remove(OsStr::new(FORCED_COMMAND));
        match (self.command.as_slice(), forced) {
            ([], Some(forced)) => {
                // As sshd would run it (session.c, do_child).
                let shell = account_database::login_shell(uid)
                    .unwrap_or_else(|_| account_database::DEFAULT_SHELL.into());
                words.extend([shell.into(), "-c".into(), forced]);
            }
            (command, _) => words.extend(command.iter().cloned()),
        }
        words
    }
}
