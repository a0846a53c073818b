//! What the site's files say, without reading them again as long as they are the
//! same: two looks and the text of a link, instead of two files and every
//! directory above one of them.
//!
//! What is remembered is a fact about a file that was read and checked: nothing
//! about a user, whose groups may change, and nothing that rests on where the file
//! is. It is that file, as it was, while its device, inode number, size and time of
//! last change are the same: to write it, to give it another owner, other
//! permissions or another name changes that time, which nobody can set. Whoever
//! can exchange it, as one of the directories above it is theirs, puts another
//! file there, which is read and refused.
//!
//! Of the site configuration only this is remembered: that it says nothing, as it
//! is installed.

use std::ffi::OsString;
use std::path::Path;
use std::time::SystemTime;

use config::{Fingerprint, Site, UidRange};

use crate::freshness::fingerprint;
use crate::kernel::{Called, Kernel, parse_decimal};
use crate::record::{fingerprint_to_text, parse_fingerprint};
use crate::registry::RememberedLink;

const LINK: RememberedLink = RememberedLink {
    name: "site",
    new: "new.site",
};
/// Version of the text; another is nobody's.
const VERSION: &str = "nix-ns/1";
/// The file that most systems have; what another one says is read each time.
const LOGIN_DEFS: &str = "/etc/login.defs";
/// A file may be written twice at one time: the clock that the kernel takes the
/// time of a change from goes on with the timer's interrupt, each 10 ms at most.
const A_WHILE: i64 = 2;

type ReadSite<'a> = &'a dyn Fn(&Path) -> Result<(Site, Option<Fingerprint>), config::Error>;

/// The site configuration and the uids of people.
pub(crate) struct SiteFiles {
    /// The configuration, or why there is none.
    pub(crate) site: Result<Site, String>,
    /// Which file that was; `None` if there is none.
    pub(crate) fingerprint: Option<Fingerprint>,
    /// Where the site leaves the system's own range alone.
    pub(crate) login_uids: UidRange,
}

impl SiteFiles {
    pub(crate) fn read(kernel: &dyn Kernel, site_file: &Path) -> Self {
        let now = SystemTime::now()
            .duration_since(SystemTime::UNIX_EPOCH)
            .ok()
            .and_then(|now| now.as_secs().try_into().ok());
        Self::read_by(kernel, site_file, &Site::read, now.unwrap_or_default())
    }

    fn read_by(kernel: &dyn Kernel, site_file: &Path, read: ReadSite, now: i64) -> Self {
        let memory = Memory::recall(kernel).unwrap_or_default();
        let (site, fingerprint) = memory.site(kernel, site_file, read);
        let (login_uids, login_defs) = memory.login_uids(kernel);
        let says_nothing = site.as_ref().is_ok_and(|site| *site == Site::default());
        let settled = |it: &Fingerprint| now.saturating_sub(it.ctime_seconds) >= A_WHILE;
        let learnt = Memory {
            silent: fingerprint
                .filter(|it| says_nothing && settled(it))
                .or(memory.silent),
            login_uids: login_defs.filter(settled).map(|it| (it, login_uids)),
        };
        if learnt != memory {
            // Not to remember costs time at the next login, nothing else.
            let _ = learnt.keep(kernel);
        }
        Self {
            site,
            fingerprint,
            login_uids,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Memory {
    /// A site configuration that says nothing.
    silent: Option<Fingerprint>,
    /// A `login.defs`, and what it says.
    login_uids: Option<(Fingerprint, UidRange)>,
}

impl Memory {
    fn recall(kernel: &dyn Kernel) -> Option<Self> {
        Self::parse(LINK.text(kernel)?.to_str()?)
    }

    fn parse(text: &str) -> Option<Self> {
        let mut facts = text.split(' ');
        if facts.next()? != VERSION {
            return None;
        }
        let mut fact = |key: &str| facts.next()?.strip_prefix(key)?.strip_prefix('=');
        let silent = parse_fingerprint(fact("silent")?)?;
        let login_defs = parse_fingerprint(fact("login.defs")?)?;
        let min = fact("min").and_then(parse_decimal)?.try_into().ok()?;
        let max = fact("max").and_then(parse_decimal)?.try_into().ok()?;
        facts.next().is_none().then_some(Self {
            silent,
            login_uids: login_defs.map(|it| (it, UidRange { min, max })),
        })
    }

    fn to_text(self) -> OsString {
        let (login_defs, range) = self.login_uids.unzip();
        let UidRange { min, max } = range.unwrap_or_default();
        let silent = fingerprint_to_text(self.silent);
        let login_defs = fingerprint_to_text(login_defs);
        format!("{VERSION} silent={silent} login.defs={login_defs} min={min} max={max}").into()
    }

    fn site(
        &self,
        kernel: &dyn Kernel,
        file: &Path,
        read: ReadSite,
    ) -> (Result<Site, String>, Option<Fingerprint>) {
        if self.silent.is_some() && self.silent == current(kernel, file) {
            return (Ok(Site::default()), self.silent);
        }
        match read(file) {
            Ok((site, fingerprint)) => (Ok(site), fingerprint),
            Err(error) => (Err(error.to_string()), None),
        }
    }

    fn login_uids(&self, kernel: &dyn Kernel) -> (UidRange, Option<Fingerprint>) {
        match self.login_uids {
            Some((file, range)) if current(kernel, Path::new(LOGIN_DEFS)) == Some(file) => {
                (range, Some(file))
            }
            // One that cannot be read: the built-in range is the usual one.
            _ => UidRange::read_login_defs_of().unwrap_or_default(),
        }
    }

    fn keep(self, kernel: &dyn Kernel) -> Called<()> {
        LINK.remember_if_there(kernel, &self.to_text())
    }
}

fn current(kernel: &dyn Kernel, file: &Path) -> Option<Fingerprint> {
    kernel.current(file).ok().as_ref().map(fingerprint)
}

#[cfg(test)]
mod tests;
