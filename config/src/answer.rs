//! Both configurations combined for one account.

use std::path::PathBuf;

use crate::{Account, Error, SourcePath, StorePath, User};

/// What both configurations amount to for one account, before anything is
/// opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// This directory is to be `/nix`.
    Store {
        /// The store directory.
        path: StorePath,
        /// Whether components that the user controls may be symlinks.
        allow_symlinks: bool,
        /// Whether the user lets sessions find what the Nix profile holds.
        environment: bool,
    },
    /// Users have to opt in, and this one has no configuration.
    NotOptedIn,
    /// The user's configuration says `enable = false`.
    DisabledByUser,
}

/// Combines what the site says with what the user says; `user` is `None` if the
/// user has no configuration.
///
/// # Errors
///
/// If the path cannot be expanded for this account, or is not below one of the
/// roots.
pub fn answer(
    site_source_path: &SourcePath,
    opt_in: bool,
    roots: &[PathBuf],
    user: Option<&User>,
    account: &Account,
    host: &str,
) -> Result<Answer, Error> {
    let default = User::default();
    let user = match user {
        None if opt_in => return Ok(Answer::NotOptedIn),
        None => &default,
        Some(user) if !user.enable => return Ok(Answer::DisabledByUser),
        Some(user) => user,
    };
    let source_path = user.source_path.as_ref().unwrap_or(site_source_path);
    Ok(Answer::Store {
        path: StorePath::below(source_path.expand(account, host)?, roots)?,
        allow_symlinks: user.allow_symlinks,
        environment: user.environment,
    })
}
