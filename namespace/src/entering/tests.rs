//! What keeps a login from entering, and what becomes of several at once.

use nix::errno::Errno;

use super::*;
use crate::kernel::{Namespaces, recorder::Recorder};
use crate::login::tests::{FindsStore, NobodyAsks, Says, account, enter, with_login};
use crate::place::read_marker;
use crate::reader::{Reading, Request};

const DIRECTORY: &str = "/run/nix-ns/1/1001.9";

fn enter_by(recorder: &Recorder, reader: &dyn Reader) -> Result<Entered, Error> {
    with_login(&account("alice", 1001), |login| {
        login.enter(recorder, reader).map(|opened| opened.entered)
    })
}

fn record(entered: Entered) -> Record {
    match entered {
        Entered::Stayed(record)
        | Entered::Joined(record)
        | Entered::Built(record, _)
        | Entered::BuiltAlone(record, ..) => *record,
        Entered::None(why) => panic!("{why:?}"),
    }
}

/// Refused before anything is moved or mounted.
fn is_refused(recorder: &Recorder, is: fn(&Error) -> bool) {
    let error = enter(recorder).unwrap_err();
    assert!(is(&error), "{error:?}");
    assert!(recorder.is_on_host() && !recorder.sees_store());
    assert!(!recorder.calls().iter().any(|call| call == "open_tree"));
}

#[test]
fn a_caller_without_capabilities_is_refused() {
    let recorder = Recorder::new();
    recorder.lack(&["CAP_SYS_ADMIN"]);
    is_refused(
        &recorder,
        |error| matches!(error, Error::MissingCapability(missing) if *missing == ["CAP_SYS_ADMIN"]),
    );
}

#[test]
fn a_caller_with_threads_is_refused_unless_the_service_may_have_them() {
    let recorder = Recorder::new();
    recorder.run_threads(2);
    is_refused(&recorder, |error| matches!(error, Error::Threaded(2)));
    let entered = with_login(&account("alice", 1001), |login| {
        let login = Login {
            rules: config::ServiceRules::built_in("lightdm"),
            site: login.site.clone(),
            participation: login.participation.clone(),
            ..*login
        };
        login.enter(&recorder, &FindsStore(&recorder))
    });
    assert!(matches!(entered.unwrap().entered, Entered::Built(..)));
}

/// What a file is after an edit.
const EDITED: Fingerprint = Fingerprint {
    device: 1,
    inode: 601,
    size: 1,
    ctime_seconds: 3,
    ctime_nanoseconds: 4,
};

/// As alice's reader, with other answers than at the first login.
struct FindsMore<'a>(&'a Recorder);

impl Reader for FindsMore<'_> {
    fn read(&self, request: &Request, groups: &[u32]) -> Result<Reading, Error> {
        let mut reading = FindsStore(self.0).read(request, groups)?;
        reading.reply.profile = None;
        reading.reply.user = Some(EDITED);
        reading.reply.finding = Finding::Store {
            path: "/home/alice/nix".into(),
            environment: false,
        };
        Ok(reading)
    }
}

#[test]
fn who_joins_after_an_edit_has_what_is_written_now() {
    let recorder = Recorder::new();
    let before = record(enter_by(&recorder, &FindsStore(&recorder)).unwrap());
    assert!(before.profile.is_some() || before.user != Some(EDITED));
    recorder.as_another_thread(100);
    let joined = with_login(&account("alice", 1001), |login| {
        let login = Login {
            site: login.site.clone(),
            participation: login.participation.clone(),
            site_fingerprint: Some(EDITED),
            ..*login
        };
        login.enter(&recorder, &FindsMore(&recorder))
    });
    let expected = Record {
        site: Some(EDITED),
        environment: false,
        profile: None,
        user: Some(EDITED),
        ..before
    };
    let entered = joined.unwrap().entered;
    assert!(matches!(entered, Entered::Joined(_)), "{entered:?}");
    assert_eq!(record(entered), expected);
}

#[test]
fn a_host_that_is_refused_is_refused_to_whoever_would_build_or_join() {
    for joining in [false, true] {
        let recorder = Recorder::new();
        if joining {
            enter(&recorder).unwrap();
            recorder.as_another_thread(100);
        }
        recorder.alter("/etc/NIXOS", |_| {});
        let error = enter_by(&recorder, &FindsStore(&recorder)).unwrap_err();
        assert!(matches!(error, Error::Host { .. }), "{error:?}");
        assert!(recorder.is_on_host() && !recorder.sees_store());
    }
}

