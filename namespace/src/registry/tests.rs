//! Names that are entries, and the election of one namespace for a directory.

#![allow(clippy::arithmetic_side_effects, reason = "tests may panic")]

use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use std::time::SystemTime;

use super::entries::elected_name;
use super::sweep::{MANY_SESSIONS, is_old};
use super::*;
use crate::kernel::Namespaces;
use crate::kernel::recorder::{HOST, Recorder};
use crate::record::tests::{changes_of_one_byte, record};

const DIRECTORY: &str = "/run/nix-ns/1/1001.9";

#[test]
fn a_changed_name_is_no_entry_or_the_entry_of_that_name() {
    for name in [
        "session.u4026532999.4711",
        "session.i10.1",
        "namespace.65024.12.1",
        "namespace.0.18446744073709551615.10",
    ] {
        for changed in changes_of_one_byte(name.as_bytes()) {
            let changed = OsStr::from_bytes(&changed);
            if let Some(session) = Session::parse(changed) {
                let Session {
                    name,
                    namespace,
                    thread,
                } = session;
                assert_eq!(name, changed);
                assert_eq!(session_name(namespace, thread), changed);
            }
            if let Some((store, generation)) = parse_elected(changed) {
                assert_eq!(elected_name(store, generation), changed);
            }
        }
    }
}

#[test]
fn only_whole_names_are_entries() {
    for name in [
        "",
        "session",
        "session.u1",
        "session.u1.2.3",
        "session.u1.2147483648",
        "session.1.2",
        "namespace.1.2",
        "namespace.1.2.3.4",
        "namespace.1.2.18446744073709551616",
        "new.100",
        "references",
    ] {
        let name = OsStr::new(name);
        assert_eq!(Session::parse(name), None, "{name:?}");
        assert_eq!(parse_elected(name), None, "{name:?}");
    }
    assert!(Session::parse("session.u1.2147483647".as_ref()).is_some());
    assert!(parse_elected("namespace.1.2.3".as_ref()).is_some());
}

fn registry(recorder: &Recorder) -> Registry {
    Registry::make(recorder, 1001).unwrap()
}

/// A record of this namespace, whose inode number in the model is the same.
fn of(namespace: u64) -> Record {
    Record {
        namespace: NamespaceId::Unique(namespace),
        inode: namespace,
        ..record()
    }
}

fn names(recorder: &Recorder) -> Vec<String> {
    let links = recorder.links(DIRECTORY);
    links
        .keys()
        .map(|name| name.to_str().unwrap().to_owned())
        .collect()
}

fn elected(recorder: &Recorder, registry: &Registry) -> Elected {
    let entries = registry.entries(recorder).unwrap();
    entries.elected(record().store).unwrap().clone()
}

/// A namespace and the thread in it.
fn with_session(recorder: &Recorder, registry: &Registry, thread: i32) -> u64 {
    recorder.unshare_mounts().unwrap();
    let namespace = recorder.namespace();
    recorder.be_thread(thread);
    recorder.put_thread(thread, namespace);
    let id = NamespaceId::Unique(namespace);
    registry.add_session(recorder, id).unwrap();
    namespace
}

#[test]
fn there_is_a_directory_only_once_it_was_made() {
    let recorder = Recorder::new();
    assert!(Registry::find(&recorder, 1001).unwrap().is_none());
    registry(&recorder);
    assert!(Registry::find(&recorder, 1001).unwrap().is_some());
    assert!(Registry::find(&recorder, 1002).unwrap().is_none());
    recorder.refuse("open directory", Errno::EACCES);
    assert!(Registry::find(&recorder, 1001).is_err());
}

#[test]
fn the_first_is_elected_and_nobody_beside_it() {
    let recorder = Recorder::new();
    let registry = registry(&recorder);
    assert!(registry.elect(&recorder, &of(20), 1, None).unwrap());
    assert!(!registry.elect(&recorder, &of(21), 1, None).unwrap());
    assert!(registry.is_elected(&recorder, &of(20)).unwrap());
    assert!(!registry.is_elected(&recorder, &of(21)).unwrap());
    assert_eq!(names(&recorder), ["namespace.65024.12.1"]);
}

