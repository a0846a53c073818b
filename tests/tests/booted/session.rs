//! What a session is to the rest of the system, and how it ends.

use std::fs::File;
use std::os::fd::AsFd;
use std::thread;

use tests::Status;
use tests::kernel;
use tests::whereabouts::Stay;

use crate::cell::Tried;
use crate::household::Household;

pub fn known_to_logind(home: &mut Household) -> Tried {
    let _anchor = home.anchor();
    let shown = home.bed.ssh(
        "alice",
        "loginctl show-session $XDG_SESSION_ID -p Name -p State -p Class -p Service --value | sort",
    );
    assert_eq!(shown.ok(), "active\nalice\nsshd\nuser");
    let ended = home.bed.ssh(
        "alice",
        "loginctl terminate-session $XDG_SESSION_ID; sleep 60",
    );
    assert_ne!(ended.status, Status::Exited(0), "{ended}");
    Ok(())
}

/// Ended from outside, with all that runs in it.
pub fn terminated(home: &mut Household) -> Tried {
    let anchor = home.anchor();
    let unit = "systemd-run --quiet --user sleep 1000";
    home.bed.ssh("alice", unit).ok();
    home.bed.ssh("root", "loginctl terminate-user alice").ok();
    home.has_left("alice");
    drop(anchor);
    let _again = home.anchor();
    Ok(())
}

/// Mounted after the session's namespace was made, by the first session of all.
pub fn runtime_directory(home: &mut Household) -> Tried {
    let anchor = home.anchor();
    let uid = home.alice.uid;
    let look = format!("stat -c '%u %d %i' /run/user/{uid}");
    let inside = home
        .bed
        .ssh("alice", &format!("touch $XDG_RUNTIME_DIR/it && {look}"));
    assert_eq!(inside.ok(), home.bed.run(&look).ok());
    assert!(inside.ok().starts_with(&uid.to_string()), "{inside}");
    drop(anchor);
    home.has_left("alice");
    let second = home.bed.ssh(
        "alice",
        "test ! -e $XDG_RUNTIME_DIR/it && touch $XDG_RUNTIME_DIR/it",
    );
    second.ok();
    Ok(())
}

/// What alice mounts by FUSE is seen by all of hers, and by nobody else.
pub fn fuse(home: &mut Household) -> Tried {
    let _anchor = home.anchor();
    let mounted = "mkdir -p from to && echo hers >from/file && bindfs --no-allow-other from to";
    home.bed.ssh("alice", mounted).ok();
    let by_manager = "systemd-run --user --quiet --wait --pipe cat to/file";
    let seen = home
        .bed
        .ssh("alice", &by_manager.replace("to/", "/home/alice/to/"));
    assert_eq!(seen.ok(), "hers");
    assert!(!home.bed.mount_table().contains("/home/alice/to"));
    home.bed
        .ssh("alice", "fusermount3 -u to && test ! -e to/file")
        .ok();
    Ok(())
}

/// What the administrator mounts later arrives, and leaves.
pub fn mounts_of_the_host(home: &mut Household) -> Tried {
    let _anchor = home.anchor();
    home.bed
        .run("mkdir -p /media/disk && mount -t tmpfs -o mode=0777 disk /media/disk")
        .ok();
    home.bed
        .ssh(
            "alice",
            "mountpoint -q /media/disk && touch /media/disk/file",
        )
        .ok();
    home.bed
        .ssh("root", "test -e /media/disk/file && umount /media/disk")
        .ok();
    home.bed.ssh("alice", "! mountpoint -q /media/disk").ok();
    Ok(())
}

pub fn journal(home: &mut Household) -> Tried {
    let _anchor = home.anchor();
    home.bed
        .ssh("alice", "echo from her session | systemd-cat -t hers")
        .ok();
    let unit = "systemd-run --user --quiet --wait sh -c 'echo from her unit'";
    home.bed.ssh("alice", unit).ok();
    home.bed.run("journalctl --sync").ok();
    let field = format!("journalctl -q -o cat _UID={} -t hers", home.alice.uid);
    assert_eq!(home.bed.run(&field).ok(), "from her session");
    let own = home
        .bed
        .ssh("alice", "journalctl -q --user -o cat -g 'from her unit'");
    assert!(own.ok().contains("from her unit"), "{own}");
    Ok(())
}

