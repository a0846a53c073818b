//! Text in the language of man pages, mdoc(7).

/// As `mandoc -Tlint` wants it.
const WIDTH: usize = 78;

/// Prose: a line for every sentence at least; what stands in backticks is bold.
pub(crate) fn prose(text: &str) -> String {
    let words: Vec<String> = text.split_whitespace().map(str::to_owned).collect();
    let mut lines = Vec::new();
    let mut line = String::new();
    let mut bold = false;
    for word in &words {
        let written = emphasised(word, &mut bold);
        let full = line.len().saturating_add(written.len()) >= WIDTH;
        if full && !line.is_empty() {
            lines.push(std::mem::take(&mut line));
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(&written);
        if ends_sentence(word) && !bold {
            lines.push(std::mem::take(&mut line));
        }
    }
    lines.push(line);
    lines
        .iter()
        .filter(|line| !line.is_empty())
        .map(|line| format!("{}{line}\n", protection(line)))
        .collect()
}

/// One word of a macro's, such that nothing in it is a macro or an escape.
pub(crate) fn word(text: &str) -> String {
    let escaped = text
        .replace('\\', "\\e")
        .replace('-', "\\-")
        .replace('"', "\\(dq");
    format!("\\&{}", escaped.replace(' ', "\\ "))
}

/// Backticks become bold, and what is typed keeps its dashes.
fn emphasised(word: &str, bold: &mut bool) -> String {
    let literal = *bold || word.contains(['`', '/', '"']) || word.starts_with("--");
    let mut written = String::new();
    for (index, part) in word.split('`').enumerate() {
        if index > 0 {
            *bold = !*bold;
            written.push_str(if *bold { "\\fB" } else { "\\fP" });
        }
        let part = part.replace('\\', "\\e");
        written.push_str(&if literal {
            part.replace('-', "\\-")
        } else {
            part
        });
    }
    written
}

fn ends_sentence(word: &str) -> bool {
    word.trim_end_matches(['`', ')']).ends_with('.')
}

/// What keeps the beginning of a line from being taken for a macro.
fn protection(line: &str) -> &'static str {
    if line.starts_with(['.', '\'']) {
        "\\&"
    } else {
        ""
    }
}
