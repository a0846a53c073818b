//! Which namespace is the one for a store directory, if several logins build one.

use std::ffi::OsString;
use std::os::fd::AsFd;

use nix::errno::Errno;

use super::Registry;
use super::entries::{Elected, Entries, elected_name, parse_elected};
use super::members::Seen;
use crate::kernel::{Called, Kernel};
use crate::record::{FileId, Record};

impl Registry {
    /// Tries to make a record the elected one with the generation that was next
    /// when its predecessor was looked at. `false`: another one was elected.
    pub(crate) fn elect(
        &self,
        kernel: &dyn Kernel,
        record: &Record,
        generation: u64,
        predecessor: Option<&Elected>,
    ) -> Called<bool> {
        let name = elected_name(record.store, generation);
        match kernel.link(&record.to_text(), self.directory.as_fd(), &name) {
            Ok(()) => {}
            Err(failed) if failed.errno == Errno::EEXIST => return Ok(false),
            Err(failed) => return Err(failed),
        }
        // A late comer may have found the name free because its bearer was
        // already superseded and removed: the latest generation is the elected.
        if !self.is_elected(kernel, record)? {
            kernel.unlink(self.directory.as_fd(), &name)?;
            return Ok(false);
        }
        if let Some(predecessor) = predecessor {
            self.forget(kernel, &predecessor.name)?;
        }
        Ok(true)
    }

    /// After superseding a dead namespace: whether somebody had joined that one
    /// at the last moment. Then it is elected again, and this one is not.
    pub(crate) fn yields(
        &self,
        kernel: &dyn Kernel,
        record: &Record,
        dead: Option<&Elected>,
    ) -> Called<bool> {
        let Some(dead) = dead else { return Ok(false) };
        // Before Linux 6.11 a number is an inode's, which the kernel gives to the
        // next namespace as soon as it is free: then the dead one is, and whoever
        // is registered by that number is in this one.
        if dead.record.namespace == record.namespace {
            return Ok(false);
        }
        let entries = self.entries(kernel)?;
        if !self.has_session(kernel, &entries, &dead.record)? {
            return Ok(false);
        }
        let ours = entries
            .elected(record.store)
            .filter(|elected| elected.record == *record);
        Ok(match ours {
            Some(ours) => {
                let generation = entries.next_generation(record.store);
                self.elect(kernel, &dead.record, generation, Some(ours))?
            }
            None => true,
        })
    }

    fn has_session(&self, kernel: &dyn Kernel, entries: &Entries, record: &Record) -> Called<bool> {
        for session in entries
            .sessions
            .iter()
            .filter(|session| session.namespace == record.namespace)
        {
            if let Seen::There(_) = self.open_session(kernel, session)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Notes that a namespace is what today's configurations amount to, so that
    /// the next login need not read them.
    pub(crate) fn refresh(
        &self,
        kernel: &dyn Kernel,
        elected: &Elected,
        record: &Record,
    ) -> Called<()> {
        if *record == elected.record {
            return Ok(());
        }
        // One name a directory, whoever is killed before the renaming.
        let FileId { device, inode } = record.store;
        let name = OsString::from(format!("new.{device}.{inode}"));
        self.forget(kernel, &name)?;
        kernel.link(&record.to_text(), self.directory.as_fd(), &name)?;
        kernel.rename(self.directory.as_fd(), &name, &elected.name)
    }

    /// Whether an election still stands. Its name says so: what it was made by may
    /// be noted anew under the same.
    pub(crate) fn still_elects(&self, kernel: &dyn Kernel, elected: &Elected) -> Called<bool> {
        let latest = self
            .names(kernel)?
            .iter()
            .filter_map(|name| parse_elected(name))
            .filter(|(store, _)| *store == elected.record.store)
            .map(|(_, generation)| generation)
            .max();
        Ok(latest == Some(elected.generation))
    }

    /// Whether a record is the elected one of its store directory now.
    pub(crate) fn is_elected(&self, kernel: &dyn Kernel, record: &Record) -> Called<bool> {
        let entries = self.entries(kernel)?;
        Ok(entries
            .elected(record.store)
            .is_some_and(|elected| elected.record.namespace == record.namespace))
    }
}
