//! The real sessions beside the model's.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::os::unix::fs::MetadataExt;

use tests::Machine;

use crate::driver::Driver;
use crate::model::{Model, Namespace, Place, Step, Wish};

/// More processes than this, and the oldest ends.
const MOST: usize = 60;

/// What was done so far.
#[derive(Debug, Clone, Copy, Default)]
pub struct Tally {
    pub opened: u64,
    pub joined: u64,
    pub by_su: u64,
    pub deepest: u32,
    pub killed: u64,
    pub cut: u64,
    pub edits: u64,
}

/// A machine's sessions.
pub struct Sessions<'machine> {
    machine: &'machine Machine,
    driver: Driver<'machine>,
    users: Vec<String>,
    host: String,
    model: Model,
    /// The kernel's name for each namespace of the model.
    names: BTreeMap<Namespace, String>,
    depths: BTreeMap<u32, u32>,
    next: u32,
    pub tally: Tally,
}

impl<'machine> Sessions<'machine> {
    pub fn start(machine: &'machine Machine, users: u32) -> Self {
        let mut sessions = Self {
            machine,
            driver: Driver::start(machine),
            users: (0..users).map(|user| format!("user{user}")).collect(),
            host: String::new(),
            model: Model::default(),
            names: BTreeMap::new(),
            depths: BTreeMap::new(),
            next: 1,
            tally: Tally::default(),
        };
        sessions.host = sessions.say("host");
        sessions
    }

    /// Every user once, so that directories and caches are there.
    pub fn warm_up(&mut self) {
        for user in 0..self.users.len() {
            let user = u16::try_from(user).expect("few");
            let steps = [
                Step::Edit { user, to: 3 },
                Step::LogIn {
                    user,
                    enter_only: false,
                },
                Step::Edit { user, to: 0 },
                Step::LogIn {
                    user,
                    enter_only: false,
                },
            ];
            self.try_all(&steps).expect("nothing else happens");
        }
        self.tally = Tally::default();
    }

    /// All of these, and everybody out after.
    pub fn try_all(&mut self, steps: &[Step]) -> Result<(), String> {
        let mut outcome = Ok(());
        for step in steps {
            outcome = self
                .try_one(*step)
                .map_err(|why| format!("{why} at {step:?}"));
            if outcome.is_err() {
                break;
            }
        }
        for session in self.model.sessions() {
            self.end(session, "kill");
        }
        for user in 0..self.users.len() as u32 {
            if self.model.wish(user) != Wish::Usual {
                self.edit(user, Wish::Usual);
            }
        }
        outcome
    }

    fn try_one(&mut self, step: Step) -> Result<(), String> {
        match step {
            Step::LogIn { user, enter_only } => self.open(None, Some(user), enter_only),
            Step::Become {
                session,
                user,
                enter_only,
            } => self.open(self.any(session), Some(user), enter_only),
            Step::BecomeRoot { session } => self.open(self.any(session), None, false),
            Step::Linger { session } => match self.any(session) {
                Some(from) => self.linger(from),
                None => Ok(()),
            },
            Step::LogOut { session } => match self.any(session) {
                Some(session) => self.close(session),
                None => Ok(()),
            },
            Step::Kill { session } => {
                if let Some(session) = self.any(session) {
                    self.tally.killed += 1;
                    self.end(session, "kill");
                }
                Ok(())
            }
            Step::Cut { user, after } => {
                let user = self.users[usize::from(user) % self.users.len()].clone();
                self.tally.cut += 1;
                match self.say(&format!("cut soak {user} {after}")).as_str() {
                    "" => Ok(()),
                    said => Err(said.to_owned()),
                }
            }
            Step::Edit { user, to } => {
                self.tally.edits += 1;
                let user = u32::from(user) % self.users.len() as u32;
                self.edit(user, Wish::of(to));
                Ok(())
            }
        }?;
        self.look_at_one()
    }

    fn open(
        &mut self,
        from: Option<u32>,
        user: Option<u16>,
        enter_only: bool,
    ) -> Result<(), String> {
        if self.model.sessions().len() >= MOST {
            let oldest = self.model.sessions()[0];
            self.close(oldest)?;
            if from == Some(oldest) {
                return Ok(());
            }
        }
        let session = self.next;
        self.next += 1;
        let user = user.map(|user| u32::from(user) % self.users.len() as u32);
        let place = from.map_or(Place::Host, |from| self.model.place(from));
        let depth = from.map_or(0, |from| 1 + self.depths.get(&from).copied().unwrap_or(0));
        self.depths.insert(session, depth);
        self.tally.opened += 1;
        self.tally.by_su += u64::from(from.is_some());
        self.tally.deepest = self.tally.deepest.max(depth);
        self.model.open(session, place, user, enter_only);
        let name = user
            .map_or("root", |user| &self.users[user as usize])
            .to_owned();
        let service = if enter_only && user.is_some() {
            "soak-enter"
        } else {
            "soak"
        };
        let said = self.say(&format!(
            "open {session} {} {service} {name}",
            from.unwrap_or(0)
        ));
        let Some(found) = said.strip_prefix("0 ") else {
            return Err(format!("session {session} of {name} says {said}"));
        };
        self.compare(session, found)
    }

    fn linger(&mut self, from: u32) -> Result<(), String> {
        let session = self.next;
        self.next += 1;
        let place = self.model.place(from);
        self.model.linger(session, place);
        let said = self.say(&format!("linger {session} {from}"));
        let found = said.strip_prefix("0 ").ok_or(&said)?;
        self.compare(session, found)
    }

