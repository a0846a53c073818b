//! Which files are read, and which of their lines count.

use super::*;

#[test]
fn every_kind_of_privileged_file_is_read() {
    for file in [
        "etc/profile",
        "etc/profile.d/nix.sh",
        "etc/bash.bashrc",
        "etc/bashrc",
        "etc/zsh/zshrc",
        "etc/zshenv",
        "etc/bash_completion.d/x",
        "usr/etc/profile.d/nix.sh",
        "usr/etc/sudoers",
        "etc/login.defs",
        "etc/default/su",
        "etc/pam_script_ses_open",
        "etc/pam-script.d/x",
        "root/.bash_aliases",
        "etc/gdm3/PostLogin/Default",
        "etc/X11/xdm/Xstartup",
        "etc/fish/conf.d/nix.fish",
        "etc/csh.cshrc",
        "etc/environment",
        "etc/security/pam_env.conf",
        "etc/security/namespace.init",
        "usr/share/libpam-script/pam_script_ses_open",
        "etc/pam.d/sshd",
        "etc/sudoers",
        "etc/sudoers.d/nix",
        "etc/ld.so.conf",
        "etc/ld.so.conf.d/nix.conf",
        "etc/ld.so.preload",
        "etc/ld.so.cache",
        "etc/nsswitch.conf",
        "etc/update-motd.d/50-nix",
        "root/.profile",
        "root/.bashrc",
        "root/.config/fish/config.fish",
    ] {
        let said = found(&[(&format!("/{file}"), "x\n. /nix/var/x.sh\n")]);
        assert_eq!(said.len(), 1, "{file}: {said:?}");
        assert_eq!(said[0].0, file);
    }
}

#[test]
fn advisory_files_are_read_apart() {
    let files = [
        (
            "/etc/systemd/system/a.service.d/b.conf",
            "[Service]\nExecStart=/nix/x\n",
        ),
        ("/etc/apparmor.d/local/x", "/nix/store/** ux,\n"),
    ];
    assert!(found(&files).is_empty());
    let root = system(&files);
    let lines = |of| {
        let scan = Scan::read_advisory(root.path(), of);
        scan.references.iter().map(|it| it.line).collect::<Vec<_>>()
    };
    assert_eq!(lines(Advisory::SystemdUnits), [2]);
    assert_eq!(lines(Advisory::AppArmorProfiles), [1]);
}

#[test]
fn only_login_shells_of_passwd_count() {
    let passwd =
        "a:x:1:1:/nix/x:/home/a:/bin/sh\nb:x:2:2::/nix/home:/bin/sh\nc:x:3:3::/:/nix/zsh\n";
    assert_eq!(
        found(&[("/etc/passwd", passwd)]),
        [("etc/passwd".to_owned(), 3)]
    );
}

#[test]
fn the_interpreter_of_a_script_counts() {
    for (first, counts) in [
        ("#!/nix/store/x/bin/bash", true),
        ("#! /nix/store/x/bin/bash -e", true),
        ("#!/bin/sh", false),
        ("# /nix", false),
        ("\n#!/nix/x", false),
    ] {
        let said = found(&[("/etc/update-motd.d/50-x", &format!("{first}\necho\n"))]);
        assert_eq!(!said.is_empty(), counts, "{first}");
    }
    let binary = "\u{7f}ELF\0# a line\n#/nix/store/x/lib/ld.so\0";
    assert_eq!(found(&[("/etc/update-motd.d/50-x", binary)]).len(), 1);
}

#[test]
fn a_user_or_a_group_of_sudoers_may_be_a_number() {
    for (line, count) in [
        ("#1001 ALL=(root) /nix/x", 1),
        ("  #-1 ALL=(root) /nix/x", 1),
        ("# 1001 ALL=(root) /nix/x", 0),
        ("#a /nix/x", 0),
    ] {
        assert_eq!(found(&[("/etc/sudoers", line)]).len(), count, "{line}");
    }
    assert!(found(&[("/etc/profile", "#1001 /nix/x")]).is_empty());
}

#[test]
fn who_polyinstantiates_nix_trusts_nothing_of_it() {
    let line = "/nix /srv/instances/ user ~carol\n";
    assert!(found(&[("/etc/security/namespace.conf", line)]).is_empty());
}
