//! `nix-ns purge`: a store removed, with its directories that even their owner
//! may not write.

use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};

use config::printable_path;

use super::Error;
use super::own_store::{Own, own_account};
use crate::progress::Screen;
use crate::reader::open_store;
use crate::store_tree::{Found, Purge as Doomed, Purged};

/// Remove a store.
///
/// Never follows a link, never enters a mount, and asks before it removes
/// anything. Can be interrupted at any time; the same command goes on. Exits with
/// 1 if something was left.
#[derive(Debug, clap::Args)]
pub struct Purge {
    /// Directory that holds store/ and var/; your own store directory if left out
    path: Option<PathBuf>,
    /// Do not ask
    #[arg(long)]
    yes: bool,
}

impl Purge {
    /// Removes, and writes to `output` what was removed.
    pub(super) fn run(&self, output: &mut dyn Write) -> Result<(), Vec<Error>> {
        self.remove(&mut Screen::stdout(output))
    }

    fn remove(&self, screen: &mut Screen) -> Result<(), Vec<Error>> {
        let doomed = self.find().map_err(|error| vec![error])?;
        let path = doomed.found().path.clone();
        if !self.yes && !confirmed(&doomed, screen).map_err(|error| vec![error])? {
            return Err(vec![Error::NotConfirmed(path)]);
        }
        let progress = screen.progress("removing", None);
        let purged = doomed.run(progress).map_err(|error| vec![error.into()])?;
        report(purged, &path, screen)
    }

    fn find(&self) -> Result<Doomed, Error> {
        let found = match &self.path {
            // Whatever the configurations say, and be they broken.
            Some(path) => Found::open(path, &own_account()?.home)?,
            None => own_store()?,
        };
        Ok(Doomed::of(found)?)
    }
}

fn own_store() -> Result<Found, Error> {
    let own = Own::read()?;
    let (path, allow_symlinks) = own.store()?;
    // Opening would make it.
    if !path.as_path().exists() {
        return Err(Error::NoStore(path.as_path().to_owned()));
    }
    let store = open_store(&path, allow_symlinks)?;
    Ok(Found::own(&store, &own.account.home)?)
}

fn confirmed(doomed: &Doomed, screen: &mut Screen) -> Result<bool, Error> {
    if !io::stdin().is_terminal() {
        return Err(Error::NobodyToAsk);
    }
    let count = doomed.count(screen.progress("counting", None))?;
    let path = printable_path(&doomed.found().path);
    screen.ask(format_args!(
        "Remove {} below {path}? Type yes: ",
        count.amount
    ))?;
    let mut answer = String::new();
    io::stdin().read_line(&mut answer)?;
    Ok(answer.trim() == "yes")
}

fn report(purged: Purged, path: &Path, screen: &mut Screen) -> Result<(), Vec<Error>> {
    let Purged { amount, left } = purged;
    screen
        .say(format_args!(
            "removed {amount} below {}",
            printable_path(path)
        ))
        .map_err(|error| vec![error.into()])?;
    if left.files == 0 {
        return Ok(());
    }
    let mut errors: Vec<Error> = left.reasons.into_iter().map(Error::Left).collect();
    errors.push(Error::LeftInAll {
        path: path.to_owned(),
        files: left.files,
    });
    Err(errors)
}
