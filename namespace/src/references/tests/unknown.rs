//! What cannot be read may say anything; what is no text says nothing.

use super::*;

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
fn what_is_no_file_has_nothing_to_say_and_holds_nobody_up() {
    let root = system(&[("/etc/hostname", "")]);
    let fifo = below(root.path(), Path::new("/etc/profile"));
    nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::S_IRWXU).unwrap();
    assert!(Scan::read(root.path()).references.is_empty());
}

#[test]
fn a_guess_that_leads_to_no_text_refuses_nobody() {
    let stack = "auth required pam_unheard.so x=/srv/large y=/srv/large/below z=/srv\n";
    let root = system(&[("/etc/pam.d/x", stack), ("/srv/large", "")]);
    let large = std::fs::File::create(root.path().join("srv/large")).unwrap();
    large.set_len(LARGEST + 1).unwrap();
    assert!(Scan::read(root.path()).references.is_empty());
}
