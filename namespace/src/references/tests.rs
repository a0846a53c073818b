use super::reach::{LARGEST, MOST_LINKS};
use super::*;

/// A system with these files.
fn system(files: &[(&str, &str)]) -> tempfile::TempDir {
    let root = tempfile::tempdir().unwrap();
    for (file, content) in files {
        let file = below(root.path(), Path::new(file));
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, content).unwrap();
    }
    root
}

fn found(files: &[(&str, &str)]) -> Vec<(String, usize)> {
    let root = system(files);
    let scan = Scan::read(root.path());
    scan.references
        .into_iter()
        .map(|it| {
            let file = it
                .file
                .strip_prefix("/")
                .unwrap()
                .to_string_lossy()
                .into_owned();
            (file, it.line)
        })
        .collect()
}

/// What a way on that system comes to.
fn there(root: &tempfile::TempDir, path: &str, whose: Whose) -> io::Result<There> {
    let system = System::below(root.path()).unwrap();
    system
        .reach(Path::new(path), whose)
        .map(|reached| reached.there)
}

#[test]
fn what_cannot_be_read_is_no_empty_file() {
    let root = system(&[("/file", "x"), ("/directory/file", "x")]);
    let fifo = root.path().join("fifo");
    nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::S_IRWXU).unwrap();
    let at = |path| there(&root, path, Whose::Anybodys);
    assert!(matches!(at("/file"), Ok(There::File(file)) if file.read().unwrap() == b"x"));
    assert!(matches!(at("/nothing"), Ok(There::Nothing)));
    assert!(matches!(at("/nothing/file"), Ok(There::Nothing)));
    assert!(matches!(at("/directory"), Ok(There::Directory)));
    assert!(matches!(at("/fifo"), Ok(There::Special)));
    assert!(at("/file/below").is_err());
}

/// Links as `(file, target)`.
fn linked(root: &tempfile::TempDir, links: &[(&str, &str)]) {
    for (link, target) in links {
        let link = below(root.path(), Path::new(link));
        std::fs::create_dir_all(link.parent().unwrap()).unwrap();
        std::os::unix::fs::symlink(target, link).unwrap();
    }
}

#[test]
fn a_way_by_nix_is_found_whichever_way_it_goes() {
    for (links, target) in [
        (&[("/etc/profile", "/nix/x")][..], "/nix"),
        (&[("/etc/profile", "../nix/x")], "/nix"),
        (&[("/etc/profile", "../../../nix/x")], "/nix"),
        (&[("/etc/profile", "/srv/../nix/x")], "/nix"),
        (
            &[
                ("/etc/profile", "/etc/a"),
                ("/etc/a", "b"),
                ("/etc/b", "/nix/x"),
            ],
            "/nix",
        ),
        (
            &[("/etc/profile", "/srv/deep/x"), ("/srv/deep", "/nix/store")],
            "/nix",
        ),
        (&[("/etc/profile.d", "/nix/store/x/etc/profile.d")], "/nix"),
        (&[("/etc", "/nix/store/x/etc")], "/nix"),
    ] {
        let root = system(&[("/srv/file", "")]);
        linked(&root, links);
        let scan = Scan::read(root.path());
        assert!(!scan.references.is_empty(), "{links:?}");
        let reference = &scan.references[0];
        assert!(reference.text.contains(target), "{links:?}: {reference}");
        assert_eq!(reference.line, 0);
    }
    let root = system(&[("/srv/nix/x", "")]);
    linked(
        &root,
        &[("/etc/profile", "/srv/nix/x"), ("/etc/bashrc", "nix")],
    );
    assert!(Scan::read(root.path()).references.is_empty());
}

#[test]
fn a_link_that_comes_to_lead_onto_nix_changes_the_state() {
    let root = system(&[("/root/.config/fish/config.fish", "")]);
    let state = || Scan::state(root.path(), &[]);
    let before = state();
    std::fs::remove_dir_all(root.path().join("root/.config")).unwrap();
    let without = state();
    linked(&root, &[("/root/.config", "/nix/var/config")]);
    let on_nix = state();
    assert!(before != without && without != on_nix && before != on_nix);
    linked(&root, &[("/etc/profile", "/srv/a"), ("/srv/a", "b")]);
    let dangling = state();
    std::fs::remove_file(root.path().join("srv/a")).unwrap();
    linked(&root, &[("/srv/a", "/nix/b")]);
    assert_ne!(dangling, state());
}