#[test]
fn a_failing_link_elects_nobody() {
    let recorder = Recorder::new();
    let registry = registry(&recorder);
    recorder.refuse("symlinkat", Errno::ENOSPC);
    let failed = registry.elect(&recorder, &of(20), 1, None).unwrap_err();
    assert_eq!(failed.errno, Errno::ENOSPC);
}

#[test]
fn a_successor_takes_the_place_of_the_dead() {
    let recorder = Recorder::new();
    let registry = registry(&recorder);
    registry.elect(&recorder, &of(20), 1, None).unwrap();
    let dead = elected(&recorder, &registry);
    assert!(registry.elect(&recorder, &of(21), 2, Some(&dead)).unwrap());
    assert_eq!(names(&recorder), ["namespace.65024.12.2"]);
    assert!(registry.is_elected(&recorder, &of(21)).unwrap());
}

#[test]
fn a_late_comer_finds_a_later_generation_and_gives_way() {
    let recorder = Recorder::new();
    let registry = registry(&recorder);
    recorder.put_link(DIRECTORY, "namespace.65024.12.5", &of(20).to_text());
    assert!(!registry.elect(&recorder, &of(21), 1, None).unwrap());
    assert_eq!(names(&recorder), ["namespace.65024.12.5"]);
}

#[test]
fn the_latest_generation_counts_whatever_the_order() {
    let recorder = Recorder::new();
    let registry = registry(&recorder);
    for (generation, namespace) in [(2, 20), (9, 21), (10, 22), (3, 23)] {
        recorder.put_link(
            DIRECTORY,
            &format!("namespace.65024.12.{generation}"),
            &of(namespace).to_text(),
        );
    }
    assert_eq!(elected(&recorder, &registry).record, of(22));
}

#[test]
fn every_directory_has_an_election_of_its_own() {
    let recorder = Recorder::new();
    let registry = registry(&recorder);
    let other = Record {
        store: FileId {
            device: 65024,
            inode: 13,
        },
        ..of(21)
    };
    assert!(registry.elect(&recorder, &of(20), 1, None).unwrap());
    assert!(registry.elect(&recorder, &other, 1, None).unwrap());
    assert_eq!(registry.entries(&recorder).unwrap().all().count(), 2);
}

#[test]
fn an_entry_that_says_something_else_than_its_name_is_none() {
    let recorder = Recorder::new();
    let registry = registry(&recorder);
    recorder.put_link(DIRECTORY, "namespace.65024.99.1", &of(20).to_text());
    recorder.put_link(DIRECTORY, "namespace.65024.12.1", "nonsense".as_ref());
    let entries = registry.entries(&recorder).unwrap();
    assert_eq!(entries.all().count(), 0);
}

#[test]
fn a_session_is_found_until_it_is_gone() {
    let recorder = Recorder::new();
    let registry = registry(&recorder);
    let namespace = with_session(&recorder, &registry, 300);
    let open = |recorder: &Recorder| {
        let entries = registry.entries(recorder).unwrap();
        registry
            .open_member(recorder, &entries, &of(namespace))
            .unwrap()
            .is_some()
    };
    assert!(open(&recorder));
    assert_eq!(names(&recorder), [format!("session.u{namespace}.300")]);
    registry.remove_session(&recorder, NamespaceId::Unique(namespace));
    assert!(names(&recorder).is_empty());
    recorder.end_thread(300);
    assert!(!open(&recorder));
}

#[test]
fn a_thread_that_is_gone_or_elsewhere_is_taken_off() {
    for arrange in [
        |recorder: &Recorder| recorder.end_thread(300),
        |recorder: &Recorder| recorder.put_thread(300, HOST),
    ] {
        let recorder = Recorder::new();
        let registry = registry(&recorder);
        let namespace = with_session(&recorder, &registry, 300);
        arrange(&recorder);
        let entries = registry.entries(&recorder).unwrap();
        let member = registry.open_member(&recorder, &entries, &of(namespace));
        assert!(member.unwrap().is_none());
        assert!(names(&recorder).is_empty());
    }
}

