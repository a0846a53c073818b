//! The lines of a stack's text and the words in them.
//!
//! libpam 1.6 reads lines anew (`libpam_internal/pam_line.c`), and what goes on
//! otherwise than before (`_pam_assemble_line` of `libpam/pam_handlers.c`). Which
//! of the two is at work nobody says, so whoever must not be wrong takes both.

/// How libpam puts lines together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Release {
    /// Up to 1.5: a line that goes on does so after empty lines and comments.
    Older,
    /// From 1.6 on: it ends there.
    Newer,
}

/// A line with its number, of the first if it goes on, and its words, of which
/// what was in brackets is one.
pub type Words = (usize, Vec<String>);

/// The words of each line of a stack, comments left out and continued lines put
/// together.
#[must_use]
pub fn lines(text: &str, release: Release) -> Vec<Words> {
    let lines = logical_lines(text, release).lines.into_iter();
    lines.map(|(number, line)| (number, words(&line))).collect()
}

/// Lines that are not the same to all releases, and why.
pub(crate) fn doubts(text: &str) -> Vec<(usize, &'static str)> {
    let mut doubts = logical_lines(text, Release::Older).doubts;
    doubts.extend(logical_lines(text, Release::Newer).doubts);
    doubts.sort_unstable();
    doubts.dedup();
    doubts
}

/// Longer lines came in two before 1.6 (`BUF_SIZE`), in bytes.
const LONGEST: usize = 1000;
const BLANKS: [char; 2] = [' ', '\t'];

#[derive(Default)]
struct Logical {
    lines: Vec<(usize, String)>,
    doubts: Vec<(usize, &'static str)>,
}

/// Lines without comments, continued ones put together, with the number of the
/// first. A comment ends its line, whatever stands before it or at its end.
fn logical_lines(text: &str, release: Release) -> Logical {
    let mut logical = Logical::default();
    let mut pending: Option<(usize, String)> = None;
    let text = text.strip_suffix('\n').unwrap_or(text);
    for (number, line) in (1..).zip(text.split('\n')) {
        let (line, comment) = match line.split_once('#') {
            Some((line, _)) => (line, true),
            None => (line, false),
        };
        let line = line.trim_matches(BLANKS);
        if line.is_empty() && pending.is_some() {
            let why = "stands where the line before is to go on, which releases of libpam take \
                       differently";
            logical.doubts.push((number, why));
            if release == Release::Older {
                continue;
            }
        }
        let continued = line.strip_suffix('\\').filter(|_| !comment);
        let (first, mut whole) = pending.take().unwrap_or((number, String::new()));
        whole.push_str(continued.unwrap_or(line));
        if whole.len() > LONGEST || whole.contains('\0') {
            let why = "is too long, or no text, for some releases of libpam";
            logical.doubts.push((first, why));
        }
        if continued.is_some() {
            whole.push(' ');
            pending = Some((first, whole));
        } else {
            logical.lines.push((first, whole));
        }
    }
    if let Some((first, whole)) = pending {
        let why = "goes on behind the end of the file, so that libpam reads none of it";
        logical.doubts.push((first, why));
        logical.lines.push((first, whole));
    }
    logical
}

/// Words between blanks; what begins with a bracket goes on to the closing one,
/// without the two, and `\]` is a bracket in it (`_pam_tokenize`).
fn words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut characters = line.chars().peekable();
    loop {
        while characters.next_if(|it| BLANKS.contains(it)).is_some() {}
        if characters.peek().is_none() {
            return words;
        }
        let bracketed = characters.next_if_eq(&'[').is_some();
        let mut word = String::new();
        while let Some(character) = characters.next_if(|it| bracketed || !BLANKS.contains(it)) {
            match character {
                '\\' if bracketed => word.push(characters.next_if_eq(&']').unwrap_or('\\')),
                ']' if bracketed => break,
                character => word.push(character),
            }
        }
        words.push(word);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn joined(text: &str, release: Release) -> Vec<(usize, String)> {
        lines(text, release)
            .into_iter()
            .filter(|(_, words)| !words.is_empty())
            .map(|(number, words)| (number, words.join(" ")))
            .collect()
    }

    fn of(lines: &[(usize, &str)]) -> Vec<(usize, String)> {
        lines
            .iter()
            .map(|(number, line)| (*number, (*line).to_owned()))
            .collect()
    }

    #[test]
    fn a_comment_does_not_go_on() {
        let stack = [
            r"# a comment \",
            r"a # another \",
            r"b",
            r"c \ # a third",
            r"d \# \",
            "e  \\ \t",
            r"f",
        ];
        for release in [Release::Older, Release::Newer] {
            let lines = joined(&stack.join("\n"), release);
            let expected = [(2, "a"), (3, "b"), (4, r"c \"), (5, r"d \"), (6, "e f")];
            assert_eq!(lines, of(&expected));
        }
        assert!(doubts(&stack.join("\n")).is_empty());
    }

    #[test]
    fn what_goes_on_after_a_comment_depends_on_the_release() {
        for between in ["# x", "", "  ", " \t# x \\"] {
            let stack = format!("a \\\n{between}\nb\nc\n");
            let older = joined(&stack, Release::Older);
            assert_eq!(older, of(&[(1, "a b"), (4, "c")]), "{between}");
            let newer = joined(&stack, Release::Newer);
            assert_eq!(newer, of(&[(1, "a"), (3, "b"), (4, "c")]), "{between}");
            let numbers: Vec<usize> = doubts(&stack).iter().map(|(number, _)| *number).collect();
            assert_eq!(numbers, [2], "{between}");
        }
    }

    #[test]
    fn what_no_release_reads_as_it_stands_is_doubtful() {
        for stack in ["a\nb \\", "a\nb \\\n", "a\nb\0", "a\nb \\\n#\n"] {
            assert_eq!(
                doubts(stack).first().map(|(number, _)| *number),
                Some(2),
                "{stack:?}"
            );
        }
        assert!(doubts(&"x".repeat(LONGEST)).is_empty());
        assert_eq!(doubts(&"x".repeat(LONGEST + 1)).len(), 1);
        assert_eq!(
            doubts(&format!("{} \\\n{0}", "x".repeat(LONGEST / 2))).len(),
            1
        );
        assert!(doubts("a\n\n#\n\nb \\\n c\n\n").is_empty());
    }

    #[test]
    fn only_blanks_and_tabs_part_words() {
        assert_eq!(words("a\u{a0}b\tc\u{b}d\r"), ["a\u{a0}b", "c\u{b}d\r"]);
        let dos = "session \\\r\nb\r\n";
        let expected = of(&[(1, "session \\\r"), (2, "b\r")]);
        assert_eq!(joined(dos, Release::Newer), expected);
    }

    #[test]
    fn a_bracket_or_a_backslash_within_a_word_is_a_character_of_it() {
        let words = words(r"a\b a\]b c]d e[f g] [h\]i j] [k\l]m [] [n");
        let expected = [
            r"a\b", r"a\]b", "c]d", "e[f", "g]", "h]i j", r"k\l", "m", "", "n",
        ];
        assert_eq!(words, expected);
    }
}
