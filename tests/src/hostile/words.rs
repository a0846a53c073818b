//! What may stand in a log or on a terminal.

/// Longer than a path, a place in a file and a sentence together, each cut.
const LONGEST_LINE: usize = 2500;

/// The bytes of a message, from its line in the machine's log, in which every
/// byte that is not printable ASCII is escaped.
#[must_use]
pub fn log_bytes(line: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = line.bytes();
    while let Some(byte) = rest.next() {
        let escaped = if byte == b'\\' { rest.next() } else { None };
        bytes.push(match escaped {
            None => byte,
            Some(b'n') => b'\n',
            Some(b'r') => b'\r',
            Some(b't') => b'\t',
            Some(b'x') => {
                let mut digit = || rest.next().and_then(|digit| char::from(digit).to_digit(16));
                let (high, low) = (digit().unwrap_or(0), digit().unwrap_or(0));
                u8::try_from(high * 16 + low).unwrap_or(0)
            }
            Some(other) => other,
        });
    }
    bytes
}

/// Whether a text is one line that moves no cursor and hides nothing.
///
/// # Errors
///
/// With what is wrong with it.
pub fn check_text(bytes: &[u8]) -> Result<(), String> {
    let text = std::str::from_utf8(bytes).map_err(|error| format!("not UTF-8 ({error})"))?;
    if let Some(bad) = text.chars().find(|character| steers(*character)) {
        return Err(format!("{bad:?} in {text:?}"));
    }
    let length = text.chars().count();
    if length > LONGEST_LINE {
        return Err(format!("{length} characters in one line"));
    }
    Ok(())
}

/// Terminal controls, and what Unicode has to reorder or hide text.
fn steers(character: char) -> bool {
    character.is_control()
        || matches!(
            character,
            '\u{ad}' | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{e0000}'..='\u{e007f}'
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_the_log_becomes_what_was_sent() {
        assert_eq!(
            log_bytes(r"a\\b\n\x1b[2J\xc3\xbc"),
            "a\\b\n\u{1b}[2Jü".as_bytes()
        );
    }

    #[test]
    fn what_steers_is_told_from_what_does_not() {
        assert_eq!(
            check_text("pam_nixns: /home/müller/日本 \\u{1b}…".as_bytes()),
            Ok(())
        );
        for bad in [
            "a\nb",
            "a\rb",
            "\u{1b}[2J",
            "\u{9b}",
            "\u{202e}",
            "\u{2066}",
            "\u{200b}",
        ] {
            assert!(check_text(bad.as_bytes()).is_err(), "{bad:?}");
        }
        assert!(check_text(b"\xff").is_err());
        assert!(check_text(&[b'x'; 10_000]).is_err());
    }
}