/// Without CAP_SYS_PTRACE, or a descriptor to spare, nobody can tell.
#[test]
fn a_thread_that_cannot_be_looked_at_stays_registered() {
    for denied in [Errno::EACCES, Errno::EPERM, Errno::EMFILE] {
        let recorder = Recorder::new();
        let registry = registry(&recorder);
        let namespace = with_session(&recorder, &registry, 300);
        let before = names(&recorder);
        recorder.refuse("open ns/mnt", denied);
        let entries = registry.entries(&recorder).unwrap();
        // Whether a survivor is found is not what this asks.
        let _ = registry.open_member(&recorder, &entries, &of(namespace));
        assert_eq!(names(&recorder), before, "{denied}");
    }
}

#[test]
fn sessions_of_other_namespaces_are_left_alone() {
    let recorder = Recorder::new();
    let registry = registry(&recorder);
    recorder.put_link(DIRECTORY, "session.u77.300", "1".as_ref());
    let entries = registry.entries(&recorder).unwrap();
    let member = registry.open_member(&recorder, &entries, &of(20)).unwrap();
    assert!(member.is_none());
    assert_eq!(names(&recorder), ["session.u77.300"]);
}

#[test]
fn another_pid_namespace_has_a_registry_of_its_own() {
    let recorder = Recorder::new();
    registry(&recorder);
    recorder.see_processes_of(8);
    assert!(Registry::find(&recorder, 1001).unwrap().is_none());
    let other = registry(&recorder);
    with_session(&recorder, &other, 300);
    assert!(names(&recorder).is_empty());
    assert_eq!(recorder.links("/run/nix-ns/1/1001.8").len(), 1);
}

#[test]
fn the_entry_of_an_earlier_thread_of_that_number_is_replaced() {
    let recorder = Recorder::new();
    let registry = registry(&recorder);
    with_session(&recorder, &registry, 300);
    let namespace = NamespaceId::Unique(recorder.namespace());
    registry.add_session(&recorder, namespace).unwrap();
    assert_eq!(names(&recorder).len(), 1);

    let recorder = Recorder::new();
    recorder.be_old(true);
    let registry = self::registry(&recorder);
    let namespace = NamespaceId::Inode(recorder.namespace());
    registry.add_session(&recorder, namespace).unwrap();
    recorder.begin_at(99);
    registry.add_session(&recorder, namespace).unwrap();
    assert_eq!(recorder.links(DIRECTORY).values().next().unwrap(), "99");
    recorder.refuse("symlinkat", Errno::ENOSPC);
    assert!(registry.add_session(&recorder, namespace).is_err());
    assert_eq!(names(&recorder).len(), 1, "only a new entry replaces one");
}

/// Two threads that are there, and one that is gone.
fn with_sessions(recorder: &Recorder, registry: &Registry) -> [String; 3] {
    let namespace = with_session(recorder, registry, 300);
    recorder.put_thread(301, namespace);
    let sessions = [300, 301, 302].map(|thread| format!("session.u{namespace}.{thread}"));
    for session in &sessions {
        recorder.put_link(DIRECTORY, session, "12345".as_ref());
    }
    sessions
}

#[test]
fn a_sweep_takes_out_threads_that_are_gone_and_no_others() {
    let recorder = Recorder::new();
    let registry = registry(&recorder);
    let [first, second, gone] = with_sessions(&recorder, &registry);
    registry.sweep(&recorder, record().store).unwrap();
    let left = [first, second];
    assert_eq!(names(&recorder), left);
    assert!(!left.contains(&gone));
}

#[test]
fn threads_are_swept_away_once_they_are_many() {
    for (more, swept) in [(-1, false), (0, false), (1, true), (9, true)] {
        let recorder = Recorder::new();
        let registry = registry(&recorder);
        let count = i32::try_from(MANY_SESSIONS).unwrap() + more;
        for thread in 0..count {
            let name = format!("session.u77.{}", 1000 + thread);
            recorder.put_link(DIRECTORY, &name, "1".as_ref());
        }
        let entries = registry.entries(&recorder).unwrap();
        registry.sweep_some(&recorder, &entries).unwrap();
        assert_eq!(names(&recorder).is_empty(), swept, "{more}");
    }
}

