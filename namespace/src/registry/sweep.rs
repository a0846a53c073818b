//! Taking out what nobody is in any more.

use std::time::SystemTime;

use super::Registry;
use super::entries::{Entries, Session};
use super::members::Seen;
use crate::kernel::{Called, Kernel};
use crate::record::FileId;

/// With more sessions of one user, every login looks whether some are gone.
pub(super) const MANY_SESSIONS: usize = 16;
/// How many it looks at, and so many more for each that is gone: where few are, a
/// thousand sessions cost a login no more than twenty.
const SOME_SESSIONS: usize = 4;

impl Registry {
    /// Takes out what nobody is in any more: threads that are gone, and
    /// namespaces of other store directories than `store`. A user who kills
    /// logins, or edits a path again and again, must not fill /run.
    pub(crate) fn sweep(&self, kernel: &dyn Kernel, store: FileId) -> Called<()> {
        let entries = self.entries(kernel)?;
        for session in &entries.sessions {
            self.sweep_session(kernel, session)?;
        }
        // Left by logins killed between standing and taking their predecessor out.
        for name in entries.superseded() {
            self.forget(kernel, name)?;
        }
        for elected in entries
            .all()
            .filter(|elected| elected.record.store != store)
        {
            let path = self.path.join(&elected.name);
            let settled = kernel
                .remembered(&path)
                .is_ok_and(|link| is_old(link.changed.0));
            if settled
                && self
                    .open_member(kernel, &entries, &elected.record)?
                    .is_none()
            {
                self.forget(kernel, &elected.name)?;
            }
        }
        Ok(())
    }

    /// The same for a few threads alone, other ones at every login, once there are
    /// many.
    pub(crate) fn sweep_some(&self, kernel: &dyn Kernel, entries: &Entries) -> Called<()> {
        let sessions = &entries.sessions;
        if sessions.len() <= MANY_SESSIONS {
            return Ok(());
        }
        let thread = usize::try_from(kernel.thread()).unwrap_or_default();
        let first = thread.checked_rem(sessions.len()).unwrap_or_default();
        let mut looks = SOME_SESSIONS;
        for session in sessions.iter().cycle().skip(first).take(sessions.len()) {
            if looks == 0 {
                break;
            }
            looks = looks.saturating_sub(1);
            if self.sweep_session(kernel, session)? {
                looks = looks.saturating_add(SOME_SESSIONS);
            }
        }
        Ok(())
    }

    /// Whether it was gone.
    fn sweep_session(&self, kernel: &dyn Kernel, session: &Session) -> Called<bool> {
        let gone = matches!(self.open_session(kernel, session)?, Seen::Gone);
        if gone {
            self.forget(kernel, &session.name)?;
        }
        Ok(gone)
    }
}

/// Generations count up only while the last one is there: a login that has seen
/// it may still be about to supersede it. None takes this long.
pub(super) fn is_old(seconds: i64) -> bool {
    const LONG: i64 = 60;
    let now = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default()
        .as_secs();
    i64::try_from(now)
        .unwrap_or_default()
        .saturating_sub(seconds)
        > LONG
}
