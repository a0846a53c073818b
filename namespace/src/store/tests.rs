//! Every check of a directory, one at a time: whatever else is right, each
//! refuses alone.

use super::*;
use crate::kernel::recorder::Recorder;
use crate::login::tests::account;
use crate::record::LONGEST_PATH;

const STORE: &str = "/home/alice/nix";

fn check(recorder: &Recorder) -> Result<CheckedStore, Error> {
    check_as(recorder, STORE, &["/home/alice"], &[])
}

fn check_as(
    recorder: &Recorder,
    path: &str,
    roots: &[&str],
    overridden: &[Refusal],
) -> Result<CheckedStore, Error> {
    let roots: Vec<OwnedFd> = roots.iter().map(|root| recorder.opened(root)).collect();
    let rules = StoreRules {
        account: &account("alice", 1001),
        roots: &roots,
        overridden: &overridden.iter().copied().collect(),
    };
    CheckedStore::check(recorder, recorder.opened(path), &rules)
}

/// Refused as the user's business, in one printable line that says why.
fn is_refused(checked: Result<CheckedStore, Error>, why: &str) {
    let error = checked.expect_err(why);
    assert!(error.is_the_users(), "{error:?}");
    let error = error.to_string();
    assert!(error.contains(why), "{error}");
    assert!(!error.contains(char::is_control), "{error:?}");
}

fn altered(change: impl FnOnce(&mut Remembered)) -> Result<CheckedStore, Error> {
    let recorder = Recorder::new();
    recorder.alter(STORE, change);
    check(&recorder)
}

fn on(table: fn(String) -> String, overridden: &[Refusal]) -> Result<CheckedStore, Error> {
    let recorder = Recorder::new();
    recorder.alter_table(table);
    check_as(&recorder, STORE, &["/home/alice"], overridden)
}

#[test]
fn an_ordinary_directory_is_accepted_as_what_it_is() {
    let store = check(&Recorder::new()).unwrap();
    assert_eq!(store.path, Path::new(STORE));
    assert_eq!(store.root, Path::new(STORE));
    assert_eq!(store.remembered.inode, crate::kernel::recorder::STORE);
    assert!(store.flags.relatime && !store.flags.no_exec);
}

#[test]
fn the_flags_and_the_root_are_those_of_its_mount() {
    let store = on(
        |_| "1 0 8:1 /srv /home/alice rw,noexec,nosymfollow - ext4 x rw\n".to_owned(),
        &[],
    )
    .unwrap();
    assert_eq!(store.root, Path::new("/srv/nix"));
    assert!(store.flags.no_exec && store.flags.no_symfollow && !store.flags.no_suid);
}

#[test]
fn what_is_no_directory_is_refused() {
    for kind in [
        libc::S_IFREG,
        libc::S_IFLNK,
        libc::S_IFIFO,
        libc::S_IFSOCK,
        libc::S_IFCHR,
        libc::S_IFBLK,
    ] {
        is_refused(
            altered(|it| it.mode = kind | 0o700),
            "is not a directory: remove it",
        );
    }
}

#[test]
fn a_removed_directory_is_refused() {
    is_refused(altered(|it| it.links = 0), "was just removed");
    assert!(altered(|it| it.links = 1).is_ok());
}

/// A FUSE file system says so to everybody but its mounter, root included. Any
/// other failure is not the user's to mend.
#[test]
fn what_admits_nobody_is_refused() {
    let check_after = |errno| {
        let recorder = Recorder::new();
        recorder.refuse("statx fd", errno);
        check(&recorder)
    };
    is_refused(check_after(Errno::EACCES), "is not to be looked at");
    let other = check_after(Errno::EIO).expect_err("a failing disk");
    assert!(!other.is_the_users(), "{other:?}");
}

#[test]
fn somebody_elses_directory_is_refused_and_so_is_roots() {
    for uid in [0, 1000, 1002, u32::MAX] {
        is_refused(
            altered(|it| it.uid = uid),
            &format!("belongs to uid {uid}, not to alice (uid 1001)"),
        );
    }
}