#[test]
fn a_sweep_takes_out_old_elections_of_other_directories_that_nobody_is_in() {
    let swept = |store: FileId, changed: i64, thread: Option<u64>| {
        let recorder = Recorder::new();
        let registry = registry(&recorder);
        registry.elect(&recorder, &of(50), 1, None).unwrap();
        let entry = format!("{DIRECTORY}/namespace.65024.12.1");
        recorder.alter(&entry, |link| link.changed = (changed, 0));
        if let Some(namespace) = thread {
            recorder.put_thread(300, namespace);
        }
        registry.sweep(&recorder, store).unwrap();
        names(&recorder).is_empty()
    };
    let other = FileId {
        device: 65024,
        inode: 13,
    };
    assert!(swept(other, 1, None));
    assert!(!swept(record().store, 1, None), "about to be joined");
    assert!(!swept(other, i64::MAX, None), "just made");
    assert!(!swept(other, 1, Some(50)), "somebody is in it");
    assert!(swept(other, 1, Some(51)));
}

/// A login that is killed before it took out whom it superseded leaves both.
#[test]
fn a_sweep_takes_out_whoever_was_superseded() {
    let recorder = Recorder::new();
    let registry = registry(&recorder);
    for (namespace, generation) in [(50, 1), (51, 2), (52, 3)] {
        let record = of(namespace);
        assert!(
            registry
                .elect(&recorder, &record, generation, None)
                .unwrap()
        );
    }
    registry.sweep(&recorder, record().store).unwrap();
    assert_eq!(names(&recorder), ["namespace.65024.12.3"]);
}

#[test]
fn a_process_that_outlived_its_session_is_found_by_the_number_alone() {
    let recorder = Recorder::new();
    let registry = registry(&recorder);
    recorder.put_thread(301, 50);
    let open = |record: &Record| {
        let entries = registry.entries(&recorder).unwrap();
        registry
            .open_member(&recorder, &entries, record)
            .unwrap()
            .is_some()
    };
    assert!(open(&of(50)));
    assert!(!open(&of(51)));
    // The inode number was handed out again, or the number is no number.
    assert!(!open(&Record {
        inode: 50,
        ..of(51)
    }));
    assert!(!open(&Record {
        inode: 51,
        ..of(50)
    }));
    recorder.be_old(true);
    assert!(!open(&Record {
        namespace: NamespaceId::Inode(50),
        ..of(50)
    }));
}

#[test]
fn an_inode_number_is_believed_of_the_registered_thread_alone() {
    let open = |arrange: fn(&Recorder)| {
        let recorder = Recorder::new();
        let registry = registry(&recorder);
        recorder.be_old(true);
        recorder.put_thread(300, 50);
        recorder.be_thread(300);
        let namespace = NamespaceId::Inode(50);
        registry.add_session(&recorder, namespace).unwrap();
        arrange(&recorder);
        let entries = registry.entries(&recorder).unwrap();
        let record = Record {
            namespace,
            ..of(50)
        };
        registry
            .open_member(&recorder, &entries, &record)
            .unwrap()
            .is_some()
    };
    assert!(open(|_| {}));
    assert!(!open(|it| it.begin_at(99)), "another thread");
    assert!(
        !open(Recorder::disown_namespaces),
        "a namespace of a user's"
    );
    assert!(!open(|it| it.put_thread(300, 51)));
    assert!(!open(|it| it.refuse("read stat", Errno::ENOENT)));
}

/// A namespace with a session, elected, and then taken for dead by another.
fn superseded(recorder: &Recorder, registry: &Registry, by: u64) -> Elected {
    let old = with_session(recorder, registry, 300);
    registry.elect(recorder, &of(old), 1, None).unwrap();
    let dead = elected(recorder, registry);
    registry.elect(recorder, &of(by), 2, Some(&dead)).unwrap();
    dead
}

#[test]
fn a_successor_yields_to_whoever_joined_the_dead_at_the_last_moment() {
    let recorder = Recorder::new();
    let registry = registry(&recorder);
    let dead = superseded(&recorder, &registry, 99);
    assert!(registry.yields(&recorder, &of(99), Some(&dead)).unwrap());
    assert_eq!(elected(&recorder, &registry).record, dead.record);
}

#[test]
fn a_successor_of_nobody_or_of_the_dead_stands() {
    let recorder = Recorder::new();
    let registry = registry(&recorder);
    let dead = superseded(&recorder, &registry, 99);
    assert!(!registry.yields(&recorder, &of(99), None).unwrap());
    recorder.end_thread(300);
    assert!(!registry.yields(&recorder, &of(99), Some(&dead)).unwrap());
    assert_eq!(elected(&recorder, &registry).record, of(99));
}

