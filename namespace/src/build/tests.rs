//! What was built is believed only when the kernel shows it.

use super::*;
use crate::error::Gravity;
use crate::kernel::recorder::{HOST, Recorder};
use crate::session::tests::account;
use crate::store::StoreRules;

fn store(recorder: &Recorder) -> CheckedStore {
    let rules = StoreRules {
        account: &account("alice", 1001),
        roots: &[recorder.root_directory()],
        overridden: &Default::default(),
    };
    CheckedStore::check(recorder, recorder.store_directory(), &rules).unwrap()
}

fn build_it(recorder: &Recorder) -> Result<Built, Error> {
    let store = store(recorder);
    build(
        recorder,
        &Plan {
            uid: 1001,
            identity: FileIdentity {
                uid: 1001,
                gid: 1001,
            },
            store: &store,
            host_nix: FileId {
                device: 1,
                inode: 400,
            },
            site: None,
            user: None,
            environment: true,
            profile: None,
        },
    )
}

/// Not believed, and the caller is back where it was.
fn is_given_up(what: &str, arrange: impl Fn(&Recorder)) {
    let recorder = Recorder::new();
    recorder.stand_in("/home/alice/work");
    let before = recorder.position();
    arrange(&recorder);
    let error = build_it(&recorder).expect_err(what);
    assert!(
        matches!(&error, Error::Unverified(shown) if shown.contains(what)),
        "{error:?}"
    );
    assert_eq!(error.gravity(), Gravity::Harmless);
    assert_eq!(recorder.position(), before);
}

#[test]
fn what_is_recorded_is_what_was_built() {
    let recorder = Recorder::new();
    let built = build_it(&recorder).unwrap();
    let record = built.record;
    let (mount, flags) = recorder.top().unwrap();
    assert_eq!(record.uid, 1001);
    assert_eq!(record.namespace, NamespaceId::Unique(recorder.namespace()));
    assert_eq!(record.origin, NamespaceId::Unique(HOST));
    assert_eq!(record.inode, recorder.namespace());
    assert_eq!(
        record.root,
        recorder.remembered(Path::new("/")).unwrap().mount
    );
    assert_eq!(record.nix, crate::kernel::MountId::Unique(mount));
    assert_eq!(record.path, Path::new("/home/alice/nix"));
    assert_eq!(read_marker(&recorder), Some(Some(record)));
    assert!(flags.include(MountFlags::STORE));
    assert!(!built.way_back.directory().is_below(Path::new(NIX)));
}

#[test]
fn an_older_kernel_gets_its_flags_after_attaching() {
    let recorder = Recorder::new();
    recorder.alter_table(|table| table.replace("/ / rw,", "/ / rw,noexec,"));
    recorder.refuse("mount_setattr", Errno::ENOSYS);
    // The model prints the store's flags alone, so it does not show this one.
    let error = build_it(&recorder).unwrap_err();
    assert!(matches!(error, Error::Unverified(_)), "{error:?}");
    let remounts = |recorder: &Recorder| {
        let calls = recorder.calls();
        calls.iter().filter(|call| *call == "mount remount").count()
    };
    assert_eq!(remounts(&recorder), 2, "the store and the marker");

    let recorder = Recorder::new();
    recorder.refuse("mount_setattr", Errno::ENOSYS);
    build_it(&recorder).unwrap();
    let (_, flags) = recorder.top().unwrap();
    assert!(flags.include(MountFlags::STORE) && flags.relatime);
    assert_eq!(remounts(&recorder), 2);
    let recorder = Recorder::new();
    build_it(&recorder).unwrap();
    assert_eq!(remounts(&recorder), 0);
}

#[test]
fn flags_that_cannot_be_set_are_an_error() {
    let recorder = Recorder::new();
    recorder.refuse("mount_setattr", Errno::EPERM);
    let error = build_it(&recorder).unwrap_err();
    assert!(matches!(error, Error::Call(_)), "{error:?}");
    assert!(recorder.is_on_host());
}

#[test]
fn another_marker_is_not_believed() {
    is_given_up("the marker of this session", |recorder| {
        recorder.after("move_mount", 2, |it| {
            it.set_marker(Some("nonsense".into()));
        });
    });
    is_given_up("the marker of this session", |recorder| {
        recorder.after("move_mount", 2, |it| it.set_marker(None));
    });
    is_given_up("the marker of this session", |recorder| {
        recorder.after("move_mount", 2, |it| {
            let Some(Some(record)) = read_marker(it) else {
                panic!("no marker")
            };
            it.set_marker(Some(Record { uid: 0, ..record }.to_text()));
        });
    });
}

#[test]
fn another_mount_on_top_is_not_believed() {
    is_given_up("the store directory on /nix", |recorder| {
        recorder.after("move_mount", 2, Recorder::mount_again);
    });
}

#[test]
fn another_directory_is_not_believed() {
    is_given_up("the store directory on /nix", |recorder| {
        recorder.after("move_mount", 2, Recorder::exchange_directory);
    });
}

#[test]
fn a_mount_in_no_table_is_not_believed() {
    is_given_up("a mount on /nix", |recorder| {
        recorder.after("unshare CLONE_NEWNS", 1, |it| {
            it.alter_table(|_| "1 0 8:1 / / rw - ext4 x rw\n".to_owned());
        });
    });
}

#[test]
fn a_mount_elsewhere_is_not_believed() {
    is_given_up("the store directory on /nix", |recorder| {
        recorder.alter_table(|table| table.replace(" /nix ", " /nix2 "));
    });
}

#[test]
fn another_root_of_the_mount_is_not_believed() {
    is_given_up("the store directory on /nix", |recorder| {
        recorder.alter_table(|table| table.replace(" /home/alice/nix ", " /home/alice "));
    });
}

#[test]
fn a_lost_flag_is_not_believed() {
    is_given_up("nosuid, nodev", |recorder| {
        recorder.let_idle("mount_setattr");
    });
    for flag in ["nosuid,", "nodev,", "relatime"] {
        let without: fn(String) -> String = match flag {
            "nosuid," => |table| table.replace("nosuid,", ""),
            "nodev," => |table| table.replace("nodev,", ""),
            _ => |table| table.replace("nosuid,nodev,relatime", "nosuid,nodev"),
        };
        is_given_up("nosuid, nodev", |recorder| recorder.alter_table(without));
    }
}

#[test]
fn a_caller_below_nix_does_not_stay_under_the_mount() {
    let recorder = Recorder::new();
    recorder.stand_in("/nix");
    build_it(&recorder).unwrap();
    assert!(recorder.calls().contains(&"fchdir".to_owned()));
    let recorder = Recorder::new();
    recorder.stand_in("/home/alice/work");
    let before = recorder.calls().len();
    build_it(&recorder).unwrap();
    assert!(!recorder.calls()[before..].contains(&"fchdir".to_owned()));
}
