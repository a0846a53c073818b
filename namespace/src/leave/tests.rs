//! Off a user's `/nix` from every place, and never said without being so.

use std::ffi::OsString;

use nix::errno::Errno;

use super::*;
use crate::error::Gravity;
use crate::kernel::recorder::{HOST, Recorder};
use crate::kernel::{Directories, Namespaces};
use crate::login::tests::enter;
use crate::place::read_marker;

const BOB: FileIdentity = FileIdentity {
    uid: 1002,
    gid: 1002,
};

/// Alice's session, `/nix` and all.
fn in_alices() -> Recorder {
    let recorder = Recorder::new();
    enter(&recorder).unwrap();
    recorder
}

fn record(recorder: &Recorder) -> Record {
    read_marker(recorder).flatten().unwrap()
}

fn leave_from_here(recorder: &Recorder) -> Result<Left, Error> {
    leave(recorder, &Place::find(recorder).unwrap(), BOB)
}

fn is_off(recorder: &Recorder) -> bool {
    !recorder.sees_store() && read_marker(recorder).is_none()
}

fn cannot_leave(recorder: &Recorder, uid: Option<u32>, why: &str) {
    let error = leave_from_here(recorder).unwrap_err();
    assert_eq!(error.gravity(), Gravity::OnForeignNix);
    let Error::CannotLeave {
        uid: whose,
        why: said,
    } = error
    else {
        panic!("{error:?}")
    };
    assert_eq!(whose.0, uid);
    assert!(said.contains(why), "{said}");
}

#[test]
fn the_host_is_not_left() {
    let recorder = Recorder::new();
    assert_eq!(leave_from_here(&recorder).unwrap(), Left::Nothing);
    assert!(recorder.is_on_host());
}

#[test]
fn a_namespace_made_on_the_host_is_left_for_the_host() {
    let recorder = in_alices();
    assert_eq!(leave_from_here(&recorder).unwrap(), Left::ToHost);
    assert!(recorder.is_on_host() && is_off(&recorder));
}

#[test]
fn a_namespace_made_elsewhere_is_not_left_for_the_host() {
    let recorder = Recorder::new();
    recorder.unshare_mounts().unwrap();
    enter(&recorder).unwrap();
    assert_ne!(leave_from_here(&recorder).unwrap(), Left::ToHost);
    assert!(!recorder.is_on_host() && is_off(&recorder));
}

#[test]
fn a_host_with_a_marker_is_no_host() {
    let recorder = in_alices();
    recorder.after("setns", 1, |it| it.set_marker(Some("x".into())));
    assert!(matches!(
        leave_from_here(&recorder).unwrap(),
        Left::Detached(_)
    ));
    assert!(!recorder.is_on_host() && is_off(&recorder));
}

#[test]
fn where_the_host_cannot_be_entered_the_mounts_come_off_in_a_copy() {
    for call in ["unshare CLONE_FS", "setns"] {
        let recorder = in_alices();
        let before = recorder.namespace();
        recorder.refuse(call, Errno::EPERM);
        assert!(matches!(
            leave_from_here(&recorder).unwrap(),
            Left::Detached(_)
        ));
        assert!(is_off(&recorder));
        assert_ne!(recorder.namespace(), before, "others share that one");
        assert_ne!(recorder.namespace(), HOST);
    }
}

#[test]
fn a_copy_of_a_users_namespace_loses_its_mounts() {
    let markers: [fn(&Recorder) -> Option<OsString>; 2] = [
        |recorder| Some(record(recorder).to_text()),
        |_| Some("unreadable".into()),
    ];
    for marker in markers {
        let recorder = in_alices();
        let marker = marker(&recorder);
        recorder.unshare_mounts().unwrap();
        recorder.set_marker(marker);
        let place = Place::find(&recorder).unwrap();
        assert!(matches!(place, Place::Derived(_)), "{place:?}");
        assert!(matches!(
            leave_from_here(&recorder).unwrap(),
            Left::Detached(_)
        ));
        assert!(is_off(&recorder));
    }
}

#[test]
fn whose_nix_it_is_that_cannot_be_left_is_said() {
    let recorder = in_alices();
    recorder.refuse("unshare CLONE_FS", Errno::EPERM);
    recorder.refuse("unshare CLONE_NEWNS", Errno::ENOSPC);
    cannot_leave(&recorder, Some(1001), "unshare CLONE_NEWNS: ENOSPC");

    let recorder = in_alices();
    recorder.unshare_mounts().unwrap();
    recorder.refuse("umount2", Errno::EPERM);
    cannot_leave(&recorder, Some(1001), "umount2");

    let recorder = Recorder::new();
    recorder.unshare_mounts().unwrap();
    recorder.cover_nix();
    recorder.refuse("umount2", Errno::EPERM);
    cannot_leave(&recorder, None, "umount2");
}

