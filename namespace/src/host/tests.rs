//! Every refusal of a host, one at a time, and by its own name only.

use super::*;
use crate::kernel::{Files, recorder::Recorder};
use crate::references::{Reference, Scan};

/// Refused under this name, unless this very name is overridden.
fn is_refused_as(refusal: Refusal, what: &str, arrange: impl Fn(&Recorder)) {
    let check = |overridden: &BTreeSet<Refusal>| {
        let recorder = Recorder::new();
        arrange(&recorder);
        check_host(&recorder, overridden)
    };
    let mut others = BTreeSet::from(Refusal::ALL);
    others.remove(&refusal);
    for overridden in [BTreeSet::new(), others] {
        let error = check(&overridden).expect_err(what);
        let Error::Host {
            refusal: by,
            reason,
            remedy,
        } = error
        else {
            panic!("{error:?}")
        };
        assert_eq!(by, Some(refusal));
        assert_eq!(remedy, refusal.remedy());
        assert!(reason.contains(what), "{reason}");
        assert!(!reason.contains(char::is_control), "{reason:?}");
    }
    assert!(check(&BTreeSet::from([refusal])).is_ok());
    let recorder = Recorder::new();
    arrange(&recorder);
    let all = refusals(&recorder).unwrap();
    assert!(
        matches!(all.as_slice(), [Error::Host { refusal: by, reason, .. }] if *by == Some(refusal) && reason.contains(what)),
        "{all:?}"
    );
}

/// Refused whatever is overridden.
fn is_never_covered(what: &str, arrange: impl Fn(&Recorder)) {
    let recorder = Recorder::new();
    arrange(&recorder);
    let error = check_host(&recorder, &BTreeSet::from(Refusal::ALL)).unwrap_err();
    assert!(
        matches!(&error, Error::Host { refusal: None, reason, .. } if reason.contains(what)),
        "{error:?}"
    );
    assert_eq!(
        format!("{:?}", refusals(&recorder).unwrap()),
        format!("[{error:?}]")
    );
}

#[test]
fn an_empty_directory_of_roots_may_be_covered() {
    let recorder = Recorder::new();
    assert!(refusals(&recorder).unwrap().is_empty());
    let nix = check_host(&recorder, &BTreeSet::new()).unwrap();
    assert_eq!(nix, recorder.remembered(Path::new("/nix")).unwrap());
}

#[test]
fn somebody_elses_nix_is_refused() {
    for uid in [1, 1001, u32::MAX] {
        is_refused_as(
            Refusal::HostNixOwner,
            &format!("belongs to uid {uid}"),
            |recorder| recorder.alter("/nix", |nix| nix.uid = uid),
        );
    }
}

#[test]
fn a_nix_that_others_may_write_is_refused() {
    for bit in [0o020, 0o002] {
        let mode = 0o1755 | bit;
        is_refused_as(
            Refusal::HostNixWritable,
            &format!("(mode {mode:04o})"),
            |recorder| recorder.alter("/nix", |nix| nix.mode = libc::S_IFDIR | mode),
        );
    }
    for mode in [0o700, 0o755, 0o1755] {
        let recorder = Recorder::new();
        recorder.alter("/nix", |nix| nix.mode = libc::S_IFDIR | mode);
        assert!(check_host(&recorder, &BTreeSet::new()).is_ok(), "{mode:o}");
    }
}

#[test]
fn a_nix_in_use_is_refused() {
    is_refused_as(
        Refusal::HostNixNotEmpty,
        r"it holds st\u{a}ore",
        |recorder| recorder.put_link("/nix", "st\nore", "x".as_ref()),
    );
}

#[test]
fn nixos_is_refused_by_any_of_its_marks() {
    for marker in ["/etc/NIXOS", "/run/current-system", "/run/wrappers"] {
        is_refused_as(Refusal::Nixos, marker, |recorder| {
            recorder.alter(marker, |_| {});
        });
    }
}

#[test]
fn a_nix_that_is_no_directory_is_never_covered() {
    is_never_covered("has no /nix", |it| it.hide("/nix", Errno::ENOENT));
    is_never_covered("is a symbolic link", |it| {
        it.alter("/nix", |nix| nix.mode = libc::S_IFLNK | 0o777);
    });
    is_never_covered("is not a directory", |it| {
        it.alter("/nix", |nix| nix.mode = libc::S_IFREG | 0o644);
    });
}

#[test]
fn a_call_that_fails_says_so() {
    for index in 0..3 {
        let recorder = Recorder::new();
        recorder.fail_at(index);
        let error = check_host(&recorder, &BTreeSet::from(Refusal::ALL)).unwrap_err();
        assert!(matches!(error, Error::Call(_)), "{index}: {error:?}");
    }
}

/// A host where a privileged file names `/nix`.
struct Leftover;

impl PrivilegedFiles for Leftover {
    fn scan(&self) -> Scan {
        Scan {
            references: vec![Reference {
                file: "/etc/profile.d/nix.sh".into(),
                line: 3,
                text: ". /nix/x\u{1b}".to_owned(),
            }],
            state: Some(1),
            found: Vec::new(),
        }
    }

    fn state(&self, _: &[crate::references::Lead]) -> u64 {
        1
    }
}

#[test]
fn a_privileged_file_that_names_nix_is_refused_every_time() {
    let recorder = Recorder::new();
    let mut overridden = BTreeSet::from(Refusal::ALL);
    overridden.remove(&Refusal::PrivilegedReference);
    for overridden in [&BTreeSet::new(), &overridden, &overridden] {
        let error = check_references(&recorder, &Leftover, overridden).unwrap_err();
        let Error::Host {
            refusal, reason, ..
        } = error
        else {
            panic!("{error:?}")
        };
        assert_eq!(refusal, Some(Refusal::PrivilegedReference));
        assert!(
            reason.contains(r"/etc/profile.d/nix.sh:3: . /nix/x\u{1b}"),
            "{reason}"
        );
    }
    let overridden = BTreeSet::from([Refusal::PrivilegedReference]);
    assert!(check_references(&recorder, &Leftover, &overridden).is_ok());
}
