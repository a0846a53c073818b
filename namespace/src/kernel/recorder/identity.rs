//! The identity that the recorder keeps.

use super::Recorder;
use crate::kernel::{Called, FileIdentity, Identity, LostWithIdentity};

impl Identity for Recorder {
    fn assume(&self, identity: FileIdentity) -> Called<(FileIdentity, LostWithIdentity)> {
        self.call("setfsuid", |state| {
            let lost = LostWithIdentity {
                parent_death_signal: 0,
                dumpable: 1,
                effective: rustix::thread::CapabilitySet::empty(),
            };
            let before = state.identity;
            state.identity = identity;
            Ok((before, lost))
        })
    }
    fn has_assumed(&self, identity: FileIdentity) -> bool {
        self.0.borrow().identity == identity
    }
    fn resume(&self, identity: FileIdentity, _: LostWithIdentity) -> Called<()> {
        self.call("setfsuid back", |state| {
            state.identity = identity;
            Ok(())
        })
    }
}
