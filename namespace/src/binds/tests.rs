//! Which ends are in order, and that only the kernel is believed.

use super::*;
use crate::kernel::{Files, Mounts, Namespaces, recorder::Recorder};

/// Both ends in order: directories of root's, the target's empty.
fn host() -> Recorder {
    let recorder = Recorder::new();
    for (number, place) in (900..).zip(["/srv", "/srv/driver", "/run", "/run/driver"]) {
        recorder.alter(place, |it| it.inode = number);
    }
    recorder
}

fn bind() -> Bind<'static> {
    Bind {
        target: Path::new("/run/driver"),
        source: Path::new("/srv/driver"),
    }
}

fn why_not(arrange: impl Fn(&Recorder)) -> String {
    let recorder = host();
    arrange(&recorder);
    check_bind(&recorder, bind())
        .expect_err("not in order")
        .to_string()
}

#[test]
fn both_ends_in_order_are_taken() {
    assert_eq!(check_bind(&host(), bind()), Ok(()));
}

#[test]
fn a_step_that_anybody_else_can_change_is_refused() {
    for step in ["/", "/srv", "/srv/driver", "/run", "/run/driver"] {
        let owned = why_not(|it| it.alter(step, |file| file.uid = 1001));
        assert!(
            owned.starts_with("[binds] \"/run/driver\": ")
                && owned.contains(&format!("{step} belongs to uid 1001")),
            "{owned}"
        );
        for writable in [0o775, 0o757, 0o1777] {
            let said = why_not(|it| it.alter(step, |file| file.mode = libc::S_IFDIR | writable));
            assert!(
                said.contains(&format!("{step} is writable by others")),
                "{said}"
            );
        }
    }
}

#[test]
fn what_is_no_directory_is_refused() {
    for step in ["/srv", "/srv/driver", "/run", "/run/driver"] {
        let said = why_not(|it| it.alter(step, |file| file.mode = libc::S_IFREG | 0o644));
        assert!(
            said.contains(&format!("{step} is not a directory")),
            "{said}"
        );
        let said = why_not(|it| it.hide(step, Errno::ELOOP));
        assert!(
            said.contains(&format!("{step} is a symbolic link")),
            "{said}"
        );
        let said = why_not(|it| it.hide(step, Errno::ENOENT));
        assert!(said.contains(&format!("{step} is not there")), "{said}");
        let said = why_not(|it| it.hide(step, Errno::EIO));
        assert!(said.contains("EIO"), "{said}");
    }
}

#[test]
fn nothing_is_looked_at_that_a_server_answers_for() {
    let on = |step: &'static str, line: fn(String) -> String| {
        let recorder = host();
        recorder.alter_table(line);
        let said = check_bind(&recorder, bind()).unwrap_err().to_string();
        assert!(said.contains(&format!("{step} is on ")), "{said}");
        let calls = recorder.calls();
        calls.iter().filter(|call| *call == "openat2").count()
    };
    let before = on("/srv", |table| {
        table + "7 1 0:9 / /srv rw - nfs4 server:/srv rw\n"
    });
    assert_eq!(before, 0);
    let before = on("/srv/driver", |table| {
        table + "7 1 0:9 / /srv/driver rw - fuse.x x rw,user_id=1001\n"
    });
    assert_eq!(before, 0);
    // The source has been looked at by then.
    let of_source = 3;
    let before = on("/run", |table| {
        table + "7 1 8:2 / /run rw - ext4 /dev/sdb rw\n"
    });
    assert_eq!(before, of_source);
    // Whatever / is on, there is no other.
    let recorder = host();
    recorder.alter_table(|table| table.replace("ext4", "nfs4"));
    assert_eq!(check_bind(&recorder, bind()), Ok(()));
    let recorder = host();
    recorder.alter_table(|table| {
        table + "7 1 0:9 / /run rw - tmpfs x rw\n8 1 8:2 / /srv rw - xfs x rw\n"
    });
    let said = check_bind(&recorder, bind());
    assert_eq!(said, Ok(()));
}

#[test]
fn a_target_that_holds_something_is_not_covered() {
    let said = why_not(|it| it.put_link("/run/driver", "lib", "x".as_ref()));
    assert!(
        said.contains("/run/driver is in use (it holds lib)"),
        "{said}"
    );
}

#[test]
fn what_is_there_already_is_left_as_it_is() {
    let recorder = host();
    recorder.alter_table(|table| table + "7 1 8:1 /srv/driver /run/driver ro - ext4 /dev/sda rw\n");
    let table = MountTable::parse(&recorder.mount_table().unwrap());
    let checked = check(&recorder, &table, bind());
    assert!(matches!(checked, Ok(None)), "{checked:?}");
    assert!(prepare(&recorder, &table, bind()).unwrap().is_none());
}

/// Neither another directory of the same disk, nor one of that name on another.
#[test]
fn what_is_there_already_is_that_very_directory_or_in_the_way() {
    let others: [fn(String) -> String; 2] = [
        |table| table + "7 1 8:1 /srv/other /run/driver ro - ext4 /dev/sda rw\n",
        |table| table + "7 1 8:2 /srv/driver /run/driver ro - ext4 /dev/sdb rw\n",
    ];
    for other in others {
        let said = why_not(|it| it.alter_table(other));
        assert!(said.contains("/run/driver is on ext4"), "{said}");
    }
}

#[test]
fn who_has_a_namespace_of_their_own_mounts_them_there() {
    let recorder = host();
    let binds = "[binds]\n\"/run/driver\" = \"/srv/driver\"\n\"/run/none\" = \"/srv/driver\"\n";
    let site = config::Site::parse(binds, Path::new("config.toml")).unwrap();
    recorder.unshare_mounts().unwrap();
    let without = super::bind(&recorder, &site.binds).unwrap();
    assert_eq!(without.len(), 1);
    assert_eq!(without[0].target, Path::new("/run/none"));
    let there = recorder.remembered(Path::new("/run/driver")).unwrap();
    assert_eq!(there.inode, 901);
}
