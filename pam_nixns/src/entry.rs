//! The two functions that Linux-PAM calls. Nothing else is exported: a line of
//! another type that names this module is an error Linux-PAM reports by itself
//! (`PAM_MODULE_UNKNOWN`), never a silent success.

#![allow(unsafe_code, reason = "the two exported functions")]

use std::any::Any;
use std::ffi::{c_char, c_int};
use std::panic::{AssertUnwindSafe, catch_unwind, set_hook};

use namespace::Linux;
use namespace::kernel::{FileIdentity, Identity};
use namespace::place::Place;
use pam_sys::PamHandle;

use crate::arguments::Arguments;
use crate::code::Code;
use crate::hooks;
use crate::pam::{Pam, Priority};

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
    match catch_unwind(AssertUnwindSafe(|| hook(&pam, &Arguments::parse(&words)))) {
        Ok(code) => code.number(),
        Err(panic) => {
            let what = panic_text(panic.as_ref());
            pam.log(
                Priority::Critical,
                &format!("internal error, please report it: {what}"),
            );
            after_panic(words.contains(&c"leave")).number()
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

/// A bug while entering locks nobody out whom it has not moved; one while leaving
/// may have left the session on another user's `/nix`.
fn after_panic(leaves: bool) -> Code {
    if leaves {
        Code::SystemError
    } else if catch_unwind(is_untouched).unwrap_or(false) {
        Code::ServiceError
    } else {
        Code::Abort
    }
}

/// Whether the process is where nearly all are before they enter, and opens files
/// as who it is.
fn is_untouched() -> bool {
    Place::is_surely_host(&Linux) && Linux.has_assumed(FileIdentity::of_process())
}

#[cfg(test)]
mod tests {
    use std::process::Command;
    use std::ptr::{null, null_mut};

    use pam_sys::PamConversation;

    use super::*;

    // Absent from pam-sys 0.5; Linux-PAM 1.4.
    unsafe extern "C" {
        fn pam_start_confdir(
            service: *const c_char,
            user: *const c_char,
            conversation: *const PamConversation,
            directory: *const c_char,
            handle: *mut *mut PamHandle,
        ) -> c_int;
    }

    /// Calls a hook as Linux-PAM does, with a handle of Linux-PAM's.
    fn call(hook: Hook, words: &[&std::ffi::CStr]) -> c_int {
        let stacks = tempfile::tempdir().unwrap();
        std::fs::write(
            stacks.path().join("door"),
            "session required pam_permit.so\n",
        )
        .unwrap();
        let directory = std::ffi::CString::new(stacks.path().to_str().unwrap()).unwrap();
        let conversation = PamConversation {
            conv: None,
            data_ptr: null_mut(),
        };
        let words: Vec<*const c_char> = words.iter().map(|word| word.as_ptr()).collect();
        let mut handle = null_mut();
        // SAFETY: all strings, the conversation and the arguments outlive the calls.
        unsafe {
            let code = pam_start_confdir(
                c"door".as_ptr(),
                c"nobody".as_ptr(),
                &raw const conversation,
                directory.as_ptr(),
                &raw mut handle,
            );
            assert_eq!(code, 0, "a handle of Linux-PAM's");
            let count = c_int::try_from(words.len()).unwrap();
            let code = guarded(handle, 0, count, words.as_ptr(), hook);
            pam_sys::raw::pam_end(handle, code);
            code
        }
    }

    #[test]
    fn a_panic_becomes_a_code() {
        let bug: Hook = |_, _| panic!("a bug");
        // Who is not root cannot be sure.
        let expected = if is_untouched() {
            Code::ServiceError
        } else {
            Code::Abort
        };
        assert_eq!(call(bug, &[]), expected.number(), "locks nobody out");
        assert_eq!(
            call(bug, &[c"leave"]),
            Code::SystemError.number(),
            "may be on a foreign /nix"
        );
        assert_eq!(
            call(|_, _| Code::Ignore, &[c"leave"]),
            Code::Ignore.number()
        );
    }

    #[test]
    fn a_panic_after_the_session_was_moved_lets_nobody_in() {
        let bug: Hook = |_, _| {
            // SAFETY: a system call without pointers, about this thread alone.
            let moved = unsafe { libc::unshare(libc::CLONE_NEWNS) };
            assert_eq!(moved, 0, "{}", std::io::Error::last_os_error());
            panic!("a bug")
        };
        assert_eq!(call(bug, &[]), Code::Abort.number());
    }

    #[test]
    fn a_panic_says_nothing_on_the_logins_terminal() {
        let this = std::env::current_exe().unwrap();
        let test = "entry::tests::a_panic_becomes_a_code";
        let run = Command::new(this)
            .args(["--exact", test, "--nocapture"])
            .output()
            .unwrap();
        assert!(
            String::from_utf8_lossy(&run.stdout).contains("1 passed"),
            "{run:?}"
        );
        assert_eq!(String::from_utf8_lossy(&run.stderr), "");
    }

    #[test]
    fn nonsense_from_the_caller_is_an_error() {
        // SAFETY: a null handle is refused before anything is read.
        let code = unsafe { guarded(null_mut(), 0, 0, null(), |_, _| Code::Success) };
        assert_eq!(code, Code::SystemError.number());
    }
}
