//! A login: one decision from where the caller is and who the target is.

use config::{Account, Fingerprint, Participation, RootSessions, ServiceRules, Site};

use crate::entering::Entering;
use crate::error::Error;
use crate::freshness::Freshness;
use crate::kernel::{FileIdentity, Kernel};
use crate::leave::{Left, leave};
use crate::outcome::{Entered, Opened, WithoutNix};
use crate::place::{Place, has_the_systems_root, nix_is_covered, read_marker};
use crate::reader::{Finding, Reader, Reading, Request};
use crate::record::Record;
use crate::references::PrivilegedFiles;
use crate::registry::Registry;

/// Who logs in, through what, by whose rules.
pub struct Login<'a> {
    /// The target, without groups.
    pub account: &'a Account,
    /// Its supplementary groups; asked for only when files are read.
    pub groups: &'a dyn Fn() -> Vec<u32>,
    /// The site configuration, or why there is none.
    pub site: Result<&'a Site, String>,
    /// Which file that was; `None` if there is none.
    pub site_fingerprint: Option<Fingerprint>,
    /// What the site says about this account.
    pub participation: Participation,
    /// What the site says about this service.
    pub rules: ServiceRules,
    /// Name of this host; asked for only when files are read.
    pub host: &'a dyn Fn() -> String,
    /// The files through which something privileged may trust `/nix`.
    pub privileged_files: &'a dyn PrivilegedFiles,
    /// What asks for it.
    pub door: Door,
}

/// What asks for a session to be moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Door {
    /// A PAM application, on its way to another user's session: nobody stays on
    /// a foreign `/nix`, whichever tool's namespace it is in.
    Pam,
    /// The user, by the setuid program: which must be no way out of a sandbox.
    Command,
}