#[test]
fn whoever_did_not_ask_is_not_told_what_is_wrong() {
    let recorder = Recorder::new();
    recorder.hide("/home/alice/.config/nix-ns/config.toml", Errno::ENOENT);
    recorder.alter("/etc/NIXOS", |_| {});
    recorder.lack(&["CAP_SYS_ADMIN"]);
    let entered = enter_by(&recorder, &NobodyAsks).unwrap();
    assert!(matches!(entered, Entered::None(WithoutNix::NotOptedIn)));
}

#[test]
fn where_nobody_has_to_ask_an_absent_configuration_is_no_reason() {
    let recorder = Recorder::new();
    recorder.hide("/home/alice/.config/nix-ns/config.toml", Errno::ENOENT);
    let site = config::Site {
        opt_in: false,
        ..config::Site::default()
    };
    let entered = with_login(&account("alice", 1001), |login| {
        let login = Login {
            site: Ok(&site),
            participation: login.participation.clone(),
            ..*login
        };
        login.enter(&recorder, &FindsStore(&recorder))
    });
    assert!(matches!(entered.unwrap().entered, Entered::Built(..)));
}

#[test]
fn what_the_reader_answers_is_obeyed() {
    let said = |finding| {
        let recorder = Recorder::new();
        let entered = enter_by(&recorder, &Says(finding));
        assert!(recorder.is_on_host() && !recorder.sees_store());
        entered
    };
    assert!(matches!(
        said(Finding::NotOptedIn),
        Ok(Entered::None(WithoutNix::NotOptedIn))
    ));
    assert!(matches!(
        said(Finding::Disabled),
        Ok(Entered::None(WithoutNix::DisabledByUser))
    ));
    assert!(matches!(
        said(Finding::Refused("why".to_owned())),
        Err(Error::User { reason }) if reason == "why"
    ));
    let nothing_sent = Finding::Store {
        path: "/x".into(),
        environment: true,
    };
    assert!(matches!(said(nothing_sent), Err(Error::Reader(_))));
}

#[test]
fn a_caller_in_a_private_namespace_gets_one_that_nobody_joins() {
    let recorder = Recorder::new();
    recorder.unshare_mounts().unwrap();
    let entered = enter_by(&recorder, &FindsStore(&recorder)).unwrap();
    assert!(matches!(entered, Entered::BuiltAlone(..)), "{entered:?}");
    assert!(recorder.sees_store() && recorder.links(DIRECTORY).is_empty());
}

#[test]
fn without_a_registry_everybody_is_alone() {
    let recorder = Recorder::new();
    recorder.refuse("symlinkat", Errno::ENOSPC);
    let error = enter(&recorder).unwrap_err();
    assert!(matches!(error, Error::Call(_)), "no marker, no /nix");
    assert!(recorder.is_on_host());

    let recorder = Recorder::new();
    recorder.after("move_mount", 2, |it| {
        it.refuse("symlinkat", Errno::ENOSPC);
    });
    let entered = enter_by(&recorder, &FindsStore(&recorder)).unwrap();
    assert!(matches!(entered, Entered::BuiltAlone(..)), "{entered:?}");
    assert!(recorder.sees_store());
}

#[test]
fn an_edited_configuration_that_amounts_to_the_same_joins_and_is_noted() {
    let recorder = Recorder::new();
    let first = record(enter_by(&recorder, &FindsStore(&recorder)).unwrap());
    recorder.as_another_thread(100);
    recorder.alter("/home/alice/.config/nix-ns/config.toml", |file| {
        file.inode = 601;
    });
    let entered = enter_by(&recorder, &FindsStore(&recorder)).unwrap();
    assert!(matches!(entered, Entered::Joined(_)), "{entered:?}");
    assert_eq!(record(entered).namespace, first.namespace);
}

