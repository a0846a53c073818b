//! Which profiles an environment names.

use super::*;
use crate::kernel::recorder::Recorder;

const ALICE: FileIdentity = FileIdentity {
    uid: 1001,
    gid: 1001,
};
const STATE: &str = "/home/alice/.local/state/nix/profile";
const OLD: &str = "/home/alice/.nix-profile";

fn found(state: Option<Errno>, old: Option<Errno>) -> Vec<Profile> {
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
    assert_eq!(found(absent, absent), []);
    assert_eq!(found(absent, None), [Profile::Home]);
    assert_eq!(found(None, absent), [Profile::State]);
    assert_eq!(found(None, None), [Profile::State]);
}

#[test]
fn what_is_not_known_is_named_after_what_nix_would_prefer() {
    for unknown in [Errno::EAGAIN, Errno::EACCES, Errno::ELOOP] {
        let unknown = Some(unknown);
        assert_eq!(found(unknown, unknown), [Profile::State, Profile::Home]);
        assert_eq!(found(unknown, None), [Profile::State, Profile::Home]);
        assert_eq!(found(None, unknown), [Profile::State]);
        assert_eq!(found(Some(Errno::ENOENT), unknown), [Profile::Home]);
        assert_eq!(found(unknown, Some(Errno::ENOENT)), [Profile::State]);
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
    let profiles = look(&recorder, ALICE, Path::new("/home/alice"));
    assert_eq!(profiles.unwrap(), [Profile::State, Profile::Home]);
    assert!(!recorder.calls().iter().any(|call| call == "openat2"));
}

#[test]
fn rights_that_cannot_be_given_back_stop_the_session() {
    let recorder = Recorder::new();
    recorder.refuse("setfsuid back", Errno::EPERM);
    let error = look(&recorder, ALICE, Path::new("/home/alice")).unwrap_err();
    assert_eq!(error.gravity(), Gravity::Lost);
}
