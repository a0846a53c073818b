//! Which profiles an environment names.

use super::*;
use crate::kernel::recorder::Recorder;

const ALICE: FileIdentity = FileIdentity {
    uid: 1001,
    gid: 1001,
};
const ALICES: &str = "/home/alice";
const STATE_LINK: &str = "/home/alice/.local/state/nix/profile";
const HOME_LINK: &str = "/home/alice/.nix-profile";

/// `None` is "there is one".
fn now(state: Option<Errno>, old: Option<Errno>, found: Option<Profile>) -> Option<Profile> {
    let recorder = Recorder::new();
    for (link, errno) in [(STATE_LINK, state), (HOME_LINK, old)] {
        match errno {
            Some(errno) => recorder.hide(link, errno),
            None => recorder.dangle(link),
        }
    }
    look(&recorder, ALICE, Path::new(ALICES), found).unwrap()
}

const ANY: [Option<Profile>; 3] = [None, Some(Profile::Home), Some(Profile::State)];

#[test]
fn the_one_that_nix_itself_would_take_is_named_whatever_it_was() {
    let absent = Some(Errno::ENOENT);
    for found in ANY {
        assert_eq!(now(absent, absent, found), None);
        assert_eq!(now(absent, None, found), Some(Profile::Home));
        assert_eq!(now(None, absent, found), Some(Profile::State));
        assert_eq!(now(None, None, found), Some(Profile::State));
    }
}

#[test]
fn what_the_kernel_does_not_remember_is_as_it_was() {
    let absent = Some(Errno::ENOENT);
    for unknown in [Errno::EAGAIN, Errno::EACCES, Errno::ELOOP] {
        let unknown = Some(unknown);
        for found in ANY {
            assert_eq!(now(unknown, unknown, found), found);
            assert_eq!(now(None, unknown, found), Some(Profile::State));
            let state = found.filter(|found| *found == Profile::State);
            assert_eq!(now(unknown, None, found), state.or(Some(Profile::Home)));
            assert_eq!(now(unknown, absent, found), state);
            let old = found.filter(|found| *found == Profile::Home);
            assert_eq!(now(absent, unknown, found), old);
        }
    }
}

#[test]
fn it_is_looked_at_as_the_user_and_by_the_caches_alone() {
    let recorder = Recorder::new();
    let before = recorder.position();
    look(&recorder, ALICE, Path::new(ALICES), Some(Profile::Home)).unwrap();
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
    let profile = look(&recorder, ALICE, Path::new(ALICES), Some(Profile::Home));
    assert_eq!(profile.unwrap(), Some(Profile::Home));
    assert!(!recorder.calls().iter().any(|call| call == "openat2"));
}

#[test]
fn rights_that_cannot_be_given_back_stop_the_session() {
    let recorder = Recorder::new();
    recorder.refuse("setfsuid back", Errno::EPERM);
    let error = look(&recorder, ALICE, Path::new(ALICES), Some(Profile::Home)).unwrap_err();
    assert_eq!(error.gravity(), Gravity::Lost);
}
