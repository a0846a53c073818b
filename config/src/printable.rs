//! Foreign text in our messages.

use std::path::Path;

/// Longest text that goes into a message, in characters.
const LONGEST: usize = 512;
/// Longest message: three such texts, and the words between them.
const LONGEST_MESSAGE: usize = 2048;

/// Makes text of unknown origin fit for one line of a log or a terminal.
///
/// A user chooses what stands in a configuration, and root reads the log:
/// escape sequences could rewrite the terminal, a newline could forge a log
/// entry, a bidirectional override could make a path read as another. What is
/// invisible or steers a terminal comes out as `\u{..}`; the result has at most
/// 512 characters.
#[must_use]
pub fn printable(text: &str) -> String {
    escaped_and_cut(text, LONGEST)
}

/// The same for a path or a part of one, whatever its bytes.
#[must_use]
pub fn printable_path(path: impl AsRef<Path>) -> String {
    printable(&path.as_ref().to_string_lossy())
}

/// The same for a whole message that another program wrote with [`printable`]:
/// what is foreign in it is cut already, and what to do, which comes last, must
/// not be. A program that lies fills 2048 characters.
#[must_use]
pub fn printable_message(message: &str) -> String {
    escaped_and_cut(message, LONGEST_MESSAGE)
}

fn escaped_and_cut(text: &str, longest: usize) -> String {
    let mut escaped = text.chars().flat_map(escape);
    let mut shown: String = escaped.by_ref().take(longest).collect();
    if escaped.next().is_some() {
        shown.pop();
        shown.push('…');
    }
    shown
}

fn escape(character: char) -> Box<dyn Iterator<Item = char>> {
    match character {
        // `escape_debug` would escape these, and they are harmless.
        '"' | '\'' | '\\' => Box::new(std::iter::once(character)),
        _ if character.is_control() => Box::new(character.escape_unicode()),
        // Knows every character that is not printable, bidi controls included.
        _ => Box::new(character.escape_debug()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ordinary_text_stays() {
        let text = r#"/home/müller/"a" it's c:\日本"#;
        assert_eq!(printable(text), text);
    }

    #[test]
    fn terminal_and_bidi_controls_are_escaped() {
        assert_eq!(
            printable("a\x1b[2J\n\0\u{9b}\u{202e}\u{2066}\u{200b}\u{2028}"),
            r"a\u{1b}[2J\u{a}\u{0}\u{9b}\u{202e}\u{2066}\u{200b}\u{2028}"
        );
    }

    #[test]
    fn long_text_is_cut() {
        assert_eq!(printable(&"x".repeat(512)), "x".repeat(512));
        let cut = printable(&"\n".repeat(70_000));
        assert_eq!(cut.chars().count(), 512);
        assert!(cut.ends_with('…'));
    }

    #[test]
    fn a_message_is_cut_only_where_no_honest_one_is_so_long() {
        let part = printable(&"\n".repeat(70_000));
        let message = format!("{part}: {part} leads to {part}; remove it");
        assert_eq!(printable_message(&message), message);
        assert_eq!(printable_message("a\nb"), r"a\u{a}b");
        let cut = printable_message(&"x".repeat(70_000));
        assert_eq!(cut.chars().count(), 2048);
        assert!(cut.ends_with('…'));
    }
}
