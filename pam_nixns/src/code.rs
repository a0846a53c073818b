//! What the module answers.

use std::ffi::c_int;

use pam_sys::PamReturnCode;

/// The codes in one table, so that none can be left out of [`Code::NAMES`],
/// which the manual is held to.
macro_rules! codes {
    ($($(#[$doc:meta])* $code:ident = $name:ident,)*) => {
        /// What the module answers.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(crate) enum Code {
            $($(#[$doc])* $code,)*
        }

        impl Code {
            /// As in `security/_pam_types.h`, without `PAM_`.
            #[cfg(test)]
            pub(crate) const NAMES: &[&str] = &[$(stringify!($name)),*];

            pub(crate) const fn number(self) -> c_int {
                (match self {
                    $(Self::$code => PamReturnCode::$name,)*
                }) as c_int
            }
        }
    };
}

codes! {
    /// The session is where it belongs.
    Success = SUCCESS,
    /// The session is where it was, and that is right.
    Ignore = IGNORE,
    /// The session is on another user's `/nix`, or must not start without its
    /// own: it must not start.
    SystemError = SYSTEM_ERR,
    /// The way back failed: the session must not start.
    Abort = ABORT,
    /// A bug was caught before the session was moved.
    ServiceError = SERVICE_ERR,
}
