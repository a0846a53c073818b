//! The application's side of Linux-PAM.

#![allow(unsafe_code, reason = "the boundary to C")]

use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::io;
use std::ptr::{NonNull, null_mut};

/// `PAM_SUCCESS`.
pub const SUCCESS: c_int = 0;

// security/_pam_types.h
const PAM_BUF_ERR: c_int = 5;
const PAM_SILENT: c_int = 0x8000;

/// `struct pam_message`.
#[repr(C)]
struct Message {
    style: c_int,
    text: *const c_char,
}

/// `struct pam_response`.
#[repr(C)]
struct Response {
    text: *mut c_char,
    code: c_int,
}

/// `struct pam_conv`.
#[repr(C)]
struct Conversation {
    talk: extern "C" fn(c_int, *const *const Message, *mut *mut Response, *mut c_void) -> c_int,
    data: *mut c_void,
}

#[link(name = "pam")]
unsafe extern "C" {
    fn pam_start(
        service: *const c_char,
        user: *const c_char,
        conversation: *const Conversation,
        handle: *mut *mut c_void,
    ) -> c_int;
    fn pam_authenticate(handle: *mut c_void, flags: c_int) -> c_int;
    fn pam_open_session(handle: *mut c_void, flags: c_int) -> c_int;
    fn pam_close_session(handle: *mut c_void, flags: c_int) -> c_int;
    fn pam_end(handle: *mut c_void, status: c_int) -> c_int;
}

/// Connects to the log, as sshd does long before a session: the connection is
/// the C library's, and is not counted as a module's.
pub fn open_log() {
    // SAFETY: the name is a C string that is never freed.
    unsafe { libc::openlog(c"pam-host".as_ptr(), libc::LOG_NDELAY, libc::LOG_AUTHPRIV) };
}

/// Says something to the log.
pub fn log(text: &CStr) {
    // SAFETY: both are C strings; the text is not the format.
    unsafe { libc::syslog(libc::LOG_INFO, c"%s".as_ptr(), text.as_ptr()) };
}

/// How to call.
#[derive(Debug, Clone, Copy)]
pub enum Flags {
    /// As usual.
    None,
    /// With the wish that modules say nothing to the user.
    Silent,
}

impl Flags {
    fn number(self) -> c_int {
        match self {
            Self::None => 0,
            Self::Silent => PAM_SILENT,
        }
    }
}

/// A conversation with Linux-PAM; ended when dropped.
pub struct Handle {
    raw: NonNull<c_void>,
    last: c_int,
    /// Linux-PAM keeps a copy, but not of what it points to.
    _conversation: Box<Conversation>,
}

impl Handle {
    /// `pam_start`.
    pub fn start(service: &str, user: &str) -> io::Result<Self> {
        let (service, user) = (CString::new(service)?, CString::new(user)?);
        let conversation = Box::new(Conversation {
            talk,
            data: null_mut(),
        });
        let mut raw = null_mut();
        // SAFETY: the strings and the conversation are valid, and the pointer
        // takes the answer.
        let code = unsafe {
            pam_start(
                service.as_ptr(),
                user.as_ptr(),
                &raw const *conversation,
                &raw mut raw,
            )
        };
        let failed = || io::Error::other(format!("pam_start answered {code}"));
        match NonNull::new(raw) {
            Some(raw) if code == SUCCESS => Ok(Self {
                raw,
                last: code,
                _conversation: conversation,
            }),
            _ => Err(failed()),
        }
    }

    /// `pam_authenticate`.
    pub fn authenticate(&mut self, flags: Flags) -> c_int {
        // SAFETY: the handle is pam_start's.
        self.last = unsafe { pam_authenticate(self.raw.as_ptr(), flags.number()) };
        self.last
    }

    /// `pam_open_session`.
    pub fn open(&mut self, flags: Flags) -> c_int {
        // SAFETY: the handle is pam_start's.
        self.last = unsafe { pam_open_session(self.raw.as_ptr(), flags.number()) };
        self.last
    }

    /// `pam_close_session`.
    pub fn close(&mut self, flags: Flags) -> c_int {
        // SAFETY: the handle is pam_start's.
        self.last = unsafe { pam_close_session(self.raw.as_ptr(), flags.number()) };
        self.last
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        // SAFETY: the handle is pam_start's, and not used again.
        unsafe { pam_end(self.raw.as_ptr(), self.last) };
    }
}

/// Prints every message and answers nothing.
extern "C" fn talk(
    count: c_int,
    messages: *const *const Message,
    responses: *mut *mut Response,
    _data: *mut c_void,
) -> c_int {
    let count = usize::try_from(count).unwrap_or(0);
    for index in 0..count {
        // SAFETY: Linux-PAM passes an array of `count` valid pointers.
        let message = unsafe { &**messages.add(index) };
        // SAFETY: its text is a C string.
        let text = unsafe { CStr::from_ptr(message.text) };
        super::say(&format!("message {}", text.to_string_lossy()));
    }
    // SAFETY: an array of structures of numbers and pointers, all zero, made as
    // Linux-PAM frees it.
    let answers = unsafe { libc::calloc(count, size_of::<Response>()) }.cast::<Response>();
    if answers.is_null() {
        return PAM_BUF_ERR;
    }
    // SAFETY: Linux-PAM passes a place for the answers, which are its from here.
    unsafe { *responses = answers };
    SUCCESS
}
