//! Where a caller is, by what root wrote down and the kernel says.

use nix::errno::Errno;

use super::*;
use crate::kernel::recorder::Recorder;
use crate::session::tests::enter;

fn host_nix() -> FileId {
    FileId {
        device: 1,
        inode: 400,
    }
}

#[test]
fn the_first_processs_namespace_is_the_host() {
    let recorder = Recorder::new();
    assert_eq!(Place::find(&recorder).unwrap(), Place::Host);
    recorder.hide_first_process();
    assert_eq!(Place::find(&recorder).unwrap(), Place::Host);
}

#[test]
fn another_namespace_is_private() {
    let recorder = Recorder::new();
    recorder.unshare_mounts().unwrap();
    assert_eq!(
        Place::find(&recorder).unwrap(),
        Place::Private {
            host_nix: Some(host_nix())
        }
    );
    recorder.hide_first_process();
    assert_eq!(
        Place::find(&recorder).unwrap(),
        Place::Private { host_nix: None }
    );
}

#[test]
fn a_marker_that_names_this_namespace_is_its_own() {
    let recorder = Recorder::new();
    enter(&recorder).unwrap();
    let record = read_marker(&recorder).flatten().unwrap();
    assert_eq!(
        Place::find(&recorder).unwrap(),
        Place::Nix(Box::new(record))
    );
}

#[test]
fn a_copied_marker_is_a_copy() {
    let recorder = Recorder::new();
    enter(&recorder).unwrap();
    let record = read_marker(&recorder).flatten().unwrap();
    recorder.unshare_mounts().unwrap();
    assert_eq!(
        Place::find(&recorder).unwrap(),
        Place::Derived(Some(Box::new(record)))
    );
}

#[test]
fn an_unreadable_marker_is_still_a_marker() {
    let recorder = Recorder::new();
    recorder.set_marker(Some("x".into()));
    assert_eq!(read_marker(&recorder), Some(None));
    assert_eq!(Place::find(&recorder).unwrap(), Place::Derived(None));

    let recorder = Recorder::new();
    assert_eq!(read_marker(&recorder), None);
    recorder.alter(MARKER, |it| it.mount_root = true);
    assert_eq!(read_marker(&recorder), Some(None));
    recorder.hide(MARKER, Errno::ENOENT);
    assert_eq!(read_marker(&recorder), None);
}

#[test]
fn a_caller_in_another_root_is_told_by_its_root() {
    let recorder = Recorder::new();
    assert!(has_the_systems_root(&recorder));
    recorder.alter("/", |it| it.inode = 77);
    assert!(!has_the_systems_root(&recorder));
    recorder.hide("/", Errno::EACCES);
    assert!(!has_the_systems_root(&recorder));
}

#[test]
fn without_the_first_process_a_mount_is_taken_for_the_systems_root() {
    let recorder = Recorder::new();
    recorder.hide_first_process();
    assert!(has_the_systems_root(&recorder));
    recorder.alter("/", |it| it.mount_root = false);
    assert!(!has_the_systems_root(&recorder));
}