#[test]
fn whoever_was_superseded_meanwhile_yields_and_elects_nobody() {
    let recorder = Recorder::new();
    let registry = registry(&recorder);
    let dead = superseded(&recorder, &registry, 98);
    assert!(registry.yields(&recorder, &of(99), Some(&dead)).unwrap());
    assert_eq!(elected(&recorder, &registry).record, of(98));
}

#[test]
fn a_record_is_written_anew_only_if_it_says_something_new() {
    let recorder = Recorder::new();
    let registry = registry(&recorder);
    registry.elect(&recorder, &of(20), 1, None).unwrap();
    let before = elected(&recorder, &registry);
    let calls = recorder.calls().len();
    registry
        .refresh(&recorder, &before, &before.record)
        .unwrap();
    assert_eq!(recorder.calls().len(), calls);
    // Left by a login that was cut short.
    recorder.put_link(DIRECTORY, "new.65024.12", "x".as_ref());
    let today = Record {
        site: before.record.user,
        user: None,
        environment: false,
        ..before.record.clone()
    };
    registry.refresh(&recorder, &before, &today).unwrap();
    assert_eq!(elected(&recorder, &registry).record, today);
    assert_eq!(names(&recorder), ["namespace.65024.12.1"]);
}

#[test]
fn forgetting_what_is_gone_is_no_error_and_any_other_is() {
    let recorder = Recorder::new();
    let registry = registry(&recorder);
    assert!(registry.forget(&recorder, "x".as_ref()).is_ok());
    recorder.refuse("unlinkat", Errno::EROFS);
    assert!(registry.forget(&recorder, "x".as_ref()).is_err());
}

#[test]
fn a_users_directory_is_named_by_number() {
    assert_eq!(path_of(1001, 9), Path::new(DIRECTORY));
}

#[test]
fn what_is_older_than_a_minute_is_old() {
    let now = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap()
        .as_secs();
    let now = i64::try_from(now).unwrap();
    for (age, old) in [(0, false), (50, false), (61, true), (120, true)] {
        assert_eq!(is_old(now - age), old, "{age}");
    }
    // A clock that was set back makes nothing old.
    assert!(!is_old(now + 3600));
    assert!(is_old(i64::MIN) && !is_old(i64::MAX));
}

#[test]
fn whoever_is_in_the_registry_is_told() {
    let recorder = Recorder::new();
    assert!(holders(&recorder).unwrap().is_empty());
    for name in ["1002.9", "1001.9", "1001.8", "x.1", "1001", "01.9", "1.x"] {
        recorder.put_link(ROOT, name, "".as_ref());
    }
    let found = holders(&recorder).unwrap();
    let found: Vec<_> = found.iter().map(|it| (it.uid, it.pid_namespace)).collect();
    assert_eq!(found, [(1001, 8), (1001, 9), (1002, 9)]);
    recorder.refuse("open directory", Errno::EACCES);
    assert!(holders(&recorder).is_err());
}

#[test]
fn a_namespace_lives_by_its_sessions_or_by_what_outlived_them() {
    let recorder = Recorder::new();
    assert!(living(&recorder, 1001).unwrap().is_empty());
    let registry = registry(&recorder);
    let other = with_session(&recorder, &registry, 310);
    let namespace = with_session(&recorder, &registry, 300);
    assert!(registry.elect(&recorder, &of(namespace), 1, None).unwrap());
    let found = living(&recorder, 1001).unwrap();
    assert_ne!(other, namespace);
    assert_eq!(found.len(), 1);
    assert_eq!(
        (&found[0].record, &found[0].sessions[..]),
        (&of(namespace), &[300][..])
    );
    // A process that no session counts any more.
    recorder.end_thread(300);
    recorder.put_thread(301, namespace);
    let found = living(&recorder, 1001).unwrap();
    assert_eq!((found.len(), &found[0].sessions[..]), (1, &[][..]));
    recorder.end_thread(301);
    assert!(living(&recorder, 1001).unwrap().is_empty());
}
