//! Getting into the user's namespace from a place that is nobody's: by joining
//! it, or by building what later sessions will join.

use std::os::fd::AsFd;

use config::Fingerprint;

use crate::build::{Built, Plan, build};
use crate::error::{Error, Gravity};
use crate::freshness::{Freshness, UserFile};
use crate::host::{check_host, check_references};
use crate::join::join;
use crate::kernel::Kernel;
use crate::leave::turn_back;
use crate::login::Login;
use crate::outcome::{Entered, WithoutNix};
use crate::place::Place;
use crate::profile::Profile;
use crate::reader::{Finding, Reader};
use crate::record::{FileId, Record};
use crate::registry::{Elected, Entries, Registry};
use crate::store::{CheckedStore, StoreRules};

/// How often a login follows an election that changes under it. Every round but
/// the first means that another login of the same user won meanwhile.
const MOST_ROUNDS: usize = 8;

/// One login on its way in.
pub(crate) struct Entering<'a> {
    pub(crate) login: &'a Login<'a>,
    pub(crate) kernel: &'a dyn Kernel,
    pub(crate) reader: &'a dyn Reader,
}

/// What is known about the user without asking anybody.
struct Known {
    registry: Option<Registry>,
    entries: Entries,
    fresh: Freshness,
}

/// What the user's files amount to.
struct Asked {
    store: CheckedStore,
    user: Option<Fingerprint>,
    environment: bool,
    profile: Option<Profile>,
}

/// One try at joining.
enum Attempt {
    Joined(Box<Record>),
    /// Nobody is in it any more.
    Dead,
    /// It is not what was recorded or wanted, or not whole: another is to be
    /// built.
    Broken,
    /// Another was elected meanwhile.
    Superseded,
}

/// What stands for election for a directory.
enum Standing {
    Joined(Box<Record>),
    /// Nothing that can be joined.
    Open(Seat),
}

/// What a new namespace stands for.
struct Seat {
    generation: u64,
    /// What it would replace.
    predecessor: Option<Box<Predecessor>>,
}

/// A namespace that cannot be joined.
struct Predecessor {
    elected: Elected,
    /// Nobody was found in it; else it lives, but is not whole any more.
    dead: bool,
}

