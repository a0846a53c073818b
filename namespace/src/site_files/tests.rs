//! What a file said is believed as long as it is that file, unchanged.

#![allow(clippy::arithmetic_side_effects, reason = "tests may panic")]

use std::cell::{Cell, RefCell};
use std::ffi::OsStr;

use config::Error;

use super::*;
use crate::kernel::{Directories, recorder::Recorder};
use crate::record::tests::changes_of_one_byte;

const DIRECTORY: &str = "/run/nix-ns/1";
const FILE: &str = "/etc/nix-ns/config.toml";
/// It says what it is not asked.
const SILENT: &str = "# enable = false\n";
/// When the file was changed, and long after that.
const CHANGED: i64 = 1000;
const LATER: i64 = i64::MAX;

/// A kernel with an empty registry, and a site configuration.
struct Host {
    recorder: Recorder,
    text: RefCell<&'static str>,
    reads: Cell<usize>,
}

impl Host {
    fn whose_site_says(text: &'static str) -> Self {
        let recorder = Recorder::new();
        recorder.make_directory(Path::new(DIRECTORY), 0).unwrap();
        recorder.alter(FILE, |file| file.changed = (CHANGED, 7));
        Self {
            recorder,
            text: RefCell::new(text),
            reads: Cell::new(0),
        }
    }

    fn read_at(&self, now: i64) -> SiteFiles {
        let read = |file: &Path| -> Result<_, Error> {
            self.reads.set(self.reads.get() + 1);
            let site = Site::parse(*self.text.borrow(), file)?;
            Ok((site, current(&self.recorder, file)))
        };
        SiteFiles::read_by(&self.recorder, Path::new(FILE), &read, now)
    }

    fn silent(&self) -> Option<Fingerprint> {
        Memory::recall(&self.recorder)?.silent
    }
}

fn memory() -> Memory {
    let file = |inode| Fingerprint {
        device: 1,
        inode,
        size: 3,
        ctime_seconds: -4,
        ctime_nanoseconds: 5,
    };
    Memory {
        silent: Some(file(2)),
        login_uids: Some((file(3), UidRange { min: 6, max: 7 })),
    }
}

#[test]
fn what_is_written_down_is_read_back_and_nothing_else() {
    let parts = [
        memory(),
        Memory::default(),
        Memory {
            silent: None,
            ..memory()
        },
    ];
    for memory in parts {
        let text = memory.to_text().into_string().unwrap();
        assert_eq!(Memory::parse(&text), Some(memory));
    }
    let text = memory().to_text().into_string().unwrap();
    for changed in changes_of_one_byte(text.as_bytes()) {
        let Ok(changed) = String::from_utf8(changed) else {
            continue;
        };
        if let Some(read) = Memory::parse(&changed) {
            assert_eq!(read.to_text(), *changed);
        }
    }
    for other in [text.replace("nix-ns/1", "nix-ns/2"), format!("{text} ")] {
        assert_eq!(Memory::parse(&other), None, "{other}");
    }
}

#[test]
fn one_that_says_nothing_is_read_once() {
    let host = Host::whose_site_says(SILENT);
    for _ in 0..3 {
        let read = host.read_at(LATER);
        assert_eq!(read.site, Ok(Site::default()));
        assert_eq!(read.fingerprint, current(&host.recorder, Path::new(FILE)));
        assert_eq!(host.silent(), read.fingerprint);
    }
    assert_eq!(host.reads.get(), 1);
    let written = |call: &&String| call.starts_with("symlinkat");
    assert_eq!(host.recorder.calls().iter().filter(written).count(), 1);
}

#[test]
fn whatever_changes_is_read_again() {
    type Change = fn(&mut crate::kernel::Remembered);
    let changes: [Change; 5] = [
        |it| it.device += 1,
        |it| it.inode += 1,
        |it| it.size += 1,
        |it| it.changed.0 += 1,
        |it| it.changed.1 += 1,
    ];
    for (number, change) in changes.into_iter().enumerate() {
        let host = Host::whose_site_says(SILENT);
        host.read_at(LATER);
        host.text.replace("enable = false\n");
        assert!(host.read_at(LATER).site.unwrap().enable);
        host.recorder.alter(FILE, change);
        let read = host.read_at(LATER).site.unwrap();
        assert!(!read.enable, "change {number} was not seen");
    }
}

