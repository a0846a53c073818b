//! Which profiles an environment names.

use super::*;
use crate::kernel::recorder::Recorder;

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
    ProfileLinks::look(&recorder, Path::new(ALICES)).profile(found)
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
fn by_the_caches_alone() {
    let recorder = Recorder::new();
    ProfileLinks::look(&recorder, Path::new(ALICES));
    assert_eq!(recorder.walked(), Some(Walk::GlimpsedLink));
    // Nothing known is as it was.
    for found in ANY {
        assert_eq!(ProfileLinks::default().profile(found), found);
    }
}
