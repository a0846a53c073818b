//! What a session's environment says: that it has a `/nix` of its own, and
//! where to find what the user has installed.
//!
//! Everything here follows from facts about the account and root's own files,
//! and extends what is known of the environment already.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::Path;

use crate::profile::Profile;

/// Says that the session is on the user's own `/nix`, to prompts and scripts.
pub const NIX_NS: (&str, &str) = ("NIX_NS", "1");

/// Of all that [`variables`] says, the one that nobody else sets.
const PROFILES: &str = "NIX_PROFILES";
const PATH: &str = "PATH";
const DATA: &str = "XDG_DATA_DIRS";
const MANUALS: &str = "MANPATH";
const CERTIFICATES: &str = "NIX_SSL_CERT_FILE";

/// Where a profile has what these lists name.
const BIN: &str = "/bin";
const SHARE: &str = "/share";
const MAN: &str = "/share/man";

/// What counts where nothing is said (XDG Base Directory Specification): set to
/// anything else, GNOME would find none of the system's applications.
const USUAL_DATA: &[u8] = b"/usr/local/share:/usr/share";

/// Where the certificates of the system are, as Nix's own `nix.sh` looks for
/// them: Debian, Arch; openSUSE; others; Fedora.
const BUNDLES: [&str; 4] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/certs/ca-bundle.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
];

/// How the environment of a session whose user has this profile is to be changed;
/// `None` if the home directory would be several entries of a list.
pub fn variables(
    profile: Profile,
    home: &Path,
    known: Known,
) -> Option<Vec<(&'static str, OsString)>> {
    let bundle = BUNDLES.into_iter().find(|file| Path::new(file).exists());
    let profile = path_of(profile, home)?;
    Some(extend(&profile, known, &config::users_path, bundle))
}

/// How an environment that [`variables`] has changed is changed back, `None` for a
/// variable that is to go; empty if it has not.
pub fn without(known: Known) -> Vec<(&'static str, Option<OsString>)> {
    let profiles = known(PROFILES);
    let Some(profile) = profiles.as_deref().and_then(profile_of) else {
        return Vec::new();
    };
    let lists = [(PATH, BIN), (DATA, SHARE), (MANUALS, MAN)];
    let lists = lists.into_iter().filter_map(|(name, place)| {
        let list = known(name)?;
        let ours = [profile, place.as_bytes()].concat();
        let entries = list.as_bytes().split(|byte| *byte == b':');
        let rest: Vec<&[u8]> = entries.filter(|entry| *entry != ours).collect();
        let rest = rest.join(&b':');
        let is_usual = name == DATA && rest == USUAL_DATA;
        Some((name, (!is_usual).then(|| OsString::from_vec(rest))))
    });
    let rest = [CERTIFICATES, PROFILES].into_iter();
    let rest = rest.filter(|name| known(name).is_some());
    lists.chain(rest.map(|name| (name, None))).collect()
}

/// A profile's path; `None` if it would be several entries of a list.
fn path_of(profile: Profile, home: &Path) -> Option<Vec<u8>> {
    let bytes = home.as_os_str().as_bytes();
    let is_one = bytes.starts_with(b"/")
        && !bytes
            .iter()
            .any(|byte| *byte == b':' || byte.is_ascii_control());
    is_one.then(|| home.join(profile.place()).into_os_string().into_vec())
}

/// A variable as it is so far.
pub type Known<'a> = &'a dyn Fn(&str) -> Option<OsString>;

fn extend(
    profile: &[u8],
    known: Known,
    usual_path: &dyn Fn() -> String,
    bundle: Option<&str>,
) -> Vec<(&'static str, OsString)> {
    let set = |name| known(name).filter(|value| !value.is_empty());
    let below = |name: &str| [profile, name.as_bytes()].concat();
    let path = set(PATH).unwrap_or_else(|| usual_path().into());
    let data = set(DATA).unwrap_or_else(|| OsStr::from_bytes(USUAL_DATA).to_owned());
    let mut all = vec![
        // First, as Nix's own nix.sh has it: what users install they mean to
        // use, by whatever door they come.
        (PATH, before(&below(BIN), &path)),
        (DATA, after(&data, &below(SHARE))),
        (PROFILES, words(profile)),
    ];
    // An empty search path for manuals means the system's own; to set one takes
    // it away.
    if let Some(manuals) = set(MANUALS) {
        all.push((MANUALS, before(&below(MAN), &manuals)));
    }
    if let (None, Some(bundle)) = (set(CERTIFICATES), bundle) {
        all.push((CERTIFICATES, bundle.into()));
    }
    all
}

fn before(entry: &[u8], list: &OsStr) -> OsString {
    extended(list, entry, |known| [entry, b":", known].concat())
}

fn after(list: &OsStr, entry: &[u8]) -> OsString {
    extended(list, entry, |known| [known, b":", entry].concat())
}

/// What is in a list already stays where it is.
fn extended(list: &OsStr, entry: &[u8], with: impl Fn(&[u8]) -> Vec<u8>) -> OsString {
    let known = list.as_bytes();
    if known.split(|byte| *byte == b':').any(|it| it == entry) {
        return list.to_owned();
    }
    OsString::from_vec(with(known))
}

/// As Nix has it: the least wanted first, a blank between. The first is the one
/// that all users of a system share, which nobody has here; Nix's own programs
/// expect it all the same.
fn words(profile: &[u8]) -> OsString {
    OsString::from_vec([SHARED, profile].concat())
}

