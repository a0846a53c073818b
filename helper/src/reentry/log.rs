//! What the site learns: a line in the log, as from the module.

use std::fmt::Display;
use std::process;

use config::printable;
use namespace::{Opened, Target};
use syslog::{Facility, Formatter3164, Logger, LoggerBackend};

use super::{Error, SERVICE};

type Log = Logger<LoggerBackend, Formatter3164>;

/// Who went where, and what of the site's they do without.
pub(super) fn entered(target: &Target, opened: &Opened) {
    write(|logger| {
        for unbound in opened.entered.unbound() {
            let file = config::SITE_FILE;
            logger.warning(format!(
                "without a directory for {target}: {file}: {unbound}"
            ))?;
        }
        logger.info(opened.describe(target))
    });
}

/// Who did not, as far as that is known, and why.
pub(super) fn refused(whom: &dyn Display, error: &Error) {
    let why = printable(&error.to_string());
    write(|logger| logger.warning(format!("refused for {whom}: {why}")));
}

/// Writes it, if there is somebody to read. A log that is not there, or that
/// somebody has filled up, stops nobody.
fn write(line: impl FnOnce(&mut Log) -> syslog::Result<()>) {
    let formatter = Formatter3164 {
        facility: Facility::LOG_AUTHPRIV,
        hostname: None,
        process: SERVICE.to_owned(),
        pid: process::id(),
    };
    match syslog::unix(formatter) {
        Ok(mut logger) if never_waits(&logger) => {
            let _ = line(&mut logger);
        }
        _ => {}
    }
}

fn never_waits(logger: &Log) -> bool {
    match &logger.backend {
        LoggerBackend::Unix(socket) => socket.set_nonblocking(true).is_ok(),
        _ => false,
    }
}
