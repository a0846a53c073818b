//! A namespace is joined only if it is the recorded one, and whole.

use std::os::fd::AsFd;
use std::path::PathBuf;

use config::Fingerprint;

use super::*;
use crate::kernel::{Directories, Mounts, Namespaces, recorder::Recorder};
use crate::kernel::{MountId, NamespaceId, Task};
use crate::login::tests::enter;
use crate::place::read_marker;
use crate::record::FileId;

const ALICE: FileIdentity = FileIdentity {
    uid: 1001,
    gid: 1001,
};

/// Joins after alice has logged in and something has changed in there.
fn try_joining(arrange: impl Fn(&Recorder, &Record)) -> (Recorder, bool) {
    let recorder = Recorder::new();
    enter(&recorder).unwrap();
    let record = read_marker(&recorder).flatten().unwrap();
    arrange(&recorder, &record);
    recorder.as_another_thread(101);
    recorder.stand_in("/home/alice/work");
    let before = recorder.position();
    let namespace = recorder.open_namespace(Task::Thread(101)).unwrap();
    let joined = join(&recorder, namespace.as_fd(), &record, ALICE)
        .unwrap()
        .is_some();
    if !joined {
        assert_eq!(recorder.position(), before);
    }
    (recorder, joined)
}

fn with_marker(change: impl Fn(&mut Record)) -> bool {
    try_joining(|recorder, record| {
        let mut record = record.clone();
        change(&mut record);
        recorder.set_marker(Some(record.to_text()));
    })
    .1
}

#[test]
fn a_whole_namespace_is_joined_in_the_same_directory() {
    let (recorder, joined) = try_joining(|_, _| {});
    assert!(joined && recorder.sees_store());
    assert_eq!(
        recorder.working_directory().unwrap(),
        Path::new("/home/alice/work")
    );
}

#[test]
fn another_marker_is_not_joined() {
    assert!(!with_marker(|marker| marker.uid = 1002));
    assert!(!with_marker(
        |marker| marker.namespace = NamespaceId::Unique(2)
    ));
    assert!(!with_marker(|marker| marker.nix = MountId::Unique(2)));
    assert!(!with_marker(|marker| {
        marker.store = FileId {
            inode: 2,
            ..marker.store
        };
    }));
    assert!(!try_joining(|recorder, _| recorder.set_marker(None)).1);
    let unreadable = |recorder: &Recorder, _: &Record| recorder.set_marker(Some("x".into()));
    assert!(!try_joining(unreadable).1);
}

#[test]
fn what_a_namespace_was_made_by_may_have_changed_since() {
    let fingerprint = Fingerprint {
        device: 1,
        inode: 2,
        size: 3,
        ctime_seconds: 4,
        ctime_nanoseconds: 5,
    };
    assert!(with_marker(|marker| {
        marker.user = None;
        marker.site = Some(fingerprint);
        marker.path = PathBuf::from("/home/alice/elsewhere");
    }));
}

#[test]
fn a_covered_nix_is_not_joined() {
    assert!(!try_joining(|recorder, _| recorder.cover_nix()).1);
    assert!(!try_joining(|recorder, _| recorder.mount_again()).1);
}

#[test]
fn an_uncovered_nix_is_not_joined() {
    let detached = |recorder: &Recorder, _: &Record| recorder.detach(Path::new(NIX)).unwrap();
    assert!(!try_joining(detached).1);
}

#[test]
fn a_removed_store_is_not_joined() {
    let removed = |recorder: &Recorder, _: &Record| recorder.alter(NIX, |nix| nix.links = 0);
    assert!(!try_joining(removed).1);
    let last_link = |recorder: &Recorder, _: &Record| recorder.alter(NIX, |nix| nix.links = 1);
    assert!(try_joining(last_link).1);
}
