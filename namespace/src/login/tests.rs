//! The order of calls, and what is left after any one of them fails.

#![allow(clippy::arithmetic_side_effects, reason = "tests may panic")]

use std::os::fd::OwnedFd;
use std::path::Path;

use config::{Account, Participation, ServiceRules, Site};
use nix::errno::Errno;

use super::*;
use crate::error::Gravity;
use crate::kernel::{Namespaces, recorder::Recorder};
use crate::profile::{Profile, ProfileLinks};
use crate::reader::{Reading, Reply};
use crate::references::Scan;

/// A reader that finds alice's directory, whoever asks.
pub(crate) struct FindsStore<'a>(pub(crate) &'a Recorder);

impl Reader for FindsStore<'_> {
    fn read(&self, request: &Request, groups: &[u32]) -> Result<Reading, Error> {
        FindsStoreOf(self.0, true).read(request, groups)
    }
}

/// The same, of a user who wants the environment or does not.
struct FindsStoreOf<'a>(&'a Recorder, bool);

impl Reader for FindsStoreOf<'_> {
    fn read(&self, _: &Request, _: &[u32]) -> Result<Reading, Error> {
        let roots: Vec<OwnedFd> = vec![self.0.root_directory()];
        let finding = Finding::Store {
            path: "/home/alice/nix".into(),
            environment: self.1,
        };
        let user = Some(Fingerprint {
            device: 1,
            inode: 600,
            size: 0,
            ctime_seconds: 1,
            ctime_nanoseconds: 2,
        });
        Ok(Reading {
            reply: Reply {
                user,
                profile: ProfileLinks::look(self.0, Path::new("/home/alice")).profile(None),
                finding,
            },
            directory: Some(self.0.store_directory()),
            roots,
        })
    }
}

/// A host without privileged files.
pub(crate) struct NoFiles;

impl PrivilegedFiles for NoFiles {
    fn scan(&self) -> Scan {
        Scan {
            references: Vec::new(),
            state: Some(0),
            found: Vec::new(),
        }
    }

    fn state(&self, _: &[crate::references::Lead]) -> u64 {
        0
    }
}

/// A reader that must not be asked.
pub(crate) struct NobodyAsks;

impl Reader for NobodyAsks {
    fn read(&self, _: &Request, _: &[u32]) -> Result<Reading, Error> {
        panic!("nothing was edited, so nothing is read");
    }
}

pub(crate) fn account(name: &str, uid: u32) -> Account {
    Account {
        name: name.to_owned(),
        uid,
        gid: uid,
        groups: Vec::new(),
        home: format!("/home/{name}").into(),
    }
}

pub(crate) fn with_login<T>(account: &Account, then: impl FnOnce(&Login) -> T) -> T {
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
        host: &|| "host".to_owned(),
        privileged_files: &NoFiles,
        door: Door::Pam,
    })
}

pub(crate) fn enter(recorder: &Recorder) -> Result<Opened, Error> {
    with_login(&account("alice", 1001), |login| {
        login.enter(recorder, &FindsStore(recorder))
    })
}

