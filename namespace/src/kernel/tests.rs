//! Flags and numbers.

use super::*;

/// Each flag alone.
fn every_flag() -> [MountFlags; 8] {
    let none = MountFlags::default();
    [
        MountFlags {
            read_only: true,
            ..none
        },
        MountFlags {
            no_suid: true,
            ..none
        },
        MountFlags {
            no_dev: true,
            ..none
        },
        MountFlags {
            no_exec: true,
            ..none
        },
        MountFlags {
            no_atime: true,
            ..none
        },
        MountFlags {
            no_diratime: true,
            ..none
        },
        MountFlags {
            relatime: true,
            ..none
        },
        MountFlags {
            no_symfollow: true,
            ..none
        },
    ]
}

#[test]
fn adding_flags_loses_none() {
    let none = MountFlags::default();
    for flag in every_flag() {
        assert_eq!(flag.and(none), flag);
        assert_eq!(none.and(flag), flag);
        assert!(flag.include(flag) && flag.include(none) && !none.include(flag));
        for other in every_flag() {
            let both = flag.and(other);
            assert!(both.include(flag) && both.include(other));
            assert_eq!(flag.include(other), flag == other);
        }
    }
}

#[test]
fn a_store_and_a_marker_get_what_they_must_have() {
    let MountFlags {
        no_suid, no_dev, ..
    } = MountFlags::STORE;
    assert!(no_suid && no_dev);
    let MountFlags {
        read_only,
        no_suid,
        no_dev,
        no_exec,
        ..
    } = MountFlags::MARKER;
    assert!(read_only && no_suid && no_dev && no_exec);
}

#[test]
fn numbers_are_read_as_they_are_printed() {
    for text in ["0", "1", "10", "18446744073709551615"] {
        assert_eq!(parse_decimal(text).unwrap().to_string(), text);
    }
    for text in [
        "",
        "00",
        "01",
        "+1",
        "-1",
        " 1",
        "1 ",
        "1x",
        "x",
        "18446744073709551616",
        "\u{661}",
    ] {
        assert_eq!(parse_decimal(text), None, "{text:?}");
    }
}

#[test]
fn identities_are_read_as_they_are_printed() {
    for id in [NamespaceId::Unique(7), NamespaceId::Inode(7)] {
        assert_eq!(NamespaceId::parse(&id.to_string()), Some(id));
    }
    for id in [MountId::Unique(7), MountId::Reused(7)] {
        assert_eq!(MountId::parse(&id.to_string()), Some(id));
    }
    for text in ["", "7", "u", "x7", "u07", "\u{e9}7"] {
        assert_eq!(NamespaceId::parse(text), None, "{text}");
        assert_eq!(MountId::parse(text), None, "{text}");
    }
    assert_eq!(NamespaceId::parse("r7"), None);
    assert_eq!(MountId::parse("i7"), None);
}
