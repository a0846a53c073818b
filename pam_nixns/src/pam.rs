//! Linux-PAM and the account database: all of this crate's calls into C.

#![allow(unsafe_code, reason = "the boundary to C")]

use std::ffi::{CStr, CString, OsStr, OsString, c_char, c_int, c_void};
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::net::UnixDatagram;
use std::ptr::{NonNull, null, null_mut};

use config::Account;
use pam_sys::raw::{pam_get_item, pam_get_user, pam_getenv, pam_putenv};
use pam_sys::{PamFlag, PamHandle, PamItemType, PamMessageStyle};

// Absent from pam-sys 0.5; `security/pam_ext.h` and `security/pam_modutil.h` of
// Linux-PAM 1.0 and later.
unsafe extern "C" {
    fn pam_syslog(handle: *const PamHandle, priority: c_int, format: *const c_char, ...);
    fn pam_prompt(
        handle: *mut PamHandle,
        style: c_int,
        response: *mut *mut c_char,
        format: *const c_char,
        ...
    ) -> c_int;
    fn pam_modutil_getpwnam(handle: *mut PamHandle, user: *const c_char) -> *const libc::passwd;
}

/// Severity of a log line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Priority {
    Debug,
    Info,
    Warning,
    Error,
    Critical,
}

/// Where `syslog(3)` sends what it is told.
const LOG: &str = "/dev/log";
/// Longer than a journal that starts anew needs, and no longer than a person at a
/// prompt waits.
const LOG_PATIENCE_MILLISECONDS: c_int = 1000;

/// One call of Linux-PAM's. Not `Send`: the handle belongs to this call.
pub(crate) struct Pam {
    handle: NonNull<PamHandle>,
    silent: bool,
}

