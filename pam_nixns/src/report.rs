//! The one log line of a session.

use namespace::{Entered, Error, Left, Opened, Target, confinement};

use crate::arguments::Arguments;
use crate::code::Code;
use crate::pam::{Pam, Priority};

/// Before the `leave` line would do anything.
pub(crate) fn nothing_to_leave(pam: &Pam, arguments: &Arguments) -> Code {
    if arguments.debug {
        pam.log(Priority::Debug, "there was no /nix of a user's to leave");
    }
    Code::Success
}

/// After the `leave` line.
pub(crate) fn left(pam: &Pam, arguments: &Arguments, target: &Target, left: &Left) -> Code {
    match left.how() {
        Some(how) => pam.log(Priority::Debug, &format!("{how}, {target}")),
        None => return nothing_to_leave(pam, arguments),
    }
    Code::Success
}

/// After the entering line.
pub(crate) fn entered(pam: &Pam, arguments: &Arguments, target: &Target, opened: &Opened) -> Code {
    let text = opened.describe(target);
    let file = config::printable(&arguments.site_file.to_string_lossy());
    for unbound in opened.entered.unbound() {
        let text = format!("without a directory for {target}: {file}: {unbound}");
        pam.log(Priority::Warning, &text);
    }
    if !matches!(opened.entered, Entered::None(_)) {
        pam.log(Priority::Info, &text);
        return Code::Success;
    }
    // Nobody asked for a /nix: that is no event, unless it took one away.
    if opened.left != Left::Nothing {
        pam.log(Priority::Info, &text);
    } else if arguments.debug {
        pam.log(Priority::Debug, &text);
    }
    Code::Ignore
}

/// When a session has its `/nix`, and no environment to go with it.
pub(crate) fn no_environment(pam: &Pam, target: &Target, why: &str) {
    let text = format!("PATH and the like stay as they are for {target}: {why}");
    pam.log(Priority::Warning, &text);
}

/// When something is wrong.
pub(crate) fn log_error(pam: &Pam, priority: Priority, target: &Target, error: &Error) {
    let hint = error
        .is_denied()
        .then(confinement::hint)
        .unwrap_or_default();
    pam.log(priority, &format!("no /nix for {target}: {error}{hint}"));
}
