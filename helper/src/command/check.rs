//! `nix-ns check`: what is wrong with a configuration, or what it amounts to.

use std::io::Write;
use std::path::{Path, PathBuf};

use config::{
    Account, Answer, OwnedFile, SITE_FILE, Selection, Site, StorePath, USER_FILE, UidRange, User,
    printable, printable_path,
};
use namespace::host_name;
use nix::unistd::Uid;

use super::Error;
use crate::account_database;
use crate::site::memberships;

/// Check a configuration and show what it amounts to.
///
/// Without FILE, your own user configuration and the site's are checked. Exits
/// with 0 if all is well, with 1 if not.
#[derive(Debug, clap::Args)]
pub struct Check {
    /// Configuration to check before it is put in its place
    file: Option<PathBuf>,
    /// Check a site configuration, not a user configuration
    #[arg(long)]
    site: bool,
}

impl Check {
    /// Checks, and writes to `output` what the configuration amounts to.
    pub(super) fn run(&self, output: &mut dyn Write) -> Result<(), Vec<Error>> {
        match &self.file {
            Some(file) if self.site || file == Path::new(SITE_FILE) => check_site(file, output),
            None if self.site => check_site(Path::new(SITE_FILE), output),
            Some(file) => check_user(file, output),
            None => return check_own(output),
        }
        .map_err(|error| vec![error])
    }
}

fn check_site(file: &Path, output: &mut dyn Write) -> Result<(), Error> {
    let site = if file == Path::new(SITE_FILE) {
        Site::read(file)?.0
    } else {
        site_draft(file)?
    };
    let uids = site.users.uid_range(UidRange::read_login_defs()?);
    let users = Selection {
        uid_min: Some(uids.min),
        uid_max: Some(uids.max),
        ..site.users.clone()
    };
    writeln!(
        output,
        "{}: fine; with every default filled in:",
        printable_path(file)
    )?;
    write!(output, "{}", Site { users, ..site }.to_toml()?)?;
    Ok(())
}

/// What to say of a file without a fault; a missing site configuration is one.
fn state(file: &Path) -> &'static str {
    if file.exists() { "fine" } else { "not there" }
}

/// A file that is not in its place has to be right, not yet root's: this is how
/// Ansible's `validate=` and an editor's temporary file come.
fn site_draft(file: &Path) -> Result<Site, Error> {
    let draft = OwnedFile::read_draft(file)?.ok_or_else(|| Error::NoFile(file.to_owned()))?;
    Ok(Site::parse(&draft.text, file)?)
}

fn check_user(file: &Path, output: &mut dyn Write) -> Result<(), Error> {
    let account = account_database::account_alone(Uid::current().as_raw())?;
    let user = if file == account.home.join(USER_FILE) {
        OwnedFile::read_below(&account.home, USER_FILE, account.uid)?
    } else {
        OwnedFile::read_draft(file)?
    };
    let user = user.ok_or_else(|| Error::NoFile(file.to_owned()))?;
    let user = User::parse(&user.text, file)?;
    let site = Site::read(Path::new(SITE_FILE))?.0;
    report_user(file, Some(&user), &site, &account, output)
}

fn check_own(output: &mut dyn Write) -> Result<(), Vec<Error>> {
    let account = account_database::account_alone(Uid::current().as_raw())
        .map_err(|error| vec![error.into()])?;
    let file = account.home.join(USER_FILE);
    match (
        Site::read(Path::new(SITE_FILE)).map(|(site, _)| site),
        own_user(&file, &account),
    ) {
        (Ok(site), Ok(user)) => {
            report_own(&file, user.as_ref(), &site, &account, output).map_err(|error| vec![error])
        }
        (site, user) => Err([site.err(), user.err()]
            .into_iter()
            .flatten()
            .map(Error::from)
            .collect()),
    }
}

pub(super) fn own_user(file: &Path, account: &Account) -> Result<Option<User>, config::Error> {
    match OwnedFile::read_below(&account.home, USER_FILE, account.uid)? {
        Some(read) => User::parse(&read.text, file).map(Some),
        None => Ok(None),
    }
}

fn report_own(
    file: &Path,
    user: Option<&User>,
    site: &Site,
    account: &Account,
    output: &mut dyn Write,
) -> Result<(), Error> {
    let groups = memberships(site, account)?;
    let uids = UidRange::read_login_defs()?;
    let participation = site.participation(account, uids, &|group| groups.contains(group));
    writeln!(output, "{SITE_FILE}: {}", state(Path::new(SITE_FILE)))?;
    writeln!(output, "{}: {participation}", printable(&account.name))?;
    report_user(file, user, site, account, output)
}

fn report_user(
    file: &Path,
    user: Option<&User>,
    site: &Site,
    account: &Account,
    output: &mut dyn Write,
) -> Result<(), Error> {
    let wrong = |problem| Error::Answer {
        file: file.to_owned(),
        problem,
    };
    let host = host_name();
    let answer = site.answer(user, account, &host).map_err(wrong)?;
    writeln!(output, "{}: {}", printable_path(file), state(file))?;
    match answer {
        Answer::NotOptedIn => {
            writeln!(
                output,
                "no /nix: users opt in here, by having this file, which may be empty"
            )?;
        }
        Answer::DisabledByUser => writeln!(output, "enable: false (no /nix)")?,
        Answer::Store {
            path,
            allow_symlinks,
            environment,
        } => {
            writeln!(output, "enable: true")?;
            writeln!(
                output,
                "source_path: {}",
                with_root(&path, site, account, &host)
            )?;
            writeln!(output, "allow_symlinks: {allow_symlinks}")?;
            writeln!(
                output,
                "environment: {}",
                shown_environment(site, environment)
            )?;
        }
    }
    Ok(())
}

/// Both have to want it.
const fn shown_environment(site: &Site, user: bool) -> &'static str {
    match (site.environment, user) {
        (true, true) => "true",
        (true, false) => "false",
        (false, _) => "false (the site says so)",
    }
}

/// The path, and the root it is below as the site wrote it: the answer has where
/// that really is.
fn with_root(path: &StorePath, site: &Site, account: &Account, host: &str) -> String {
    let is_it = |written: PathBuf| {
        written == path.root() || written.canonicalize().is_ok_and(|real| real == path.root())
    };
    let mut patterns = site.roots.iter();
    let pattern = patterns.find(|pattern| pattern.expand(account, host).is_ok_and(is_it));
    let pattern = pattern.map(ToString::to_string).unwrap_or_default();
    format!(
        "{} (below {})",
        printable_path(path.as_path()),
        printable(&pattern)
    )
}