impl Pam {
    /// Takes over what Linux-PAM passes to a module.
    ///
    /// # Safety
    /// The handle must be Linux-PAM's, `argv` point to `argc` C strings; both
    /// must outlive the result.
    pub(crate) unsafe fn from_raw<'a>(
        handle: *mut PamHandle,
        flags: c_int,
        argc: c_int,
        argv: *const *const c_char,
    ) -> Option<(Self, Vec<&'a CStr>)> {
        let handle = NonNull::new(handle)?;
        let count = if argv.is_null() {
            0
        } else {
            usize::try_from(argc).ok()?
        };
        let words = (0..count)
            // SAFETY: the index is below `argc`.
            .map(|index| unsafe { *argv.add(index) })
            .filter(|word| !word.is_null())
            // SAFETY: the caller vouches that it is a C string.
            .map(|word| unsafe { CStr::from_ptr(word) })
            .collect();
        Some((
            Self {
                handle,
                silent: flags & PamFlag::SILENT as c_int != 0,
            },
            words,
        ))
    }

    /// The name of the user whose session it is.
    pub(crate) fn user(&self) -> Option<CString> {
        let mut user = null();
        // SAFETY: the handle is valid, the pointer takes the answer, no prompt is given.
        let code = unsafe { pam_get_user(self.handle.as_ptr(), &raw mut user, null()) };
        // SAFETY: on success the answer is a C string of the handle's, or null.
        (code == 0).then(|| unsafe { copy(user) }).flatten()
    }

    /// The name of the service, as in `/etc/pam.d`.
    pub(crate) fn service(&self) -> String {
        let mut item: *const c_void = null();
        // SAFETY: the handle is valid, the pointer takes the answer.
        let code = unsafe {
            pam_get_item(
                self.handle.as_ptr(),
                PamItemType::SERVICE as c_int,
                &raw mut item,
            )
        };
        // SAFETY: on success this item is a C string of the handle's, or null.
        let service = (code == 0).then(|| unsafe { copy(item.cast()) }).flatten();
        service
            .map(|service| service.to_string_lossy().into_owned())
            .unwrap_or_default()
    }

    /// A variable of the session's environment, as far as PAM knows it; never
    /// of the application's own.
    pub(crate) fn variable(&self, name: &str) -> Option<OsString> {
        let name = CString::new(name).ok()?;
        // SAFETY: handle and name are valid; the answer is a C string of the
        // handle's, or null.
        let value = unsafe { copy(pam_getenv(self.handle.as_ptr(), name.as_ptr())) };
        value.map(|value| OsString::from_vec(value.into_bytes()))
    }

    /// Sets a variable of the session's environment.
    pub(crate) fn put_variable(&self, name: &str, value: &OsStr) {
        self.put_in_environment(&[name.as_bytes(), b"=", value.as_bytes()].concat());
    }

    /// Takes a variable out of the session's environment.
    pub(crate) fn remove_variable(&self, name: &str) {
        self.put_in_environment(name.as_bytes());
    }

    fn put_in_environment(&self, text: &[u8]) {
        if let Ok(text) = CString::new(text) {
            // SAFETY: handle and text are valid; the text is copied.
            unsafe { pam_putenv(self.handle.as_ptr(), text.as_ptr()) };
        }
    }

    /// Logs one line, as `pam_nixns(SERVICE:session): ...`.
    pub(crate) fn log(&self, priority: Priority, text: &str) {
        if is_stuck() {
            return;
        }
        let priority = libc::LOG_AUTHPRIV
            | match priority {
                Priority::Debug => libc::LOG_DEBUG,
                Priority::Info => libc::LOG_INFO,
                Priority::Warning => libc::LOG_WARNING,
                Priority::Error => libc::LOG_ERR,
                Priority::Critical => libc::LOG_CRIT,
            };
        if let Ok(text) = CString::new(text) {
            // SAFETY: handle and strings are valid; text is never the format.
            unsafe {
                pam_syslog(
                    self.handle.as_ptr(),
                    priority,
                    c"%s".as_ptr(),
                    text.as_ptr(),
                )
            };
        }
    }

    /// Shows the user one line, unless the application asked for silence. The
    /// application decides how: sshd shows it in interactive sessions only, so
    /// scp and rsync stay whole.
    pub(crate) fn tell_user(&self, text: &str) {
        if self.silent {
            return;
        }
        if let Ok(text) = CString::new(text) {
            let style = PamMessageStyle::TEXT_INFO as c_int;
            // SAFETY: handle and strings are valid; no answer is asked for.
            unsafe {
                pam_prompt(
                    self.handle.as_ptr(),
                    style,
                    null_mut(),
                    c"%s".as_ptr(),
                    text.as_ptr(),
                )
            };
        }
    }

    /// Looks a user up in the account database, whatever that is made of.
    /// Groups are left empty: see [`groups_of`].
    /// What the database failed with, if it says, where there is none.
    pub(crate) fn account(&self, user: &CStr) -> Result<Account, io::Error> {
        // SAFETY: the place is this thread's own. A database that has no such entry
        // leaves it alone (getpwnam(3)).
        unsafe { *libc::__errno_location() = 0 };
        // SAFETY: handle and name are valid; the answer belongs to the handle.
        let entry = unsafe { pam_modutil_getpwnam(self.handle.as_ptr(), user.as_ptr()).as_ref() };
        let entry = entry.ok_or_else(io::Error::last_os_error)?;
        // SAFETY: the entry's strings are valid while the handle is.
        let (name, home) = unsafe { (copy(entry.pw_name), copy(entry.pw_dir)) };
        let name = name.and_then(|name| name.into_string().ok());
        let (Some(name), Some(home)) = (name, home) else {
            return Err(io::ErrorKind::InvalidData.into());
        };
        Ok(Account {
            name,
            uid: entry.pw_uid,
            gid: entry.pw_gid,
            groups: Vec::new(),
            home: OsStr::from_bytes(home.as_bytes()).into(),
        })
    }
}

