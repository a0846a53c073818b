//! `login.defs`, shadow's settings.

use std::fs;
use std::io::ErrorKind;
use std::path::PathBuf;

use crate::Error;

/// Some distributions ship theirs below `/usr` and leave `/etc` to the
/// administrator.
const FILES: [&str; 2] = ["/etc/login.defs", "/usr/etc/login.defs"];

/// The text of the file that counts; `None` on a system without one.
pub(crate) fn read() -> Result<Option<String>, Error> {
    for file in FILES {
        match fs::read(file) {
            Ok(bytes) => return Ok(Some(String::from_utf8_lossy(&bytes).into_owned())),
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(source) => {
                return Err(Error::Unreadable {
                    file: PathBuf::from(file),
                    source,
                });
            }
        }
    }
    Ok(None)
}

/// Every value that a name is given; the last counts, as in shadow's own
/// `getdef.c`.
pub(crate) fn settings<'a>(text: &'a str, name: &'a str) -> impl Iterator<Item = &'a str> {
    text.lines().filter_map(move |line| value(line, name))
}

fn value<'a>(line: &'a str, name: &str) -> Option<&'a str> {
    let (key, value) = line.trim().split_once([' ', '\t'])?;
    let value = value
        .trim_start_matches([' ', '\t', '"'])
        .split('"')
        .next()?;
    (key == name).then(|| value.trim_end())
}