impl Login<'_> {
    /// Takes the caller off any user's `/nix`: the `leave` line.
    ///
    /// # Errors
    /// [`Error::CannotLeave`] and [`Error::NoWayBack`] must stop the session.
    pub fn leave(&self, kernel: &dyn Kernel) -> Result<Left, Error> {
        if self.root_stays() {
            return Ok(Left::Nothing);
        }
        let place = find_place(kernel)?;
        leave(kernel, &place, self.identity())
    }

    /// Puts the caller where the target belongs: the entering line.
    ///
    /// # Errors
    /// All but [`Error::CannotLeave`] and [`Error::NoWayBack`] leave the
    /// session without `/nix` of its own and free to start.
    pub fn enter(&self, kernel: &dyn Kernel, reader: &dyn Reader) -> Result<Opened, Error> {
        if self.root_stays() {
            return Ok(Opened::without(Left::Nothing, WithoutNix::RootStays));
        }
        let place = find_place(kernel)?;
        if self.door == Door::Command {
            check_place(&place)?;
        }
        if let Some(why) = self.stays_out() {
            let left = leave(kernel, &place, self.identity())?;
            self.site()?;
            return Ok(Opened::without(left, why));
        }
        if let Place::Nix(record) = &place {
            if record.uid == self.account.uid {
                if let Some(record) = self.may_stay(kernel, reader, record)? {
                    return Ok(self.opened(Left::Nothing, Entered::Stayed(record)));
                }
            }
        }
        let left = leave(kernel, &place, self.identity())?;
        let place = match left {
            Left::Nothing => place,
            Left::ToHost | Left::Detached(_) => find_place(kernel)?,
        };
        let entered = Entering {
            login: self,
            kernel,
            reader,
        }
        .from(&place)?;
        Ok(self.opened(left, entered))
    }

    fn opened(&self, left: Left, entered: Entered) -> Opened {
        // Both have to want it. A site may have a reason that a user does not
        // know: what PAM runs as root sees the same environment.
        let wanted = self.site.as_ref().is_ok_and(|site| site.environment);
        let profile = entered
            .record()
            .filter(|record| wanted && record.environment)
            .and_then(|record| record.profile);
        Opened {
            left,
            entered,
            profile,
        }
    }

    /// Takes the caller out of its namespace and of the registry.
    ///
    /// # Errors
    /// As [`Login::leave`], but the session is over: nothing depends on it.
    pub fn close(&self, kernel: &dyn Kernel) -> Result<Left, Error> {
        let place = find_place(kernel)?;
        if let Place::Nix(record) = &place {
            if let Ok(Some(registry)) = Registry::find(kernel, record.uid) {
                registry.remove_session(kernel, record.namespace);
            }
        }
        if self.root_stays() {
            return Ok(Left::Nothing);
        }
        leave(kernel, &place, self.identity())
    }

    fn root_stays(&self) -> bool {
        self.account.uid == 0 && self.rules.root == RootSessions::Stay
    }

    fn stays_out(&self) -> Option<WithoutNix> {
        match &self.participation {
            Participation::Selected if self.site.is_err() => {
                Some(WithoutNix::Site(Participation::SiteDisabled))
            }
            Participation::Selected if self.rules.skip => Some(WithoutNix::ServiceSkipped),
            Participation::Selected => None,
            other => Some(WithoutNix::Site(other.clone())),
        }
    }

    pub(crate) fn site(&self) -> Result<&Site, Error> {
        self.site
            .as_ref()
            .map(|site| *site)
            .map_err(|why| Error::Site(why.clone()))
    }

    pub(crate) fn identity(&self) -> FileIdentity {
        FileIdentity {
            uid: self.account.uid,
            gid: self.account.gid,
        }
    }

    /// A running session keeps what it has, unless the user has switched it off;
    /// with what its configuration says now.
    fn may_stay(
        &self,
        kernel: &dyn Kernel,
        reader: &dyn Reader,
        record: &Record,
    ) -> Result<Option<Box<Record>>, Error> {
        let fresh = Freshness::look(kernel, self.identity(), &self.account.home, &[record])?;
        let as_before = Some(Box::new(fresh.brought_up_to_date(record)));
        if fresh.confirms(record, self.site_fingerprint) {
            return Ok(as_before);
        }
        let Ok(Reading { reply, .. }) = self.read(reader) else {
            return Ok(as_before);
        };
        Ok(match reply.finding {
            Finding::NotOptedIn | Finding::Disabled => None,
            Finding::Refused(_) => as_before,
            Finding::Store { environment, .. } => Some(Box::new(Record {
                environment,
                profile: reply.profile,
                ..record.clone()
            })),
        })
    }

    pub(crate) fn read(&self, reader: &dyn Reader) -> Result<Reading, Error> {
        let site = self.site()?;
        let host = (self.host)();
        let roots = site
            .expanded_roots(self.account, &host)
            .map_err(|error| Error::Site(error.to_string()))?;
        let request = Request {
            opt_in: site.opt_in,
            source_path: site.source_path.clone(),
            roots,
            host,
            account: self.account.clone(),
        };
        reader.read(&request, &(self.groups)())
    }
}

/// Where the caller is; in doubt, in a place that is to be left.
fn find_place(kernel: &dyn Kernel) -> Result<Place, Error> {
    let marker = read_marker(kernel);
    let doubtful = || match &marker {
        Some(record) => Place::Derived(record.clone().map(Box::new)),
        None => Place::Private { host_nix: None },
    };
    let Ok(place) = Place::of(kernel, marker.clone()) else {
        return Ok(doubtful());
    };
    match has_the_systems_root(kernel, &place) {
        Ok(true) => Ok(place),
        // `setns` would lift a caller out of its own root.
        _ if marker.is_some() || nix_is_covered(kernel) => Ok(doubtful()),
        Ok(false) => Err(Error::OtherRoot),
        Err(failed) => Err(failed.into()),
    }
}

/// Whether the caller may be moved for the asking. A sandbox may have been made
/// to keep a directory from the caller, or to show it another: neither may be
/// undone.
///
/// # Errors
/// [`Error::Sandboxed`] and [`Error::OtherRoot`].
pub fn refuse_sandbox(kernel: &dyn Kernel) -> Result<(), Error> {
    check_place(&find_place(kernel)?)
}

fn check_place(place: &Place) -> Result<(), Error> {
    match place {
        Place::Derived(_) | Place::Private { .. } => Err(Error::Sandboxed),
        Place::Host | Place::Nix(_) => Ok(()),
    }
}

#[cfg(test)]
pub(crate) mod tests;