/// Whether the receiver of the log takes nothing, and has not for a while:
/// `syslog(3)` would wait for it, and the login with it, for ever. Where there is
/// no receiver, or it is of an old kind, `syslog(3)` knows by itself.
fn is_stuck() -> bool {
    // All at once: the standard library takes two calls.
    let kind = libc::SOCK_DGRAM | libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK;
    // SAFETY: no pointer is passed.
    let log = unsafe { libc::socket(libc::AF_UNIX, kind, 0) };
    if log < 0 {
        return false;
    }
    // SAFETY: the kernel has just made this descriptor, and nothing else knows it.
    let log = UnixDatagram::from(unsafe { OwnedFd::from_raw_fd(log) });
    match log.connect(LOG) {
        Ok(()) => {}
        Err(error) => return error.kind() == io::ErrorKind::WouldBlock,
    }
    let mut room = libc::pollfd {
        fd: log.as_raw_fd(),
        events: libc::POLLOUT,
        revents: 0,
    };
    // SAFETY: one valid structure.
    unsafe { libc::poll(&raw mut room, 1, LOG_PATIENCE_MILLISECONDS) == 0 }
}

/// The numbers of all groups of a user, the first included.
pub(crate) fn groups_of(account: &Account) -> Vec<u32> {
    /// `NGROUPS_MAX` of Linux.
    const MOST: usize = 65536;
    let Ok(name) = CString::new(account.name.as_str()) else {
        return vec![account.gid];
    };
    let mut groups = vec![0; 64];
    loop {
        let mut count = c_int::try_from(groups.len()).unwrap_or(c_int::MAX);
        // SAFETY: the list has room for `count` numbers.
        let answer = unsafe {
            libc::getgrouplist(
                name.as_ptr(),
                account.gid,
                groups.as_mut_ptr(),
                &raw mut count,
            )
        };
        let found = usize::try_from(count).unwrap_or_default();
        if answer >= 0 {
            groups.truncate(found);
            return groups;
        }
        if groups.len() >= MOST {
            return vec![account.gid];
        }
        groups.resize(groups.len().saturating_mul(2).max(found).min(MOST), 0);
    }
}

/// Whether a user is a member of a group, by name. `pam_modutil_user_in_group_nam_nam`
/// takes a group that cannot be looked up for one without members, and one of some
/// ten thousand members for such: a site that denies these would not.
///
/// # Errors
/// If the account database does not say.
pub(crate) fn is_member(account: &Account, group: &str) -> io::Result<bool> {
    /// Far more than any group has, in bytes.
    const LARGEST: usize = 64 << 20;
    let Ok(group) = CString::new(group) else {
        return Ok(false);
    };
    let mut buffer: Vec<c_char> = Vec::new();
    let mut room: usize = 4096;
    loop {
        buffer
            .try_reserve_exact(room.saturating_sub(buffer.len()))
            .map_err(|_| io::Error::from(io::ErrorKind::OutOfMemory))?;
        buffer.resize(room, 0);
        let mut entry = MaybeUninit::<libc::group>::uninit();
        let mut found = null_mut();
        // SAFETY: the name is a C string, and the others have the room they say.
        let code = unsafe {
            libc::getgrnam_r(
                group.as_ptr(),
                entry.as_mut_ptr(),
                buffer.as_mut_ptr(),
                buffer.len(),
                &raw mut found,
            )
        };
        match code {
            0 => {
                // SAFETY: null, or the entry that was filled in.
                let number = unsafe { found.as_ref() }.map(|entry| entry.gr_gid);
                return Ok(number.is_some_and(|it| groups_of(account).contains(&it)));
            }
            libc::ERANGE if room < LARGEST => room = room.saturating_mul(4),
            // As getgrnam(3) has it, for a name that is not there.
            libc::ENOENT | libc::ESRCH | libc::EBADF | libc::EPERM => return Ok(false),
            code => return Err(io::Error::from_raw_os_error(code)),
        }
    }
}

/// # Safety
/// `text` must be null or a C string.
unsafe fn copy(text: *const c_char) -> Option<CString> {
    // SAFETY: not null, and the caller vouches for the rest.
    (!text.is_null()).then(|| unsafe { CStr::from_ptr(text) }.to_owned())
}
