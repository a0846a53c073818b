//! `nix-ns doctor`: every condition between a user and their `/nix`.

use std::io::{self, Write};

use config::{Account, Participation, printable};
use nix::unistd::Uid;

use super::Error;
use super::paint::{Colour, Paint};
use crate::account_database;
use crate::diagnosis::{Finding, Outcome, Scene, diagnose, diagnose_user, store};

/// Check every condition between a user and their /nix, and say how to mend it.
///
/// As a user: your own view. As root: the host's, and with --user that user's,
/// whose files are looked at with that user's rights. Exits with 0 if there is
/// no fault, with 1 if there is.
#[derive(Debug, clap::Args)]
pub struct Doctor {
    /// Look at this user's configuration and directory, too (root)
    #[arg(long, value_name = "NAME")]
    user: Option<String>,
    /// What every selected account would get, a line each (root)
    #[arg(long, conflicts_with_all = ["user", "store"])]
    all_users: bool,
    /// Check the integrity of the store on this session's /nix
    #[arg(long, conflicts_with = "user")]
    store: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// What is printed as JSON.
#[derive(serde::Serialize)]
struct Report<'a> {
    format: u32,
    well: bool,
    findings: &'a [Finding],
}

#[derive(serde::Serialize)]
struct Accounts {
    format: u32,
    well: bool,
    accounts: Vec<Verdict>,
}

/// What one account would get.
#[derive(serde::Serialize)]
struct Verdict {
    user: String,
    uid: u32,
    outcome: Outcome,
    found: String,
}

impl Doctor {
    /// Looks, and tells.
    pub(super) fn run(&self, output: &mut dyn Write) -> Result<(), Vec<Error>> {
        let well = if self.all_users {
            self.all_users(output)
        } else {
            self.one(output)
        };
        match well {
            Ok(true) => Ok(()),
            Ok(false) => Err(Vec::new()),
            Err(error) => Err(vec![error]),
        }
    }

    fn one(&self, output: &mut dyn Write) -> Result<bool, Error> {
        let scene = Scene::of(self.account()?);
        let (paint, mut findings, mut written) = (Paint::for_output(), Vec::new(), Ok(()));
        let mut tell = |finding: Finding| {
            if !self.json && written.is_ok() {
                written = write_finding(&finding, paint, output);
            }
            findings.push(finding);
        };
        if self.store {
            let mut progress = |count: u64| {
                if paint.is_for_a_terminal() && !self.json {
                    // Not to see how far it has come is no fault.
                    let _ = write!(io::stderr(), "\r{count} files\x1b[K\r");
                }
            };
            store::examine(&scene, &mut tell, &mut progress);
        } else {
            diagnose(&scene, &mut tell);
        }
        written?;
        let well = is_well(&findings);
        if self.json {
            let report = Report {
                format: 1,
                well,
                findings: &findings,
            };
            writeln!(output, "{}", serde_json::to_string_pretty(&report)?)?;
        } else {
            writeln!(output, "{}", verdict(&findings, paint))?;
        }
        Ok(well)
    }

    fn account(&self) -> Result<Option<Account>, Error> {
        let caller = Uid::effective();
        let own = || account_database::account(caller.as_raw()).map(Some);
        match &self.user {
            Some(name) => {
                let account = account_database::account_named(name)?;
                if !caller.is_root() && account.uid != caller.as_raw() {
                    return Err(Error::NotRoot("look at another user's /nix"));
                }
                // Root has no /nix, and what is root's is the host's.
                Ok(Some(account).filter(|account| account.uid != 0))
            }
            None if caller.is_root() => Ok(None),
            None => Ok(own()?),
        }
    }

