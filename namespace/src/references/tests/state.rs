//! What is remembered changes with what it depends on.

use super::*;

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
fn the_running_systems_files_are_those_below_its_root() {
    let found = [Lead {
        whose: Whose::Anybodys,
        path: "/etc/hostname".into(),
    }];
    assert_eq!(HostFiles.state(&found), Scan::state(Path::new("/"), &found));
}
