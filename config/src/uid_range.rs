//! The uids of people, as opposed to those of services.

use std::fs;
use std::io::ErrorKind;
use std::path::PathBuf;

use crate::Error;

/// Where shadow's settings are; some distributions ship theirs below `/usr` and
/// leave `/etc` to the administrator.
const LOGIN_DEFS: [&str; 2] = ["/etc/login.defs", "/usr/etc/login.defs"];

/// The uids between which accounts belong to people, both included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UidRange {
    /// Lowest uid.
    pub min: u32,
    /// Highest uid.
    pub max: u32,
}

impl UidRange {
    /// The system's own range, from `login.defs`; a system without one has the
    /// customary range.
    ///
    /// # Errors
    ///
    /// If the file is there and cannot be read.
    pub fn read_login_defs() -> Result<UidRange, Error> {
        for file in LOGIN_DEFS {
            match fs::read(file) {
                Ok(bytes) => {
                    return Ok(UidRange::from_login_defs(&String::from_utf8_lossy(&bytes)));
                }
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                Err(source) => {
                    return Err(Error::Unreadable {
                        file: PathBuf::from(file),
                        source,
                    });
                }
            }
        }
        Ok(UidRange::default())
    }

    /// Takes `UID_MIN` and `UID_MAX` from the text of a `login.defs`.
    #[must_use]
    pub fn from_login_defs(text: &str) -> UidRange {
        let customary = UidRange::default();
        UidRange {
            min: setting(text, "UID_MIN").unwrap_or(customary.min),
            max: setting(text, "UID_MAX").unwrap_or(customary.max),
        }
    }

    /// Whether the uid is in the range.
    #[must_use]
    pub fn contains(self, uid: u32) -> bool {
        (self.min..=self.max).contains(&uid)
    }
}

impl Default for UidRange {
    fn default() -> UidRange {
        UidRange {
            min: 1000,
            max: 60000,
        }
    }
}

/// The last setting of a name counts, as in shadow's own `getdef.c`.
fn setting(text: &str, name: &str) -> Option<u32> {
    text.lines()
        .filter_map(|line| value(line, name))
        .next_back()
}

fn value(line: &str, name: &str) -> Option<u32> {
    let (key, value) = line.trim().split_once([' ', '\t'])?;
    let value = value
        .trim_start_matches([' ', '\t', '"'])
        .split('"')
        .next()?;
    (key == name).then(|| number(value.trim_end())).flatten()
}

/// Shadow reads numbers with `strtoul(…, 0)`: hexadecimal and octal, too.
fn number(text: &str) -> Option<u32> {
    if let Some(hexadecimal) = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        return u32::from_str_radix(hexadecimal, 16).ok();
    }
    match text.strip_prefix('0') {
        Some(octal) if !octal.is_empty() => u32::from_str_radix(octal, 8).ok(),
        _ => text.parse().ok(),
    }
}
