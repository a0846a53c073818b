//! The words after the module's name in `/etc/pam.d`.

use std::ffi::{CStr, OsStr};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

/// What a line in `/etc/pam.d` asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Arguments {
    /// `leave`: back to the host's view, enter nothing.
    pub(crate) leave: bool,
    /// `debug`: say why nothing was done, too.
    pub(crate) debug: bool,
    /// `config=FILE`: another site configuration.
    pub(crate) site_file: PathBuf,
    /// Words that mean nothing. They are reported, and do not matter: a typing
    /// error must not lock anybody out.
    pub(crate) unknown: Vec<String>,
}

impl Arguments {
    pub(crate) fn parse(words: &[&CStr]) -> Self {
        let mut arguments = Self {
            leave: false,
            debug: false,
            site_file: config::SITE_FILE.into(),
            unknown: Vec::new(),
        };
        for word in words {
            match Word::parse(word.to_bytes()) {
                Some((Word::Leave, _)) => arguments.leave = true,
                Some((Word::Debug, _)) => arguments.debug = true,
                Some((Word::Config, file)) => arguments.site_file = OsStr::from_bytes(file).into(),
                None => arguments
                    .unknown
                    .push(config::printable(&word.to_string_lossy())),
            }
        }
        arguments
    }
}

/// A word that means something, alone or with a value right after it.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Word {
    Leave,
    Debug,
    Config,
}

impl Word {
    /// Every one there is.
    pub(crate) const ALL: [Self; 3] = [Self::Leave, Self::Debug, Self::Config];

    pub(crate) const fn text(self) -> &'static str {
        match self {
            Self::Leave => "leave",
            Self::Debug => "debug",
            Self::Config => "config=",
        }
    }

    /// The word, and its value.
    fn parse(written: &[u8]) -> Option<(Self, &[u8])> {
        Self::ALL.into_iter().find_map(|word| {
            let value = written.strip_prefix(word.text().as_bytes())?;
            word.takes(value).then_some((word, value))
        })
    }

    fn takes(self, value: &[u8]) -> bool {
        match self {
            Self::Leave | Self::Debug => value.is_empty(),
            Self::Config => value.starts_with(b"/"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bare_line_enters_by_the_usual_file() {
        let arguments = Arguments::parse(&[]);
        assert!(!arguments.leave && !arguments.debug && arguments.unknown.is_empty());
        assert_eq!(
            arguments.site_file,
            PathBuf::from("/etc/nix-ns/config.toml")
        );
    }

    #[test]
    fn known_words_are_obeyed_and_others_kept_for_the_log() {
        let arguments = Arguments::parse(&[
            c"leave",
            c"debug",
            c"config=/etc/other.toml",
            c"leve",
            c"config=relative",
            c"x\x1b",
        ]);
        assert!(arguments.leave && arguments.debug);
        assert_eq!(arguments.site_file, PathBuf::from("/etc/other.toml"));
        assert_eq!(arguments.unknown, ["leve", "config=relative", "x\\u{1b}"]);
    }
}