#[test]
fn a_way_back_leads_to_the_directory_above() {
    let root = system(&[("/srv/a/b/file", ""), ("/srv/file", ". /nix/x\n")]);
    linked(&root, &[("/etc/profile", "/srv/a/b/../../file")]);
    let scan = Scan::read(root.path());
    assert_eq!(scan.references.len(), 1, "{:?}", scan.references);
    assert_eq!(scan.references[0].line, 1);
}

#[test]
fn links_that_lead_in_a_circle_end() {
    let root = system(&[("/etc/hostname", "")]);
    linked(&root, &[("/etc/profile", "/etc/a"), ("/etc/a", "profile")]);
    assert_eq!(Scan::read(root.path()).references.len(), 1);
    let chain: Vec<_> = (0..MOST_LINKS + 1)
        .map(|it| (format!("/etc/l{it}"), format!("l{}", it + 1)))
        .collect();
    for (count, is_known) in [(MOST_LINKS, true), (MOST_LINKS + 1, false)] {
        let root = system(&[(&format!("/etc/l{count}"), "")]);
        let links = chain.iter().take(count);
        let links: Vec<_> = links
            .map(|(link, to)| (link.as_str(), to.as_str()))
            .collect();
        linked(&root, &links);
        assert_eq!(there(&root, "/etc/l0", Whose::Roots).is_ok(), is_known);
    }
}

/// Makes it a user's, or everybody's.
fn given_away(root: &tempfile::TempDir, path: &str, how: &str) {
    let path = below(root.path(), Path::new(path));
    match how {
        "everybody's" => {
            let mode = std::os::unix::fs::PermissionsExt::from_mode(0o1777);
            std::fs::set_permissions(path, mode).unwrap();
        }
        _ => std::os::unix::fs::lchown(path, Some(12345), None).unwrap(),
    }
}

#[test]
fn what_only_may_matter_is_not_read_where_a_user_can_put_it() {
    const STACK: &str = "session optional pam_unheard.so dir=/srv/mail /srv/mail/x\n";
    let files = [("/etc/pam.d/sshd", STACK), ("/srv/mail/x", "/nix/x\n")];
    let root = system(&files);
    let scan = Scan::read(root.path());
    assert_eq!(scan.references.len(), 1, "{:?}", scan.references);
    for path in ["/srv", "/srv/mail", "/srv/mail/x"] {
        let root = system(&files);
        given_away(&root, path, "everybody's");
        let scan = Scan::read(root.path());
        assert!(scan.references.is_empty(), "{path}: {:?}", scan.references);
        // Nor is what that user changes anything to read it all anew for.
        std::fs::write(below(root.path(), Path::new("/srv/mail/x")), "y").unwrap();
        assert_eq!(scan.state, Some(Scan::state(root.path(), &scan.found)));
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        std::fs::set_permissions(below(root.path(), Path::new(path)), mode).unwrap();
        assert_ne!(scan.state, Some(Scan::state(root.path(), &scan.found)));
    }
    if nix::unistd::geteuid().is_root() {
        for path in ["/srv", "/srv/mail", "/srv/mail/x"] {
            let root = system(&files);
            given_away(&root, path, "a user's");
            assert!(Scan::read(root.path()).references.is_empty(), "{path}");
        }
        let root = system(&[("/etc/pam.d/sshd", STACK), ("/srv/mail/y", "")]);
        linked(&root, &[("/srv/mail/x", "/nix/x")]);
        given_away(&root, "/srv/mail/x", "a user's");
        assert!(Scan::read(root.path()).references.is_empty());
    }
}

#[test]
fn what_is_obeyed_is_read_whoever_wrote_it_and_never_remembered() {
    let stack = "session optional pam_exec.so quiet /srv/hook /srv/data\n";
    for (path, references) in [("/srv/hook", 1), ("/srv/data", 0)] {
        let root = system(&[("/etc/pam.d/sshd", stack), (path, "/nix/x\n")]);
        given_away(&root, path, "everybody's");
        let scan = Scan::read(root.path());
        assert_eq!(scan.references.len(), references, "{:?}", scan.references);
        assert_eq!(scan.state.is_none(), path == "/srv/hook");
    }
}

