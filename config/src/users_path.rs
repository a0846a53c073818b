//! Where a user's programs are looked for when nothing else says so.

use crate::login_defs;

/// What `su` and `login` have built in (util-linux, `_PATH_DEFPATH`).
const BUILT_IN: &str = "/usr/local/bin:/usr/bin:/bin";

/// The system's own `PATH` for users: `ENV_PATH` of `login.defs`. Never empty:
/// an empty entry is the working directory.
#[must_use]
pub fn users_path() -> String {
    // A file that cannot be read says nothing.
    let text = login_defs::read().ok().flatten().map(|(text, _)| text);
    from_login_defs(&text.unwrap_or_default())
}

/// With or without `PATH=` before it, as shadow has it.
fn from_login_defs(text: &str) -> String {
    let path = login_defs::settings(text, "ENV_PATH").last();
    let path = path.map(|path| path.strip_prefix("PATH=").unwrap_or(path));
    path.filter(|path| !path.is_empty() && !path.contains(char::is_control))
        .unwrap_or(BUILT_IN)
        .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn login_defs_says_it_with_or_without_the_name() {
        for text in [
            "ENV_PATH\tPATH=/usr/bin:/bin",
            "ENV_PATH /usr/bin:/bin\n",
            "ENV_PATH /x\nENV_PATH \"PATH=/usr/bin:/bin\"",
            "#ENV_PATH /x\nENV_SUPATH /y\nENV_PATH PATH=/usr/bin:/bin",
        ] {
            assert_eq!(from_login_defs(text), "/usr/bin:/bin", "{text}");
        }
    }

    #[test]
    fn without_a_setting_it_is_the_customary_one() {
        for text in [
            "",
            "ENV_SUPATH /sbin",
            "ENV_PATH PATH=",
            "ENV_PATH /a\u{1b}b",
        ] {
            assert_eq!(from_login_defs(text), BUILT_IN, "{text}");
        }
    }
}
