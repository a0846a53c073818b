//! What a process is like: all that a module in it could change by mistake.

use std::fs;

use nix::sys::prctl;

/// Lines of `/proc/thread-self/status` that tell of credentials, capabilities,
/// signals, threads and the umask.
const STATUS: [&str; 15] = [
    "Umask", "Uid", "Gid", "Groups", "Threads", "SigPnd", "ShdPnd", "SigBlk", "SigIgn", "SigCgt",
    "CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb",
];

/// A line for everything: its name, `=`, its value.
pub fn lines() -> Vec<String> {
    let status = fs::read_to_string("/proc/thread-self/status").unwrap_or_default();
    let of_status = status
        .lines()
        .filter_map(|line| line.split_once(":\t"))
        .filter(|(name, _)| STATUS.contains(name))
        .map(|(name, value)| format!("{name}={}", value.trim().replace('\t', " ")));
    let links = [
        ("namespace", "/proc/thread-self/ns/mnt"),
        ("cwd", "/proc/thread-self/cwd"),
        ("root", "/proc/thread-self/root"),
    ]
    .map(|(name, path)| format!("{name}={}", link(path)));
    let rest = [
        format!("descriptors={}", descriptors()),
        format!("dumpable={:?}", prctl::get_dumpable()),
        format!("parent-death-signal={:?}", prctl::get_pdeathsig()),
        format!("no-new-privileges={:?}", prctl::get_no_new_privs()),
        format!("secure-bits={}", secure_bits()),
        format!("children={}", children()),
    ];
    of_status.chain(links).chain(rest).collect()
}

/// Where a link leads.
pub fn link(path: &str) -> String {
    fs::read_link(path).map_or_else(
        |error| error.to_string(),
        |target| target.display().to_string(),
    )
}

/// Every open descriptor and what it is, but for the one this takes.
fn descriptors() -> String {
    let Ok(listed) = fs::read_dir("/proc/thread-self/fd") else {
        return "unknown".into();
    };
    let mut all: Vec<String> = listed
        .filter_map(|entry| {
            let entry = entry.ok()?;
            let target = fs::read_link(entry.path()).ok()?.display().to_string();
            let number = entry.file_name().to_string_lossy().into_owned();
            (!target.starts_with("/proc/")).then(|| format!("{number}:{target}"))
        })
        .collect();
    all.sort();
    all.join(" ")
}

fn children() -> String {
    fs::read_to_string("/proc/thread-self/children").map_or_else(
        |error| error.to_string(),
        |children| children.trim().to_owned(),
    )
}

#[allow(unsafe_code, reason = "a call that the library lacks")]
fn secure_bits() -> i32 {
    // SAFETY: takes numbers, answers a number.
    unsafe { libc::prctl(libc::PR_GET_SECUREBITS, 0, 0, 0, 0) }
}
