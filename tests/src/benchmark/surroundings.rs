//! Where and with what it was measured.

use std::fs;
use std::process::Command;

/// By name, as the table has it.
#[must_use]
pub fn describe() -> Vec<(String, String)> {
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load: Vec<&str> = load.split(' ').take(3).collect();
    [
        ("date", said("date", &["-u", "+%Y-%m-%d"])),
        ("processor", processor()),
        ("memory", memory()),
        ("kernel", said("uname", &["-sr"])),
        ("system", system()),
        ("load before", load.join(" ")),
        ("Linux-PAM", package("libpam-modules")),
        ("OpenSSH", package("openssh-server")),
        ("bubblewrap", package("bubblewrap")),
        ("pam_mount, proot, fuse-overlayfs", super::peers::versions()),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into()
}

fn said(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output();
    output.map_or_else(
        |error| error.to_string(),
        |output| String::from_utf8_lossy(&output.stdout).trim().to_owned(),
    )
}

fn package(name: &str) -> String {
    said("dpkg-query", &["--show", "--showformat=${Version}", name])
}

fn processor() -> String {
    let text = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let values = |key: &str| -> Vec<String> {
        text.lines()
            .filter_map(|line| line.split_once(':'))
            .filter(|(name, _)| name.trim() == key)
            .map(|(_, value)| value.trim().to_owned())
            .collect()
    };
    let count = values("processor").len();
    let name = values("model name").into_iter().next().unwrap_or_default();
    let guest = text.lines().any(|line| line.contains(" hypervisor"));
    let guest = if guest { ", virtual" } else { "" };
    format!("{count} x {name}{guest}")
}

fn memory() -> String {
    let text = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let kibibytes = text
        .lines()
        .find_map(|line| line.strip_prefix("MemTotal:")?.trim().strip_suffix(" kB"));
    let kibibytes: u64 = kibibytes.and_then(|it| it.parse().ok()).unwrap_or_default();
    format!("{} GiB", kibibytes.div_ceil(1024 * 1024))
}

fn system() -> String {
    let text = fs::read_to_string("/etc/os-release").unwrap_or_default();
    let name = text
        .lines()
        .find_map(|line| line.strip_prefix("PRETTY_NAME="));
    name.unwrap_or_default().trim_matches('"').to_owned()
}
