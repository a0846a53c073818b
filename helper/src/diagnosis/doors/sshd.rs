//! Where PAM is off, nobody who comes by ssh gets anything of it.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::{Finding, Scene, below, names, read, unquoted};

const NAME: &str = "doors.sshd";
const FILE: &str = "/etc/ssh/sshd_config";

pub(in crate::diagnosis) fn check(_: &Scene) -> Vec<Finding> {
    sshd(Path::new("/"))
}

fn sshd(root: &Path) -> Vec<Finding> {
    if !below(root, Path::new("/usr/sbin/sshd")).exists() {
        return vec![Finding::note(NAME, "there is no sshd")];
    }
    let mut findings = vec![pam(root)];
    findings.extend(forced(root));
    findings
}

fn pam(root: &Path) -> Finding {
    match setting("usepam", root, Path::new(FILE), &mut BTreeSet::new()) {
        Ok(Some((place, value))) if value.eq_ignore_ascii_case("yes") => {
            Finding::ok(NAME, format!("UsePAM yes ({place})"))
        }
        Ok(found) => {
            let place = found.map_or_else(
                || "UsePAM is not set, so it is off".to_owned(),
                |(place, value)| format!("UsePAM {value} ({place})"),
            );
            Finding::warning(
                NAME,
                format!("sshd opens no PAM session: {place}"),
                "`UsePAM yes`; or nobody gets /nix by ssh",
            )
        }
        Err(why) => Finding::unknown(NAME, why),
    }
}

/// What takes the place of `command=` in everybody's `authorized_keys`, root's too.
fn forced(root: &Path) -> Option<Finding> {
    let found = setting("forcecommand", root, Path::new(FILE), &mut BTreeSet::new());
    let (place, value) = found.ok()??;
    let is_ours = value.contains("nix-ns enter");
    is_ours.then(|| {
        Finding::fault(
            NAME,
            format!("a command is forced on everybody ({place}): {value}; so a key that authorized_keys restricts to one command may run any"),
            "have it below a `Match Group` of users without such keys, see nix-ns-enter(1)",
        )
    })
}

/// The first value counts (`sshd_config(5)`), wherever it is included from, of
/// what holds for all connections.
fn setting(
    keyword: &str,
    root: &Path,
    file: &Path,
    seen: &mut BTreeSet<PathBuf>,
) -> Result<Option<(String, String)>, String> {
    if !seen.insert(file.to_owned()) || seen.len() > 1000 {
        return Ok(None);
    }
    let text = read(&below(root, file)).map_err(|error| format!("{}: {error}", file.display()))?;
    for (number, line) in (1_usize..).zip(text.lines()) {
        let mut words = line.split(|it: char| it.is_whitespace() || it == '=');
        let mut words = words.by_ref().filter(|word| !word.is_empty());
        match words.next().map(str::to_ascii_lowercase).as_deref() {
            Some(found) if found == keyword => {
                let value: Vec<&str> = words.map(unquoted).collect();
                return Ok(Some((
                    format!("{}:{number}", file.display()),
                    value.join(" "),
                )));
            }
            Some("include") => {
                for named in words.flat_map(|named| included_by_sshd(root, unquoted(named))) {
                    if let Some(found) = setting(keyword, root, &named, seen)? {
                        return Ok(Some(found));
                    }
                }
            }
            // What follows holds for some connections only.
            Some("match") => return Ok(None),
            _ => {}
        }
    }
    Ok(None)
}

/// `/etc/ssh/sshd_config.d/*.conf` and the like, in the order of their names.
fn included_by_sshd(root: &Path, pattern: &str) -> Vec<PathBuf> {
    let pattern = Path::new("/etc/ssh").join(pattern);
    let name = pattern.file_name().unwrap_or_default().to_string_lossy();
    let Some((start, end)) = name.split_once('*') else {
        return vec![pattern];
    };
    let directory = pattern.parent().unwrap_or(Path::new("/"));
    names(&below(root, directory))
        .into_iter()
        .filter(|name| name.starts_with(start) && name.ends_with(end))
        .map(|name| directory.join(name))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnosis::Outcome;
    use crate::diagnosis::doors::tests::system;

    #[test]
    fn included_files_are_read_as_sshd_reads_them() {
        let root = system(&[
            ("usr/sbin/sshd", ""),
            (
                "etc/ssh/sshd_config",
                "Include sshd_config.d/*.conf\nUsePAM yes\n",
            ),
            ("etc/ssh/sshd_config.d/x.conf", "# UsePAM yes\nusepam=no\n"),
        ]);
        let found = sshd(&root);
        std::fs::remove_dir_all(&root).unwrap();
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].outcome, Outcome::Warning);
        let place = "sshd_config.d/x.conf:2";
        assert!(found[0].found.contains(place), "{}", found[0].found);
    }

    #[test]
    fn a_command_forced_on_all_voids_what_keys_are_restricted_to() {
        for (line, is_fault) in [
            ("ForceCommand nix-ns enter --or-without", true),
            ("forcecommand = \"/usr/bin/nix-ns enter\"", true),
            ("ForceCommand /usr/bin/menu", false),
            ("Match Group nix-users\nForceCommand nix-ns enter", false),
        ] {
            let config = format!("UsePAM yes\n{line}\n");
            let root = system(&[("usr/sbin/sshd", ""), ("etc/ssh/sshd_config", &config)]);
            let found = sshd(&root);
            std::fs::remove_dir_all(&root).unwrap();
            let faults = found.iter().filter(|it| it.outcome == Outcome::Fault);
            assert_eq!(faults.count(), usize::from(is_fault), "{line}");
        }
    }
}