#[test]
fn a_private_nix_of_somebodys_comes_off_and_the_hosts_own_stays() {
    let recorder = Recorder::new();
    recorder.unshare_mounts().unwrap();
    assert_eq!(leave_from_here(&recorder).unwrap(), Left::Nothing);
    recorder.cover_nix();
    assert!(matches!(
        leave_from_here(&recorder).unwrap(),
        Left::Detached(_)
    ));
    assert!(is_off(&recorder));

    // A host whose /nix is a mount of its own.
    let recorder = Recorder::new();
    recorder.alter("/nix", |nix| nix.mount_root = true);
    recorder.unshare_mounts().unwrap();
    let before = recorder.namespace();
    assert_eq!(leave_from_here(&recorder).unwrap(), Left::Nothing);
    assert_eq!(recorder.namespace(), before);
}

#[test]
fn a_nix_that_will_not_be_looked_at_is_somebodys() {
    let recorder = Recorder::new();
    recorder.unshare_mounts().unwrap();
    recorder.hide("/nix", Errno::EACCES);
    cannot_leave(&recorder, None, "the host's /nix");
    recorder.hide("/nix", Errno::ENOENT);
    assert_eq!(leave_from_here(&recorder).unwrap(), Left::Nothing);
}

#[test]
fn every_layer_comes_off_or_the_session_stops() {
    let with_layers = |layers: usize| {
        let recorder = in_alices();
        recorder.refuse("setns", Errno::EPERM);
        for _ in 1..layers {
            recorder.cover_nix();
        }
        recorder
    };
    for layers in [1, 2, MOST_LAYERS] {
        let recorder = with_layers(layers);
        assert!(matches!(
            leave_from_here(&recorder).unwrap(),
            Left::Detached(_)
        ));
        assert!(is_off(&recorder));
    }
    cannot_leave(&with_layers(MOST_LAYERS + 1), Some(1001), "the host's /nix");
}

#[test]
fn an_unmounting_that_did_nothing_is_noticed() {
    let recorder = in_alices();
    recorder.refuse("setns", Errno::EPERM);
    recorder.let_idle("umount2");
    cannot_leave(&recorder, Some(1001), "the host's /nix");
}

#[test]
fn a_marker_that_stays_is_noticed() {
    let recorder = in_alices();
    recorder.refuse("setns", Errno::EPERM);
    // After the store's mount is off: a link, and nobody can say that it is in a
    // mount.
    recorder.after("umount2", 1, |it| {
        it.set_marker(Some("x".into()));
        it.alter("/run/nix-ns/self", |it| it.mount_root = false);
    });
    cannot_leave(&recorder, Some(1001), "the host's /nix");
}

#[test]
fn a_copy_sends_nothing_back_before_anything_is_taken_off() {
    let recorder = in_alices();
    recorder.refuse("setns", Errno::EPERM);
    let before = recorder.calls().len();
    leave_from_here(&recorder).unwrap();
    let calls = recorder.calls().split_off(before);
    let at = |call: &str| calls.iter().position(|it| it == call).unwrap();
    assert!(at("unshare CLONE_NEWNS") < at("mount slave"));
    assert!(at("mount slave") < at("umount2"));
}

#[test]
fn a_caller_below_nix_does_not_stay_there() {
    let recorder = in_alices();
    recorder.refuse("setns", Errno::EPERM);
    recorder.stand_in("/nix/store");
    leave_from_here(&recorder).unwrap();
    assert_eq!(recorder.working_directory().unwrap(), Path::new("/"));

    let recorder = in_alices();
    recorder.stand_in("/nix/store");
    leave_from_here(&recorder).unwrap();
    assert_eq!(recorder.working_directory().unwrap(), Path::new("/"));
}

#[test]
fn a_caller_elsewhere_stays_where_it_is() {
    for refused in [None, Some("setns")] {
        let recorder = in_alices();
        if let Some(call) = refused {
            recorder.refuse(call, Errno::EPERM);
        }
        recorder.stand_in("/home/alice/work");
        leave_from_here(&recorder).unwrap();
        assert_eq!(
            recorder.working_directory().unwrap(),
            Path::new("/home/alice/work")
        );
    }
}

#[test]
fn whoever_has_left_has_left_unless_nobody_can_say_as_whom() {
    let recorder = in_alices();
    recorder.stand_in("/home/alice/work");
    recorder.refuse("setfsuid", Errno::EPERM);
    assert_eq!(leave_from_here(&recorder).unwrap(), Left::ToHost);
    assert!(recorder.is_on_host());

    let recorder = in_alices();
    recorder.stand_in("/home/alice/work");
    recorder.refuse("setfsuid back", Errno::EPERM);
    let error = leave_from_here(&recorder).unwrap_err();
    assert_eq!(error.gravity(), Gravity::Lost);
}

#[test]
fn a_mount_of_the_hosts_own_is_never_taken_off() {
    let recorder = Recorder::new();
    recorder.see_processes_of(0xEFFF_FFFC);
    recorder.mount_hosts_own_nix();
    let hosts = recorder.top();
    enter(&recorder).unwrap();
    assert!(recorder.sees_store() && recorder.top() != hosts);
    recorder.refuse("setns", Errno::EPERM);
    assert!(matches!(
        leave_from_here(&recorder).unwrap(),
        Left::Detached(_)
    ));
    assert!(is_off(&recorder) && recorder.top() == hosts);
}
