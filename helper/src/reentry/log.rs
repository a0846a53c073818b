//! What the site learns: a line in the log, as from the module.

use std::process;

use config::printable;
use namespace::{Opened, Target};
use syslog::{Facility, Formatter3164, Logger, LoggerBackend};

use super::{Error, SERVICE};

/// Writes it, if there is somebody to read. A log that is not there, or that
/// somebody has filled up, stops nobody.
pub(super) fn write(target: &Target, entered: &Result<Opened, Error>) {
    let formatter = Formatter3164 {
        facility: Facility::LOG_AUTHPRIV,
        hostname: None,
        process: SERVICE.to_owned(),
        pid: process::id(),
    };
    let Ok(mut logger) = syslog::unix(formatter) else {
        return;
    };
    if !never_waits(&logger) {
        return;
    }
    let _ = match entered {
        Ok(opened) => {
            for unbound in opened.entered.unbound() {
                let file = config::SITE_FILE;
                let text = format!("without a directory for {target}: {file}: {unbound}");
                let _ = logger.warning(text);
            }
            logger.info(opened.describe(target))
        }
        Err(error) => {
            let why = printable(&error.to_string());
            logger.warning(format!("refused for {target}: {why}"))
        }
    };
}

fn never_waits(logger: &Logger<LoggerBackend, Formatter3164>) -> bool {
    match &logger.backend {
        LoggerBackend::Unix(socket) => socket.set_nonblocking(true).is_ok(),
        _ => false,
    }
}
