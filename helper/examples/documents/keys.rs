//! What the commented example of a configuration says: the keys, their defaults,
//! and the prose above them.

use crate::mdoc::{prose, word};

/// The keys as a list, a subsection for every `[section]`.
pub(crate) fn list(example: &str) -> String {
    let mut page = Page::default();
    // The first paragraphs are about the file, not about a key.
    for paragraph in example.split("\n\n") {
        page.add(paragraph);
    }
    page.close();
    page.text
}

#[derive(Default)]
struct Page {
    text: String,
    in_list: bool,
}

impl Page {
    fn add(&mut self, paragraph: &str) {
        let mut lines: Vec<String> = Vec::new();
        let mut settings = Vec::new();
        for line in paragraph.lines() {
            match Setting::parse(line) {
                Some(setting) => settings.push(setting),
                None => lines.push(line.trim_start_matches('#').to_owned()),
            }
        }
        let about = prose(&lines.join(" "));
        match settings.as_slice() {
            [] => {}
            // Where the keys of a section are the site's own to choose, an instance
            // follows.
            [Setting::Section(name), instances @ ..] => {
                self.section(name, &about);
                self.text.extend(instances.iter().map(Setting::value));
            }
            keys => self.keys(keys, &about),
        }
    }

    fn section(&mut self, name: &str, about: &str) {
        self.close();
        // A bracket at the end would be taken for punctuation.
        let title = format!(".Ss {}\\&\n", word(name));
        self.text.push_str(&title);
        self.text.push_str(about);
    }

    fn keys(&mut self, keys: &[Setting], about: &str) {
        if !self.in_list {
            self.text.push_str(".Bl -tag -width Ds\n");
            self.in_list = true;
        }
        for setting in keys {
            self.text.push_str(&setting.tag());
        }
        self.text.push_str(about);
        let mut values: Vec<String> = keys.iter().map(Setting::value).collect();
        values.dedup();
        self.text.extend(values);
    }

    fn close(&mut self) {
        if self.in_list {
            self.text.push_str(".El\n");
            self.in_list = false;
        }
    }
}

/// A line of an example that is no prose.
enum Setting<'example> {
    /// `#[users]`
    Section(&'example str),
    /// `#key = value`
    Default(&'example str, &'example str),
    /// `#   key = value`: it has no default.
    Instance(&'example str, &'example str),
}

impl<'example> Setting<'example> {
    fn parse(line: &'example str) -> Option<Self> {
        let line = line.strip_prefix('#')?;
        let instance = line.strip_prefix("   ");
        let setting = instance.unwrap_or(line);
        if setting.starts_with(' ') {
            return None;
        }
        if setting.starts_with('[') {
            return Some(Self::Section(setting));
        }
        let (key, value) = setting.split_once(" = ")?;
        Some(match instance {
            Some(_) => Self::Instance(key, value),
            None => Self::Default(key, value),
        })
    }

    fn tag(&self) -> String {
        match self {
            Self::Section(_) => String::new(),
            Self::Default(key, _) | Self::Instance(key, _) => format!(".It Ic {key}\n"),
        }
    }

    fn value(&self) -> String {
        match self {
            Self::Section(_) => String::new(),
            Self::Default(_, value) => format!("The default is\n.Ql {} .\n", word(value)),
            Self::Instance(key, value) => {
                format!(
                    "For instance\n.Ql {} .\n",
                    word(&format!("{key} = {value}"))
                )
            }
        }
    }
}
