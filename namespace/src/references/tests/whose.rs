//! Whose files are looked at.

use super::*;

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
fn a_group_that_may_write_is_somebody_else_unless_it_is_roots() {
    if !nix::unistd::geteuid().is_root() {
        return;
    }
    for (mode, group, is_roots) in [
        (0o644, 12345, true),
        (0o664, 0, true),
        (0o664, 12345, false),
        (0o646, 0, false),
    ] {
        let stack = "session optional pam_unheard.so /srv/file\n";
        let root = system(&[("/etc/pam.d/sshd", stack), ("/srv/file", "/nix/x\n")]);
        let file = below(root.path(), Path::new("/srv/file"));
        std::os::unix::fs::lchown(&file, None, Some(group)).unwrap();
        let permissions = std::os::unix::fs::PermissionsExt::from_mode(mode);
        std::fs::set_permissions(&file, permissions).unwrap();
        let count = Scan::read(root.path()).references.len();
        assert_eq!(count, usize::from(is_roots), "{mode:o} {group}");
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
