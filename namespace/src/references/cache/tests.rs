//! What was read is read again only when something has changed.

#![allow(clippy::arithmetic_side_effects, reason = "tests may panic")]

use std::cell::RefCell;

use super::super::Scan;
use super::*;
use crate::kernel::recorder::Recorder;

const DIRECTORY: &str = "/run/nix-ns/1";

fn lead(path: &&str) -> Lead {
    let whose = if path.contains("guess") {
        Whose::Roots
    } else {
        Whose::Anybodys
    };
    let path = path.into();
    Lead { whose, path }
}

/// Files in a state, and how often they were read.
struct Files {
    scan: RefCell<Scan>,
    now: RefCell<u64>,
    scans: RefCell<usize>,
}

impl Files {
    fn in_state(state: u64, found: &[&str]) -> Self {
        Self {
            scan: RefCell::new(Scan {
                references: Vec::new(),
                state: Some(state),
                found: found.iter().map(lead).collect(),
            }),
            now: RefCell::new(state),
            scans: RefCell::new(0),
        }
    }

    fn scans(&self) -> usize {
        *self.scans.borrow()
    }
}

impl PrivilegedFiles for Files {
    fn scan(&self) -> Scan {
        *self.scans.borrow_mut() += 1;
        self.scan.borrow().clone()
    }

    fn state(&self, found: &[Lead]) -> u64 {
        assert_eq!(found, self.scan.borrow().found);
        *self.now.borrow()
    }
}

fn reference() -> Reference {
    Reference {
        file: "/etc/profile".into(),
        line: 1,
        text: "/nix".to_owned(),
    }
}

#[test]
fn what_is_unchanged_is_read_once() {
    let recorder = Recorder::new();
    let files = Files::in_state(u64::MAX, &["/etc/more", "/srv/guess", "/etc/a b"]);
    for _ in 0..3 {
        assert_eq!(first_reference(&recorder, &files), None);
    }
    assert_eq!(files.scans(), 1);
    assert_eq!(recorder.links(DIRECTORY).len(), 1);
}

#[test]
fn what_has_changed_is_read_again() {
    let recorder = Recorder::new();
    let files = Files::in_state(1, &[]);
    first_reference(&recorder, &files);
    *files.now.borrow_mut() = 2;
    files.scan.borrow_mut().state = Some(2);
    files.scan.borrow_mut().references.push(reference());
    for _ in 0..2 {
        assert_eq!(first_reference(&recorder, &files), Some(reference()));
    }
    assert_eq!(files.scans(), 3);
}

#[test]
fn a_reference_is_never_remembered_as_none() {
    let recorder = Recorder::new();
    let files = Files::in_state(1, &[]);
    files.scan.borrow_mut().references.push(reference());
    assert_eq!(first_reference(&recorder, &files), Some(reference()));
    assert!(recorder.links(DIRECTORY).is_empty());
}

#[test]
fn what_was_never_settled_is_not_remembered() {
    let recorder = Recorder::new();
    let files = Files::in_state(1, &[]);
    files.scan.borrow_mut().state = None;
    first_reference(&recorder, &files);
    first_reference(&recorder, &files);
    assert_eq!(files.scans(), 2);
}

#[test]
fn what_no_link_can_say_is_not_remembered() {
    // The state's one digit, the line's end and whose it is take three bytes.
    let longest = "x".repeat(LONGEST - 3);
    let longer = "x".repeat(LONGEST - 2);
    let much_longer = "x".repeat(2 * LONGEST);
    for (found, remembered) in [
        (&longest[..], true),
        (&longer, false),
        (&much_longer, false),
        ("/etc/a\nb", false),
    ] {
        let recorder = Recorder::new();
        let files = Files::in_state(1, &[found]);
        first_reference(&recorder, &files);
        first_reference(&recorder, &files);
        assert_eq!(files.scans() == 1, remembered, "{}", found.len());
    }
}

#[test]
fn a_memory_that_is_not_understood_is_none() {
    for text in ["", "x", "+1", "01", "1x\na/etc/more", "1\n/etc/more", "1\n"] {
        let recorder = Recorder::new();
        recorder.put_link(DIRECTORY, LINK.name, OsStr::new(text));
        let files = Files::in_state(1, &[]);
        first_reference(&recorder, &files);
        assert_eq!(files.scans(), 1, "{text:?}");
    }
}

#[test]
fn what_cannot_be_remembered_is_no_reason_to_refuse() {
    let recorder = Recorder::new();
    recorder.refuse("symlinkat", nix::errno::Errno::ENOSPC);
    let files = Files::in_state(1, &[]);
    assert_eq!(first_reference(&recorder, &files), None);
}