/// What a session leaves running is ended with it, where the site says so.
pub fn kill_user_processes(home: &mut Household) -> Tried {
    home.say_to_logind("KillUserProcesses=yes");
    home.bed.ssh("alice", STAYS).ok();
    home.has_left("alice");
    let again = home.anchor();
    drop(again);
    Ok(())
}

/// What a session leaves running stays, on her `/nix`; the next login joins it.
/// Its session is `closing` as long as it runs, and no longer.
pub fn left_running(home: &mut Household) -> Tried {
    home.say_to_logind("KillUserProcesses=no");
    let first = home.behind(|probe| home.bed.ssh("alice", &format!("{probe}; {STAYS}")));
    home.bed.wait_until("the session to close", || {
        let states = "loginctl --no-legend list-users -o json; loginctl show-user alice -p State";
        home.bed.run(states).stdout.contains("closing")
    });
    let second = home.anchor();
    home.is_alices(&first);
    // Before Linux 6.11 nothing proves whose namespace a process is in.
    let own = File::open("/proc/self/ns/mnt").unwrap();
    let provable = kernel::namespace_id(own.as_fd()).is_ok();
    assert_eq!(first.namespace == second.namespace, provable);
    drop(second);
    home.bed.run("pkill -u alice -x sleep").ok();
    Ok(())
}

/// As shipped: the manager stays for ten seconds after the last logout. Who
/// comes back meanwhile finds it, and its namespace.
pub fn back_at_once(home: &mut Household) -> Tried {
    home.say_to_logind("UserStopDelaySec=10");
    let first = home.behind(|probe| home.bed.ssh("alice", probe));
    let second = home.anchor();
    home.is_with(&second, &first);
    Ok(())
}

pub fn second_login(home: &mut Household) -> Tried {
    for _ in 0..3 {
        let anchor = home.anchor();
        let found = home.behind(|probe| home.bed.ssh("alice", probe));
        home.is_with(&anchor, &found);
        drop(anchor);
        home.has_left("alice");
    }
    Ok(())
}

/// The first logins of all, at once, each of which wants a manager as well.
pub fn many_at_once(home: &mut Household) -> Tried {
    let sessions: Vec<Stay> = thread::scope(|scope| {
        let home = &*home;
        let logins: Vec<_> = (0..10)
            .map(|_| scope.spawn(|| home.bed.keep_by_ssh("alice")))
            .collect();
        logins
            .into_iter()
            .map(|login| login.join().unwrap())
            .collect()
    });
    let manager = home.namespace_of_manager("alice");
    for session in sessions {
        assert_eq!(session.namespace, manager, "{}", home.bed.log());
    }
    Ok(())
}

/// Nobody has to wait for a session of ours when the system goes down.
pub fn reboot(home: &mut Household) -> Tried {
    let anchor = home.anchor();
    home.bed
        .ssh("alice", &format!("systemd-run --user sleep 1000; {STAYS}"))
        .ok();
    // It ends with the system, and not by being killed before.
    std::mem::forget(anchor);
    home.bed.boot_again();
    let log = home
        .bed
        .run("journalctl --boot=-1 --no-pager -g 'timed out|SIGKILL'");
    assert_eq!(log.stdout.trim(), "-- No entries --");
    let _again = home.anchor();
    Ok(())
}

/// Stays when its session ends, if it may.
const STAYS: &str = "setsid sleep 1000 >/dev/null 2>&1 &";

impl Household {
    #[track_caller]
    fn say_to_logind(&self, setting: &str) {
        let text = format!("[Login]\n{setting}\n");
        let path = "/etc/systemd/logind.conf.d/more.conf";
        self.bed.write(path, text, 0o644, &tests::User::root());
        self.bed
            .run("systemctl reload-or-restart systemd-logind")
            .ok();
    }
}