#[test]
fn a_directory_that_others_may_write_is_refused() {
    for bit in [0o020, 0o002] {
        let mode = 0o1755 | bit;
        is_refused(
            altered(|it| it.mode = libc::S_IFDIR | mode),
            &format!("is writable by others (mode {mode:04o})"),
        );
    }
    for mode in [0o700, 0o755, 0o1755, 0o7555] {
        assert!(
            altered(|it| it.mode = libc::S_IFDIR | mode).is_ok(),
            "{mode:o}"
        );
    }
}

#[test]
fn a_path_that_no_record_can_hold_is_refused() {
    let checked = |length: usize| {
        let path = format!("/home/alice/{}", "x".repeat(length - 12));
        check_as(&Recorder::new(), &path, &["/home/alice"], &[])
    };
    assert!(checked(LONGEST_PATH).is_ok());
    is_refused(checked(LONGEST_PATH + 1), "has a path of more than");
}

#[test]
fn only_what_is_strictly_below_a_root_is_accepted() {
    let recorder = Recorder::new();
    let outside = "is not below a directory that the site allows";
    for roots in [
        &[][..],
        &["/home/bob"],
        &[STORE],
        &["/home/alice/ni"],
        &["/home/alice/nix/x"],
        &["/home/al", "/srv"],
    ] {
        is_refused(check_as(&recorder, STORE, roots, &[]), outside);
    }
    for roots in [&["/"][..], &["/srv", "/home"], &["/home/alice", "/srv"]] {
        assert!(check_as(&recorder, STORE, roots, &[]).is_ok(), "{roots:?}");
    }
    is_refused(
        check_as(&recorder, STORE, &[], &[]),
        "(none of which can be reached)",
    );
    is_refused(
        check_as(&recorder, STORE, &["/srv", "/home/b\nob"], &[]),
        r"(/srv, /home/b\u{a}ob)",
    );
}

#[test]
fn a_mount_that_no_session_sees_is_refused() {
    is_refused(
        on(|_| "2 0 8:1 / / rw - ext4 x rw\n".to_owned(), &[]),
        "is on a mount of another mount namespace",
    );
}

#[test]
fn a_directory_under_another_mount_is_refused() {
    is_refused(
        on(|_| "1 0 8:1 / /srv rw - ext4 x rw\n".to_owned(), &[]),
        "is hidden under another mount",
    );
}

#[test]
fn what_the_kernel_makes_up_is_refused_whatever_the_site_overrides() {
    for kind in KERNEL_FILE_SYSTEMS {
        let recorder = Recorder::new();
        let mount = crate::mount_table::MountTable::parse(
            format!("1 0 0:9 / / rw - {kind} x rw\n").as_bytes(),
        );
        let checked = check_file_system(
            Path::new(STORE),
            mount.by_id(1).unwrap(),
            &Refusal::ALL.into_iter().collect(),
        );
        is_refused(
            checked.and_then(|()| check(&recorder)),
            &format!("is on {kind}: choose"),
        );
    }
    is_refused(
        on(|_| "1 0 0:9 / / rw - proc x rw\n".to_owned(), &[]),
        "is on proc",
    );
}

#[test]
fn what_a_users_program_serves_is_refused_unless_the_site_says_so() {
    let users = |_| "1 0 0:9 / / rw - fuse.sshfs x rw,user_id=1001\n".to_owned();
    let others: Vec<Refusal> = Refusal::ALL
        .into_iter()
        .filter(|refusal| *refusal != Refusal::UserFuse)
        .collect();
    is_refused(on(users, &[]), "refusal user-fuse");
    is_refused(on(users, &others), "is on fuse.sshfs");
    assert!(on(users, &[Refusal::UserFuse]).is_ok());
    let nobodys = |_| "1 0 0:9 / / rw - fuse x rw\n".to_owned();
    is_refused(on(nobodys, &[]), "is on fuse");
    let roots = |_| "1 0 0:9 / / rw - fuseblk x rw,user_id=0\n".to_owned();
    assert!(on(roots, &[]).is_ok());
}

#[test]
fn a_call_that_fails_accepts_nothing() {
    let whole = Recorder::new();
    check(&whole).unwrap();
    for index in 0..whole.calls().len() {
        let recorder = Recorder::new();
        recorder.fail_at(index);
        let error = check(&recorder).unwrap_err();
        assert!(matches!(error, Error::Call(_)), "{error:?}");
    }
}
