//! A working directory is found again only if it is the same.

use nix::errno::Errno;

use super::*;
use crate::kernel::{Directories, recorder::Recorder};

const ALICE: FileIdentity = FileIdentity {
    uid: 1001,
    gid: 1001,
};

/// Where a caller from `directory` ends up after something has changed.
fn follow_after(directory: &str, change: impl Fn(&Recorder)) -> PathBuf {
    let recorder = Recorder::new();
    recorder.stand_in(directory);
    let remembered = WorkingDirectory::remember(&recorder).unwrap();
    recorder.stand_in("/elsewhere");
    change(&recorder);
    remembered.follow(&recorder, ALICE).unwrap();
    recorder.working_directory().unwrap()
}

#[test]
fn the_same_directory_is_followed_with_the_users_rights() {
    assert_eq!(
        follow_after("/home/alice/work", |_| {}),
        Path::new("/home/alice/work")
    );
    let recorder = Recorder::new();
    recorder.stand_in("/home/alice/work");
    let remembered = WorkingDirectory::remember(&recorder).unwrap();
    let before = recorder.calls().len();
    remembered.follow(&recorder, ALICE).unwrap();
    assert_eq!(
        recorder.calls()[before..],
        [
            "setfsuid",
            "openat2",
            "statx fd",
            "statx fd",
            "fchdir",
            "setfsuid back"
        ]
    );
}

#[test]
fn another_directory_of_that_name_is_not() {
    let work = "/home/alice/work";
    for change in [
        |it: &Recorder| it.alter("/home/alice/work", |work| work.inode = 701),
        |it: &Recorder| it.alter("/home/alice/work", |work| work.device = 2),
        |it: &Recorder| it.hide("/home/alice/work", Errno::ENOENT),
        |it: &Recorder| it.hide("/home/alice/work", Errno::EACCES),
    ] {
        assert_eq!(follow_after(work, change), Path::new("/"));
    }
}

#[test]
fn a_directory_that_may_not_be_entered_is_left_for_the_root() {
    let recorder = Recorder::new();
    recorder.stand_in("/home/alice/work");
    let remembered = WorkingDirectory::remember(&recorder).unwrap();
    recorder.fail_at(recorder.calls().len() + 4);
    let before = recorder.calls().len();
    remembered.follow(&recorder, ALICE).unwrap();
    assert_eq!(recorder.calls()[before + 4], "fchdir");
    assert_eq!(recorder.working_directory().unwrap(), Path::new("/"));
}

#[test]
fn a_directory_without_a_path_is_not_followed_but_returned_to() {
    let recorder = Recorder::new();
    recorder.stand_in("/home/alice/work");
    let before = recorder.position();
    recorder.fail_at(1);
    let way_back = WayBack::remember(&recorder).unwrap();
    assert!(way_back.directory().is_below(Path::new("/nix")));
    way_back.directory().follow(&recorder, ALICE).unwrap();
    assert_eq!(recorder.working_directory().unwrap(), Path::new("/"));
    assert!(!recorder.calls().contains(&"setfsuid".to_owned()));
    way_back.return_there(&recorder).unwrap();
    assert_eq!(recorder.position(), before);
}

#[test]
fn what_is_below_a_mount_is_told_by_whole_names() {
    for (directory, below) in [
        ("/nix", true),
        ("/nix/store", true),
        ("/nixos", false),
        ("/home/alice/nix", false),
        ("/", false),
    ] {
        let recorder = Recorder::new();
        recorder.alter("/nixos", |_| {});
        recorder.alter("/nix/store", |_| {});
        recorder.stand_in(directory);
        let remembered = WorkingDirectory::remember(&recorder).unwrap();
        assert_eq!(remembered.is_below(Path::new("/nix")), below, "{directory}");
    }
}

#[test]
fn whoever_stands_in_the_root_is_left_there() {
    let recorder = Recorder::new();
    let remembered = WorkingDirectory::remember(&recorder).unwrap();
    let before = recorder.calls();
    remembered.follow(&recorder, ALICE).unwrap();
    assert_eq!(recorder.calls(), before);
}

#[test]
fn root_waits_for_nobody_and_no_one_follows_links() {
    for (uid, walk) in [(0, Walk::CachedNoLinks), (1001, Walk::NoLinks)] {
        let recorder = Recorder::new();
        recorder.stand_in("/home/alice/work");
        let remembered = WorkingDirectory::remember(&recorder).unwrap();
        let identity = FileIdentity { uid, gid: uid };
        remembered.follow(&recorder, identity).unwrap();
        assert_eq!(recorder.walked(), Some(walk));
    }
}
