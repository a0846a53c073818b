//! The uids of people, as opposed to those of services.

use crate::{Error, Fingerprint, login_defs};

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
        UidRange::read_login_defs_of().map(|(range, _)| range)
    }

    /// The same, and which file says so.
    ///
    /// # Errors
    ///
    /// As [`UidRange::read_login_defs`].
    pub fn read_login_defs_of() -> Result<(UidRange, Option<Fingerprint>), Error> {
        let read = login_defs::read()?;
        Ok(read.map_or_else(Default::default, |(text, fingerprint)| {
            (UidRange::from_login_defs(&text), Some(fingerprint))
        }))
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

/// The last setting that is a number counts.
fn setting(text: &str, name: &str) -> Option<u32> {
    login_defs::settings(text, name).filter_map(number).last()
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
