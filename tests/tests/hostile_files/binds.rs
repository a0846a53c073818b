//! The site's `[binds]`: careless ones that would let a user put something in
//! every other user's sessions, or hold up their logins.

use std::time::{Duration, Instant};

use tests::hostile::Family;
use tests::{Machine, at_this_pace, machine_or_skip};

const SITE: &str = "[binds]\n\"/run/opengl-driver\" = \"/opt/site/driver\"\n";
const PREPARE: &str = "umount -ql /opt/site/driver /opt/site /run/opengl-driver; \
                       rm -rf /opt/site* /run/opengl-driver /run/other; umask 022; \
                       mkdir -p /opt/site/driver /run/opengl-driver && \
                       echo code >/opt/site/driver/libGL.so";
/// No login without a hung file server takes longer, on a machine under load.
const SOON: Duration = Duration::from_secs(5);

/// What is not in order, and what the log has to say of it.
const CARELESS: &[(&str, &str, &str)] = &[
    (
        "source of another user's",
        "chown bob /opt/site/driver",
        "/opt/site/driver belongs to uid",
    ),
    (
        "source of her own",
        "chown alice /opt/site/driver",
        "/opt/site/driver belongs to uid",
    ),
    (
        "source below a user's directory",
        "chown bob /opt/site",
        "/opt/site belongs to uid",
    ),
    (
        "source in a directory for all",
        "chmod 1777 /opt/site",
        "/opt/site is writable by others (mode 1777); `chmod go-w`",
    ),
    (
        "source for a group to write",
        "chgrp bob /opt/site/driver; chmod 775 /opt/site/driver",
        "/opt/site/driver is writable by others (mode 0775)",
    ),
    (
        "link to the source",
        "mv /opt/site/driver /opt/site/away; ln -s away /opt/site/driver",
        "/opt/site/driver is a symbolic link; name the directory",
    ),
    (
        "link above the source",
        "mv /opt/site /opt/site.away; ln -s site.away /opt/site",
        "/opt/site is a symbolic link",
    ),
    (
        "file as source",
        "rm -r /opt/site/driver; echo x >/opt/site/driver",
        "/opt/site/driver is not a directory",
    ),
    (
        "pipe as source",
        "rm -r /opt/site/driver; mkfifo /opt/site/driver",
        "/opt/site/driver is not a directory",
    ),
    (
        "no source",
        "rm -r /opt/site/driver",
        "/opt/site/driver is not there; make",
    ),
    (
        "target of a user's",
        "chown alice /run/opengl-driver",
        "/run/opengl-driver belongs to uid",
    ),
    (
        "target for all to write",
        "chmod 1777 /run/opengl-driver",
        "/run/opengl-driver is writable by others",
    ),
    (
        "target in use",
        "echo theirs >/run/opengl-driver/theirs",
        "/run/opengl-driver is in use (it holds theirs)",
    ),
    (
        "link as target",
        "rm -r /run/opengl-driver; mkdir /run/other; ln -s other /run/opengl-driver",
        "/run/opengl-driver is a symbolic link",
    ),
    (
        "no target",
        "rm -r /run/opengl-driver",
        "/run/opengl-driver is not there; make",
    ),
];

/// What a mute file system is mounted on, so that whoever asks it waits for ever.
const MUTE: &[(&str, &str, &str)] = &[
    (
        "mute source",
        "/opt/site/driver",
        "/opt/site/driver is on fuse",
    ),
    ("mute above the source", "/opt/site", "/opt/site is on fuse"),
    (
        "mute target",
        "/run/opengl-driver",
        "/run/opengl-driver is on fuse",
    ),
];

#[test]
fn no_careless_bind_does_harm() {
    let machine = machine_or_skip!().set_up();
    let _alice = machine.nix_user("alice");
    machine.user("bob");
    machine.configure_site(SITE);
    let mut family = Family::new("binds");
    family.case("in order", || {
        machine.run(PREPARE).ok();
        let login = machine.ssh("alice", "cat /run/opengl-driver/libGL.so");
        (login.ok() == "code")
            .then_some(())
            .ok_or(login.to_string())
    });
    for (name, break_it, why) in CARELESS {
        family.case(name, || {
            machine.run(PREPARE).ok();
            machine.run(break_it).ok();
            is_done_without(&machine, why)
        });
    }
    for (name, place, why) in MUTE {
        family.case(name, || {
            machine.run(PREPARE).ok();
            let mute = machine.mount_mute(place);
            let ended = is_done_without(&machine, why);
            drop(mute);
            ended
        });
    }
    family.finish();
}

/// Alice is on her `/nix` soon, sees nothing new at the target, and the log says
/// what to mend: file, key and reason.
fn is_done_without(machine: &Machine, why: &str) -> Result<(), String> {
    let begin = Instant::now();
    let (login, log) = machine.logged_during(|| {
        let look =
            "stat -c %U /nix; grep ' /run/opengl-driver ' /proc/self/mountinfo | grep -v mute";
        machine.ssh(
            "alice",
            &format!("{look}; timeout 1 cat /run/opengl-driver/libGL.so; :"),
        )
    });
    let took = begin.elapsed();
    if login.ok() != "alice" {
        return Err(format!("more than her /nix: {login}"));
    }
    if took > at_this_pace(SOON) {
        return Err(format!("{took:?}: {login}"));
    }
    let key = "/etc/nix-ns/config.toml: [binds] \"/run/opengl-driver\": ";
    let mut said = log.iter().filter(|line| line.contains("[binds]"));
    let (first, more) = (said.next(), said.next());
    match (first, more) {
        (Some(line), None) if line.contains(key) && line.contains(why) => Ok(()),
        _ => Err(format!("the log does not say {why:?} once: {log:?}")),
    }
}
