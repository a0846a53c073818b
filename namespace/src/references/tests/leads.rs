//! What a file leads to.

use super::*;

#[test]
fn what_a_file_leads_to_is_read_as_well() {
    assert_eq!(
        found(&[
            ("/etc/sudoers", "@include /etc/more\n"),
            ("/etc/more", "x ALL=/nix/x\n")
        ]),
        [("etc/more".to_owned(), 1)]
    );
    assert_eq!(
        found(&[
            ("/etc/sudoers", "#includedir /etc/more.d\n"),
            ("/etc/more.d/a", "\nx ALL=/nix/x\n")
        ]),
        [("etc/more.d/a".to_owned(), 2)]
    );
    assert_eq!(
        found(&[
            (
                "/etc/pam.d/sshd",
                "session optional pam_exec.so seteuid /usr/sbin/hook a\n"
            ),
            ("/usr/sbin/hook", "#!/bin/sh\n/nix/x\n"),
        ]),
        [("usr/sbin/hook".to_owned(), 2)]
    );
    assert_eq!(
        found(&[
            ("/etc/ld.so.conf", "include /etc/x.d/*.conf\n"),
            ("/etc/x.d/nix.conf", "/nix/lib\n")
        ]),
        [("etc/x.d/nix.conf".to_owned(), 1)]
    );
}

#[test]
fn it_may_be_named_in_any_way() {
    for (file, text) in [
        ("/etc/sudoers", "@include more\n"),
        ("/etc/sudoers", "@include \"/etc/more\"\n"),
        ("/etc/sudoers", "@include /etc/mor\\e\n"),
        ("/etc/ld.so.conf", "include other.d/*.conf mor*\n"),
        (
            "/etc/pam.d/x",
            "session optional pam_exec.so \\\n  /etc/more\n",
        ),
        (
            "/etc/pam.d/x",
            "session required pam_env.so envfile=/etc/more\n",
        ),
    ] {
        assert_eq!(
            found(&[(file, text), ("/etc/more", "x /nix/x\n")]),
            [("etc/more".to_owned(), 1)],
            "{file}: {text}"
        );
    }
    let nested = found(&[("/etc/zsh/zshrc.d/a", "/nix/x\n")]);
    assert_eq!(nested, [("etc/zsh/zshrc.d/a".to_owned(), 1)]);
}

#[test]
fn a_line_of_sudoers_may_go_on_before_it_names_a_file() {
    for line in ["@include \\\n  /etc/more", "#include \\\n /etc/more\n"] {
        let said = found(&[("/etc/sudoers", line), ("/etc/more", "x ALL=/nix/x\n")]);
        assert_eq!(said, [("etc/more".to_owned(), 1)], "{line}");
    }
}

#[test]
fn a_comment_of_sudoers_does_not_go_on() {
    let said = found(&[
        ("/etc/sudoers", "# see \\\n@include /etc/more\n"),
        ("/etc/more", "x ALL=/nix/x\n"),
    ]);
    assert_eq!(said, [("etc/more".to_owned(), 1)]);
    let said = found(&[
        ("/etc/sudoers", "a ALL=ALL # x \\\n@include /etc/more\n"),
        ("/etc/more", "x ALL=/nix/x\n"),
    ]);
    assert_eq!(said, [("etc/more".to_owned(), 1)]);
    let said = found(&[
        ("/etc/ld.so.conf", "/usr/lib \\\ninclude /etc/more\n"),
        ("/etc/more", "/nix/lib\n"),
    ]);
    assert_eq!(said, [("etc/more".to_owned(), 1)]);
}

#[test]
fn what_a_line_hides_from_the_eye_is_found_where_it_leads() {
    let hidden = "@include /n\\ix/a\n";
    let said = found(&[("/etc/sudoers", hidden)]);
    assert_eq!(said, [("nix/a".to_owned(), 0)]);
    let both = format!("{hidden}@include /nix/b\n");
    let said = found(&[("/etc/sudoers", &both)]);
    assert_eq!(
        said,
        [("etc/sudoers".to_owned(), 2), ("nix/a".to_owned(), 0)]
    );
}

#[test]
fn a_pattern_names_files_by_start_and_end() {
    for (name, counts) in [("ab", true), ("axb", true), ("ax", false), ("xb", false)] {
        let said = found(&[
            ("/etc/ld.so.conf", "include /etc/x.d/a*b\n"),
            (&format!("/etc/x.d/{name}"), "/nix/lib\n"),
        ]);
        assert_eq!(said.len(), usize::from(counts), "{name}");
    }
}