#[test]
fn a_dead_namespace_is_replaced() {
    let recorder = Recorder::new();
    let first = record(enter_by(&recorder, &FindsStore(&recorder)).unwrap());
    // The only thread of it is on the host now.
    recorder.as_another_thread(101);
    recorder.end_thread(101);
    let entered = enter_by(&recorder, &FindsStore(&recorder)).unwrap();
    assert!(matches!(entered, Entered::Built(..)), "{entered:?}");
    let second = record(entered);
    assert_ne!(second.namespace, first.namespace);
    let names: Vec<_> = recorder.links(DIRECTORY).into_keys().collect();
    assert!(
        names.contains(&"namespace.1.500.2".into()) && !names.contains(&"namespace.1.500.1".into()),
        "{names:?}"
    );
}

/// Before Linux 6.11 it is an inode's number, and free when its namespace is gone.
#[test]
fn a_dead_namespace_is_replaced_by_one_with_its_number() {
    let recorder = Recorder::new();
    recorder.be_old(true);
    enter_by(&recorder, &FindsStore(&recorder)).unwrap();
    let number = recorder.namespace();
    recorder.as_another_thread(101);
    recorder.end_thread(101);
    recorder.be_thread(102);
    recorder.give_again(number);
    recorder.after("unshare CLONE_NEWNS", 1, |it| {
        it.put_thread(102, it.namespace())
    });
    let entered = enter_by(&recorder, &FindsStore(&recorder)).unwrap();
    assert!(matches!(entered, Entered::Built(..)), "{entered:?}");
    assert_eq!(recorder.namespace(), number, "not given up for another");
    let stays: Vec<_> = recorder.links(DIRECTORY).into_keys().collect();
    assert!(stays.contains(&"namespace.1.500.2".into()), "{stays:?}");
}

#[test]
fn whoever_is_superseded_while_joining_follows() {
    let recorder = Recorder::new();
    let first = record(enter_by(&recorder, &FindsStore(&recorder)).unwrap());
    recorder.as_another_thread(100);
    // Between entering it and looking again, another login took it for dead.
    recorder.after("setns", 1, |it| {
        let names = it.links(DIRECTORY);
        let (_, text) = names.first_key_value().unwrap();
        let elected = Record::parse(text).unwrap();
        let other = Record {
            namespace: crate::kernel::NamespaceId::Unique(9999),
            ..elected
        };
        it.put_link(DIRECTORY, "namespace.1.500.7", &other.to_text());
    });
    let entered = enter_by(&recorder, &FindsStore(&recorder)).unwrap();
    let second = record(entered);
    assert_ne!(second.namespace, first.namespace);
    assert_eq!(read_marker(&recorder).flatten(), Some(second));
    assert!(recorder.sees_store());
}

#[test]
fn whoever_loses_the_election_joins_the_winner() {
    let recorder = Recorder::new();
    let winner = record(enter_by(&recorder, &FindsStore(&recorder)).unwrap());
    let registered = recorder.links(DIRECTORY);
    recorder.as_another_thread(101);
    assert_eq!(registered.len(), 2, "a namespace and a session");
    // The second login sees an empty registry until it has built.
    recorder.empty_directory(DIRECTORY);
    recorder.be_thread(102);
    recorder.keep_for_later(DIRECTORY, registered);
    recorder.after("mount shared", 1, Recorder::bring_back);
    recorder.put_thread(100, recorder.namespace_of_thread(101));
    let entered = enter_by(&recorder, &FindsStore(&recorder)).unwrap();
    assert!(matches!(entered, Entered::Joined(_)), "{entered:?}");
    assert_eq!(record(entered).namespace, winner.namespace);
    let names: Vec<_> = recorder.links(DIRECTORY).into_keys().collect();
    assert_eq!(names.len(), 3, "{names:?}");
}

#[test]
fn an_identity_that_cannot_be_put_back_stops_the_session() {
    let recorder = Recorder::new();
    recorder.refuse("setfsuid back", Errno::EPERM);
    let error = enter_by(&recorder, &NobodyAsks).unwrap_err();
    assert_eq!(error.gravity(), Gravity::Lost);
}

#[test]
fn a_look_that_fails_only_costs_the_quick_way() {
    let recorder = Recorder::new();
    recorder.refuse("setfsuid", Errno::EPERM);
    let entered = enter_by(&recorder, &FindsStore(&recorder)).unwrap();
    assert!(matches!(entered, Entered::Built(..)), "{entered:?}");
}
