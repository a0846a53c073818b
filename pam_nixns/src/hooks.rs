//! What the opening and the closing of a session amount to.

use std::cell::RefCell;

use config::Participation;
use namespace::place::Place;
use namespace::reader::SpawnedReader;
use namespace::{Door, Error, Gravity, Linux, Target};

use crate::arguments::Arguments;
use crate::code::Code;
use crate::environment;
use crate::pam::{Pam, Priority, groups_of, is_member};
use crate::report;

/// `pam_open_session`, for either line.
pub(crate) fn open(pam: &Pam, arguments: &Arguments) -> Code {
    for word in &arguments.unknown {
        let known = "it knows leave, debug and config=/FILE";
        let text = format!("`{word}` is no argument of this module, and is ignored; {known}");
        pam.log(Priority::Error, &text);
    }
    if arguments.leave {
        environment::take_back(pam);
    }
    if arguments.leave && Place::is_surely_host(&Linux) {
        return report::nothing_to_leave(pam, arguments);
    }
    let target = match find_target(pam, arguments) {
        Ok(target) => target,
        Err(nobody) => return leave_as(pam, &nobody),
    };
    let groups = || groups_of(&target.account);
    let login = target.login(&groups, Door::Pam);
    if arguments.leave {
        match login.leave(&Linux) {
            Ok(left) => report::left(pam, arguments, &target, &left),
            Err(error) => failed(pam, &target, &error),
        }
    } else {
        match login.enter(&Linux, &SpawnedReader) {
            Ok(opened) => {
                environment::give(pam, &target, &opened);
                report::entered(pam, arguments, &target, &opened)
            }
            Err(error) => failed(pam, &target, &error),
        }
    }
}

/// `pam_close_session`. Nothing depends on it, and it may come without any
/// privilege ((sd-pam)), from a process that was never in the namespace, or
/// never.
pub(crate) fn close(pam: &Pam, arguments: &Arguments) -> Code {
    environment::take_back(pam);
    if Place::is_surely_host(&Linux) {
        return Code::Success;
    }
    let target = find_target(pam, arguments).unwrap_or_else(|nobody| *nobody);
    match target.login(&Vec::new, Door::Pam).close(&Linux) {
        Ok(_) => Code::Success,
        Err(error) => {
            if arguments.debug {
                report::log_error(pam, Priority::Debug, &target, &error);
            }
            Code::Ignore
        }
    }
}

/// Who it is; or nobody, if the application or the account database does not
/// say. Even nobody must not stay on a user's `/nix`: the database may have
/// failed for this one moment.
fn find_target(pam: &Pam, arguments: &Arguments) -> Result<Target, Box<Target>> {
    let Some(user) = pam.user() else {
        pam.log(Priority::Error, "the application names no user");
        return Err(Box::new(Target::nobody(pam.service())));
    };
    let account = match pam.account(&user) {
        Ok(account) => account,
        Err(error) => {
            let user = config::printable(&user.to_string_lossy());
            let why = match error.raw_os_error() {
                Some(0) => String::new(),
                _ => format!(": {error}"),
            };
            let text = format!("the account database has no usable entry for {user}{why}");
            pam.log(Priority::Error, &text);
            return Err(Box::new(Target::nobody(pam.service())));
        }
    };
    let member = account.clone();
    let unanswered = RefCell::new(None);
    let is_member = |group: &str| {
        is_member(&member, group).unwrap_or_else(|error| {
            unanswered.replace(Some(format!(
                "the account database does not say who is in {group}: {error}"
            )));
            false
        })
    };
    let file = &arguments.site_file;
    let target = Target::look_up(account, pam.service(), file, &is_member);
    match unanswered.into_inner() {
        None => Ok(target),
        // The site may deny its members.
        Some(why) => {
            pam.log(Priority::Error, &config::printable(&why));
            Err(Box::new(Target::nobody(pam.service())))
        }
    }
}

fn leave_as(pam: &Pam, nobody: &Target) -> Code {
    match nobody.login(&Vec::new, Door::Pam).leave(&Linux) {
        Ok(_) => Code::Ignore,
        Err(error) => failed(pam, nobody, &error),
    }
}

/// The only place where errors become PAM codes.
fn failed(pam: &Pam, target: &Target, error: &Error) -> Code {
    // Strictness is about those who should have a /nix, nobody else.
    let selected = target.participation == Participation::Selected;
    let strict = selected && target.site.as_ref().is_ok_and(|site| site.strict);
    let code = match error.gravity() {
        Gravity::OnForeignNix => Code::SystemError,
        Gravity::Lost => Code::Abort,
        Gravity::Harmless if strict => Code::SystemError,
        Gravity::Harmless => Code::Ignore,
    };
    let priority = if code == Code::Ignore && error.is_the_users() {
        Priority::Warning
    } else {
        Priority::Error
    };
    report::log_error(pam, priority, target, error);
    if error.is_the_users() {
        pam.tell_user(&format!("nix-ns: this session has no /nix: {error}"));
    }
    code
}