#[test]
fn a_pattern_that_is_not_understood_may_mean_anything() {
    for pattern in ["a*b*.conf", "?.conf", "*/x.conf", "[ab].conf"] {
        let said = found(&[("/etc/ld.so.conf", &format!("include /etc/{pattern}\n"))]);
        assert_eq!(said.len(), 1, "{pattern}");
    }
    let root = system(&[("/etc/hostname", "")]);
    let stack = b"session optional pam_exec.so /srv/h\xf6k\n";
    std::fs::create_dir(root.path().join("etc/pam.d")).unwrap();
    std::fs::write(root.path().join("etc/pam.d/x"), stack).unwrap();
    assert_eq!(Scan::read(root.path()).references.len(), 1);
}

#[test]
fn whichever_release_of_libpam_obeys_it_it_is_found() {
    for stack in [
        "session optional pam_mail.so \\\n# x\nsession optional pam_exec.so /srv/hook\n",
        "session optional pam_mail.so \\\n\nsession optional pam_exec.so /srv/hook\n",
        "session optional pam_exec.so \\\n# x\n/srv/hook\n",
        "session optional pam_exec.so \\\n\n/srv/hook\n",
    ] {
        let root = system(&[("/etc/pam.d/x", stack), ("/srv/hook", "/nix/x\n")]);
        given_away(&root, "/srv/hook", "everybody's");
        assert_eq!(Scan::read(root.path()).references.len(), 1, "{stack}");
    }
}

#[test]
fn data_of_modules_is_not_obeyed() {
    for line in [
        "session optional pam_mail.so dir=/srv/more standard",
        "auth required pam_faillock.so preauth dir=/srv/more",
        "session optional [default=ignore] pam_motd.so motd=/srv/more noupdate",
        "session optional pam_exec.so log=/srv/more /usr/bin/true",
    ] {
        let said = found(&[("/etc/pam.d/x", line), ("/srv/more", "/nix/x\n")]);
        assert!(said.is_empty(), "{line}: {said:?}");
    }
    for line in [
        "session optional pam_exec.so quiet log=/var/log/x /srv/more",
        "session optional pam_exec.so quiet [/srv/more]",
        "session optional pam_script.so dir=/srv onerr=fail",
        "session required pam_env.so conffile=/srv/more",
        "session optional pam_unheard.so rc=/srv/more",
        "@include /srv/more",
        "session substack /srv/more",
        "sshd session include /srv/more",
        "# a comment goes not on \\\nsession optional pam_exec.so /srv/more",
        "session required pam_unix.so # nor this \\\nsession optional pam_exec.so /srv/more",
    ] {
        let said = found(&[("/etc/pam.d/x", line), ("/srv/more", "/nix/x\n")]);
        assert_eq!(said, [("srv/more".to_owned(), 1)], "{line}");
    }
    let said = found(&[
        ("/etc/pam.d/x", "@include /srv/more"),
        ("/srv/more", "session optional pam_exec.so /srv/hook\n"),
        ("/srv/hook", "/nix/x\n"),
    ]);
    assert_eq!(said, [("srv/hook".to_owned(), 1)]);
}

#[test]
fn what_the_system_writes_down_is_no_program() {
    for line in [
        "auth required pam_unheard.so debug debug_file=/srv/more",
        "auth required pam_unheard.so LogFile=/srv/more",
        "auth required pam_exec.so LOG=/srv/more /usr/bin/true",
    ] {
        let said = found(&[("/etc/pam.d/x", line), ("/srv/more", "user /nix\n")]);
        assert!(said.is_empty(), "{line}: {said:?}");
    }
    let line = "auth required pam_unheard.so file=/var/log/more\n";
    let said = found(&[("/etc/pam.d/x", line), ("/var/log/more", "user /nix\n")]);
    assert!(said.is_empty());
}

#[test]
fn a_module_by_its_path_is_no_script() {
    let stack = "session optional /lib/security/pam_nixns.so\n";
    assert!(
        found(&[
            ("/etc/pam.d/x", stack),
            ("/lib/security/pam_nixns.so", "/nix\0")
        ])
        .is_empty()
    );
}

#[test]
fn loops_end() {
    assert!(
        found(&[
            ("/etc/sudoers", "@include /etc/sudoers\n@include /etc/b\n"),
            ("/etc/b", "@include /etc/sudoers\n")
        ])
        .is_empty()
    );
}

#[test]
fn a_system_that_leads_to_too_many_files_is_refused() {
    let includes = |count: usize| -> String {
        (0..count)
            .map(|number| format!("@include /etc/{number}\n"))
            .collect()
    };
    let known = places(Path::new("/nowhere")).len();
    let room = MOST_FILES - known;
    assert!(found(&[("/etc/sudoers", &includes(room))]).is_empty());
    assert!(!found(&[("/etc/sudoers", &includes(room + 1))]).is_empty());
}