#[test]
fn the_first_login_builds_in_this_order() {
    let recorder = Recorder::new();
    let opened = enter(&recorder).unwrap();
    assert!(matches!(opened.entered, Entered::Built(..)), "{opened:?}");
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

fn without_profile() -> Recorder {
    let recorder = Recorder::new();
    recorder.hide("/home/alice/.local/state/nix/profile", Errno::ENOENT);
    recorder.hide("/home/alice/.nix-profile", Errno::ENOENT);
    recorder
}

#[test]
fn what_the_environment_is_to_name_is_asked_for_every_session() {
    let recorder = without_profile();
    assert_eq!(enter(&recorder).unwrap().profile, None);
    // Installed by the first session, found by the next, which reads nothing.
    recorder.dangle("/home/alice/.nix-profile");
    recorder.as_another_thread(100);
    let alice = account("alice", 1001);
    let join = |login: &Login| login.enter(&recorder, &NobodyAsks).unwrap();
    assert_eq!(with_login(&alice, join).profile, Some(Profile::Home));
}

#[test]
fn the_environment_is_given_only_where_site_and_user_want_it() {
    let alice = account("alice", 1001);
    for (site_wants, user_wants) in [(true, false), (false, true), (true, true)] {
        let recorder = without_profile();
        recorder.dangle("/home/alice/.nix-profile");
        let site = Site {
            environment: site_wants,
            ..Site::default()
        };
        let enter = |reader: &dyn Reader| {
            with_login(&alice, |login| {
                let login = Login {
                    site: Ok(&site),
                    participation: login.participation.clone(),
                    ..*login
                };
                login.enter(&recorder, reader).unwrap()
            })
        };
        let wanted = (site_wants && user_wants).then_some(Profile::Home);
        let built = enter(&FindsStoreOf(&recorder, user_wants));
        assert!(matches!(built.entered, Entered::Built(..)), "{built:?}");
        assert_eq!(built.profile, wanted);
        recorder.as_another_thread(100);
        let joined = enter(&NobodyAsks);
        assert!(matches!(joined.entered, Entered::Joined(_)), "{joined:?}");
        assert_eq!(joined.profile, wanted, "as was written down");
    }
}

#[test]
fn a_namespace_whose_nix_was_covered_is_not_joined() {
    let recorder = Recorder::new();
    enter(&recorder).unwrap();
    recorder.cover_nix();
    recorder.as_another_thread(101);
    let opened = enter(&recorder).unwrap();
    assert!(matches!(opened.entered, Entered::Built(..)), "{opened:?}");
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

/// A reader that answers this.
pub(crate) struct Says(pub(crate) Finding);

impl Reader for Says {
    fn read(&self, _: &Request, _: &[u32]) -> Result<Reading, Error> {
        Ok(Reading {
            reply: Reply {
                user: None,
                profile: None,
                finding: self.0.clone(),
            },
            directory: None,
            roots: Vec::new(),
        })
    }
}

/// A reader that does not answer.
struct Silent;

impl Reader for Silent {
    fn read(&self, _: &Request, _: &[u32]) -> Result<Reading, Error> {
        Err(Error::Silent(crate::reader::PATIENCE))
    }
}

/// A login that differs from the usual one.
fn with_other_login<T>(
    account: &Account,
    change: impl FnOnce(&mut Login),
    then: impl FnOnce(&Login) -> T,
) -> T {
    with_login(account, |login| {
        let mut login = Login {
            site: login.site.clone(),
            participation: login.participation.clone(),
            ..*login
        };
        change(&mut login);
        then(&login)
    })
}

fn in_alices() -> Recorder {
    let recorder = Recorder::new();
    enter(&recorder).unwrap();
    recorder
}

fn stay(login: &mut Login) {
    login.rules.root = RootSessions::Stay;
}

#[test]
fn root_stays_only_where_the_site_says_so() {
    let root = account("root", 0);
    let recorder = in_alices();
    let before = recorder.position();
    with_other_login(&root, stay, |login| {
        assert_eq!(login.leave(&recorder).unwrap(), Left::Nothing);
        let opened = login.enter(&recorder, &NobodyAsks).unwrap();
        assert!(matches!(
            opened.entered,
            Entered::None(WithoutNix::RootStays)
        ));
        assert_eq!(login.close(&recorder).unwrap(), Left::Nothing);
    });
    assert_eq!(recorder.position(), before);
    with_login(&root, |login| {
        let opened = login.enter(&recorder, &NobodyAsks).unwrap();
        assert!(matches!(
            opened.entered,
            Entered::None(WithoutNix::Site(Participation::Root))
        ));
    });
    assert!(recorder.is_on_host());
}

#[test]
fn nobody_but_root_stays_by_that_rule() {
    for user in [account("bob", 1002), account("alice", 1001)] {
        let recorder = in_alices();
        with_other_login(&user, stay, |login| login.leave(&recorder)).unwrap();
        assert!(recorder.is_on_host());
    }
}

#[test]
fn whoever_is_left_out_leaves_and_enters_nothing() {
    let bob = account("bob", 1002);
    let left_out = |change: fn(&mut Login)| {
        let recorder = in_alices();
        let opened = with_other_login(&bob, change, |login| login.enter(&recorder, &NobodyAsks));
        assert!(recorder.is_on_host() && !recorder.sees_store());
        opened.map(|opened| opened.entered)
    };
    let skipped = left_out(|login| login.rules.skip = true);
    assert!(matches!(
        skipped,
        Ok(Entered::None(WithoutNix::ServiceSkipped))
    ));
    let denied = left_out(|login| login.participation = Participation::NotAllowed);
    assert!(matches!(
        denied,
        Ok(Entered::None(WithoutNix::Site(Participation::NotAllowed)))
    ));
    let broken = left_out(|login| login.site = Err("line 1".to_owned()));
    assert!(matches!(broken, Err(Error::Site(why)) if why == "line 1"));
}

#[test]
fn a_user_in_their_own_namespace_stays() {
    let recorder = in_alices();
    let before = recorder.position();
    let opened = with_login(&account("alice", 1001), |login| {
        login.enter(&recorder, &NobodyAsks)
    })
    .unwrap();
    assert!(matches!(opened.entered, Entered::Stayed(_)), "{opened:?}");
    assert_eq!(opened.left, Left::Nothing);
    assert_eq!(recorder.position(), before);
}

#[test]
fn after_an_edit_a_user_stays_unless_it_is_switched_off() {
    let after_an_edit = |reader: &dyn Reader| {
        let recorder = in_alices();
        recorder.alter("/home/alice/.config/nix-ns/config.toml", |file| {
            file.size = 1;
        });
        with_login(&account("alice", 1001), |login| {
            login.enter(&recorder, reader)
        })
        .map(|opened| (opened, recorder.is_on_host()))
    };
    let elsewhere = Finding::Store {
        path: "/x".into(),
        environment: true,
    };
    for reader in [
        &Says(elsewhere) as &dyn Reader,
        &Says(Finding::Refused("why".to_owned())),
        &Silent,
    ] {
        let (opened, _) = after_an_edit(reader).unwrap();
        assert!(matches!(opened.entered, Entered::Stayed(_)), "{opened:?}");
    }
    for finding in [Finding::Disabled, Finding::NotOptedIn] {
        let (opened, on_host) = after_an_edit(&Says(finding)).unwrap();
        assert!(matches!(opened.entered, Entered::None(_)), "{opened:?}");
        assert!(on_host && opened.left == Left::ToHost);
    }
}

#[test]
fn a_user_who_stays_has_the_environment_of_today() {
    let recorder = in_alices();
    recorder.alter("/home/alice/.config/nix-ns/config.toml", |file| {
        file.size = 1;
    });
    let today = Says(Finding::Store {
        path: "/x".into(),
        environment: false,
    });
    let before = read_marker(&recorder).flatten().unwrap();
    let stayed = with_login(&account("alice", 1001), |login| {
        login.may_stay(
            &recorder,
            &today,
            &Record {
                profile: Some(Profile::State),
                ..before.clone()
            },
        )
    });
    let expected = Record {
        environment: false,
        profile: None,
        ..before
    };
    assert_eq!(stayed.unwrap(), Some(Box::new(expected)));
}

/// What a user asks for by a command must be no way out of a sandbox; what PAM
/// asks for must not leave them on somebody's `/nix` in one.
#[test]
fn a_command_leads_out_of_no_sandbox() {
    let alice = account("alice", 1001);
    for recorder in [Recorder::new(), in_alices()] {
        assert!(refuse_sandbox(&recorder).is_ok());
        recorder.unshare_mounts().unwrap();
        let before = recorder.position();
        assert!(matches!(refuse_sandbox(&recorder), Err(Error::Sandboxed)));
        let by_command = |login: &mut Login| login.door = Door::Command;
        let entered = with_other_login(&alice, by_command, |login| {
            login.enter(&recorder, &FindsStore(&recorder))
        });
        assert!(matches!(entered, Err(Error::Sandboxed)), "{entered:?}");
        assert_eq!(recorder.position(), before);
        assert!(enter(&recorder).is_ok());
    }
}

#[test]
fn another_user_does_not_stay_and_gets_their_own() {
    let recorder = in_alices();
    let opened = with_login(&account("bob", 1002), |login| {
        login.enter(&recorder, &Says(Finding::Disabled))
    })
    .unwrap();
    assert_eq!(opened.left, Left::ToHost);
    assert!(recorder.is_on_host());
}

#[test]
fn a_session_that_ends_leaves_and_is_taken_off_the_registry() {
    let recorder = in_alices();
    let sessions = |recorder: &Recorder| {
        let links = recorder.links("/run/nix-ns/1/1001.9");
        let names = links.into_keys().map(|name| name.into_string().unwrap());
        names.filter(|name| name.starts_with("session.")).count()
    };
    assert_eq!(sessions(&recorder), 1);
    let alice = account("alice", 1001);
    let left = with_login(&alice, |login| login.close(&recorder)).unwrap();
    assert_eq!(left, Left::ToHost);
    assert_eq!(sessions(&recorder), 0);
    let left = with_login(&alice, |login| login.close(&recorder)).unwrap();
    assert_eq!(left, Left::Nothing);
}

#[test]
fn a_caller_in_another_root_is_left_alone() {
    let recorder = Recorder::new();
    recorder.alter("/", |root| root.inode = 77);
    let before = recorder.position();
    let error = enter(&recorder).unwrap_err();
    assert!(matches!(error, Error::OtherRoot), "{error:?}");
    assert_eq!(recorder.position(), before);
}

#[test]
fn a_caller_in_another_root_that_shows_a_marker_leaves() {
    let recorder = in_alices();
    recorder.alter("/", |root| root.inode = 77);
    with_login(&account("bob", 1002), |login| login.leave(&recorder)).unwrap();
    assert!(!recorder.sees_store());
}

#[test]
fn a_caller_in_another_root_leaves_for_less_than_a_whole_marker() {
    let arrangements: [fn(&Recorder); 2] = [
        |recorder| recorder.set_marker(Some("unreadable".into())),
        Recorder::cover_nix,
    ];
    for arrange in arrangements {
        let recorder = Recorder::new();
        recorder.unshare_mounts().unwrap();
        arrange(&recorder);
        recorder.alter("/", |root| root.inode = 77);
        let bob = account("bob", 1002);
        let left = with_login(&bob, |login| login.leave(&recorder)).unwrap();
        assert!(matches!(left, Left::Detached(_)));
        assert!(!recorder.sees_store() && read_marker(&recorder).is_none());
    }
}

#[test]
fn where_the_site_cannot_be_read_nobody_stays() {
    let recorder = in_alices();
    let entered = with_other_login(
        &account("alice", 1001),
        |login| login.site = Err("line 1".to_owned()),
        |login| login.enter(&recorder, &NobodyAsks),
    );
    assert!(matches!(entered, Err(Error::Site(_))), "{entered:?}");
    assert!(recorder.is_on_host() && !recorder.sees_store());
}

#[test]
fn without_proc_a_marker_says_enough_to_leave() {
    let recorder = in_alices();
    recorder.refuse("open ns/mnt", nix::errno::Errno::ENOENT);
    with_login(&account("bob", 1002), |login| login.leave(&recorder)).unwrap();
    assert!(!recorder.sees_store());
}

#[test]
fn what_must_stop_a_session_says_whose_nix_it_is_on() {
    for (uid, whose) in [(Some(1001), "uid 1001"), (None, "uid an unknown user")] {
        let error = Error::cannot_leave(uid, "why");
        assert_eq!(error.gravity(), Gravity::OnForeignNix);
        assert!(error.to_string().contains(whose), "{error}");
        assert!(!error.is_the_users());
    }
    assert!(Error::user("why").is_the_users());
    let lost = Error::NoWayBack(crate::kernel::CallFailed {
        call: "setns",
        errno: nix::errno::Errno::EPERM,
    });
    assert_eq!(lost.gravity(), Gravity::Lost);
}