    fn all_users(&self, output: &mut dyn Write) -> Result<bool, Error> {
        if !Uid::effective().is_root() {
            return Err(Error::NotRoot("look at every user's /nix"));
        }
        let (paint, mut accounts) = (Paint::for_output(), Vec::new());
        for listed in account_database::accounts()? {
            let account = match account_database::account(listed.uid) {
                Ok(account) => account,
                Err(error) => {
                    accounts.push(verdict_of(&listed, Outcome::Fault, error.to_string()));
                    continue;
                }
            };
            let scene = Scene::of(Some(account.clone()));
            match &scene.site {
                Err(why) => accounts.push(verdict_of(&account, Outcome::Fault, why.clone())),
                Ok(_) if scene.participation == Some(Ok(Participation::Selected)) => {
                    accounts.push(what_it_would_get(&scene, &account));
                }
                Ok(_) => {}
            }
            if let Some(verdict) = accounts
                .last()
                .filter(|it| !self.json && it.uid == listed.uid)
            {
                write_verdict(verdict, paint, output)?;
            }
        }
        let well = accounts.iter().all(|it| it.outcome != Outcome::Fault);
        if self.json {
            let report = Accounts {
                format: 1,
                well,
                accounts,
            };
            writeln!(output, "{}", serde_json::to_string_pretty(&report)?)?;
        } else {
            writeln!(output, "{} selected accounts", accounts.len())?;
        }
        Ok(well)
    }
}

/// The first of the worst, which is what a login would stumble over.
fn what_it_would_get(scene: &Scene, account: &Account) -> Verdict {
    let mut findings = Vec::new();
    diagnose_user(scene, &mut |finding| findings.push(finding));
    let of = |outcome| {
        findings
            .iter()
            .find(move |it: &&Finding| it.outcome == outcome)
    };
    let directory = findings.iter().find(|it| it.check == "user.directory");
    let worst = [Outcome::Fault, Outcome::Unknown, Outcome::Warning]
        .into_iter()
        .find_map(of)
        .or(directory);
    match worst {
        Some(finding) => verdict_of(account, finding.outcome, finding.found.clone()),
        None => verdict_of(
            account,
            Outcome::Unknown,
            "nothing was found out".to_owned(),
        ),
    }
}

fn verdict_of(account: &Account, outcome: Outcome, found: String) -> Verdict {
    Verdict {
        user: printable(&account.name),
        uid: account.uid,
        outcome,
        found: printable(&found),
    }
}

fn write_verdict(verdict: &Verdict, paint: Paint, output: &mut dyn Write) -> Result<(), Error> {
    let outcome = coloured(verdict.outcome, paint);
    writeln!(output, "{outcome}  {:<16}  {}", verdict.user, verdict.found)?;
    Ok(())
}

fn is_well(findings: &[Finding]) -> bool {
    count(findings, Outcome::Fault) == 0
}

fn count(findings: &[Finding], outcome: Outcome) -> usize {
    findings.iter().filter(|it| it.outcome == outcome).count()
}

fn write_finding(finding: &Finding, paint: Paint, output: &mut dyn Write) -> io::Result<()> {
    let outcome = coloured(finding.outcome, paint);
    writeln!(
        output,
        "{outcome}  {:<26}  {}",
        finding.check, finding.found
    )?;
    if !finding.remedy.is_empty() {
        writeln!(output, "{:37}mend: {}", "", finding.remedy)?;
    }
    Ok(())
}

fn coloured(outcome: Outcome, paint: Paint) -> String {
    let colour = match outcome {
        Outcome::Ok => Colour::Green,
        Outcome::Warning => Colour::Yellow,
        Outcome::Fault => Colour::Red,
        Outcome::Note | Outcome::Unknown => Colour::Grey,
    };
    paint.text(colour, &format!("{outcome:<7}"))
}

fn verdict(findings: &[Finding], paint: Paint) -> String {
    let (faults, warnings) = (
        count(findings, Outcome::Fault),
        count(findings, Outcome::Warning),
    );
    match (faults, warnings) {
        (0, 0) => paint.text(Colour::Green, "all well"),
        (0, warnings) => paint.text(
            Colour::Green,
            &format!("all well, with {}", many(warnings, "warning")),
        ),
        (faults, 0) => paint.text(Colour::Red, &many(faults, "fault")),
        (faults, warnings) => {
            let text = format!("{}, {}", many(faults, "fault"), many(warnings, "warning"));
            paint.text(Colour::Red, &text)
        }
    }
}

fn many(count: usize, what: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {what}{plural}")
}
