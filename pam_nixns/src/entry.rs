//! The two functions that Linux-PAM calls. Nothing else is exported: a line of
//! another type that names this module is an error Linux-PAM reports by itself
//! (`PAM_MODULE_UNKNOWN`), never a silent success.

#![allow(unsafe_code, reason = "the two exported functions")]

use std::any::Any;
use std::ffi::{c_char, c_int};
use std::panic::{AssertUnwindSafe, catch_unwind, set_hook};

use pam_sys::PamHandle;

use crate::arguments::Arguments;
use crate::hooks;
use crate::pam::{Code, Pam, Priority};

/// Opens a session: leaves or enters, by the line's arguments.
///
/// # Safety
/// Linux-PAM calls this with its handle and `argc` C strings at `argv`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pam_sm_open_session(
    handle: *mut PamHandle,
    flags: c_int,
    argc: c_int,
    argv: *const *const c_char,
) -> c_int {
    // SAFETY: passed on from the caller.
    unsafe { guarded(handle, flags, argc, argv, hooks::open) }
}

/// Closes a session: leaves.
///
/// # Safety
/// As [`pam_sm_open_session`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pam_sm_close_session(
    handle: *mut PamHandle,
    flags: c_int,
    argc: c_int,
    argv: *const *const c_char,
) -> c_int {
    // SAFETY: passed on from the caller.
    unsafe { guarded(handle, flags, argc, argv, hooks::close) }
}

type Hook = fn(&Pam, &Arguments) -> Code;

/// # Safety
/// As [`pam_sm_open_session`].
unsafe fn guarded(
    handle: *mut PamHandle,
    flags: c_int,
    argc: c_int,
    argv: *const *const c_char,
    hook: Hook,
) -> c_int {
    // SAFETY: the caller vouches for the handle and the arguments.
    let Some((pam, words)) = (unsafe { Pam::from_raw(handle, flags, argc, argv) }) else {
        return Code::SystemError.number();
    };
    silence_panics();
    let arguments = Arguments::parse(&words);
    match catch_unwind(AssertUnwindSafe(|| hook(&pam, &arguments))) {
        Ok(code) => code.number(),
        Err(panic) => {
            let what = panic_text(panic.as_ref());
            pam.log(
                Priority::Critical,
                &format!("internal error, please report it: {what}"),
            );
            after_panic(&arguments).number()
        }
    }
}

/// The default hook would print to the login's terminal. The library's own copy
/// of the standard library is meant: the host application has another, or none.
fn silence_panics() {
    static ONCE: std::sync::Once = std::sync::Once::new();
    ONCE.call_once(|| set_hook(Box::new(|_| {})));
}

fn panic_text(panic: &(dyn Any + Send)) -> &str {
    panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("no description")
}

/// A bug while entering locks nobody out; one while leaving may have left the
/// session on another user's `/nix`.
const fn after_panic(arguments: &Arguments) -> Code {
    if arguments.leave {
        Code::SystemError
    } else {
        Code::ServiceError
    }
}
