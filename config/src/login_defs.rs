//! `login.defs`, shadow's settings.

use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::path::PathBuf;
use std::string::FromUtf8Error;

use crate::{Error, Fingerprint};

/// Some distributions ship theirs below `/usr` and leave `/etc` to the
/// administrator.
const FILES: [&str; 2] = ["/etc/login.defs", "/usr/etc/login.defs"];

/// The text of the file that counts, and which one that is; `None` on a system
/// without one.
pub(crate) fn read() -> Result<Option<(String, Fingerprint)>, Error> {
    for file in FILES {
        match read_file(file) {
            Ok((bytes, fingerprint)) => return Ok(Some((text(bytes), fingerprint))),
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

/// With room for all of it from the start: to grow takes calls of its own.
fn read_file(file: &str) -> io::Result<(Vec<u8>, Fingerprint)> {
    let mut bytes = Vec::with_capacity(16 * 1024);
    let file = File::open(file)?;
    // Before the text: what is written meanwhile shows as a change later.
    let fingerprint = Fingerprint::from(&file.metadata()?);
    file.take(u64::MAX).read_to_end(&mut bytes)?;
    Ok((bytes, fingerprint))
}

/// Not copied, as long as it is text.
fn text(bytes: Vec<u8>) -> String {
    let lossy = |error: FromUtf8Error| String::from_utf8_lossy(error.as_bytes()).into_owned();
    String::from_utf8(bytes).unwrap_or_else(lossy)
}

/// Every value that a name is given; the last counts, as in shadow's own
/// `getdef.c`.
pub(crate) fn settings<'a>(text: &'a str, name: &'a str) -> impl Iterator<Item = &'a str> {
    // Every login reads this, and it is long: the name is looked for in the whole
    // text, and only then which line it stands in.
    text.match_indices(name).filter_map(move |(at, _)| {
        let (before, rest) = text.split_at_checked(at)?;
        let start = before.rfind('\n').map_or(0, |end| end.saturating_add(1));
        let end = rest
            .find('\n')
            .map_or(text.len(), |end| end.saturating_add(at));
        value(text.get(start..end)?, name)
    })
}

fn value<'a>(line: &'a str, name: &str) -> Option<&'a str> {
    let (key, value) = line.trim().split_once([' ', '\t'])?;
    let value = value
        .trim_start_matches([' ', '\t', '"'])
        .split('"')
        .next()?;
    (key == name).then(|| value.trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_text_is_text_but_for_that() {
        let bytes = b"# caf\xe9\nUID_MIN 500\n".to_vec();
        let text = text(bytes);
        assert_eq!(settings(&text, "UID_MIN").collect::<Vec<_>>(), ["500"]);
        assert_eq!(super::text(b"UID_MIN 1".to_vec()), "UID_MIN 1");
    }
}
