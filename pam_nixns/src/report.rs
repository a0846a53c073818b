//! The one log line of a session.

use namespace::record::Record;
use namespace::{Entered, Error, Left, Opened, WithoutNix};

use crate::arguments::Arguments;
use crate::pam::{Code, Pam, Priority};
use crate::target::Target;

/// Before the `leave` line would do anything.
pub(crate) fn nothing_to_leave(pam: &Pam, arguments: &Arguments) -> Code {
    if arguments.debug {
        pam.log(Priority::Debug, "there was no /nix of a user's to leave");
    }
    Code::Success
}

/// After the `leave` line.
pub(crate) fn left(pam: &Pam, arguments: &Arguments, target: &Target, left: Left) -> Code {
    match left_how(left) {
        Some(how) => pam.log(Priority::Debug, &format!("{how}, {}", session_of(target))),
        None => return nothing_to_leave(pam, arguments),
    }
    Code::Success
}

/// After the entering line.
pub(crate) fn entered(pam: &Pam, arguments: &Arguments, target: &Target, opened: &Opened) -> Code {
    let left = left_how(opened.left)
        .map(|how| format!(", {how}"))
        .unwrap_or_default();
    let (record, how) = match &opened.entered {
        Entered::Stayed(record) => (record, "already there".to_owned()),
        Entered::Joined(record) => (record, "joined".to_owned()),
        Entered::Built(record) => (record, "built".to_owned()),
        Entered::BuiltAlone(record, why) => {
            (record, format!("built for this session alone ({why})"))
        }
        Entered::None(why) => return without_nix(pam, arguments, target, why, &left),
    };
    pam.log(
        Priority::Info,
        &format!(
            "/nix is {} for {}: {how}{left}",
            store_of(record),
            session_of(target)
        ),
    );
    Code::Success
}

/// When something is wrong.
pub(crate) fn log_error(pam: &Pam, priority: Priority, target: &Target, error: &Error) {
    pam.log(
        priority,
        &format!("no /nix for {}: {error}", session_of(target)),
    );
}

/// When a session has its `/nix`, and no environment to go with it.
pub(crate) fn no_environment(pam: &Pam, target: &Target, why: &str) {
    let text = format!(
        "PATH and the like stay as they are for {}: {why}",
        session_of(target)
    );
    pam.log(Priority::Warning, &text);
}

fn without_nix(
    pam: &Pam,
    arguments: &Arguments,
    target: &Target,
    why: &WithoutNix,
    left: &str,
) -> Code {
    let why = match why {
        WithoutNix::Site(participation) => participation.to_string(),
        WithoutNix::ServiceSkipped => "the site configuration skips this service".to_owned(),
        WithoutNix::RootStays => "the site configuration lets root stay in this service".to_owned(),
        WithoutNix::NotOptedIn => "no user configuration (`nix-ns check` says which)".to_owned(),
        WithoutNix::DisabledByUser => "the user configuration says enable = false".to_owned(),
    };
    // Nobody asked for a /nix: that is no event, unless it took one away.
    if arguments.debug || !left.is_empty() {
        let priority = if left.is_empty() {
            Priority::Debug
        } else {
            Priority::Info
        };
        pam.log(
            priority,
            &format!("no /nix for {}: {why}{left}", session_of(target)),
        );
    }
    Code::Ignore
}

const fn left_how(left: Left) -> Option<&'static str> {
    match left {
        Left::Nothing => None,
        Left::ToHost => Some("left a user's /nix for the host's"),
        Left::Detached => Some("took a user's /nix off in a copy of its namespace"),
    }
}

fn store_of(record: &Record) -> String {
    config::printable(&record.path.to_string_lossy())
}

fn session_of(target: &Target) -> String {
    let (name, service) = (
        config::printable(&target.account.name),
        config::printable(&target.service),
    );
    format!("{name} (uid {}), service {service}", target.account.uid)
}
