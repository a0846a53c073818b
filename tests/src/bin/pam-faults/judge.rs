//! What must hold after a session, whatever failed in it.

use nix::errno::Errno;

use crate::case::{Half, Outcome, Report, Role, identity};
use crate::pam;
use crate::ways::{End, Way};

/// `PAM_SYSTEM_ERR`: it was to leave a user's `/nix`, and could not.
const STOPPED: i32 = 4;
/// `PAM_ABORT`: the way back failed.
const ABORTED: i32 = 26;

/// What became of a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fate {
    /// As if nothing had failed.
    Unharmed,
    /// It is on the host's `/nix`, in a mount namespace of its own: where it was
    /// could not be known, or not be left otherwise.
    Apart,
    /// It goes on without a `/nix` of the user's, where it was.
    Without,
    /// It is not opened: it had to leave a user's `/nix`, and could not.
    Stopped,
    /// It is not opened: the way back failed.
    Aborted,
}

/// The host's side of the verdict.
#[derive(Debug)]
pub struct Known {
    /// The host's namespace.
    namespace: String,
    /// What the host has at `/nix`.
    nix: String,
}

impl Known {
    /// As it is now, with no session open.
    pub fn look() -> Self {
        Self {
            namespace: crate::state::link("/proc/self/ns/mnt"),
            nix: identity("/nix"),
        }
    }

    /// Judges a session in which one call has failed with this error.
    pub fn judge(
        &self,
        way: &Way,
        outcome: &Outcome,
        failed: Option<Errno>,
        role: Role,
        log: &[String],
    ) -> Result<Fate, String> {
        if !outcome.gone {
            return Err("a process of it was still there after a long time".to_owned());
        }
        let report = &outcome.report;
        let Some(code) = report.code else {
            return Err(format!("the application ended by {:?}", outcome.status));
        };
        let fate = match code {
            ABORTED => Fate::Aborted,
            STOPPED => Fate::Stopped,
            // (sd-pam) and the like close without any right: ignored by all.
            _ if way.session.half == Half::Close => self.place(way, report)?,
            pam::SUCCESS => self.place(way, report)?,
            other => return Err(format!("Linux-PAM answered {other}")),
        };
        if matches!(fate, Fate::Unharmed | Fate::Apart | Fate::Without) {
            unchanged(report, way.session.half)?;
        }
        let Some(errno) = failed else {
            return Ok(fate);
        };
        if way.session.half == Half::Open && fate == Fate::Apart && log.is_empty() {
            return Err("apart, and the log does not say so".to_owned());
        }
        let refused = way.session.half == Half::Open
            && matches!(fate, Fate::Without | Fate::Stopped | Fate::Aborted);
        if refused && !is_an_answer(errno) && !log.iter().any(|line| names(line, errno, role)) {
            return Err(format!(
                "{fate:?}, and no line of the log names {errno}: {log:?}"
            ));
        }
        if fate == Fate::Aborted && !log.iter().any(|line| line.contains("cannot go back")) {
            return Err(format!("aborted, and not for a failing way back: {log:?}"));
        }
        Ok(fate)
    }

    /// Where it is, if that is a place where it may be.
    fn place(&self, way: &Way, report: &Report) -> Result<Fate, String> {
        let now = report.after.get("namespace");
        let was = report.before.get("namespace");
        let own = report.nix == identity(&way.store()) && report.marker.is_some();
        let of_the_host = report.nix == self.nix && report.marker.is_none();
        let on_host = now == Some(&self.namespace) && of_the_host;
        let place = || format!("it is in {now:?}, on {} {:?}", report.nix, report.marker);
        match way.end {
            End::Own if own => Ok(Fate::Unharmed),
            End::Host if on_host => Ok(Fate::Unharmed),
            End::HostView if of_the_host => Ok(Fate::Unharmed),
            // The session is over, and its process with it.
            End::Host if way.session.half == Half::Close && now == was => Ok(Fate::Without),
            End::Own if on_host => Ok(Fate::Without),
            _ if of_the_host => Ok(Fate::Apart),
            _ => Err(place()),
        }
    }
}

/// Everything that a module must leave as it was.
fn unchanged(report: &Report, half: Half) -> Result<(), String> {
    let moved = report.before.get("namespace") != report.after.get("namespace");
    for (key, before) in &report.before {
        let after = report.after.get(key);
        let allowed = match key.as_str() {
            "namespace" => true,
            // Where the directory cannot be found again with the user's rights.
            "cwd" => moved && after.is_some_and(|it| it == "/"),
            // To put these back is a call, too. An opening that cannot is aborted;
            // a closing has nobody to tell.
            "dumpable" | "parent-death-signal" => half == Half::Close,
            _ => false,
        };
        if allowed {
            continue;
        }
        if after != Some(before) {
            return Err(format!("{key} was {before}, and is {after:?}"));
        }
    }
    Ok(())
}

/// Whether a line says which error it was. A reader that cannot speak any more
/// is named itself.
fn names(line: &str, errno: Errno, role: Role) -> bool {
    let line = line.to_lowercase();
    // Rust's words for some differ from the C library's.
    let words = std::io::Error::from(errno).kind().to_string();
    (role != Role::Host && line.contains("nix-ns-reader"))
        || line.contains(&format!("{errno:?}").to_lowercase())
        || line.contains(&errno.desc().to_lowercase())
        || line.contains(&words)
        || line.contains(&format!("os error {}", errno as i32))
        // One of many places that the site allows; which error each had is not kept.
        || line.contains("none of which can be reached")
        // What failed was to look whether it had worked.
        || line.contains("the kernel does not show")
        // The C library reads it, and does not tell why it found nothing.
        || line.contains("account database has no usable entry")
}

/// Whether an error says something of the thing that was asked about, not that
/// the asking has failed: there is no such file, say. What a login makes of that
/// is its business, and no failure to be named.
const fn is_an_answer(errno: Errno) -> bool {
    matches!(
        errno,
        Errno::ENOENT | Errno::ENOTDIR | Errno::ELOOP | Errno::EEXIST | Errno::EXDEV | Errno::ESRCH
    )
}
