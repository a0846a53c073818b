//! When a namespace is surely what today's configurations amount to.

use super::*;
use crate::kernel::recorder::Recorder;
use crate::record::tests::record;

const ALICE: FileIdentity = FileIdentity {
    uid: 1001,
    gid: 1001,
};
const FILE: &str = "/home/alice/.config/nix-ns/config.toml";

/// The recorder's own file and directory, as a record would have them.
fn unchanged() -> Record {
    Record {
        site: None,
        user: Some(Fingerprint {
            device: 1,
            inode: 600,
            size: 0,
            ctime_seconds: 1,
            ctime_nanoseconds: 2,
        }),
        store: FileId {
            device: 1,
            inode: 500,
        },
        path: "/home/alice/nix".into(),
        ..record()
    }
}

fn look(recorder: &Recorder, record: &Record) -> Freshness {
    Freshness::look(recorder, ALICE, Path::new("/home/alice"), &[record]).unwrap()
}

fn confirms(arrange: impl Fn(&Recorder)) -> bool {
    let recorder = Recorder::new();
    arrange(&recorder);
    look(&recorder, &unchanged()).confirms(&unchanged(), None)
}

#[test]
fn what_is_unchanged_is_confirmed() {
    assert!(confirms(|_| {}));
}

#[test]
fn an_edited_configuration_is_not() {
    assert!(!confirms(|it| it.alter(FILE, |file| file.size = 1)));
    assert!(!confirms(|it| it.alter(FILE, |file| file.inode = 601)));
    assert!(!confirms(|it| it.alter(FILE, |file| file.device = 2)));
    assert!(!confirms(|it| it.alter(FILE, |file| file.changed = (1, 3))));
    assert!(!confirms(|it| it.alter(FILE, |file| file.changed = (2, 2))));
    assert!(!confirms(|it| it.hide(FILE, Errno::ENOENT)));
}

#[test]
fn what_is_not_known_confirms_nothing() {
    for errno in [Errno::EAGAIN, Errno::EACCES, Errno::EINVAL] {
        assert!(!confirms(|it| it.hide(FILE, errno)));
        let recorder = Recorder::new();
        recorder.hide(FILE, errno);
        assert_eq!(look(&recorder, &unchanged()).user_file, UserFile::Unknown);
    }
}

#[test]
fn no_configuration_then_and_now_is_confirmed() {
    let record = Record {
        user: None,
        ..unchanged()
    };
    let recorder = Recorder::new();
    assert!(!look(&recorder, &record).confirms(&record, None));
    recorder.hide(FILE, Errno::ENOENT);
    assert!(look(&recorder, &record).confirms(&record, None));
}

#[test]
fn a_link_that_leads_nowhere_is_no_absence() {
    let record = Record {
        user: None,
        ..unchanged()
    };
    let recorder = Recorder::new();
    recorder.dangle(FILE);
    let fresh = look(&recorder, &record);
    assert_eq!(fresh.user_file, UserFile::Unknown);
    assert!(!fresh.confirms(&record, None));
}

#[test]
fn another_site_configuration_is_not_confirmed() {
    let fresh = look(&Recorder::new(), &unchanged());
    assert!(!fresh.confirms(&unchanged(), unchanged().user));
}

#[test]
fn a_store_that_is_gone_or_another_is_not_confirmed() {
    let store = "/home/alice/nix";
    assert!(!confirms(|it| it.hide(store, Errno::ENOENT)));
    assert!(!confirms(|it| it.alter(store, |store| store.inode = 501)));
    assert!(!confirms(|it| it.alter(store, |store| store.device = 2)));
    // Not cached: it may still be the same, and joining looks again.
    // A renamed directory is cached under its new name.
    assert!(!confirms(|it| it.hide(store, Errno::EAGAIN)));
}

#[test]
fn it_is_looked_at_as_the_user_and_by_the_caches_alone() {
    let recorder = Recorder::new();
    let before = recorder.position();
    look(&recorder, &unchanged());
    assert_eq!(recorder.position(), before);
    let calls = recorder.calls();
    assert_eq!(calls.first().map(String::as_str), Some("setfsuid"));
    assert_eq!(calls.last().map(String::as_str), Some("setfsuid back"));
}
