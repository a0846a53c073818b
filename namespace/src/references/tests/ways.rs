//! The way to a file: links, and what is at their end.

use super::*;

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

#[test]
fn a_link_into_nix_is_a_reference() {
    let root = system(&[("/root/.profile", ". ~/.nix-profile/etc/profile.d/nix.sh\n")]);
    let link = below(root.path(), Path::new("/root/.nix-profile"));
    std::os::unix::fs::symlink("/nix/var/nix/profiles/default", link).unwrap();
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
