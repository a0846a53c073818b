//! What the site learns: a line in the log, as from the module.

use std::fmt::Display;
use std::io;
use std::os::unix::net::UnixDatagram;
use std::process;

use config::printable;
use libc::{LOG_AUTHPRIV, LOG_INFO, LOG_WARNING, c_int};
use namespace::{Opened, Target};

use super::{Error, SERVICE};

/// Where `syslog(3)` sends to.
const LOG: &str = "/dev/log";

/// Who went where, and what of the site's they do without.
pub(super) fn entered(target: &Target, opened: &Opened) {
    for unbound in opened.entered.unbound() {
        let file = config::SITE_FILE;
        let without = format!("without a directory for {target}: {file}: {unbound}");
        write(LOG_WARNING, &without);
    }
    write(LOG_INFO, &opened.describe(target));
}

/// Who did not, as far as that is known, and why.
pub(super) fn refused(whom: &dyn Display, error: &Error) {
    let why = printable(&error.to_string());
    write(LOG_WARNING, &format!("refused for {whom}: {why}"));
}

/// Writes it, if there is somebody to read. A log that is not there, or that
/// somebody has filled up, stops nobody.
fn write(severity: c_int, text: &str) {
    let _ = send(severity, text);
}

/// `syslog(3)` would wait. Its form is that of RFC 3164, in which who receives a
/// line without a date writes down when that was (section 4.3).
fn send(severity: c_int, text: &str) -> io::Result<usize> {
    let socket = UnixDatagram::unbound()?;
    socket.set_nonblocking(true)?;
    let priority = LOG_AUTHPRIV | severity;
    let line = format!("<{priority}>{SERVICE}[{}]: {text}", process::id());
    socket.send_to(line.as_bytes(), LOG)
}
