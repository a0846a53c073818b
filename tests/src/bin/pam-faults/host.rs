//! The system around the sessions, which none of them may change.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::thread::sleep;
use std::time::{Duration, Instant};

/// Longer than the kernel takes to end a killed process.
const SOON: Duration = Duration::from_secs(5);

/// What is on the host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Host {
    mounts: String,
    processes: BTreeSet<u32>,
    descriptors: usize,
    run: BTreeSet<String>,
}

impl Host {
    /// As it is now.
    pub fn look() -> io::Result<Self> {
        let names = |path: &str| -> io::Result<BTreeSet<String>> {
            let entries = fs::read_dir(path)?;
            let names = entries.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()));
            names.collect()
        };
        let processes = names("/proc")?;
        let mut run = names("/run/nix-ns")?;
        // Is made by the first session.
        run.remove("1");
        Ok(Self {
            mounts: fs::read_to_string("/proc/self/mountinfo")?,
            processes: processes.iter().filter_map(|it| it.parse().ok()).collect(),
            descriptors: names("/proc/self/fd")?.len(),
            run,
        })
    }

    /// What there is now and was not, or is not as it was; waits a moment for what is about to end.
    pub fn difference(&self) -> io::Result<Option<String>> {
        let deadline = Instant::now() + SOON;
        loop {
            let now = Self::look()?;
            let words = self.words_for(&now);
            if words.is_empty() {
                return Ok(None);
            }
            if Instant::now() > deadline {
                return Ok(Some(words));
            }
            sleep(Duration::from_millis(1));
        }
    }

    fn words_for(&self, now: &Self) -> String {
        let mut words = Vec::new();
        if self.mounts != now.mounts {
            words.push(format!("mounts of the host: {}", now.mounts));
        }
        for process in now.processes.difference(&self.processes) {
            let name = fs::read_to_string(format!("/proc/{process}/cmdline")).unwrap_or_default();
            words.push(format!("process {process} {}", name.replace('\0', " ")));
        }
        if self.descriptors != now.descriptors {
            words.push(format!("{} descriptors", now.descriptors));
        }
        for file in now.run.difference(&self.run) {
            words.push(format!("/run/nix-ns/{file}"));
        }
        words.join("; ")
    }
}