impl Entering<'_> {
    /// Enters from the host's namespace, or builds on top of a private one.
    pub(crate) fn from(&self, place: &Place) -> Result<Entered, Error> {
        let site = self.login.site()?;
        let known = self.look()?;
        // Whoever did not ask for a /nix is not told why there could be none.
        if known.fresh.user_file == UserFile::Absent && site.opt_in {
            return Ok(Entered::None(WithoutNix::NotOptedIn));
        }
        self.check_caller()?;
        let host_nix = check_host(self.kernel, &site.override_refusals)?;
        let host_nix = FileId::from(&host_nix);
        if *place == Place::Host {
            return self.share(known, host_nix);
        }
        match self.ask()? {
            Ok(asked) => self.build_alone(
                &asked,
                host_nix,
                "the caller is in a private mount namespace of another tool's",
            ),
            Err(out) => Ok(Entered::None(out)),
        }
    }

    fn look(&self) -> Result<Known, Error> {
        // A registry that cannot be read is one that knows nothing.
        let registry = Registry::find(self.kernel, self.login.account.uid).unwrap_or_default();
        let entries = registry
            .as_ref()
            .and_then(|registry| registry.entries(self.kernel).ok())
            .unwrap_or_default();
        let records: Vec<&Record> = entries.all().map(|elected| &elected.record).collect();
        let home = &self.login.account.home;
        let fresh = Freshness::look(self.kernel, self.login.identity(), home, &records);
        let fresh = match fresh {
            Err(error) if error.gravity() != Gravity::Harmless => return Err(error),
            fresh => fresh.unwrap_or_default(),
        };
        Ok(Known {
            registry,
            entries,
            fresh,
        })
    }

    /// Looked up before anything is tried: an EPERM later would not say which.
    fn check_caller(&self) -> Result<(), Error> {
        let missing = self.kernel.missing_capabilities()?;
        if !missing.is_empty() {
            return Err(Error::MissingCapability(missing));
        }
        match self.kernel.threads()? {
            threads if threads > 1 && !self.login.rules.threaded => Err(Error::Threaded(threads)),
            _ => Ok(()),
        }
    }

    /// Joins the user's other sessions, or builds what they will join.
    fn share(&self, known: Known, host_nix: FileId) -> Result<Entered, Error> {
        if let Some(record) = self.join_as_before(known)? {
            return Ok(Entered::Joined(record));
        }
        let asked = match self.ask()? {
            Ok(asked) => asked,
            Err(why) => return Ok(Entered::None(why)),
        };
        let registry = match Registry::make(self.kernel, self.login.account.uid) {
            Ok(registry) => registry,
            Err(failed) => return self.build_alone(&asked, host_nix, &failed.to_string()),
        };
        for _ in 0..MOST_ROUNDS {
            let seat = match self.join_elected(&registry, &asked)? {
                Standing::Joined(record) => return Ok(Entered::Joined(record)),
                Standing::Open(seat) => seat,
            };
            if let Some(entered) = self.build_and_stand(&registry, &asked, host_nix, &seat)? {
                return Ok(entered);
            }
        }
        self.build_alone(&asked, host_nix, "other logins of this user kept winning")
    }

    /// The quick way: nothing was edited since, so nothing is read.
    fn join_as_before(&self, mut known: Known) -> Result<Option<Box<Record>>, Error> {
        for _ in 0..MOST_ROUNDS {
            let Known {
                registry: Some(registry),
                entries,
                fresh,
            } = &known
            else {
                return Ok(None);
            };
            let site = self.login.site_fingerprint;
            let Some(elected) = entries
                .all()
                .find(|elected| fresh.confirms(&elected.record, site))
            else {
                return Ok(None);
            };
            match self.join_one(registry, entries, elected)? {
                Attempt::Joined(record) => {
                    return Ok(Some(Box::new(fresh.brought_up_to_date(&record))));
                }
                Attempt::Dead | Attempt::Broken => return Ok(None),
                Attempt::Superseded => known = self.look()?,
            }
        }
        Ok(None)
    }

    /// Joins whatever is elected for the directory that today's configurations
    /// amount to, by whichever configuration it was made.
    fn join_elected(&self, registry: &Registry, asked: &Asked) -> Result<Standing, Error> {
        let store = FileId::from(&asked.store.remembered);
        let binds = self.login.site()?.binds.digest();
        loop {
            let entries = registry.entries(self.kernel)?;
            let generation = entries.next_generation(store);
            let Some(elected) = entries.elected(store) else {
                return Ok(Standing::Open(Seat {
                    generation,
                    predecessor: None,
                }));
            };
            // One with other directories of the site's is not what today's
            // configurations amount to, whoever is still in it.
            let attempt = if elected.record.binds == binds {
                self.join_one(registry, &entries, elected)?
            } else {
                Attempt::Broken
            };
            let dead = match attempt {
                Attempt::Joined(record) => {
                    let record = Record {
                        site: self.login.site_fingerprint,
                        user: asked.user,
                        environment: asked.environment,
                        profile: asked.profile,
                        ..*record
                    };
                    // Not to note it costs time at the next login, nothing else.
                    let _ = registry.refresh(self.kernel, elected, &record);
                    return Ok(Standing::Joined(Box::new(record)));
                }
                Attempt::Superseded => continue,
                Attempt::Dead => true,
                Attempt::Broken => false,
            };
            let predecessor = Box::new(Predecessor {
                elected: elected.clone(),
                dead,
            });
            return Ok(Standing::Open(Seat {
                generation,
                predecessor: Some(predecessor),
            }));
        }
    }

    fn join_one(
        &self,
        registry: &Registry,
        entries: &Entries,
        elected: &Elected,
    ) -> Result<Attempt, Error> {
        let record = &elected.record;
        let Some(namespace) = registry.open_member(self.kernel, entries, record)? else {
            return Ok(Attempt::Dead);
        };
        let Some(way_back) = join(
            self.kernel,
            namespace.as_fd(),
            record,
            self.login.identity(),
        )?
        else {
            return Ok(Attempt::Broken);
        };
        // Registered before looking again: whoever supersedes this namespace as
        // dead looks for living sessions after doing so.
        let stands = registry
            .add_session(self.kernel, record.namespace)
            .and_then(|()| registry.still_elects(self.kernel, elected));
        if stands == Ok(false) {
            registry.remove_session(self.kernel, record.namespace);
            turn_back(self.kernel, &way_back)?;
            return Ok(Attempt::Superseded);
        }
        let _ = registry.sweep_some(self.kernel, entries);
        // After an error the session is where it belongs all the same, and only
        // unknown to later ones.
        Ok(Attempt::Joined(Box::new(record.clone())))
    }

    /// Builds a namespace and stands for election with it. `None`: another one
    /// was elected, and the caller is where it was.
    fn build_and_stand(
        &self,
        registry: &Registry,
        asked: &Asked,
        host_nix: FileId,
        seat: &Seat,
    ) -> Result<Option<Entered>, Error> {
        let predecessor = seat.predecessor.as_deref();
        let dead = predecessor.filter(|it| it.dead).map(|it| &it.elected);
        let predecessor = predecessor.map(|it| &it.elected);
        // What cannot be swept away only takes room.
        let _ = registry.sweep(self.kernel, FileId::from(&asked.store.remembered));
        let Built {
            record,
            way_back,
            unbound,
        } = build(self.kernel, &self.plan(asked, host_nix)?)?;
        let stands = registry
            .add_session(self.kernel, record.namespace)
            .and_then(|()| registry.elect(self.kernel, &record, seat.generation, predecessor))
            .and_then(|elected| Ok(elected && !registry.yields(self.kernel, &record, dead)?));
        let record = Box::new(record);
        match stands {
            Ok(true) => Ok(Some(Entered::Built(record, unbound))),
            Ok(false) => {
                registry.remove_session(self.kernel, record.namespace);
                turn_back(self.kernel, &way_back)?;
                Ok(None)
            }
            // The user has what they asked for; later sessions may not find it.
            Err(failed) => {
                let why = failed.to_string();
                Ok(Some(Entered::BuiltAlone(record, unbound, why)))
            }
        }
    }

    fn build_alone(&self, asked: &Asked, host_nix: FileId, why: &str) -> Result<Entered, Error> {
        let built = build(self.kernel, &self.plan(asked, host_nix)?)?;
        let record = Box::new(built.record);
        Ok(Entered::BuiltAlone(record, built.unbound, why.to_owned()))
    }

    fn plan<'b>(&'b self, asked: &'b Asked, host_nix: FileId) -> Result<Plan<'b>, Error> {
        Ok(Plan {
            uid: self.login.account.uid,
            identity: self.login.identity(),
            store: &asked.store,
            binds: &self.login.site()?.binds,
            host_nix,
            site: self.login.site_fingerprint,
            user: asked.user,
            environment: asked.environment,
            profile: asked.profile,
        })
    }

    /// Asks the user's files, and checks what comes back; an answer of "no" is
    /// not an error.
    fn ask(&self) -> Result<Result<Asked, WithoutNix>, Error> {
        let overridden = &self.login.site()?.override_refusals;
        check_references(self.kernel, self.login.privileged_files, overridden)?;
        let reading = self.login.read(self.reader)?;
        match reading.reply.finding {
            Finding::NotOptedIn => Ok(Err(WithoutNix::NotOptedIn)),
            Finding::Disabled => Ok(Err(WithoutNix::DisabledByUser)),
            Finding::Refused(why) => Err(Error::user(why)),
            Finding::Store { environment, .. } => {
                let none = || Error::Reader("sent no directory".to_owned());
                let directory = reading.directory.ok_or_else(none)?;
                let rules = StoreRules {
                    account: self.login.account,
                    roots: &reading.roots,
                    overridden,
                };
                let store = CheckedStore::check(self.kernel, directory, &rules)?;
                Ok(Ok(Asked {
                    store,
                    user: reading.reply.user,
                    environment,
                    profile: reading.reply.profile,
                }))
            }
        }
    }
}

#[cfg(test)]
mod tests;
