//! Whether Slurm's jobs get a `/nix`: by the session that its daemon opens, or by
//! the plugin, where each job gets a mount namespace of Slurm's making.

use std::fs;
use std::path::Path;

use pam_stack::Stack;

use super::{Finding, Scene};

const NAME: &str = "doors.slurm";
/// Where the daemon finds its configuration: one that it fetched comes first.
const DIRECTORIES: [&str; 3] = ["run/slurm/conf", "etc/slurm", "etc/slurm-llnl"];
/// What packaging/slurm installs.
const PLUGIN: &str = "nix_ns.so";
const GUIDE: &str = "docs/guides/cluster.md, \"Jobs\"";

/// What of the configuration matters.
#[derive(Debug, Default)]
struct Slurm {
    /// Each job gets a mount namespace.
    namespaces: bool,
    /// The daemon opens a session of the service `slurm` for each job.
    sessions: bool,
    /// Each task opens one of the service `slurm-task`.
    plugin: bool,
}

/// What becomes of a job of a user's.
pub(super) fn check(_: &Scene) -> Vec<Finding> {
    vec![check_below(Path::new("/"))]
}

fn check_below(root: &Path) -> Finding {
    let mut directories = DIRECTORIES.iter().map(|directory| root.join(directory));
    let Some(directory) = directories.find(|it| it.join("slurm.conf").exists()) else {
        return Finding::ok(NAME, "this host has no Slurm");
    };
    let slurm = Slurm::read(&directory);
    let enters = |service| Stack::read(root, service).is_some_and(|stack| stack.enter().is_some());
    let by_daemon = slurm.sessions && enters("slurm");
    if slurm.namespaces && by_daemon {
        let found = "jobs of users with a /nix do not start: slurmstepd enters a user's namespace, from which it cannot join the one that Slurm makes for the job";
        let remedy = format!(
            "take the module's lines out of /etc/pam.d/slurm and install the SPANK plugin: {GUIDE}"
        );
        return Finding::fault(NAME, found, &remedy);
    }
    if slurm.plugin && !enters("slurm-task") {
        let found = "the SPANK plugin opens sessions of slurm-task, whose stack does not enter: jobs get no /nix";
        let remedy = format!("install /etc/pam.d/slurm-task: {GUIDE}");
        return Finding::warning(NAME, found, &remedy);
    }
    if slurm.plugin || by_daemon {
        return Finding::ok(NAME, "jobs get their user's /nix");
    }
    let (found, remedy) = if slurm.namespaces {
        (
            "jobs get a mount namespace of Slurm's, and no /nix in it",
            format!("install the SPANK plugin: {GUIDE}"),
        )
    } else {
        (
            "jobs get no /nix",
            format!("set UsePAM=1 and put both lines into /etc/pam.d/slurm: {GUIDE}"),
        )
    };
    Finding::warning(NAME, found, &remedy)
}

impl Slurm {
    fn read(directory: &Path) -> Self {
        let mut slurm = Self {
            plugin: has_plugin(directory),
            ..Self::default()
        };
        let text = fs::read_to_string(directory.join("slurm.conf")).unwrap_or_default();
        for (key, value) in text.lines().flat_map(settings) {
            match key.to_ascii_lowercase().as_str() {
                "usepam" => slurm.sessions = is_on(value),
                // The newer name of the same thing.
                "jobcontainertype" | "namespacetype" => {
                    slurm.namespaces = !value.to_ascii_lowercase().ends_with("none");
                }
                _ => {}
            }
        }
        slurm
    }
}

/// `Key=Value` after `Key=Value`, up to a comment (`slurm.conf(5)`).
fn settings(line: &str) -> impl Iterator<Item = (&str, &str)> {
    let line = line.split('#').next().unwrap_or_default();
    line.split_whitespace()
        .filter_map(|word| word.split_once('='))
}

fn is_on(value: &str) -> bool {
    ["1", "yes", "true", "up", "on"].contains(&value.to_ascii_lowercase().as_str())
}

/// `plugstack.conf`, and what Debian's includes.
fn has_plugin(directory: &Path) -> bool {
    let dropped = fs::read_dir(directory.join("plugstack.conf.d"));
    let dropped = dropped.into_iter().flatten().flatten();
    let files = dropped.map(|entry| entry.path());
    files
        .chain([directory.join("plugstack.conf")])
        .filter_map(|file| fs::read_to_string(file).ok())
        .any(|text| text.lines().any(names_plugin))
}

fn names_plugin(line: &str) -> bool {
    let line = line.split('#').next().unwrap_or_default();
    line.split_whitespace().any(|word| word.ends_with(PLUGIN))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnosis::Outcome;

    #[test]
    fn what_slurm_and_the_stacks_say_is_put_together() {
        let root = std::env::temp_dir().join(format!("nix-ns-slurm.{}", std::process::id()));
        let write = |file: &str, text: &str| {
            let file = root.join(file);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, text).unwrap();
        };
        let outcome = || check_below(&root).outcome;
        let enters = "session optional pam_nixns.so\n";
        assert_eq!(outcome(), Outcome::Ok, "no Slurm");
        write("etc/slurm/slurm.conf", "ClusterName=c # UsePAM=1\n");
        assert_eq!(outcome(), Outcome::Warning, "no session");
        write("etc/slurm/slurm.conf", "ClusterName=c usepam=1\n");
        assert_eq!(outcome(), Outcome::Warning, "no line");
        write("etc/pam.d/slurm", enters);
        assert_eq!(outcome(), Outcome::Ok, "by the daemon");
        let container = "UsePAM=1\nJobContainerType=job_container/tmpfs\n";
        write("etc/slurm/slurm.conf", container);
        assert_eq!(outcome(), Outcome::Fault, "by the daemon too early");
        write("etc/pam.d/slurm", "session required pam_unix.so\n");
        assert_eq!(outcome(), Outcome::Warning, "a namespace alone");
        write(
            "etc/slurm/plugstack.conf",
            "required /usr/lib/slurm/nix_ns.so\n",
        );
        assert_eq!(outcome(), Outcome::Warning, "a service without a stack");
        write("etc/pam.d/slurm-task", enters);
        assert_eq!(outcome(), Outcome::Ok, "by the plugin");
        write("etc/slurm/slurm.conf", "NamespaceType=namespace/none\n");
        write("etc/slurm/plugstack.conf", "#required nix_ns.so\n");
        assert_eq!(outcome(), Outcome::Warning, "nothing at all");
        fs::remove_dir_all(root).unwrap();
    }
}
