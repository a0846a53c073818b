//! `nix-ns enter`: back into one's own `/nix` from where PAM did not lead.

mod by_setuid;
mod by_sudo;
mod error;

use std::convert::Infallible;
use std::env;
use std::ffi::{OsStr, OsString};
use std::io::{self, IsTerminal, Write};

use clap::ValueEnum;
use namespace::environment::NIX_NS;
use nix::unistd::Uid;

pub use error::Error;

use crate::account_database;
use crate::program::{Environment, Program};
use crate::user_namespace::{self, Isolation, Wish};

/// What sshd leaves of the client's command when the site forces its own
/// (`ForceCommand`, sshd_config(5)).
const FORCED_COMMAND: &str = "SSH_ORIGINAL_COMMAND";

/// Run a command, or your login shell, with your own /nix.
///
/// For sessions that did not get it: a shell begun before the installation, su
/// without the PAM lines, dropbear, a service. With `ForceCommand nix-ns enter
/// --or-without` in sshd_config, for a group of users, it runs what the client
/// asked for. Exits as the command does, or with 125 if there is no /nix to be had,
/// 126 if the command cannot be run, 127 if there is no such command. Isolation is for programs
/// that are careless, not for hostile ones: whatever you can write, they can.
#[derive(Debug, clap::Args)]
pub struct Enter {
    /// Run the command even if there is no /nix to be had
    #[arg(long, conflicts_with_all = ["isolation", "read_only", "id_ranges"])]
    or_without: bool,
    /// Set no_new_privs: sudo and other setuid programs have no effect below
    #[arg(long)]
    no_new_privs: bool,
    /// Go by a user namespace, even where nix-ns-enter has privilege
    #[arg(long)]
    user_namespace: bool,
    /// How much to keep apart from the rest of the system
    #[arg(long, value_enum, default_value_t)]
    isolation: Isolation,
    /// Make /nix read-only
    #[arg(long)]
    read_only: bool,
    /// Have your ranges of subordinate ids (/etc/subuid), too
    #[arg(long)]
    id_ranges: bool,
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
            return match by_sudo::find_caller(&mut environment) {
                Ok(account) => {
                    let words = self.words(account.uid, &mut environment)?;
                    by_sudo::become_caller(&account)?;
                    by_setuid::exec(words, environment)
                }
                // `ForceCommand` takes the place of what a key of root's is restricted
                // to (sshd(8), "command="): no client's words are run here, no shell.
                Err(Error::Root) if self.or_without && self.command.is_empty() => {
                    Err(Error::RootForced)
                }
                Err(Error::Root) if self.or_without => {
                    Ok(self.program(0, &mut environment).exec(0, environment)?)
                }
                Err(error) => Err(error),
            };
        }
        let uid = uid.as_raw();
        if self.user_namespace {
            self.by_user_namespace(uid, environment, None)
        } else if let Some(obstacle) = by_setuid::obstacle() {
            self.by_user_namespace(uid, environment, Some(obstacle))
        } else {
            let words = self.words(uid, &mut environment)?;
            by_setuid::exec(words, environment)
        }
    }

    /// What `nix-ns-enter` is called with. Isolation is none of its business:
    /// this program comes again when the caller is there.
    fn words(&self, uid: u32, environment: &mut Environment) -> Result<Vec<OsString>, Error> {
        let chosen = |options: &[(bool, &str)]| -> Vec<OsString> {
            let chosen = options.iter().filter(|(chosen, _)| *chosen);
            chosen.map(|(_, option)| option.into()).collect()
        };
        let mut words = chosen(&[
            (self.or_without, "--or-without"),
            (self.no_new_privs, "--no-new-privs"),
            (true, "--"),
        ]);
        if !self.wish().is_plain() {
            let isolation = self.isolation.to_possible_value();
            let isolation = isolation.map(|value| value.get_name().to_owned());
            words.push(env::current_exe().map_err(Error::NoSelf)?.into());
            words.extend(["enter", "--user-namespace", "--isolation"].map(OsString::from));
            words.push(isolation.unwrap_or_default().into());
            words.extend(chosen(&[
                (self.read_only, "--read-only"),
                (self.id_ranges, "--id-ranges"),
                (true, "--"),
            ]));
        }
        if let Program::Command(program, arguments) = self.program(uid, environment) {
            words.push(program);
            words.extend(arguments);
        }
        Ok(words)
    }

    const fn wish(&self) -> Wish {
        Wish {
            isolation: self.isolation,
            read_only: self.read_only,
            id_ranges: self.id_ranges,
        }
    }

    fn program(&self, uid: u32, environment: &mut Environment) -> Program {
        // Not to be seen below: the next `nix-ns enter` would run it again.
        let forced = environment.remove(OsStr::new(FORCED_COMMAND));
        match (self.command.as_slice(), forced) {
            ([], Some(forced)) => {
                // As sshd would run it (session.c, do_child).
                let shell = account_database::login_shell(uid)
                    .unwrap_or_else(|_| account_database::DEFAULT_SHELL.into());
                Program::Command(shell.into(), vec!["-c".into(), forced])
            }
            (command, _) => Program::from_words(command.iter().cloned()),
        }
    }

    /// Without any privilege.
    fn by_user_namespace(
        &self,
        uid: u32,
        mut environment: Environment,
        setuid: Option<&'static str>,
    ) -> Result<Infallible, Error> {
        let program = self.program(uid, &mut environment);
        let account = account_database::account_alone(uid)?;
        match user_namespace::enter(&account, self.wish(), notices().as_mut()) {
            Ok(()) => {
                let (name, value) = NIX_NS;
                environment.insert(name.into(), value.into());
            }
            Err(_) if self.or_without => {}
            Err(source) => return Err(Error::UserNamespace { source, setuid }),
        }
        if self.no_new_privs {
            nix::sys::prctl::set_no_new_privs().map_err(Error::NoNewPrivileges)?;
        }
        Ok(program.exec(uid, environment)?)
    }
}

/// Programs that read standard error are told nothing that is no error.
fn notices() -> Box<dyn Write> {
    let complaints = io::stderr();
    if complaints.is_terminal() {
        Box::new(complaints)
    } else {
        Box::new(io::sink())
    }
}
