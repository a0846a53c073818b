//! TOML, with errors that say where and what to do.

use std::fmt;
use std::marker::PhantomData;
use std::path::Path;

use serde::de::{self, DeserializeOwned, Visitor};
use serde::{Deserializer, Serialize};

use crate::{Error, printable, printable_message};

/// Reads a document; `origin` is the file named in errors.
pub(crate) fn parse<T: DeserializeOwned>(text: &str, origin: &Path) -> Result<T, Error> {
    toml::from_str(text).map_err(|error| {
        let offset = error.span().map_or(0, |span| span.start);
        let Position { line, column } = Position::of(text, offset);
        Error::Invalid {
            file: origin.to_owned(),
            line,
            column,
            message: message(error.message()),
        }
    })
}

/// Whether a text is a valid document with nothing in it but blank lines and
/// comments. In doubt it is not.
pub(crate) fn says_nothing(text: &str) -> bool {
    // TOML 1.0, "Comment": no control character but the tab.
    let is_plain = |byte: u8| byte >= b' ' && byte != 0x7f || byte == b'\t';
    text.split('\n').all(|line| {
        let first = line.bytes().find(|byte| *byte != b' ' && *byte != b'\t');
        matches!(first, None | Some(b'#')) && line.bytes().all(is_plain)
    })
}

/// Writes a document.
pub(crate) fn print<T: Serialize>(document: &T) -> Result<String, Error> {
    Ok(toml::to_string(document)?)
}

/// Reads a text that has to pass a check.
///
/// As serde's `try_from` does, but while the parser still knows the place: an
/// error in one element of an array then names that element.
pub(crate) fn checked<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: TryFrom<String, Error: fmt::Display>,
{
    deserializer.deserialize_str(Checked(PhantomData))
}

struct Checked<T>(PhantomData<T>);

impl<T: TryFrom<String, Error: fmt::Display>> Visitor<'_> for Checked<T> {
    type Value = T;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a string")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<T, E> {
        T::try_from(text.to_owned()).map_err(E::custom)
    }
}

/// A place in a text, both numbers from 1.
pub(crate) struct Position {
    /// Line.
    pub(crate) line: usize,
    /// Column, in characters.
    pub(crate) column: usize,
}

impl Position {
    /// The place of a byte offset.
    pub(crate) fn of(text: &str, offset: usize) -> Position {
        let start = Position { line: 1, column: 1 };
        let before = text.char_indices().take_while(|(at, _)| *at < offset);
        before.fold(start, |position, (_, character)| match character {
            '\n' => Position {
                line: position.line.saturating_add(1),
                column: 1,
            },
            _ => Position {
                column: position.column.saturating_add(1),
                ..position
            },
        })
    }
}

/// Serde's words for an unknown name end in the names there are; from those a
/// better sentence can be made. All other messages stay as they are, but for the
/// length of what the document says.
fn message(words: &str) -> String {
    unknown(words, "unknown field `", "key", "keys")
        .or_else(|| unknown(words, "unknown variant `", "choice", "choices"))
        .or_else(|| unexpected(words))
        .unwrap_or_else(|| printable_message(&words.replace('\n', "; ")))
}

fn unknown(words: &str, start: &str, one: &str, many: &str) -> Option<String> {
    // From the right: the unknown name may hold anything, the known ones do not.
    let (name, expected) = words.strip_prefix(start)?.rsplit_once("`, expected ")?;
    let known: Vec<&str> = expected.split('`').skip(1).step_by(2).collect();
    let hint = nearest(name, &known)
        .map(|known| format!("; did you mean `{known}`?"))
        .unwrap_or_else(|| String::from(";"));
    let all = known
        .iter()
        .map(|known| format!("`{known}`"))
        .collect::<Vec<_>>()
        .join(", ");
    Some(format!(
        "`{}` is not a {one}{hint} the {many} are {all}",
        printable(name)
    ))
}

/// A value of 60 KiB must not hide what was expected instead of it.
fn unexpected(words: &str) -> Option<String> {
    let (found, expected) = words
        .strip_prefix("invalid ")?
        // From the right: the value may hold anything.
        .rsplit_once(", expected ")?;
    Some(format!(
        "invalid {}, expected {}",
        printable(found),
        printable(expected)
    ))
}

/// The known name that was probably meant.
fn nearest<'a>(name: &str, known: &[&'a str]) -> Option<&'a str> {
    let plain = plain(name);
    let tolerated = plain.chars().count().div_ceil(3);
    let distances = known
        .iter()
        .map(|known| (distance(&plain, &self::plain(known)), *known));
    let (distance, nearest) = distances.min()?;
    (distance <= tolerated).then_some(nearest)
}

/// `sourcePath`, `source-path` and `source_path` are the same to a person. Cut,
/// because a user may write a key of 64 KiB.
fn plain(name: &str) -> String {
    let letters = name.chars().filter(|letter| letter.is_alphanumeric());
    letters.take(64).flat_map(char::to_lowercase).collect()
}

/// Levenshtein's distance, one row of the table at a time.
fn distance(left: &str, right: &str) -> usize {
    let mut row: Vec<usize> = (0..=right.chars().count()).collect();
    for (above, from) in left.chars().enumerate() {
        let mut diagonal = above;
        let mut before = above.saturating_add(1);
        for (cell, to) in row.iter_mut().skip(1).zip(right.chars()) {
            let replaced = diagonal.saturating_add(usize::from(from != to));
            diagonal = *cell;
            before = replaced
                .min(diagonal.saturating_add(1))
                .min(before.saturating_add(1));
            *cell = before;
        }
        if let Some(first) = row.first_mut() {
            *first = above.saturating_add(1);
        }
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_says_nothing_is_what_the_parser_finds_nothing_in() {
        for text in [
            "",
            "\n\n",
            "# a = 1",
            " \t# a\n\n#\n",
            crate::SITE_EXAMPLE,
            "# \u{e9}\n",
        ] {
            assert!(says_nothing(text), "{text}");
            assert!(
                parse::<toml::Table>(text, Path::new("x"))
                    .unwrap()
                    .is_empty()
            );
        }
        for text in [
            "a = 1",
            "#\na",
            "[b]",
            "# \u{1}",
            "# \u{7f}",
            "\u{b}",
            "x = \"\"\"\n# \n\"\"\"",
            "#\r\n",
        ] {
            assert!(!says_nothing(text), "{text}");
        }
    }
}
