//! The module's own privileges: every path that it walks with root's rights over
//! files, on the way in and on the way out, is one of root's own.

use std::collections::{BTreeMap, BTreeSet};

use tests::hostile::Family;
use tests::{ENTER, LEAVE, Machine, machine_or_skip};

use super::bench::{Bench, quoted, short};

/// What root may walk to, and what lies below.
const ROOTS_OWN: &[&str] = &[
    "/bin",
    "/sbin",
    "/usr",
    "/lib",
    "/lib32",
    "/lib64",
    "/libx32",
    "/etc",
    "/dev",
    "/sys",
    "/boot",
    "/run/nix-ns",
    "/var/lib",
    "/var/log",
    "/var/run",
    "/run/utmp",
    "/run/systemd",
    "/run/lock",
    "/run/nscd",
    "/var/cache",
    "/var/db",
];
/// What root may look at, but not below.
const EXACTLY: &[&str] = &[
    "/",
    "/nix",
    "/run",
    "/run/current-system",
    "/run/wrappers",
    "/root",
    "/home",
    "/proc",
    "",
    "/run/faillock",
    "/run/sudo",
    "/selinux",
];
/// Below root's home, and the kernel's own file system.
const BEGINNINGS: &[&str] = &[
    "/root/.",
    "/proc/self/",
    "/proc/thread-self/",
    "/proc/sys/",
    "/proc/filesystems",
    "/proc/cmdline",
    "/proc/1/",
    "/proc/stat",
];

#[test]
fn root_walks_no_path_of_a_users() {
    let bench = Bench::set_up(machine_or_skip!());
    let machine = &bench.machine;
    let mut family = Family::new("own traces");
    machine.pam("host", &[LEAVE, "session required pam_permit.so", ENTER]);
    let mut walked = 0;
    let mut trace = |family: &mut Family, name: &str, shell: &str, line: &str| {
        family.case(name, || {
            let paths = paths_of_root(machine, shell, line)?;
            walked += paths.len();
            let foreign: Vec<_> = paths.iter().filter(|path| !is_roots(path)).collect();
            foreign
                .is_empty()
                .then_some(())
                .ok_or_else(|| format!("{foreign:?}"))
        });
    };
    let host = "sh -c";
    // To build: nobody is logged in.
    trace(
        &mut family,
        "build",
        host,
        "cd /home/alice; exec strace pam-host host alice",
    );
    trace(
        &mut family,
        "build from below /nix",
        host,
        "cd /nix; exec strace pam-host host alice",
    );
    let alice = bench.alice_stays("env");
    let inside = format!("nsenter -t {} -m sh -c", alice.process);
    let alices = format!("nsenter -t {} -m env -C /home/alice sh -c", alice.process);
    trace(
        &mut family,
        "join",
        host,
        "cd /home/alice; exec strace pam-host host alice",
    );
    trace(
        &mut family,
        "join after an edit",
        host,
        "touch /home/alice/.config/nix-ns/config.toml; exec strace pam-host host alice",
    );
    trace(
        &mut family,
        "stay",
        &inside,
        "cd /nix; exec strace pam-host host alice",
    );
    for who in ["root", "carol", "bob"] {
        for directory in ["/", "/nix", "/home/alice", "/tmp"] {
            let name = format!("leave for {who} from {directory}");
            trace(
                &mut family,
                &name,
                &inside,
                &format!("cd {directory}; exec strace pam-host host {who}"),
            );
        }
        let name = format!("leave for {who} by su");
        trace(
            &mut family,
            &name,
            &alices,
            &format!("exec strace su {who} -c true"),
        );
    }
    machine.run("chmod 4711 /usr/libexec/nix-ns-enter").ok();
    let enter = "/usr/libexec/nix-ns-enter true";
    for (place, shell) in [("on the host", host), ("in her session", &inside)] {
        for directory in ["/", "/nix", "/home/alice"] {
            for edit in ["true", "touch /home/alice/.config/nix-ns/config.toml"] {
                let name = format!("re-entry {place}, from {directory}, after {edit}");
                let line = format!("{edit}; cd {directory}; exec strace -u alice {enter}");
                trace(&mut family, &name, shell, &line);
            }
        }
    }
    for (what, make, unmake) in [
        (
            "a broken configuration",
            "echo x >/home/alice/.config/nix-ns/config.toml",
            "printf '' >/home/alice/.config/nix-ns/config.toml",
        ),
        (
            "a store that others can write",
            "chmod 777 /home/alice/.local/share/nix; touch /home/alice/.config/nix-ns/config.toml",
            "chmod 755 /home/alice/.local/share/nix",
        ),
        (
            "a host that names /nix",
            "echo /nix/x >/etc/profile.d/x.sh; touch /home/alice/.config/nix-ns/config.toml",
            "rm /etc/profile.d/x.sh",
        ),
        ("a /nix that is in use", "touch /nix/x", "rm /nix/x"),
    ] {
        machine.run(make).ok();
        trace(
            &mut family,
            &format!("refuse {what}"),
            host,
            "cd /home/alice; exec strace pam-host host alice",
        );
        machine.run(unmake).ok();
    }
    drop(alice);
    family.case("there was something to look at", || {
        (walked > 300)
            .then_some(())
            .ok_or_else(|| format!("{walked} paths"))
    });
    eprintln!("{walked} paths walked as root");
    family.finish();
}

