//! A login: one decision from where the caller is and who the target is.

use std::collections::BTreeSet;
use std::os::fd::AsFd;
use std::path::PathBuf;

use config::{Account, Fingerprint, Participation, Refusal, RootSessions, ServiceRules, Site};

use crate::build::{Built, Plan, build};
use crate::error::Error;
use crate::freshness::{Freshness, UserFile};
use crate::host::check_host;
use crate::join::join;
use crate::kernel::{FileIdentity, Kernel};
use crate::leave::{Left, leave, turn_back};
use crate::place::{Place, has_the_systems_root, read_marker};
use crate::reader::{Finding, Reader, Request};
use crate::record::{FileId, Record};
use crate::registry::{Elected, Registry};
use crate::store::{CheckedStore, StoreRules};

/// How often a login follows an election that changes under it. Every round but
/// the first means that another login of the same user won meanwhile.
const MOST_ROUNDS: usize = 8;

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
    /// Name of this host.
    pub host: &'a str,
}

/// What became of a login.
#[derive(Debug)]
pub struct Opened {
    /// What it left.
    pub left: Left,
    /// What it entered.
    pub entered: Entered,
}

/// Whose `/nix` the session has.
#[derive(Debug)]
pub enum Entered {
    /// It was in the user's namespace already.
    Stayed(Box<Record>),
    /// It joined the user's other sessions.
    Joined(Box<Record>),
    /// It is the first in a new namespace, which later ones join.
    Built(Box<Record>),
    /// It has a namespace for itself; why nobody will join it.
    BuiltAlone(Box<Record>, String),
    /// The host's.
    None(WithoutNix),
}

