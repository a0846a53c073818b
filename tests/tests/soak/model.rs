//! What the design says, without any kernel: who shares a `/nix` with whom.

use std::collections::BTreeMap;

use proptest::prelude::*;

/// What can happen. Numbers are taken modulo what there is.
#[derive(Debug, Clone, Copy)]
pub enum Step {
    /// A user logs in on the host.
    LogIn { user: u16, enter_only: bool },
    /// Somebody becomes a user by su, in a session that there is.
    Become {
        session: u16,
        user: u16,
        enter_only: bool,
    },
    /// Somebody becomes root there.
    BecomeRoot { session: u16 },
    /// A process is left behind by a session, like tmux.
    Linger { session: u16 },
    /// A session is closed.
    LogOut { session: u16 },
    /// A session's process is killed.
    Kill { session: u16 },
    /// A login is killed while it happens.
    Cut { user: u16, after: u16 },
    /// A user edits the configuration.
    Edit { user: u16, to: u8 },
}

/// Any step; logins are the most frequent.
pub fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (user(), prop::bool::weighted(0.2))
            .prop_map(|(user, enter_only)| Step::LogIn { user, enter_only }),
        6 => (any::<u16>(), user(), prop::bool::weighted(0.3))
            .prop_map(|(session, user, enter_only)| Step::Become { session, user, enter_only }),
        1 => any::<u16>().prop_map(|session| Step::BecomeRoot { session }),
        1 => any::<u16>().prop_map(|session| Step::Linger { session }),
        4 => any::<u16>().prop_map(|session| Step::LogOut { session }),
        4 => any::<u16>().prop_map(|session| Step::Kill { session }),
        1 => (user(), 0..4000_u16).prop_map(|(user, after)| Step::Cut { user, after }),
        2 => (user(), any::<u8>()).prop_map(|(user, to)| Step::Edit { user, to }),
    ]
}

/// A few who are always there, and many who come now and then.
fn user() -> impl Strategy<Value = u16> {
    prop_oneof![3 => 0..6_u16, 1 => any::<u16>()]
}

/// What a user's configuration says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Wish {
    /// An empty file: the usual directory.
    #[default]
    Usual,
    /// Another directory.
    Other,
    /// No file.
    Absent,
    /// `enable = false`.
    Disabled,
    /// A file that nobody understands.
    Broken,
}

impl Wish {
    /// Any of them; most people want a /nix.
    pub fn of(number: u8) -> Self {
        match number % 8 {
            0..=2 => Self::Usual,
            3 | 4 => Self::Other,
            5 => Self::Absent,
            6 => Self::Disabled,
            _ => Self::Broken,
        }
    }

    /// The file.
    pub fn text(self) -> &'static str {
        match self {
            Self::Usual => "",
            Self::Other => "source_path = \"~/other\"",
            Self::Absent => "-",
            Self::Disabled => "enable = false",
            Self::Broken => "enable =",
        }
    }

    /// The directory, below the home.
    pub fn directory(self) -> Option<&'static str> {
        match self {
            Self::Usual => Some(".local/share/nix"),
            Self::Other => Some("other"),
            _ => None,
        }
    }
}

/// A nix namespace that lives, by the number of the process that it began with.
pub type Namespace = u32;

/// Where a process is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// On the host.
    Host,
    /// In a nix namespace.
    Nix(Namespace),
}

/// Whose a namespace is, and which directory it has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Answer {
    /// The user.
    pub user: u32,
    /// The directory, below the home.
    pub directory: &'static str,
}

/// Everything that is the case.
#[derive(Debug, Default)]
pub struct Model {
    wishes: BTreeMap<u32, Wish>,
    places: BTreeMap<u32, Place>,
    answers: BTreeMap<Namespace, Answer>,
}

impl Model {
    /// What a user wants now.
    pub fn wish(&self, user: u32) -> Wish {
        self.wishes.get(&user).copied().unwrap_or_default()
    }

    /// A user edits the configuration.
    pub fn edit(&mut self, user: u32, wish: Wish) {
        self.wishes.insert(user, wish);
    }

    /// Every process that there is.
    pub fn sessions(&self) -> Vec<u32> {
        self.places.keys().copied().collect()
    }

    /// Where a process is.
    pub fn place(&self, session: u32) -> Place {
        self.places.get(&session).copied().unwrap_or(Place::Host)
    }

    /// What a namespace is.
    pub fn answer(&self, namespace: Namespace) -> Option<Answer> {
        self.answers.get(&namespace).copied()
    }

    /// A process that opens a session for a user (none: root), from a place.
    pub fn open(&mut self, session: u32, from: Place, user: Option<u32>, enter_only: bool) {
        let place = self.destination(session, from, user, enter_only);
        self.places.insert(session, place);
    }

    /// A process that is where another is.
    pub fn linger(&mut self, session: u32, from: Place) {
        self.places.insert(session, from);
    }

    /// A process is gone; and with the last one its namespace.
    pub fn end(&mut self, session: u32) {
        self.places.remove(&session);
        let places = &self.places;
        self.answers
            .retain(|namespace, _| places.values().any(|it| *it == Place::Nix(*namespace)));
    }

    fn destination(
        &mut self,
        session: u32,
        from: Place,
        user: Option<u32>,
        enter_only: bool,
    ) -> Place {
        // Root, and whoever has no file of their own, is never on a user's /nix.
        let Some(user) = user else { return Place::Host };
        let wish = self.wish(user);
        if let Place::Nix(namespace) = from {
            let own = self.answer(namespace).is_some_and(|it| it.user == user);
            // A running session keeps what it has, unless the user has switched it
            // off. The first of the two lines always leaves.
            let off = matches!(wish, Wish::Absent | Wish::Disabled);
            if enter_only && own && !off {
                return from;
            }
        }
        let Some(directory) = wish.directory() else {
            return Place::Host;
        };
        let answer = Answer { user, directory };
        let living = self.answers.iter().find(|(_, it)| **it == answer);
        let namespace = living.map_or(session, |(namespace, _)| *namespace);
        self.answers.insert(namespace, answer);
        Place::Nix(namespace)
    }
}