/// Paths that any process of a traced session walks with user 0's rights over
/// files, in it and the children it makes, up to the command of the session.
fn paths_of_root(machine: &Machine, shell: &str, line: &str) -> Result<BTreeSet<String>, String> {
    let strace = "strace -f -s 4096 -o /root/trace -e trace=%file,%desc,%process,%creds,fchdir,mount,move_mount,open_tree";
    let line = line.replace("strace ", &format!("{strace} "));
    let output = machine.run(&format!("{shell} {}", quoted(&line)));
    if output.status != tests::Status::Exited(0) {
        return Err(short(&output));
    }
    Ok(judge(&machine.read("/root/trace")))
}

fn judge(trace: &str) -> BTreeSet<String> {
    let mut rights: BTreeMap<&str, u32> = BTreeMap::new();
    let mut commands = BTreeSet::new();
    let mut paths = BTreeSet::new();
    let host = trace.split(' ').next().unwrap_or_default();
    for line in trace.lines() {
        let Some((process, call)) = line.split_once(' ') else {
            continue;
        };
        let fsuid = *rights.entry(process).or_default();
        let call = call.trim_start();
        // What a call was given stands where it began; where another process
        // came in between, its end holds the answer alone, and what was read.
        let begun = match call.strip_prefix("<... ") {
            Some(rest) => rest.split_once(" resumed>").map(|(name, _)| (name, "")),
            None => call.split_once('('),
        };
        let Some((name, arguments)) = begun else {
            continue;
        };
        match name {
            _ if commands.contains(process) => {}
            // What a session runs walks where it likes.
            "execve" if process != host => {
                commands.insert(process);
            }
            "clone" | "clone3" | "fork" | "vfork" => {
                if let Some((_, child)) = call.rsplit_once("= ") {
                    rights.entry(child.trim()).or_insert(fsuid);
                }
            }
            "setfsuid" | "setuid" | "setreuid" | "setresuid" => {
                if let Some(uid) = effective_of(name, arguments) {
                    rights.insert(process, uid);
                }
            }
            _ if fsuid == 0 && !is_in_caches(name, arguments) => {
                paths.extend(path_of(name, arguments));
            }
            _ => {}
        }
    }
    paths
}

/// The working directory is found again for root, too, but only as far as the
/// kernel knows the way by heart.
fn is_in_caches(name: &str, arguments: &str) -> bool {
    name == "openat2"
        && ["O_PATH", "RESOLVE_CACHED", "RESOLVE_NO_SYMLINKS"]
            .iter()
            .all(|flag| arguments.contains(flag))
}

/// As whom files are opened from there on; -1 leaves it as it is.
fn effective_of(name: &str, arguments: &str) -> Option<u32> {
    let numbers: Vec<&str> = arguments.split([',', ')', '<']).map(str::trim).collect();
    let index = usize::from(matches!(name, "setreuid" | "setresuid"));
    let uid = numbers.get(index)?.parse().ok()?;
    (uid != u32::MAX).then_some(uid)
}

/// The first string of a call that takes a path; relative ones to the working
/// directory as they are, and those relative to a descriptor are the
/// descriptor's opener's business.
fn path_of(name: &str, arguments: &str) -> Option<String> {
    const NO_PATH: &[&str] = &[
        "read",
        "write",
        "readv",
        "writev",
        "pread64",
        "pwrite64",
        "send",
        "sendto",
        "sendmsg",
        "recvmsg",
        "recvfrom",
        "prctl",
        "fsconfig",
        "fsopen",
        "getcwd",
        "getdents64",
        "fcntl",
        "ioctl",
        "connect",
        "bind",
        "symlinkat",
        "execve",
        "getxattr",
        "fgetxattr",
        "poll",
        "getsockopt",
        "setsockopt",
    ];
    if NO_PATH.contains(&name) {
        return None;
    }
    let begin = arguments.find('"')?;
    let before = &arguments[..begin];
    let of_descriptor = before.chars().next().is_some_and(|c| c.is_ascii_digit());
    let rest = &arguments[begin + 1..];
    let path = &rest[..rest.find('"')?];
    if of_descriptor && !path.starts_with('/') {
        return None;
    }
    Some(path.to_owned())
}

fn is_roots(path: &str) -> bool {
    let below = |root: &&str| {
        path.strip_prefix(*root)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    let in_proc = path.strip_prefix("/proc/").is_some_and(|rest| {
        let (number, file) = rest.split_once('/').unwrap_or((rest, ""));
        number.parse::<u32>().is_ok()
            && [
                "ns/mnt",
                "stat",
                "mountinfo",
                "fd",
                "status",
                "stat",
                "cmdline",
                "",
            ]
            .contains(&file)
    });
    EXACTLY.contains(&path)
        || in_proc
        || ROOTS_OWN.iter().any(below)
        || BEGINNINGS.iter().any(|begin| path.starts_with(begin))
}
