//! Which profiles an environment names.

use super::*;
use crate::kernel::recorder::Recorder;

const ALICE: FileIdentity = FileIdentity {
    uid: 1001,
    gid: 1001,
};
const STATE: &str = "/home/alice/.local/state/nix/profile";
const OLD: &str = "/home/alice/.nix-profile";

/// `None` is "there is one".
fn found(state: Option<Errno>, old: Option<Errno>) -> Option<Option<Profile>> {
    let recorder = Recorder::new();
    for (link, errno) in [(STATE, state), (OLD, old)] {
        match errno {
            Some(errno) => recorder.hide(link, errno),
            None => recorder.dangle(link),
        }
    }
    look(&recorder, ALICE, Path::new("/home/alice")).unwrap()
}

#[test]
fn the_one_that_nix_itself_would_take_is_named() {
    let absent = Some(Errno::ENOENT);
    assert_eq!(found(absent, absent), Some(None));
    assert_eq!(found(absent, None), Some(Some(Profile::Home)));
    assert_eq!(found(None, absent), Some(Some(Profile::State)));
    assert_eq!(found(None, None), Some(Some(Profile::State)));
}

#[test]
fn what_the_kernel_does_not_remember_is_not_guessed() {
    let absent = Some(Errno::ENOENT);
    for unknown in [Errno::EAGAIN, Errno::EACCES, Errno::ELOOP] {
        let unknown = Some(unknown);
        for (state, old) in [
            (unknown, unknown),
            (unknown, None),
            (unknown, absent),
            (absent, unknown),
        ] {
            assert_eq!(found(state, old), None);
        }
        assert_eq!(found(None, unknown), Some(Some(Profile::State)));
    }
}

#[test]
fn it_is_looked_at_as_the_user_and_by_the_caches_alone() {
    let recorder = Recorder::new();
    let before = recorder.position();
    look(&recorder, ALICE, Path::new("/home/alice")).unwrap();
    assert_eq!(recorder.position(), before);
    let calls = recorder.calls();
    assert_eq!(calls.first().map(String::as_str), Some("setfsuid"));
    assert_eq!(calls.last().map(String::as_str), Some("setfsuid back"));
    assert_eq!(recorder.walked(), Some(Walk::CachedLink));
}

#[test]
fn without_the_users_rights_nothing_is_looked_at_and_the_session_goes_on() {
    let recorder = Recorder::new();
    recorder.refuse("setfsuid", Errno::EPERM);
    let profile = look(&recorder, ALICE, Path::new("/home/alice"));
    assert_eq!(profile.unwrap(), None);
    assert!(!recorder.calls().iter().any(|call| call == "openat2"));
}

#[test]
fn rights_that_cannot_be_given_back_stop_the_session() {
    let recorder = Recorder::new();
    recorder.refuse("setfsuid back", Errno::EPERM);
    let error = look(&recorder, ALICE, Path::new("/home/alice")).unwrap_err();
    assert_eq!(error.gravity(), Gravity::Lost);
}
