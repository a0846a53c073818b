//! What counts as a mention of `/nix`, and what a file leads to.

use std::path::PathBuf;

use super::places::Kind;

/// A line that names `/nix`.
pub(super) struct Mention {
    pub(super) line: usize,
    pub(super) text: String,
}

/// All lines of a file that name `/nix`.
pub(super) fn mentions(bytes: &[u8], kind: Kind) -> Vec<Mention> {
    if kind == Kind::Binary {
        let mention = names_nix(bytes).then(|| Mention {
            line: 0,
            text: "holds a path in /nix".to_owned(),
        });
        return mention.into_iter().collect();
    }
    lines(bytes)
        .filter(|(_, line)| counts(line, kind))
        .map(|(line, text)| Mention {
            line,
            text: text.trim().to_owned(),
        })
        .collect()
}

/// The files that a file includes or runs.
pub(super) fn named_files(bytes: &[u8], kind: Kind) -> Vec<(PathBuf, Kind)> {
    let absolute = |word: &str| word.starts_with('/').then(|| PathBuf::from(word));
    lines(bytes)
        .filter_map(|(_, line)| {
            let mut words = line.split_ascii_whitespace();
            match kind {
                Kind::Sudoers if is_include(words.next()?) => {
                    Some((absolute(words.next()?)?, kind))
                }
                Kind::Linker if words.next()? == "include" => {
                    Some((absolute(words.next()?)?, kind))
                }
                Kind::Pam if !is_comment(&line) => {
                    words.find(|word| word.ends_with("pam_exec.so"))?;
                    Some((words.find_map(absolute)?, Kind::Text))
                }
                _ => None,
            }
        })
        .collect()
}

fn lines(bytes: &[u8]) -> impl Iterator<Item = (usize, String)> {
    let lines = bytes
        .split(|byte| *byte == b'\n')
        .map(|line| String::from_utf8_lossy(line).into_owned());
    (1..).zip(lines)
}

fn counts(line: &str, kind: Kind) -> bool {
    match kind {
        Kind::Accounts => line
            .rsplit(':')
            .next()
            .is_some_and(|shell| names_nix(shell.as_bytes())),
        Kind::Sudoers if line.split_ascii_whitespace().next().is_some_and(is_include) => {
            names_nix(line.as_bytes())
        }
        _ => !is_comment(line) && names_nix(line.as_bytes()),
    }
}

fn is_comment(line: &str) -> bool {
    line.trim_start().starts_with('#')
}

fn is_include(word: &str) -> bool {
    ["@include", "@includedir", "#include", "#includedir"].contains(&word)
}

/// Whether `/nix` stands there as a path of its own: `/nix`, `/nix/store`, but
/// not `/etc/nix-ns`, `/nixos`, `~/nix` or `$HOME/nix`.
fn names_nix(bytes: &[u8]) -> bool {
    const NIX: &[u8] = b"/nix";
    let mut rest = bytes;
    let mut before: Option<u8> = None;
    while let Some((&byte, tail)) = rest.split_first() {
        if rest.starts_with(NIX) && begins_path(before) && ends_name(rest.get(NIX.len())) {
            return true;
        }
        before = Some(byte);
        rest = tail;
    }
    false
}

fn begins_path(before: Option<u8>) -> bool {
    before.is_none_or(|byte| !(byte.is_ascii_alphanumeric() || b"_-.~".contains(&byte)))
}

fn ends_name(after: Option<&u8>) -> bool {
    after.is_none_or(|byte| !(byte.is_ascii_alphanumeric() || b"_-.".contains(byte)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_nix_itself_is_nix() {
        for text in [
            "/nix",
            "/nix/store",
            ". /nix/x",
            "PATH=/nix/bin:/bin",
            "PATH=/bin:/nix",
            "\"/nix\"",
            "'/nix/x'",
            "${ROOT}/nix/x",
            "//nix",
            "x=/nix;",
            "\0/nix/store\0",
        ] {
            assert!(names_nix(text.as_bytes()), "{text}");
        }
        for text in [
            "/nixos",
            "/nix-ns",
            "/etc/nix-ns/config.toml",
            "~/nix",
            "$HOME/nix",
            "/srv/nix",
            "./nix",
            "../nix",
            "/nix.sh",
            "nix",
            "",
        ] {
            assert!(!names_nix(text.as_bytes()), "{text}");
        }
    }

    #[test]
    fn a_comment_names_nothing_unless_sudo_obeys_it() {
        assert!(mentions(b"# see /nix\n  #/nix/x\n", Kind::Text).is_empty());
        assert!(mentions(b"# see /nix\n", Kind::Sudoers).is_empty());
        assert_eq!(
            mentions(b"\n#include /nix/sudoers\n", Kind::Sudoers)[0].line,
            2
        );
    }

    /// Whatever stands before and after, one byte each.
    #[test]
    fn only_what_could_be_part_of_a_name_makes_it_another_path() {
        for byte in 0..=u8::MAX {
            let part = byte.is_ascii_alphanumeric() || b"_-.".contains(&byte);
            let before = [&[byte][..], b"/nix/x"].concat();
            assert_eq!(names_nix(&before), !(part || byte == b'~'), "{byte}");
            let after = [b"/nix", &[byte][..], b"x"].concat();
            assert_eq!(names_nix(&after), !part, "{byte}");
        }
    }

    #[test]
    fn every_word_that_includes_is_obeyed_and_no_other() {
        for word in ["@include", "@includedir", "#include", "#includedir"] {
            let line = format!("{word} /etc/more\n");
            let named = named_files(line.as_bytes(), Kind::Sudoers);
            assert_eq!(named, [(PathBuf::from("/etc/more"), Kind::Sudoers)]);
            assert!(named_files(line.as_bytes(), Kind::Text).is_empty());
        }
        for line in ["root /etc/more", "# include /etc/more", "@include more"] {
            let named = named_files(line.as_bytes(), Kind::Sudoers);
            assert!(named.is_empty(), "{line}");
        }
    }

    #[test]
    fn a_linkers_include_names_files_and_nothing_else_does() {
        assert_eq!(
            named_files(b"include /etc/x/*.conf\n", Kind::Linker),
            [(PathBuf::from("/etc/x/*.conf"), Kind::Linker)]
        );
        for line in ["/usr/lib /etc/x", "# include /etc/x", "include x"] {
            assert!(
                named_files(line.as_bytes(), Kind::Linker).is_empty(),
                "{line}"
            );
        }
    }

    #[test]
    fn only_what_pam_runs_is_a_script_of_its() {
        for line in [
            "session optional pam_exec.so quiet /usr/sbin/hook",
            "auth required /lib/security/pam_exec.so /usr/sbin/hook x",
        ] {
            assert_eq!(
                named_files(line.as_bytes(), Kind::Pam),
                [(PathBuf::from("/usr/sbin/hook"), Kind::Text)],
                "{line}"
            );
        }
        for line in [
            "# session optional pam_exec.so /usr/sbin/hook",
            "session optional pam_env.so /usr/sbin/hook",
            "session optional pam_exec.so hook",
        ] {
            assert!(named_files(line.as_bytes(), Kind::Pam).is_empty(), "{line}");
        }
    }

    #[test]
    fn a_file_without_lines_is_mentioned_as_a_whole() {
        let mentions = mentions(b"# x\0/nix/lib\n/nix\n", Kind::Binary);
        assert_eq!(mentions.len(), 1);
        assert_eq!(mentions[0].line, 0);
    }
}
