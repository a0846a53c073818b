//! `nix-ns check` as a person or Ansible runs it.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn check(arguments: &[&str]) -> (Option<i32>, String, String) {
    let Output {
        status,
        stdout,
        stderr,
    } = Command::new(env!("CARGO_BIN_EXE_nix-ns"))
        .arg("check")
        .args(arguments)
        .env_clear()
        .output()
        .unwrap();
    (
        status.code(),
        String::from_utf8(stdout).unwrap(),
        String::from_utf8(stderr).unwrap(),
    )
}

fn file(name: &str, text: &str) -> PathBuf {
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    fs::write(&file, text).unwrap();
    file
}

#[test]
fn broken_user_configuration() {
    let file = file("broken-user.toml", "enable = true\nsourcepath = 'x'\n");
    let file = file.to_str().unwrap();
    let (code, stdout, stderr) = check(&[file]);
    assert_eq!((code, stdout.as_str()), (Some(1), ""));
    assert!(
        stderr.starts_with(&format!(
            "{file}:2:1: `sourcepath` is not a key; did you mean `source_path`?"
        )),
        "{stderr}"
    );
}

#[test]
fn site_configuration_with_every_default() {
    let file = file(
        "fine-site.toml",
        "roots = ['/scratch/%u']\n[services.gdm-password]\nskip = true\n",
    );
    let (code, stdout, stderr) = check(&[file.to_str().unwrap(), "--site"]);
    assert_eq!((code, stderr.as_str()), (Some(0), ""));
    for line in [
        "opt_in = true",
        "roots = [\"/scratch/%u\"]",
        "uid_min = ",
        "threaded = true",
    ] {
        assert!(stdout.contains(line), "{stdout}");
    }
}

#[test]
fn broken_site_configuration() {
    let file = file("broken-site.toml", "[users]\nallow_user = ['alice']\n");
    let (code, _, stderr) = check(&["--site", file.to_str().unwrap()]);
    assert_eq!(code, Some(1));
    assert!(
        stderr.contains(
            "broken-site.toml:2:1: `allow_user` is not a key; did you mean `allow_users`?"
        )
    );
}

#[test]
fn missing_file() {
    let (code, _, stderr) = check(&["/there/is/none"]);
    assert_eq!(
        (code, stderr.as_str()),
        (Some(1), "/there/is/none: there is no such file\n")
    );
}

#[test]
fn wrong_usage() {
    assert_eq!(check(&["a", "b"]).0, Some(2));
    assert_eq!(check(&["--sites"]).0, Some(2));
}

/// What follows depends on the machine's own site configuration; most have none.
fn has_site_configuration() -> bool {
    Path::new("/etc/nix-ns/config.toml").exists()
}

#[test]
fn user_configuration_and_what_it_amounts_to() {
    if has_site_configuration() {
        return;
    }
    let file = file(
        "fine-user.toml",
        "source_path = 'store'\nallow_symlinks = true\n",
    );
    let (code, stdout, stderr) = check(&[file.to_str().unwrap()]);
    assert_eq!((code, stderr.as_str()), (Some(0), ""));
    let lines: Vec<&str> = stdout.lines().collect();
    assert!(lines[0].ends_with("fine-user.toml: fine"), "{stdout}");
    assert!(lines[2].starts_with("source_path: /") && lines[2].ends_with("/store (below %h)"));
    assert_eq!(lines[3..], ["allow_symlinks: true", "environment: true"]);
}

#[test]
fn disabled_user_configuration() {
    if has_site_configuration() {
        return;
    }
    let file = file("disabled-user.toml", "enable = false\n");
    let (code, stdout, _) = check(&[file.to_str().unwrap()]);
    assert_eq!(code, Some(0));
    assert!(stdout.ends_with("enable: false (no /nix)\n"));
}

#[test]
fn user_configuration_outside_the_roots() {
    if has_site_configuration() {
        return;
    }
    let file = file("outside-user.toml", "source_path = '/srv/elsewhere'\n");
    let (code, _, stderr) = check(&[file.to_str().unwrap()]);
    assert_eq!(code, Some(1));
    assert!(
        stderr.contains("outside-user.toml: the store directory /srv/elsewhere is not below /")
    );
}
