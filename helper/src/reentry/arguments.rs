//! The command line:
//! `nix-ns-enter [--or-without] [--no-new-privs] [--] [COMMAND [ARGUMENT]...]`.

use std::ffi::OsString;

use super::Error;
use crate::program::Program;

/// Every option there is, in the order in which they have to come.
pub(super) const OPTIONS: [&str; 2] = ["--or-without", "--no-new-privs"];

/// What the caller wants to run, and how.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Arguments {
    pub(super) or_without: bool,
    pub(super) no_new_privileges: bool,
    pub(super) program: Program,
}

impl Arguments {
    pub(super) fn parse(words: impl Iterator<Item = OsString>) -> Result<Self, Error> {
        let mut words = words.peekable();
        let [or_without, no_new_privileges] =
            OPTIONS.map(|option| words.next_if(|word| word == option).is_some());
        if words.next_if(|word| word == "--").is_none() {
            let is_option = |word: &OsString| word.as_encoded_bytes().starts_with(b"-");
            if let Some(unknown) = words.next_if(is_option) {
                return Err(Error::UnknownOption(unknown));
            }
        }
        Ok(Self {
            or_without,
            no_new_privileges,
            program: Program::from_words(words),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Arguments, Error> {
        Arguments::parse(line.split_whitespace().map(OsString::from))
    }

    fn runs(line: &str) -> Program {
        Program::from_words(line.split_whitespace().map(OsString::from))
    }

    #[test]
    fn the_command_is_what_comes_after_the_options() {
        for (line, no_new_privileges, command) in [
            ("", false, ""),
            ("--", false, ""),
            ("id -u", false, "id -u"),
            ("-- id -u", false, "id -u"),
            ("-- --no-new-privs", false, "--no-new-privs"),
            ("-- -- x", false, "-- x"),
            ("id --no-new-privs", false, "id --no-new-privs"),
            ("--no-new-privs", true, ""),
            ("--no-new-privs -- -x", true, "-x"),
            ("--no-new-privs id --", true, "id --"),
        ] {
            let expected = Arguments {
                or_without: false,
                no_new_privileges,
                program: runs(command),
            };
            assert_eq!(parse(line).unwrap(), expected, "{line}");
            let or_without = parse(&format!("--or-without {line}")).unwrap();
            assert!(or_without.or_without, "{line}");
            assert_eq!(or_without.program, expected.program, "{line}");
        }
    }

    #[test]
    fn an_option_that_is_none_is_not_taken_for_a_command() {
        for line in [
            "-u",
            "--user bob",
            "-",
            "--no-new-privs=yes",
            "--no-new-privs -x",
        ] {
            assert!(parse(line).is_err(), "{line}");
        }
    }
}
