//! `%u`, `%U`, `%h`, `%H`, `%%` and a leading `~` in a written path: systemd's
//! specifiers, so that nobody has to learn new ones.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};

use crate::{Account, Error};

/// Longest path a system call takes (`PATH_MAX` without the NUL).
pub(crate) const MAX_PATH: usize = 4095;

/// A part of a written path.
enum Piece<'a> {
    Text(&'a str),
    Name,
    Uid,
    Home,
    Host,
}

/// Refuses what could never become a usable path, whoever the account is.
pub(crate) fn check(written: &str) -> Result<(), Error> {
    if written.is_empty() {
        return Err(Error::EmptyPath);
    }
    if written.len() > MAX_PATH {
        return Err(Error::PathTooLong);
    }
    if written.contains(char::is_control) {
        return Err(Error::ControlCharacter(written.to_owned()));
    }
    if written.split('/').any(|component| component == "..") {
        return Err(Error::ParentComponent(written.to_owned()));
    }
    if written.split('/').any(|component| component == ".") {
        return Err(Error::DotComponent(written.to_owned()));
    }
    pieces(written).map(drop)
}

/// Whether the path is absolute for every account.
pub(crate) fn is_absolute(written: &str) -> bool {
    ["/", "~", "%h"]
        .iter()
        .any(|start| written.starts_with(start))
}

/// Puts the values of one account in the places of the specifiers.
///
/// The values are foreign text: an account database may hold a user named
/// `../../etc`, a DHCP server may name the host. Each must be one directory
/// name, or there is no path.
pub(crate) fn expand(written: &str, account: &Account, host: &str) -> Result<OsString, Error> {
    let mut expanded = OsString::new();
    for piece in pieces(written)? {
        match piece {
            Piece::Text(text) => expanded.push(text),
            Piece::Name => expanded.push(directory_name('u', "user name", &account.name)?),
            Piece::Uid => expanded.push(account.uid.to_string()),
            Piece::Home => expanded.push(home(account)?),
            Piece::Host => expanded.push(directory_name('H', "host name", host)?),
        }
        // Inside the loop: 64 KiB of `%h` would otherwise grow to gigabytes.
        if expanded.len() > MAX_PATH {
            return Err(Error::PathTooLong);
        }
    }
    Ok(expanded)
}

fn pieces(written: &str) -> Result<Vec<Piece<'_>>, Error> {
    let (mut pieces, mut rest) = split_tilde(written)?;
    while let Some((before, after)) = rest.split_once('%') {
        let mut after = after.chars();
        pieces.push(Piece::Text(before));
        pieces.push(match after.next() {
            Some('u') => Piece::Name,
            Some('U') => Piece::Uid,
            Some('h') => Piece::Home,
            Some('H') => Piece::Host,
            Some('%') => Piece::Text("%"),
            unknown => {
                return Err(Error::UnknownSpecifier {
                    path: written.to_owned(),
                    specifier: unknown.map(String::from).unwrap_or_default(),
                });
            }
        });
        rest = after.as_str();
    }
    pieces.push(Piece::Text(rest));
    Ok(pieces)
}

fn split_tilde(written: &str) -> Result<(Vec<Piece<'_>>, &str), Error> {
    match written.strip_prefix('~') {
        None => Ok((Vec::new(), written)),
        Some(rest) if rest.is_empty() || rest.starts_with('/') => Ok((vec![Piece::Home], rest)),
        Some(_) => Err(Error::OtherHome(written.to_owned())),
    }
}

fn directory_name<'a>(
    specifier: char,
    what: &'static str,
    value: &'a str,
) -> Result<&'a str, Error> {
    let is_one_name = !matches!(value, "" | "." | "..")
        && !value.contains('/')
        && !value.contains(char::is_control);
    is_one_name
        .then_some(value)
        .ok_or_else(|| Error::SpecifierValue {
            specifier,
            what,
            value: value.to_owned(),
        })
}

/// The home directory, which has to be one: accounts without a home have `/`
/// there, and a root of `%h` would then allow the whole machine.
pub(crate) fn home(account: &Account) -> Result<&OsStr, Error> {
    let unusable = || Error::UnusableHome(account.home.clone());
    match normalised(&account.home) {
        Ok(home) if home != Path::new("/") => Ok(account.home.as_os_str()),
        _ => Err(unusable()),
    }
}

/// Without `.`, double and trailing slashes; refuses what is relative, has a
/// `..` or a control character.
pub(crate) fn normalised(path: &Path) -> Result<PathBuf, Error> {
    if path.as_os_str().len() > MAX_PATH {
        return Err(Error::PathTooLong);
    }
    if path.as_os_str().as_bytes().iter().any(u8::is_ascii_control) {
        return Err(Error::ControlCharacter(path.to_string_lossy().into_owned()));
    }
    if !path.is_absolute() {
        return Err(Error::NotAbsolute(path.to_owned()));
    }
    if path
        .components()
        .any(|component| component == Component::ParentDir)
    {
        return Err(Error::ParentComponent(path.to_string_lossy().into_owned()));
    }
    Ok(path.components().collect())
}
