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
            match word.to_bytes() {
                b"leave" => arguments.leave = true,
                b"debug" => arguments.debug = true,
                word => match word.strip_prefix(b"config=") {
                    Some(file) if file.starts_with(b"/") => {
                        arguments.site_file = OsStr::from_bytes(file).into()
                    }
                    _ => arguments
                        .unknown
                        .push(config::printable(&String::from_utf8_lossy(word))),
                },
            }
        }
        arguments
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
