//! What the recorder answers of processes and threads.

use super::Recorder;
use crate::kernel::{Called, Tasks};

impl Tasks for Recorder {
    fn missing_capabilities(&self) -> Called<Vec<&'static str>> {
        self.call("capget", |state| Ok(state.missing.clone()))
    }
    fn threads(&self) -> Called<u32> {
        self.call("statx task", |state| Ok(state.running))
    }
    fn thread(&self) -> i32 {
        self.0.borrow().thread
    }
    fn began(&self, _: i32) -> Called<u64> {
        self.call("read stat", |state| Ok(state.began))
    }
    fn pid_namespace(&self) -> Called<u64> {
        self.call("readlink pid", |state| Ok(state.pid_namespace))
    }
    fn processes(&self) -> Called<Vec<i32>> {
        self.call("getdents /proc", |state| {
            Ok(state.threads.keys().copied().collect())
        })
    }
}
