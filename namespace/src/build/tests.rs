//! What was built is believed only when the kernel shows it.

use super::*;
use crate::error::Gravity;
use crate::kernel::recorder::{HOST, Recorder};
use crate::kernel::{Files, Mounts};
use crate::login::tests::account;
use crate::mount_table::MountTable;
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
    build_with(recorder, &Binds::default())
}

fn build_with(recorder: &Recorder, binds: &Binds) -> Result<Built, Error> {
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
            binds,
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

/// One bind, and both ends of it in order.
fn with_a_driver() -> (Recorder, Binds) {
    let recorder = Recorder::new();
    for (number, place) in (900..).zip(["/srv", "/srv/driver", "/run", "/run/driver"]) {
        recorder.alter(place, |it| it.inode = number);
    }
    let text = "[binds]\n\"/run/driver\" = \"/srv/driver\"\n";
    let site = config::Site::parse(text, Path::new("site")).unwrap();
    (recorder, site.binds)
}

#[test]
fn the_sites_directory_is_where_it_is_to_be() {
    let (recorder, binds) = with_a_driver();
    let built = build_with(&recorder, &binds).unwrap();
    assert_eq!(built.unbound, []);
    assert_eq!(built.record.binds, binds.digest());
    let there = recorder.remembered(Path::new("/run/driver")).unwrap();
    assert_eq!(there.inode, 901);
    let table = MountTable::parse(&recorder.mount_table().unwrap());
    let mount = table.at(Path::new("/run/driver")).unwrap();
    assert!(mount.flags.include(MountFlags::BIND));
    assert_eq!(
        recorder.top().map(|(_, flags)| flags.read_only),
        Some(false)
    );
}

#[test]
fn an_older_kernel_gives_the_sites_directory_its_flags_afterwards() {
    let (recorder, binds) = with_a_driver();
    recorder.refuse("mount_setattr", Errno::ENOSYS);
    build_with(&recorder, &binds).unwrap();
    let table = MountTable::parse(&recorder.mount_table().unwrap());
    let mount = table.at(Path::new("/run/driver")).unwrap();
    assert!(mount.flags.include(MountFlags::BIND));
    let (recorder, binds) = with_a_driver();
    recorder.refuse("mount_setattr", Errno::ENOSYS);
    recorder.refuse("mount remount", Errno::EPERM);
    build_with(&recorder, &binds).unwrap_err();
    assert!(recorder.is_on_host());
}

#[test]
fn a_directory_that_cannot_be_had_is_done_without() {
    let (recorder, binds) = with_a_driver();
    recorder.hide("/srv/driver", Errno::ENOENT);
    let built = build_with(&recorder, &binds).unwrap();
    assert_eq!(built.unbound.len(), 1);
    assert_eq!(built.unbound[0].target, Path::new("/run/driver"));
    assert!(recorder.sees_store());
    // What was asked for, whatever came of it.
    assert_eq!(built.record.binds, binds.digest());
}

/// Whichever call fails, the caller is back where it was, or has its `/nix`, and
/// the directory or the reason for having none.
#[test]
fn no_failure_leaves_half_a_directory() {
    let (mut whole, mut without) = (0, 0);
    // The store's own check is no part of this.
    let (first, _) = with_a_driver();
    store(&first);
    for index in first.calls().len().. {
        let (recorder, binds) = with_a_driver();
        let before = recorder.position();
        recorder.fail_at(index);
        let built = build_with(&recorder, &binds);
        if recorder.calls().len() <= index {
            break;
        }
        let table = MountTable::parse(&recorder.mount_table().unwrap());
        let driver = table.at(Path::new("/run/driver"));
        match built {
            Ok(built) => {
                assert_eq!(built.unbound.is_empty(), driver.is_some(), "{index}");
                assert!(driver.is_none_or(|it| it.flags.include(MountFlags::BIND)));
                whole += u32::from(driver.is_some());
                without += u32::from(driver.is_none());
            }
            Err(Error::NoWayBack(_)) => panic!("one failure leaves a way back"),
            Err(_) => assert_eq!(recorder.position(), before, "{index}"),
        }
    }
    assert!(without > 5, "{whole}, {without}");
}

#[test]
fn the_sites_directory_is_not_believed_without_its_flags() {
    for lost in [
        (|table: String| {
            table.replace("/srv/driver /run/driver ro,", "/srv/driver /run/driver rw,")
        }) as fn(String) -> String,
        |table| table.replace("/run/driver ro,nosuid,", "/run/driver ro,"),
        |table| table.replace("/run/driver ro,nosuid,nodev,", "/run/driver ro,nosuid,"),
        |table| table.replace("/srv/driver /run/driver ", "/srv/other /run/driver "),
        |table| table.replace(" /run/driver ", " /run/elsewhere "),
    ] {
        let (recorder, binds) = with_a_driver();
        recorder.alter_table(lost);
        let error = build_with(&recorder, &binds).unwrap_err();
        assert!(
            matches!(&error, Error::Unverified(what) if what.contains("[binds]")),
            "{error:?}"
        );
        assert!(recorder.is_on_host());
    }
}
