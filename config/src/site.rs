//! The site configuration.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::{
    Account, Answer, Binds, Error, Fingerprint, OwnedFile, Participation, Refusal, RootPattern,
    Selection, ServiceRules, SourcePath, UidRange, User, answer, directories, document, root,
    service,
};

/// The site configuration.
pub const SITE_FILE: &str = "/etc/nix-ns/config.toml";

/// What the administrator may say. [`Site::default`] is what a missing file
/// means.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Site {
    /// Whether anybody gets a `/nix`: the kill switch.
    pub enable: bool,
    /// Whether a user takes part only by having a user configuration.
    pub opt_in: bool,
    /// Whether a session that should get a `/nix` and does not fails.
    pub strict: bool,
    /// Whether sessions find what the user's Nix profile holds.
    pub environment: bool,
    /// The store directory of users who name none.
    pub source_path: SourcePath,
    /// Below which directories store directories may lie.
    #[serde(deserialize_with = "root::deserialize_few")]
    pub roots: Vec<RootPattern>,
    /// Refusals that do not apply on this site.
    pub override_refusals: BTreeSet<Refusal>,
    /// Who is selected.
    pub users: Selection,
    /// Rules for single PAM services, already laid over what is built in.
    #[serde(deserialize_with = "service::deserialize_sections")]
    pub services: BTreeMap<String, ServiceRules>,
    /// Directories of the host's that sessions find in a second place, too.
    pub binds: Binds,
}

impl Site {
    /// Opens and reads the site configuration, and tells which file it was; a
    /// missing file is [`Site::default`].
    ///
    /// # Errors
    ///
    /// If anybody but root could have written it, or it is not valid.
    pub fn read(path: &Path) -> Result<(Site, Option<Fingerprint>), Error> {
        directories::check(path)?;
        match OwnedFile::read(path, directories::ROOT)? {
            Some(file) => Ok((Site::parse(&file.text, path)?, Some(file.fingerprint))),
            None => Ok((Site::default(), None)),
        }
    }

    /// Reads a configuration from text; `origin` is the file named in errors.
    ///
    /// # Errors
    ///
    /// If it is not TOML, or says something that has no meaning.
    pub fn parse(text: &str, origin: &Path) -> Result<Site, Error> {
        // As it is installed: every login would parse the example otherwise.
        if document::says_nothing(text) {
            return Ok(Site::default());
        }
        document::parse(text, origin)
    }

    /// The directories below which this account's store directory may lie, on
    /// this host.
    ///
    /// # Errors
    ///
    /// If the account's or the host's name or the home directory cannot be part
    /// of a path.
    pub fn expanded_roots(&self, account: &Account, host: &str) -> Result<Vec<PathBuf>, Error> {
        let roots = self.roots.iter();
        roots.map(|root| root.expand(account, host)).collect()
    }

    /// What this and the user's configuration amount to; where the roots really
    /// are is looked up with the caller's rights.
    ///
    /// # Errors
    ///
    /// Those of [`answer`] and [`Site::expanded_roots`].
    pub fn answer(
        &self,
        user: Option<&User>,
        account: &Account,
        host: &str,
    ) -> Result<Answer, Error> {
        let roots = root::with_real_paths(&self.expanded_roots(account, host)?);
        answer(&self.source_path, self.opt_in, &roots, user, account, host)
    }

    /// The configuration as TOML.
    ///
    /// # Errors
    ///
    /// If TOML cannot express it, which does not happen to parsed ones.
    pub fn to_toml(&self) -> Result<String, Error> {
        document::print(self)
    }

    /// The rules for a PAM service.
    #[must_use]
    pub fn rules_for(&self, service: &str) -> ServiceRules {
        match self.services.get(service) {
            Some(rules) => *rules,
            None => ServiceRules::built_in(service),
        }
    }

    /// Whether an account takes part, as far as the site is concerned;
    /// `is_member` says whether it is a member of the group of that name.
    ///
    /// Root is decided before anything that is configured.
    pub fn participation(
        &self,
        account: &Account,
        login_uids: UidRange,
        is_member: &dyn Fn(&str) -> bool,
    ) -> Participation {
        if account.uid == directories::ROOT {
            return Participation::Root;
        }
        if !self.enable {
            return Participation::SiteDisabled;
        }
        self.users.decide(account, login_uids, is_member)
    }
}

impl Default for Site {
    fn default() -> Site {
        Site {
            enable: true,
            opt_in: true,
            strict: false,
            environment: true,
            source_path: SourcePath::default(),
            roots: vec![RootPattern::home()],
            override_refusals: BTreeSet::new(),
            users: Selection::default(),
            services: BTreeMap::new(),
            binds: Binds::default(),
        }
    }
}
