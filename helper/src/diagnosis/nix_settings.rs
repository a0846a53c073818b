//! What Nix's configuration files say.

use std::fs;
use std::path::Path;

use config::{Account, OwnedFile};

const SYSTEM_FILE: &str = "/etc/nix/nix.conf";
/// In the home.
const USER_FILE: &str = ".config/nix/nix.conf";
/// Nobody's is larger.
const LARGEST: u64 = 1 << 20;

/// A line that sets something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Setting {
    pub(super) key: String,
    pub(super) value: String,
    /// File, line number and line.
    pub(super) place: String,
}

/// What the system's file says.
pub(super) fn of_the_system() -> Vec<Setting> {
    let text = fs::metadata(SYSTEM_FILE)
        .is_ok_and(|file| file.is_file() && file.len() < LARGEST)
        .then(|| fs::read_to_string(SYSTEM_FILE).unwrap_or_default());
    parse(&text.unwrap_or_default(), Path::new(SYSTEM_FILE))
}

/// What the user's own file says, looked at with the user's rights.
fn of_the_user(account: &Account) -> Vec<Setting> {
    let file = account.home.join(USER_FILE);
    match OwnedFile::read_below(&account.home, USER_FILE, account.uid) {
        Ok(Some(read)) => parse(&read.text, &file),
        _ => Vec::new(),
    }
}

/// The line that counts for the user's Nix: the last, and the user's own are
/// read after the system's.
pub(super) fn find(key: &str, account: &Account) -> Option<Setting> {
    let mut settings = of_the_system();
    settings.extend(of_the_user(account));
    settings.into_iter().rfind(|setting| setting.key == key)
}

fn parse(text: &str, file: &Path) -> Vec<Setting> {
    (1_usize..)
        .zip(text.lines())
        .filter_map(|(number, line)| {
            let stated = line.split('#').next().unwrap_or_default();
            let (key, value) = stated.split_once('=')?;
            Some(Setting {
                key: key.trim().to_owned(),
                value: value.trim().to_owned(),
                place: format!("{}:{number}: {}", file.display(), line.trim()),
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_a_key_and_a_value_and_may_end_in_a_comment() {
        let text = "# use-sqlite-wal = true\n\n use-sqlite-wal=false # NFS\n!include other\n";
        let setting = Setting {
            key: "use-sqlite-wal".to_owned(),
            value: "false".to_owned(),
            place: "/etc/nix/nix.conf:3: use-sqlite-wal=false # NFS".to_owned(),
        };
        assert_eq!(parse(text, Path::new("/etc/nix/nix.conf")), [setting]);
    }
}