#[test]
fn what_else_is_obeyed_and_what_is_not_is_told_by_whose_it_is() {
    for (line, is_obeyed) in [
        ("session required pam_env.so envfile=/srv/more", true),
        ("session required pam_env.so conffile=/srv/more", true),
        ("session required pam_env.so debug=/srv/more", false),
        ("session optional pam_script.so dir=/srv/more", true),
        ("session optional pam_python.so /srv/more", true),
        ("@include /srv/more", true),
        ("session optional unheard /srv/more", false),
        ("session optional pam_unheard.so include /srv/more", false),
    ] {
        let root = system(&[("/etc/pam.d/x", line), ("/srv/more", "/nix/x\n")]);
        given_away(&root, "/srv/more", "everybody's");
        let count = Scan::read(root.path()).references.len();
        assert_eq!(count, usize::from(is_obeyed), "{line}");
    }
    let line = "session optional pam_unheard.so /srv/a=b";
    let said = found(&[("/etc/pam.d/x", line), ("/srv/a=b", "/nix/x\n")]);
    assert_eq!(said, [("srv/a=b".to_owned(), 1)]);
}

#[test]
fn a_line_of_sudoers_may_go_on_before_it_names_a_file() {
    for line in ["@include \\\n  /etc/more", "#include \\\n /etc/more\n"] {
        let said = found(&[("/etc/sudoers", line), ("/etc/more", "x ALL=/nix/x\n")]);
        assert_eq!(said, [("etc/more".to_owned(), 1)], "{line}");
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
fn a_file_that_comes_into_a_directory_that_is_obeyed_changes_the_state() {
    for (file, text) in [
        ("/etc/sudoers", "@includedir /etc/more.d\n"),
        ("/etc/sudoers", "@include /etc/more.d/x.%h\n"),
        ("/etc/ld.so.conf", "include more.d/*.conf\n"),
        (
            "/etc/pam.d/x",
            "session optional pam_script.so dir=/etc/more.d\n",
        ),
    ] {
        for directory in [true, false] {
            let root = system(&[(file, text)]);
            let more = root.path().join("etc/more.d");
            if directory {
                std::fs::create_dir(&more).unwrap();
            }
            let scan = Scan::read(root.path());
            assert_eq!(scan.state, Some(Scan::state(root.path(), &scan.found)));
            std::fs::create_dir_all(&more).unwrap();
            std::fs::write(more.join("x.conf"), "/nix/x\n").unwrap();
            assert_ne!(
                scan.state,
                Some(Scan::state(root.path(), &scan.found)),
                "{text}"
            );
            assert_eq!(Scan::read(root.path()).references.len(), 1, "{text}");
        }
    }
}

#[test]
fn what_is_guessed_of_a_file_hides_it_not_from_who_obeys_it() {
    let root = system(&[
        (
            "/etc/pam.d/a",
            "session optional pam_unheard.so conf=/srv/hook\n",
        ),
        ("/etc/pam.d/b", "session optional pam_exec.so /srv/hook\n"),
        ("/srv/hook", "/nix/x\n"),
    ]);
    assert_eq!(Scan::read(root.path()).references.len(), 1);
    given_away(&root, "/srv/hook", "everybody's");
    assert_eq!(Scan::read(root.path()).references.len(), 1);
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
fn a_module_that_is_a_link_onto_nix_counts() {
    let stack = "session optional /usr/lib/x.so\n";
    let root = system(&[("/etc/pam.d/x", stack), ("/usr/lib/y.so", "/nix\0")]);
    assert!(Scan::read(root.path()).references.is_empty());
    linked(&root, &[("/usr/lib/x.so", "/nix/store/x.so")]);
    assert_eq!(Scan::read(root.path()).references.len(), 1);
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
fn a_guess_that_leads_to_no_text_refuses_nobody() {
    let stack = "auth required pam_unheard.so x=/srv/large y=/srv/large/below z=/srv\n";
    let root = system(&[("/etc/pam.d/x", stack), ("/srv/large", "")]);
    let large = std::fs::File::create(root.path().join("srv/large")).unwrap();
    large.set_len(LARGEST + 1).unwrap();
    assert!(Scan::read(root.path()).references.is_empty());
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
fn what_is_exchanged_while_it_is_read_is_not_taken_for_it() {
    let root = system(&[("/etc/profile", "x"), ("/etc/other", "y")]);
    let Ok(There::File(file)) = there(&root, "/etc/profile", Whose::Roots) else {
        panic!("it is a file");
    };
    let at = |name: &str| root.path().join("etc").join(name);
    std::fs::rename(at("other"), at("profile")).unwrap();
    assert!(file.read().is_err());
    std::fs::remove_file(at("profile")).unwrap();
    nix::unistd::mkfifo(&at("profile"), nix::sys::stat::Mode::S_IRWXU).unwrap();
    assert!(file.read().is_err());
}

#[test]
fn every_kind_of_privileged_file_is_read() {
    for file in [
        "etc/profile",
        "etc/profile.d/nix.sh",
        "etc/bash.bashrc",
        "etc/bashrc",
        "etc/zsh/zshrc",
        "etc/zshenv",
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
fn who_polyinstantiates_nix_trusts_nothing_of_it() {
    let line = "/nix /srv/instances/ user ~carol\n";
    assert!(found(&[("/etc/security/namespace.conf", line)]).is_empty());
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
fn a_link_into_nix_is_a_reference() {
    let root = system(&[("/root/.profile", ". ~/.nix-profile/etc/profile.d/nix.sh\n")]);
    let link = below(root.path(), Path::new("/root/.nix-profile"));
    std::os::unix::fs::symlink("/nix/var/nix/profiles/default", link).unwrap();
    assert_eq!(Scan::read(root.path()).references.len(), 1);
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
fn the_state_changes_with_every_file_it_depends_on() {
    let root = system(&[
        ("/etc/sudoers", "@include /etc/more\n"),
        ("/etc/more", "x\n"),
    ]);
    let scan = Scan::read(root.path());
    assert_eq!(scan.state, Some(Scan::state(root.path(), &scan.found)));
    std::fs::write(below(root.path(), Path::new("/etc/more")), "x ALL=/nix/x\n").unwrap();
    assert_ne!(scan.state, Some(Scan::state(root.path(), &scan.found)));
    let scan = Scan::read(root.path());
    std::fs::create_dir_all(below(root.path(), Path::new("/etc/profile.d"))).unwrap();
    std::fs::write(below(root.path(), Path::new("/etc/profile.d/new.sh")), "x").unwrap();
    assert_ne!(scan.state, Some(Scan::state(root.path(), &scan.found)));
}

#[test]
fn the_running_systems_files_are_those_below_its_root() {
    let found = [Lead {
        whose: Whose::Anybodys,
        path: "/etc/hostname".into(),
    }];
    assert_eq!(HostFiles.state(&found), Scan::state(Path::new("/"), &found));
}

#[test]
fn what_is_no_file_has_nothing_to_say_and_holds_nobody_up() {
    let root = system(&[("/etc/hostname", "")]);
    let fifo = below(root.path(), Path::new("/etc/profile"));
    nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::S_IRWXU).unwrap();
    assert!(Scan::read(root.path()).references.is_empty());
}

#[test]
fn a_file_that_cannot_be_reached_may_say_anything() {
    let root = system(&[("/etc/hostname", "")]);
    let profile = below(root.path(), Path::new("/etc/profile"));
    std::os::unix::fs::symlink("profile", profile).unwrap();
    assert_eq!(Scan::read(root.path()).references.len(), 1);
}

#[test]
fn a_file_too_large_to_be_read_may_say_anything() {
    let root = system(&[("/etc/profile", "")]);
    let profile = below(root.path(), Path::new("/etc/profile"));
    let profile = std::fs::File::create(profile).unwrap();
    profile.set_len(LARGEST).unwrap();
    assert!(Scan::read(root.path()).references.is_empty());
    profile.set_len(LARGEST + 1).unwrap();
    assert_eq!(Scan::read(root.path()).references.len(), 1);
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

#[test]
fn what_changes_while_it_is_read_has_no_state() {
    let root = system(&[("/etc/profile", "")]);
    let profile = below(root.path(), Path::new("/etc/profile"));
    let seen = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|threads| {
        threads.spawn(|| {
            for length in 0..1_000_000 {
                if seen.load(std::sync::atomic::Ordering::Relaxed) {
                    break;
                }
                std::fs::write(&profile, "x".repeat(length % 100)).unwrap();
            }
        });
        let unsettled = (0..3_000).any(|_| Scan::read(root.path()).state.is_none());
        seen.store(true, std::sync::atomic::Ordering::Relaxed);
        assert!(unsettled);
    });
    assert!(Scan::read(root.path()).state.is_some());
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
fn a_reference_is_shown_in_one_line_with_its_place() {
    let reference = |line| Reference {
        file: "/etc/a\nb".into(),
        line,
        text: "x\u{1b}".to_owned(),
    };
    assert_eq!(reference(7).to_string(), r"/etc/a\u{a}b:7: x\u{1b}");
    assert_eq!(reference(0).to_string(), r"/etc/a\u{a}b x\u{1b}");
}
