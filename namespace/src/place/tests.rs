//! Where a caller is, by what root wrote down and the kernel says.

use nix::errno::Errno;

use super::*;
use crate::kernel::recorder::Recorder;
use crate::kernel::{MountId, Namespaces};
use crate::login::tests::enter;

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
    assert_eq!(has_the_systems_root(&recorder, &Place::Host), Ok(true));
    recorder.alter("/", |it| it.inode = 77);
    assert_eq!(has_the_systems_root(&recorder, &Place::Host), Ok(false));
    recorder.hide("/", Errno::EACCES);
    assert!(has_the_systems_root(&recorder, &Place::Host).is_err());
}

/// `mount --bind / /jail; chroot /jail` on the host; in a namespace of ours all
/// mounts have other numbers than the host's.
#[test]
fn the_systems_root_bound_elsewhere_is_another_on_the_host() {
    let recorder = Recorder::new();
    let elsewhere = Place::Private { host_nix: None };
    recorder.alter("/", |it| it.mount = MountId::Unique(77));
    assert_eq!(has_the_systems_root(&recorder, &Place::Host), Ok(false));
    assert_eq!(has_the_systems_root(&recorder, &elsewhere), Ok(true));
}

#[test]
fn the_systems_root_bound_elsewhere_is_another_in_a_nix_namespace() {
    let recorder = Recorder::new();
    enter(&recorder).unwrap();
    let place = Place::find(&recorder).unwrap();
    for first_process_is_hidden in [false, true] {
        assert_eq!(has_the_systems_root(&recorder, &place), Ok(true));
        if first_process_is_hidden {
            recorder.hide_first_process();
            assert_eq!(has_the_systems_root(&recorder, &place), Ok(true));
        }
    }
    recorder.alter("/", |it| it.mount = MountId::Unique(77));
    assert_eq!(has_the_systems_root(&recorder, &place), Ok(false));
}

#[test]
fn without_the_first_process_a_mount_is_taken_for_the_systems_root() {
    let recorder = Recorder::new();
    recorder.hide_first_process();
    assert_eq!(has_the_systems_root(&recorder, &Place::Host), Ok(true));
    recorder.alter("/", |it| it.mount_root = false);
    assert_eq!(has_the_systems_root(&recorder, &Place::Host), Ok(false));
}

/// In a sandbox with a PID namespace, a /proc and a /nix of its own.
fn in_a_sandbox() -> Recorder {
    let recorder = Recorder::new();
    recorder.alter("/nix", |nix| nix.mount_root = true);
    recorder.hide(MARKER, Errno::ENOENT);
    recorder
}

#[test]
fn the_first_process_of_a_sandbox_is_not_the_host() {
    let hidden = Place::Private { host_nix: None };
    assert_eq!(Place::find(&in_a_sandbox()).unwrap(), hidden);

    let recorder = in_a_sandbox();
    recorder.see_processes_of(INITIAL_PID_NAMESPACE);
    assert_eq!(Place::find(&recorder).unwrap(), Place::Host);

    let recorder = in_a_sandbox();
    recorder.alter("/nix", |nix| nix.mount_root = false);
    assert_eq!(Place::find(&recorder).unwrap(), Place::Host);

    let recorder = in_a_sandbox();
    recorder.hide("/nix", Errno::EACCES);
    assert_eq!(Place::find(&recorder).unwrap(), hidden);

    // What is made again where the marker was hidden is no proof.
    let recorder = Recorder::new();
    recorder.alter("/nix", |nix| nix.mount_root = true);
    recorder.alter(MARKER, |_| {});
    assert_eq!(Place::find(&recorder).unwrap(), hidden);
}

#[test]
fn what_cannot_be_looked_at_is_there() {
    for (errno, is_there) in [
        (Errno::ENOENT, false),
        (Errno::ENOTDIR, false),
        (Errno::EACCES, true),
        (Errno::EIO, true),
    ] {
        let recorder = Recorder::new();
        recorder.hide("/nix", errno);
        assert_eq!(nix_is_covered(&recorder), is_there, "{errno}");
        let recorder = Recorder::new();
        recorder.hide(MARKER, errno);
        assert_eq!(read_marker(&recorder).is_some(), is_there, "{errno}");
        // Only a mount can be a marker, and one that is not read is one, too.
        let recorder = Recorder::new();
        recorder.refuse("readlink", errno);
        assert_eq!(read_marker(&recorder), None, "{errno}");
        recorder.alter(MARKER, |it| it.mount_root = true);
        assert_eq!(read_marker(&recorder), Some(None), "{errno}");
    }
}

#[test]
fn a_marker_is_read_where_it_cannot_be_looked_at() {
    for errno in [Errno::EACCES, Errno::ENOSYS] {
        let recorder = Recorder::new();
        enter(&recorder).unwrap();
        let record = read_marker(&recorder);
        recorder.refuse("statx", errno);
        assert_eq!(read_marker(&recorder), record, "{errno}");
        recorder.refuse("readlink", errno);
        assert_eq!(read_marker(&recorder), Some(None), "{errno}");
    }
}

/// A container whose filter has no statx: everybody would be locked out.
#[test]
fn where_nothing_can_be_looked_at_nothing_of_a_users_is_seen() {
    let recorder = Recorder::new();
    recorder.refuse("statx", Errno::ENOSYS);
    assert!(!nix_is_covered(&recorder));
    assert_eq!(read_marker(&recorder), None);
}

#[test]
fn only_the_host_is_surely_the_host() {
    let recorder = Recorder::new();
    assert!(Place::is_surely_host(&recorder));
    assert!(!Place::is_surely_host(&in_a_sandbox()));
    recorder.refuse("readlink ns/mnt", Errno::EACCES);
    recorder.refuse("read head of mountinfo", Errno::EACCES);
    assert!(!Place::is_surely_host(&recorder));
    let recorder = Recorder::new();
    recorder.unshare_mounts().unwrap();
    assert!(!Place::is_surely_host(&recorder));
    let recorder = Recorder::new();
    enter(&recorder).unwrap();
    assert!(!Place::is_surely_host(&recorder));
}