#[test]
fn one_that_is_gone_or_broken_is_not_the_one_that_was() {
    let host = Host::whose_site_says(SILENT);
    host.read_at(LATER);
    host.text.replace("enable = 1\n");
    host.recorder.alter(FILE, |it| it.size += 1);
    assert!(host.read_at(LATER).site.is_err());
    host.recorder.hide(FILE, nix::errno::Errno::ENOENT);
    assert!(host.read_at(LATER).site.is_err());
}

#[test]
fn one_that_says_something_is_read_each_time() {
    let host = Host::whose_site_says("environment = false\n");
    for reads in 1..4 {
        assert!(!host.read_at(LATER).site.unwrap().environment);
        assert_eq!((host.reads.get(), host.silent()), (reads, None));
    }
}

/// A second write at one and the same time would not be seen.
#[test]
fn what_was_changed_just_now_is_not_remembered() {
    let host = Host::whose_site_says(SILENT);
    for now in [i64::MIN, CHANGED - 10, CHANGED, CHANGED + A_WHILE - 1] {
        host.read_at(now);
        assert_eq!(host.silent(), None, "{now}");
    }
    host.read_at(CHANGED + A_WHILE);
    assert!(host.silent().is_some());
}

/// Of this machine's own `login.defs`, which was changed long after 1970.
#[test]
fn a_login_defs_that_was_changed_just_now_is_not_remembered() {
    let host = Host::whose_site_says(SILENT);
    let remembered = || Memory::recall(&host.recorder).and_then(|memory| memory.login_uids);
    host.read_at(CHANGED + A_WHILE);
    assert_eq!(remembered(), None);
    host.read_at(LATER);
    let (range, file) = UidRange::read_login_defs_of().unwrap();
    assert_eq!(remembered(), file.map(|file| (file, range)));
}

#[test]
fn what_a_killed_login_left_is_in_nobodys_way() {
    let host = Host::whose_site_says(SILENT);
    host.recorder
        .put_link(DIRECTORY, LINK.new, OsStr::new("anything"));
    host.read_at(LATER);
    assert!(host.silent().is_some());
}

#[test]
fn login_defs_is_believed_as_long_as_it_is_the_same() {
    let host = Host::whose_site_says(SILENT);
    let (file, range) = memory().login_uids.unwrap();
    host.recorder
        .put_link(DIRECTORY, LINK.name, &memory().to_text());
    host.recorder.alter(LOGIN_DEFS, |seen| {
        seen.device = file.device;
        seen.inode = file.inode;
        seen.size = file.size;
        seen.changed = (file.ctime_seconds, 5);
    });
    assert_eq!(host.read_at(0).login_uids, range);
    host.recorder.alter(LOGIN_DEFS, |seen| seen.changed.1 = 6);
    assert_ne!(host.read_at(0).login_uids, range);
}

/// Two services may have two site configurations.
#[test]
fn what_is_still_true_is_kept() {
    let host = Host::whose_site_says(SILENT);
    host.read_at(LATER);
    let silent = host.silent();
    host.text.replace("strict = true\n");
    host.recorder.alter(FILE, |it| it.inode += 1);
    assert!(host.read_at(LATER).site.unwrap().strict);
    assert_eq!(host.silent(), silent);
}

#[test]
fn where_nothing_can_be_remembered_all_is_read() {
    let calls = [
        "open directory",
        "symlinkat",
        "renameat",
        "readlink",
        "statx now",
    ];
    for refused in calls {
        let host = Host::whose_site_says(SILENT);
        host.recorder.refuse(refused, nix::errno::Errno::EACCES);
        for reads in 1..3 {
            assert_eq!(host.read_at(LATER).site, Ok(Site::default()), "{refused}");
            assert_eq!(host.reads.get(), reads, "{refused}");
        }
    }
    let recorder = Recorder::new();
    SiteFiles::read_by(
        &recorder,
        Path::new(FILE),
        &|_| Ok(Default::default()),
        LATER,
    );
    assert!(recorder.links(DIRECTORY).is_empty(), "made for nothing");
}