/// Why a session has no `/nix` of its own, when nothing is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WithoutNix {
    /// The site says so.
    Site(Participation),
    /// The site leaves this service out.
    ServiceSkipped,
    /// The site lets root stay where it is in this service.
    RootStays,
    /// The user has no configuration.
    NotOptedIn,
    /// The user has switched it off.
    DisabledByUser,
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
        let place = self.find_place(kernel)?;
        leave(kernel, &place, self.identity())
    }

    /// Puts the caller where the target belongs: the entering line.
    ///
    /// # Errors
    /// All but [`Error::CannotLeave`] and [`Error::NoWayBack`] leave the
    /// session without `/nix` of its own and free to start.
    pub fn enter(&self, kernel: &dyn Kernel, reader: &dyn Reader) -> Result<Opened, Error> {
        if self.root_stays() {
            return Ok(Opened {
                left: Left::Nothing,
                entered: Entered::None(WithoutNix::RootStays),
            });
        }
        let place = self.find_place(kernel)?;
        if let Some(why) = self.stays_out() {
            let left = leave(kernel, &place, self.identity())?;
            self.site()?;
            return Ok(Opened {
                left,
                entered: Entered::None(why),
            });
        }
        if let Place::Nix(record) = &place
            && record.uid == self.account.uid
            && self.may_stay(kernel, reader, record)?
        {
            return Ok(Opened {
                left: Left::Nothing,
                entered: Entered::Stayed(record.clone()),
            });
        }
        let left = leave(kernel, &place, self.identity())?;
        let place = Place::find(kernel)?;
        let entered = self.enter_from(kernel, reader, &place)?;
        Ok(Opened { left, entered })
    }

    /// Takes the caller out of its namespace and of the registry.
    ///
    /// # Errors
    /// As [`Login::leave`], but the session is over: nothing depends on it.
    pub fn close(&self, kernel: &dyn Kernel) -> Result<Left, Error> {
        let place = self.find_place(kernel)?;
        if let Place::Nix(record) = &place
            && let Ok(Some(registry)) = Registry::find(kernel, record.uid)
        {
            registry.remove_session(kernel, record.namespace);
        }
        if self.root_stays() {
            return Ok(Left::Nothing);
        }
        leave(kernel, &place, self.identity())
    }

    fn find_place(&self, kernel: &dyn Kernel) -> Result<Place, Error> {
        match Place::find(kernel) {
            Ok(place) if has_the_systems_root(kernel) => Ok(place),
            Ok(_) if read_marker(kernel).is_none() => Err(Error::OtherRoot),
            // In another root that shows a marker all the same.
            Ok(place) => Ok(place),
            // Without /proc nobody can say which namespace this is, but a marker
            // says that it is no place to stay.
            Err(failed) => match read_marker(kernel) {
                Some(record) => Ok(Place::Derived(record.map(Box::new))),
                None => Err(failed.into()),
            },
        }
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

    fn site(&self) -> Result<&Site, Error> {
        self.site
            .as_ref()
            .map(|site| *site)
            .map_err(|why| Error::Site(why.clone()))
    }

    fn identity(&self) -> FileIdentity {
        FileIdentity {
            uid: self.account.uid,
            gid: self.account.gid,
        }
    }

    fn user_file(&self) -> PathBuf {
        self.account.home.join(config::USER_FILE)
    }

    /// A running session keeps what it has, unless the user has switched it off.
    fn may_stay(
        &self,
        kernel: &dyn Kernel,
        reader: &dyn Reader,
        record: &Record,
    ) -> Result<bool, Error> {
        let fresh = Freshness::look(kernel, self.identity(), &self.user_file(), &[])?;
        if fresh.confirms(record, self.site_fingerprint) {
            return Ok(true);
        }
        Ok(match self.read(reader) {
            Ok(reading) => !matches!(
                reading.reply.finding,
                Finding::NotOptedIn | Finding::Disabled
            ),
            Err(_) => true,
        })
    }

    fn enter_from(
        &self,
        kernel: &dyn Kernel,
        reader: &dyn Reader,
        place: &Place,
    ) -> Result<Entered, Error> {
        let site = self.site()?;
        let missing = kernel.missing_capabilities()?;
        if !missing.is_empty() {
            return Err(Error::MissingCapability(missing));
        }
        let threads = kernel.threads()?;
        if threads > 1 && !self.rules.threaded {
            return Err(Error::Threaded(threads));
        }
        let host_nix = check_host(kernel, &site.override_refusals)?;
        let host_nix = FileId::from(&host_nix);
        if *place == Place::Host {
            self.share(kernel, reader, host_nix)
        } else {
            self.build_alone(
                kernel,
                reader,
                host_nix,
                "the caller is in a private mount namespace of another tool's".to_owned(),
            )
        }
    }

    /// Joins the user's other sessions, or builds what they will join.
    fn share(
        &self,
        kernel: &dyn Kernel,
        reader: &dyn Reader,
        host_nix: FileId,
    ) -> Result<Entered, Error> {
        match self.join_as_before(kernel)? {
            Known::Joined(record) => return Ok(Entered::Joined(record)),
            Known::Out(why) => return Ok(Entered::None(why)),
            Known::Nothing => {}
        }
        let asked = match self.ask(kernel, reader)? {
            Ok(asked) => asked,
            Err(why) => return Ok(Entered::None(why)),
        };
        let registry = match Registry::make(kernel, self.account.uid) {
            Ok(registry) => registry,
            Err(failed) => {
                return self.build_unshared(kernel, &asked, host_nix, failed.to_string());
            }
        };
        for _ in 0..MOST_ROUNDS {
            let predecessor = match self.join_elected(kernel, &registry, &asked)? {
                Standing::Joined(record) => return Ok(Entered::Joined(record)),
                Standing::Open(predecessor) => predecessor,
            };
            if let Some(record) =
                self.build_and_stand(kernel, &registry, &asked, host_nix, predecessor.as_deref())?
            {
                return Ok(Entered::Built(record));
            }
        }
        self.build_unshared(
            kernel,
            &asked,
            host_nix,
            "other logins of this user kept winning".to_owned(),
        )
    }

    /// The quick way: nothing was edited since, so nothing is read.
    fn join_as_before(&self, kernel: &dyn Kernel) -> Result<Known, Error> {
        let Ok(registry) = Registry::find(kernel, self.account.uid) else {
            return Ok(Known::Nothing);
        };
        for _ in 0..MOST_ROUNDS {
            let entries = registry
                .as_ref()
                .map(|registry| registry.entries(kernel))
                .transpose()?
                .unwrap_or_default();
            let records: Vec<&Record> = entries.all().map(|elected| &elected.record).collect();
            let fresh = Freshness::look(kernel, self.identity(), &self.user_file(), &records)?;
            if fresh.user_file == UserFile::Absent && self.site()?.opt_in {
                return Ok(Known::Out(WithoutNix::NotOptedIn));
            }
            let Some(registry) = &registry else {
                return Ok(Known::Nothing);
            };
            let Some(elected) = entries
                .all()
                .find(|elected| fresh.confirms(&elected.record, self.site_fingerprint))
            else {
                return Ok(Known::Nothing);
            };
            match self.join_one(kernel, registry, elected)? {
                Attempt::Joined(record) => return Ok(Known::Joined(record)),
                Attempt::Dead | Attempt::Broken => return Ok(Known::Nothing),
                Attempt::Superseded => {}
            }
        }
        Ok(Known::Nothing)
    }

    /// Joins whatever is elected for the directory that today's configurations
    /// amount to, by whichever configuration it was made.
    fn join_elected(
        &self,
        kernel: &dyn Kernel,
        registry: &Registry,
        asked: &Asked,
    ) -> Result<Standing, Error> {
        for _ in 0..MOST_ROUNDS {
            let entries = registry.entries(kernel)?;
            let Some(elected) = entries.elected(FileId::from(&asked.store.remembered)) else {
                return Ok(Standing::Open(None));
            };
            let dead = match self.join_one(kernel, registry, elected)? {
                Attempt::Joined(record) => {
                    registry.refresh(kernel, elected, self.site_fingerprint, asked.user)?;
                    return Ok(Standing::Joined(record));
                }
                Attempt::Superseded => continue,
                Attempt::Dead => true,
                Attempt::Broken => false,
            };
            return Ok(Standing::Open(Some(Box::new(Predecessor {
                elected: elected.clone(),
                dead,
            }))));
        }
        Ok(Standing::Open(None))
    }

    fn join_one(
        &self,
        kernel: &dyn Kernel,
        registry: &Registry,
        elected: &Elected,
    ) -> Result<Attempt, Error> {
        let record = &elected.record;
        let entries = registry.entries(kernel)?;
        let Some(namespace) = registry.open_member(kernel, &entries, record)? else {
            return Ok(Attempt::Dead);
        };
        let Some(way_back) = join(kernel, namespace.as_fd(), record, self.identity())? else {
            return Ok(Attempt::Broken);
        };
        // Registered before looking again: whoever supersedes this namespace as
        // dead looks for living sessions after doing so.
        let stands = registry
            .add_session(kernel, record.namespace)
            .and_then(|()| registry.is_elected(kernel, record));
        match stands {
            Ok(true) => Ok(Attempt::Joined(Box::new(record.clone()))),
            Ok(false) => {
                registry.remove_session(kernel, record.namespace);
                turn_back(kernel, &way_back)?;
                Ok(Attempt::Superseded)
            }
            // The session is where it belongs, and only unknown to others.
            Err(_) => Ok(Attempt::Joined(Box::new(record.clone()))),
        }
    }

    /// Builds a namespace and stands for election with it. `None`: another one
    /// was elected, and the caller is where it was.
    fn build_and_stand(
        &self,
        kernel: &dyn Kernel,
        registry: &Registry,
        asked: &Asked,
        host_nix: FileId,
        predecessor: Option<&Predecessor>,
    ) -> Result<Option<Box<Record>>, Error> {
        let dead = predecessor
            .filter(|predecessor| predecessor.dead)
            .map(|dead| &dead.elected);
        let predecessor = predecessor.map(|predecessor| &predecessor.elected);
        let Built { record, way_back } = build(kernel, &self.plan(asked, host_nix))?;
        let stands = registry
            .add_session(kernel, record.namespace)
            .and_then(|()| registry.elect(kernel, &record, predecessor))
            .and_then(|elected| Ok(elected && !registry.yields(kernel, &record, dead)?));
        match stands {
            Ok(true) => Ok(Some(Box::new(record))),
            Ok(false) => {
                registry.remove_session(kernel, record.namespace);
                turn_back(kernel, &way_back)?;
                Ok(None)
            }
            Err(failed) => {
                turn_back(kernel, &way_back)?;
                Err(failed.into())
            }
        }
    }

    fn build_alone(
        &self,
        kernel: &dyn Kernel,
        reader: &dyn Reader,
        host_nix: FileId,
        why: String,
    ) -> Result<Entered, Error> {
        match self.ask(kernel, reader)? {
            Ok(asked) => self.build_unshared(kernel, &asked, host_nix, why),
            Err(out) => Ok(Entered::None(out)),
        }
    }

    fn build_unshared(
        &self,
        kernel: &dyn Kernel,
        asked: &Asked,
        host_nix: FileId,
        why: String,
    ) -> Result<Entered, Error> {
        let built = build(kernel, &self.plan(asked, host_nix))?;
        Ok(Entered::BuiltAlone(Box::new(built.record), why))
    }

    fn plan<'a>(&self, asked: &'a Asked, host_nix: FileId) -> Plan<'a> {
        Plan {
            uid: self.account.uid,
            identity: self.identity(),
            store: &asked.store,
            host_nix,
            site: self.site_fingerprint,
            user: asked.user,
        }
    }

    /// Asks the user's files, and checks what comes back.
    fn ask(
        &self,
        kernel: &dyn Kernel,
        reader: &dyn Reader,
    ) -> Result<Result<Asked, WithoutNix>, Error> {
        let reading = self.read(reader)?;
        match reading.reply.finding {
            Finding::NotOptedIn => Ok(Err(WithoutNix::NotOptedIn)),
            Finding::Disabled => Ok(Err(WithoutNix::DisabledByUser)),
            Finding::Refused(why) => Err(Error::user(why)),
            Finding::Store { .. } => {
                let directory = reading
                    .directory
                    .ok_or_else(|| Error::Reader("sent no directory".to_owned()))?;
                let overridden: &BTreeSet<Refusal> = &self.site()?.override_refusals;
                let rules = StoreRules {
                    account: self.account,
                    roots: &reading.roots,
                    overridden,
                };
                let store = CheckedStore::check(kernel, directory, &rules)?;
                Ok(Ok(Asked {
                    store,
                    user: reading.reply.user,
                }))
            }
        }
    }

    fn read(&self, reader: &dyn Reader) -> Result<crate::reader::Reading, Error> {
        let site = self.site()?;
        let roots = site
            .roots
            .iter()
            .map(|root| root.expand(self.account, self.host))
            .collect::<Result<_, _>>()
            .map_err(|error| Error::Site(error.to_string()))?;
        let request = Request {
            opt_in: site.opt_in,
            source_path: site.source_path.clone(),
            roots,
            host: self.host.to_owned(),
            account: self.account.clone(),
        };
        reader.read(&request, &(self.groups)())
    }
}

/// What the user's files amount to.
struct Asked {
    store: CheckedStore,
    user: Option<Fingerprint>,
}

/// What stands for election for a directory.
enum Standing {
    Joined(Box<Record>),
    /// Nothing that can be joined; what a new one would replace.
    Open(Option<Box<Predecessor>>),
}

/// A namespace that cannot be joined.
struct Predecessor {
    elected: Elected,
    /// Nobody was found in it; else it lives, but is not whole any more.
    dead: bool,
}

/// What is known without reading anything.
enum Known {
    Joined(Box<Record>),
    Out(WithoutNix),
    Nothing,
}

/// One try at joining.
enum Attempt {
    Joined(Box<Record>),
    /// Nobody is in it any more.
    Dead,
    /// It is not what was recorded, or not whole: another is to be built.
    Broken,
    /// Another was elected meanwhile.
    Superseded,
}

#[cfg(test)]
mod tests;
