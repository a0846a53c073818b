//! The order of calls, and what is left after any one of them fails.

#![allow(clippy::arithmetic_side_effects, reason = "tests may panic")]

use std::os::fd::OwnedFd;

use config::{Account, Participation, ServiceRules, Site};

use super::*;
use crate::error::Gravity;
use crate::kernel::recorder::Recorder;
use crate::reader::{Reading, Reply};
use crate::references::Scan;

/// A reader that finds alice's directory, whoever asks.
struct FindsStore<'a>(&'a Recorder);

impl Reader for FindsStore<'_> {
    fn read(&self, _: &Request, _: &[u32]) -> Result<Reading, Error> {
        let roots: Vec<OwnedFd> = vec![self.0.root_directory()];
        let finding = Finding::Store {
            path: "/home/alice/nix".into(),
        };
        let user = Some(Fingerprint {
            device: 1,
            inode: 600,
            size: 0,
            ctime_seconds: 1,
            ctime_nanoseconds: 2,
        });
        Ok(Reading {
            reply: Reply { user, finding },
            directory: Some(self.0.store_directory()),
            roots,
        })
    }
}

/// A host without privileged files.
struct NoFiles;

impl PrivilegedFiles for NoFiles {
    fn scan(&self) -> Scan {
        Scan {
            references: Vec::new(),
            state: 0,
            found: Vec::new(),
        }
    }

    fn state(&self, _: &[PathBuf]) -> u64 {
        0
    }
}

/// A reader that must not be asked.
struct NobodyAsks;

impl Reader for NobodyAsks {
    fn read(&self, _: &Request, _: &[u32]) -> Result<Reading, Error> {
        panic!("nothing was edited, so nothing is read");
    }
}

fn account(name: &str, uid: u32) -> Account {
    Account {
        name: name.to_owned(),
        uid,
        gid: uid,
        groups: Vec::new(),
        home: format!("/home/{name}").into(),
    }
}

fn with_login<T>(account: &Account, then: impl FnOnce(&Login) -> T) -> T {
    let site = Site::default();
    let participation = if account.uid == 0 {
        Participation::Root
    } else {
        Participation::Selected
    };
    then(&Login {
        account,
        groups: &Vec::new,
        site: Ok(&site),
        site_fingerprint: None,
        participation,
        rules: ServiceRules::built_in("sshd"),
        host: "host",
        privileged_files: &NoFiles,
    })
}

fn enter(recorder: &Recorder) -> Result<Opened, Error> {
    with_login(&account("alice", 1001), |login| {
        login.enter(recorder, &FindsStore(recorder))
    })
}

#[test]
fn the_first_login_builds_in_this_order() {
    let recorder = Recorder::new();
    let opened = enter(&recorder).unwrap();
    assert!(matches!(opened.entered, Entered::Built(_)), "{opened:?}");
    let calls = recorder.calls();
    let order = [
        "open_tree",
        "mount_setattr",
        "fsmount",
        "unshare CLONE_NEWNS",
        "mount slave",
        "mount shared",
        "move_mount",
        "symlinkat",
        "mount_setattr",
        "move_mount",
        "read mountinfo",
        "symlinkat",
    ];
    let mut rest = calls.iter();
    for step in order {
        assert!(
            rest.any(|call| call == step),
            "{step} is missing or out of order in {calls:#?}"
        );
    }
}

#[test]
fn the_second_login_joins_and_reads_nothing() {
    let recorder = Recorder::new();
    enter(&recorder).unwrap();
    recorder.as_another_thread(100);
    let opened = with_login(&account("alice", 1001), |login| {
        login.enter(&recorder, &NobodyAsks)
    })
    .unwrap();
    assert!(matches!(opened.entered, Entered::Joined(_)), "{opened:?}");
    assert!(recorder.sees_store());
}

#[test]
fn a_namespace_whose_nix_was_covered_is_not_joined() {
    let recorder = Recorder::new();
    enter(&recorder).unwrap();
    recorder.cover_nix();
    recorder.as_another_thread(101);
    let opened = enter(&recorder).unwrap();
    assert!(matches!(opened.entered, Entered::Built(_)), "{opened:?}");
}

#[test]
fn another_user_and_root_leave() {
    for target in [account("bob", 1002), account("root", 0)] {
        let recorder = Recorder::new();
        enter(&recorder).unwrap();
        with_login(&target, |login| login.leave(&recorder)).unwrap();
        assert!(
            recorder.is_on_host() && !recorder.sees_store(),
            "{target:?}"
        );
    }
}

#[test]
fn after_any_failing_call_of_a_build_the_caller_is_where_it_was() {
    let whole = Recorder::new();
    enter(&whole).unwrap();
    for index in 0..whole.calls().len() {
        let recorder = Recorder::new();
        recorder.fail_at(index);
        recorder.stand_in("/home/alice/work");
        let before = recorder.position();
        match enter(&recorder) {
            // A call that only optimises, or only registers, may fail.
            Ok(opened) => assert!(
                recorder.sees_store() != matches!(opened.entered, Entered::None(_)),
                "call {index}: {opened:?} {:?}",
                recorder.calls()
            ),
            Err(error) if recorder.calls()[index] == "setfsuid back" => {
                assert_eq!(error.gravity(), Gravity::Lost, "call {index}: {error}");
            }
            Err(error) => {
                assert_eq!(error.gravity(), Gravity::Harmless, "call {index}: {error}");
                assert_eq!(
                    recorder.position(),
                    before,
                    "call {index}: {error} {:?}",
                    recorder.calls()
                );
            }
        }
    }
}

#[test]
fn after_any_failing_call_of_a_join_the_caller_is_in_a_right_place() {
    let prepare = |failing: Option<usize>| {
        let recorder = Recorder::new();
        enter(&recorder).unwrap();
        recorder.as_another_thread(101);
        let done = recorder.calls().len();
        if let Some(index) = failing {
            recorder.fail_at(done + index);
        }
        (recorder, done)
    };
    let (whole, done) = prepare(None);
    enter(&whole).unwrap();
    for index in 0..whole.calls().len() - done {
        let (recorder, done) = prepare(Some(index));
        match enter(&recorder) {
            Ok(_) => assert!(recorder.sees_store(), "call {index}"),
            Err(error) if recorder.calls()[done + index] == "setfsuid back" => {
                assert_eq!(error.gravity(), Gravity::Lost, "call {index}: {error}");
            }
            Err(error) => {
                assert_eq!(error.gravity(), Gravity::Harmless, "call {index}: {error}");
                assert!(
                    recorder.is_on_host(),
                    "call {index}: {error} {:?}",
                    recorder.calls()
                );
            }
        }
    }
}

#[test]
fn a_leave_that_fails_ends_off_the_foreign_nix_or_stops_the_session() {
    let root = account("root", 0);
    let prepare = |failing: Option<usize>| {
        let recorder = Recorder::new();
        enter(&recorder).unwrap();
        let done = recorder.calls().len();
        if let Some(index) = failing {
            recorder.fail_at(done + index);
        }
        (recorder, done)
    };
    let (whole, done) = prepare(None);
    with_login(&root, |login| login.leave(&whole)).unwrap();
    for index in 0..whole.calls().len() - done {
        let (recorder, _) = prepare(Some(index));
        match with_login(&root, |login| login.leave(&recorder)) {
            Ok(_) => assert!(
                !recorder.sees_store(),
                "call {index} {:?}",
                recorder.calls()
            ),
            Err(error) => assert_ne!(error.gravity(), Gravity::Harmless, "call {index}: {error}"),
        }
    }
}