/// The profile in what [`words`] said.
fn profile_of(words: &OsStr) -> Option<&[u8]> {
    words.as_bytes().strip_prefix(SHARED)
}

const SHARED: &[u8] = b"/nix/var/nix/profiles/default ";

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    const BUNDLE: &str = "/etc/ssl/certs/ca-certificates.crt";

    fn of(
        profile: Profile,
        known: &[(&str, &str)],
        bundle: Option<&str>,
    ) -> HashMap<&'static str, String> {
        let profile = path_of(profile, Path::new("/home/alice")).unwrap();
        let known = |name: &str| {
            let found = known.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| OsString::from(value))
        };
        extend(&profile, &known, &|| "/usr/bin:/bin".to_owned(), bundle)
            .into_iter()
            .map(|(name, value)| (name, value.into_string().unwrap()))
            .collect()
    }

    #[test]
    fn a_profile_is_named_below_the_home() {
        let known = |name: &str| (name == "PATH").then(|| OsString::from("/bin"));
        let all = variables(Profile::Home, Path::new("/home/alice"), &known).unwrap();
        assert!(all.contains(&("PATH", "/home/alice/.nix-profile/bin:/bin".into())));
        for home in ["/home/al:ice", "relative", "/home/al\nice"] {
            assert_eq!(variables(Profile::Home, Path::new(home), &known), None);
        }
    }

    #[test]
    fn where_nothing_is_known_the_systems_own_defaults_are_extended() {
        let all = of(Profile::Home, &[], Some(BUNDLE));
        assert_eq!(all["PATH"], "/home/alice/.nix-profile/bin:/usr/bin:/bin");
        assert_eq!(
            all["XDG_DATA_DIRS"],
            "/usr/local/share:/usr/share:/home/alice/.nix-profile/share"
        );
        assert_eq!(
            all["NIX_PROFILES"],
            "/nix/var/nix/profiles/default /home/alice/.nix-profile"
        );
        assert_eq!(all["NIX_SSL_CERT_FILE"], BUNDLE);
        assert!(!all.contains_key("MANPATH"));
        // PAM's "set to nothing" is no more than "not set".
        assert_eq!(
            of(Profile::Home, &[("PATH", "")], None)["PATH"],
            all["PATH"]
        );
    }

    #[test]
    fn what_is_known_is_extended_and_never_replaced() {
        let known = [
            ("PATH", "/opt/bin:/bin"),
            ("XDG_DATA_DIRS", "/opt/share"),
            ("MANPATH", "/opt/man:"),
            ("NIX_SSL_CERT_FILE", "/opt/certs"),
        ];
        let all = of(Profile::State, &known, Some(BUNDLE));
        let profile = "/home/alice/.local/state/nix/profile";
        assert_eq!(all["PATH"], format!("{profile}/bin:/opt/bin:/bin"));
        assert_eq!(all["XDG_DATA_DIRS"], format!("/opt/share:{profile}/share"));
        assert_eq!(all["MANPATH"], format!("{profile}/share/man:/opt/man:"));
        assert!(!all.contains_key("NIX_SSL_CERT_FILE"));
    }

    #[test]
    fn nothing_is_there_twice() {
        let once = of(Profile::Home, &[("MANPATH", "/m")], Some(BUNDLE));
        let known: Vec<(&str, &str)> = once.iter().map(|(name, it)| (*name, it.as_str())).collect();
        let twice = of(Profile::Home, &known, Some(BUNDLE));
        for name in ["PATH", "XDG_DATA_DIRS", "MANPATH", "NIX_PROFILES"] {
            assert_eq!(once[name], twice[name]);
        }
    }

    #[test]
    fn what_was_added_can_be_taken_back_and_nothing_else() {
        let undone = |known: &[(&str, &str)]| {
            let map: HashMap<&str, &str> = known.iter().copied().collect();
            without(&|name: &str| map.get(name).map(OsString::from))
        };
        let before = [
            ("PATH", "/opt/bin:/bin"),
            ("XDG_DATA_DIRS", "/opt/share"),
            ("MANPATH", "/opt/man:"),
        ];
        let after = of(Profile::Home, &before, Some(BUNDLE));
        let after: Vec<(&str, &str)> = after
            .iter()
            .map(|(name, it)| (*name, it.as_str()))
            .collect();
        let mut expected: Vec<_> = before.map(|(name, it)| (name, Some(it.into()))).into();
        expected.extend([("NIX_SSL_CERT_FILE", None), ("NIX_PROFILES", None)]);
        assert_eq!(undone(&after), expected);
        assert_eq!(undone(&before), []);
        let usual = of(Profile::Home, &[], None);
        let usual: Vec<(&str, &str)> = usual
            .iter()
            .map(|(name, it)| (*name, it.as_str()))
            .collect();
        let expected = [
            ("PATH", Some("/usr/bin:/bin".into())),
            ("XDG_DATA_DIRS", None),
            ("NIX_PROFILES", None),
        ];
        assert_eq!(undone(&usual), expected);
        assert_eq!(undone(&[("NIX_PROFILES", "/site"), ("PATH", "/bin")]), []);
    }

    #[test]
    fn a_home_that_would_be_two_entries_is_none() {
        for home in [
            "/home/a:/tmp/evil",
            "/home/a\nb",
            "/home/a\u{1b}b",
            "home",
            "",
        ] {
            assert_eq!(path_of(Profile::Home, Path::new(home)), None, "{home}");
        }
        let odd = Path::new(OsStr::from_bytes(b"/home/\xff and $(more)"));
        assert!(path_of(Profile::Home, odd).is_some());
    }
}
