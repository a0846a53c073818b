//! Everything that was measured, and where it is kept.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;
use std::process::{Command, Stdio};

use serde::Serialize;

use super::{Samples, goals, picture, table};

/// What a run found.
#[derive(Debug, Clone, Serialize)]
pub struct Results {
    /// Where and with what it was measured, by name.
    pub surroundings: Vec<(String, String)>,
    /// Every list of samples.
    pub measured: Vec<Measured>,
    /// Every single number.
    pub facts: Vec<Fact>,
}

/// Samples of one thing.
#[derive(Debug, Clone, Serialize)]
pub struct Measured {
    /// The table it belongs to.
    pub section: &'static str,
    /// What was timed.
    pub name: String,
    /// Of how many: mounts, users.
    pub of: u64,
    /// Times in nanoseconds.
    pub samples: Samples,
}

/// One number.
#[derive(Debug, Clone, Serialize)]
pub struct Fact {
    /// The table it belongs to.
    pub section: &'static str,
    /// What it is.
    pub name: String,
    /// The number.
    pub value: f64,
    /// What it counts.
    pub unit: &'static str,
}

/// As the summary has it.
#[derive(Serialize)]
struct Summary<'a> {
    section: &'a str,
    name: &'a str,
    of: u64,
    count: usize,
    median_ns: u64,
    p99_ns: u64,
}

impl Results {
    /// Nothing yet.
    #[must_use]
    pub fn new(surroundings: Vec<(String, String)>) -> Self {
        Self {
            surroundings,
            measured: Vec::new(),
            facts: Vec::new(),
        }
    }

    /// Adds samples.
    pub fn add(&mut self, section: &'static str, name: &str, of: u64, samples: Samples) {
        self.measured.push(Measured {
            section,
            name: name.to_owned(),
            of,
            samples,
        });
    }

    /// Adds a number.
    pub fn note(&mut self, section: &'static str, name: &str, value: f64, unit: &'static str) {
        self.facts.push(Fact {
            section,
            name: name.to_owned(),
            value,
            unit,
        });
    }

    /// Samples by name.
    #[must_use]
    pub fn samples(&self, section: &str, name: &str, of: u64) -> Option<&Samples> {
        let found = self
            .measured
            .iter()
            .find(|it| (it.section, it.name.as_str(), it.of) == (section, name, of));
        found.map(|it| &it.samples)
    }

    /// Their median in microseconds.
    #[must_use]
    pub fn median_us(&self, section: &str, name: &str, of: u64) -> Option<f64> {
        let samples = self.samples(section, name, of)?;
        Some(samples.median() as f64 / 1e3)
    }

    /// A number by name.
    #[must_use]
    pub fn fact(&self, section: &str, name: &str) -> Option<f64> {
        let found = self
            .facts
            .iter()
            .find(|it| (it.section, it.name.as_str()) == (section, name));
        found.map(|it| it.value)
    }

    /// The whole as text.
    #[must_use]
    pub fn to_text(&self) -> String {
        table::print(self)
    }

    /// Keeps it in a directory: `table.md`, `results.json`, `samples.json.gz` and
    /// `picture.svg`.
    ///
    /// # Errors
    ///
    /// When it cannot be written.
    pub fn keep(&self, directory: &Path) -> io::Result<()> {
        fs::create_dir_all(directory)?;
        fs::write(directory.join("table.md"), self.to_text())?;
        fs::write(directory.join("picture.svg"), picture::draw(self))?;
        fs::write(directory.join("results.json"), self.summary()?)?;
        compress(
            &directory.join("samples.json.gz"),
            &serde_json::to_vec(&self.measured)?,
        )
    }

    fn summary(&self) -> io::Result<String> {
        let measured: Vec<Summary> = self
            .measured
            .iter()
            .map(|it| Summary {
                section: it.section,
                name: &it.name,
                of: it.of,
                count: it.samples.count(),
                median_ns: it.samples.median(),
                p99_ns: it.samples.p99(),
            })
            .collect();
        let all = serde_json::json!({
            "surroundings": self.surroundings,
            "goals": goals::judge(self),
            "measured": measured,
            "facts": self.facts,
        });
        Ok(serde_json::to_string_pretty(&all)? + "\n")
    }
}

fn compress(path: &Path, bytes: &[u8]) -> io::Result<()> {
    // Without name and time: the same samples are the same file.
    let mut gzip = Command::new("gzip")
        .args(["-9", "-n"])
        .stdin(Stdio::piped())
        .stdout(File::create(path)?)
        .spawn()?;
    if let Some(input) = &mut gzip.stdin {
        input.write_all(bytes)?;
    }
    let ended = gzip.wait_with_output()?.status;
    ended
        .success()
        .then_some(())
        .ok_or_else(|| io::Error::other("gzip failed"))
}