    fn close(&mut self, session: u32) -> Result<(), String> {
        let lingers = !self.depths.contains_key(&session);
        let said = self.end(session, "close");
        if lingers || said == format!("0 {}", self.host) {
            Ok(())
        } else {
            Err(format!("closed, session {session} says {said}"))
        }
    }

    fn end(&mut self, session: u32, how: &str) -> String {
        let said = self.say(&format!("{how} {session}"));
        self.model.end(session);
        self.depths.remove(&session);
        let model = &self.model;
        self.names
            .retain(|namespace, _| model.answer(*namespace).is_some());
        said
    }

    fn edit(&mut self, user: u32, wish: Wish) {
        self.model.edit(user, wish);
        let line = format!("write {} {}", self.users[user as usize], wish.text());
        let said = self.say(&line);
        assert_eq!(said, "", "{line}");
    }

    /// Whoever was logged in before is still where they were.
    fn look_at_one(&mut self) -> Result<(), String> {
        let sessions = self.model.sessions();
        if sessions.is_empty() {
            return Ok(());
        }
        let session = sessions[self.next as usize % sessions.len()];
        let found = self.say(&format!("look {session}"));
        self.compare(session, &found)
    }

    fn compare(&mut self, session: u32, found: &str) -> Result<(), String> {
        let place = self.model.place(session);
        let Place::Nix(namespace) = place else {
            return if found == self.host {
                Ok(())
            } else {
                Err(format!(
                    "session {session} should be on the host, and is at {found}"
                ))
            };
        };
        let words: Vec<&str> = found.split(' ').collect();
        let [name, nix, marked] = words[..] else {
            return Err(format!("session {session}: {found}"));
        };
        let answer = self.model.answer(namespace).ok_or("no such namespace")?;
        let user = &self.users[answer.user as usize];
        let directory = identity(self.machine, &format!("/home/{user}/{}", answer.directory));
        if marked != "true" || nix != directory {
            return Err(format!(
                "session {session} should be on {answer:?}, and is at {found}"
            ));
        }
        if let Some(known) = self.names.get(&namespace) {
            if known == name {
                if session != namespace {
                    self.tally.joined += 1;
                }
                return Ok(());
            }
            return Err(format!(
                "session {session} should be in {known}, and is in {name}"
            ));
        }
        if let Some((other, _)) = self.names.iter().find(|(_, it)| *it == name) {
            return Err(format!(
                "session {session} is in the namespace of session {other}"
            ));
        }
        self.names.insert(namespace, name.to_owned());
        Ok(())
    }

    fn any(&self, number: u16) -> Option<u32> {
        let sessions = self.model.sessions();
        let index = usize::from(number).checked_rem(sessions.len())?;
        sessions.get(index).copied()
    }

    fn say(&mut self, line: &str) -> String {
        self.driver.say(line)
    }

    /// What there is now.
    pub fn counts(&mut self) -> Counts {
        Counts::of(self.machine, &mut self.driver)
    }
}

/// Which file is at a path of the machine's, as `pam-soak` says it.
pub fn identity(machine: &Machine, path: &str) -> String {
    let path = format!("/proc/{}/root{path}", machine.init());
    fs::metadata(&path).map_or_else(
        |error| format!("{path}: {error}"),
        |it| format!("{}:{}", it.dev(), it.ino()),
    )
}

/// What must not grow.
#[derive(Debug, Clone)]
pub struct Counts {
    mounts: usize,
    processes: usize,
    descriptors: usize,
    entries: usize,
    slab: BTreeMap<String, u64>,
}

impl Counts {
    /// With nobody logged in.
    pub fn of(machine: &Machine, driver: &mut Driver) -> Self {
        let entries = machine.run("find /run/nix-ns -mindepth 1 | wc -l");
        let slab = fs::read_to_string("/proc/slabinfo").unwrap_or_default();
        let slab = slab.lines().filter_map(|line| {
            let mut words = line.split_ascii_whitespace();
            let name = words.next()?;
            let counts = ["mnt_cache", "nsproxy", "mnt_namespace", "pid"].contains(&name);
            Some((name.to_owned(), words.next()?.parse().ok()?)).filter(|_| counts)
        });
        Self {
            mounts: machine.mount_table().lines().count(),
            processes: machine.processes().len(),
            descriptors: driver.descriptors(),
            entries: entries.ok().parse().expect("a number"),
            slab: slab.collect(),
        }
    }

    /// The kernel's own numbers are the whole system's, others' included: they are
    /// printed.
    pub fn assert_flat(&self, before: &Self) {
        assert_eq!(self.mounts, before.mounts, "mounts of the host");
        assert!(self.processes <= before.processes, "{self} after {before}");
        assert_eq!(self.descriptors, before.descriptors, "descriptors");
        assert!(
            self.entries <= before.entries + 200,
            "{self} after {before}"
        );
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} mounts, {} processes, {} descriptors, {} entries of the registry",
            self.mounts, self.processes, self.descriptors, self.entries
        )?;
        self.slab
            .iter()
            .try_for_each(|(name, count)| write!(f, ", {count} {name}"))
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} sessions opened ({} by su, up to {} deep), {} looks found a shared /nix, {} edits, {} killed, {} killed while opening",
            self.opened, self.by_su, self.deepest, self.joined, self.edits, self.killed, self.cut
        )
    }
}
