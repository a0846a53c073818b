//! The lines of a stack's text and the words in them (`_pam_assemble_line` and
//! `_pam_tokenize` of libpam).

/// The words of each line of a stack, and the number of its first: comments left
/// out, continued lines put together, what is in brackets one word.
#[must_use]
pub fn lines(text: &str) -> Vec<(usize, Vec<String>)> {
    let lines = logical_lines(text).into_iter();
    lines.map(|(number, line)| (number, words(&line))).collect()
}

/// Lines without comments, continued ones put together, with the number of the
/// first. A comment ends its line, whatever stands before it or at its end; one
/// that has a line to itself does not end what it stands in
/// (`_pam_assemble_line`).
fn logical_lines(text: &str) -> Vec<(usize, String)> {
    let mut lines = Vec::new();
    let mut pending: Option<(usize, String)> = None;
    for (number, line) in (1..).zip(text.lines()) {
        let (line, comment) = match line.split_once('#') {
            Some((line, _)) => (line.trim(), true),
            None => (line.trim(), false),
        };
        if line.is_empty() && comment && pending.is_some() {
            continue;
        }
        let (line, goes_on) = match line.strip_suffix('\\') {
            Some(line) => (line, !comment),
            None => (line, false),
        };
        let (first, mut whole) = pending.take().unwrap_or((number, String::new()));
        whole.push_str(line);
        if goes_on {
            whole.push(' ');
            pending = Some((first, whole));
        } else {
            lines.push((first, whole));
        }
    }
    lines.extend(pending);
    lines
}

/// Words between blanks; one that begins with a bracket goes on to the closing
/// one, and `\]` is a bracket in it.
fn words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut characters = line.chars().peekable();
    loop {
        while characters.next_if(|it| it.is_whitespace()).is_some() {}
        let Some(first) = characters.next() else {
            return words;
        };
        let bracketed = first == '[';
        let mut word = String::from(first);
        while let Some(character) = characters.next_if(|it| bracketed || !it.is_whitespace()) {
            match character {
                '\\' if bracketed => word.extend(characters.next()),
                ']' if bracketed => {
                    word.push(']');
                    break;
                }
                character => word.push(character),
            }
        }
        words.push(word);
    }
}

/// A word without its brackets, which libpam takes off any.
#[must_use]
pub fn bare(word: &str) -> &str {
    let within = word.strip_prefix('[').and_then(|it| it.strip_suffix(']'));
    within.unwrap_or(word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_comment_does_not_go_on() {
        let stack = [
            r"# a comment \",
            r"a # another \",
            r"b",
            r"c \ # a third",
            r"d \# \",
            r"e \",
            r"# within",
            r"f",
        ];
        let lines: Vec<_> = lines(&stack.join("\n"))
            .into_iter()
            .map(|(number, words)| (number, words.join(" ")))
            .collect();
        let expected = [(1, ""), (2, "a"), (3, "b"), (4, "c"), (5, "d"), (6, "e f")];
        assert_eq!(
            lines,
            expected.map(|(number, words)| (number, words.to_owned()))
        );
    }

    #[test]
    fn a_bracket_or_a_backslash_within_a_word_is_a_character_of_it() {
        let words = words(r"a\b c]d e[f g] [h\]i j]");
        assert_eq!(words, [r"a\b", "c]d", "e[f", "g]", "[h]i j]"]);
        assert_eq!(bare("[h]i j]"), "h]i j");
    }
}
