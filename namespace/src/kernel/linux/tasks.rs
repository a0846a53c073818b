//! Processes and threads: `/proc` and `capget(2)`.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use nix::unistd;
use rustix::thread::CapabilitySet;

use super::{Linux, capabilities, failed_io, namespace_link, task_path};
use crate::kernel::{CallFailed, Called, Files, Task, Tasks, parse_decimal};
use nix::errno::Errno;

impl Tasks for Linux {
    fn missing_capabilities(&self) -> Called<Vec<&'static str>> {
        let held = capabilities()?.effective;
        Ok([
            (CapabilitySet::SYS_ADMIN, "CAP_SYS_ADMIN"),
            (CapabilitySet::SYS_CHROOT, "CAP_SYS_CHROOT"),
        ]
        .into_iter()
        .filter_map(|(capability, name)| (!held.contains(capability)).then_some(name))
        .collect())
    }

    fn threads(&self) -> Called<u32> {
        // procfs counts the threads into the links of the directory (fs/proc/base.c,
        // proc_task_getattr): one call instead of a file to read and parse.
        let task = self.remembered(Path::new("/proc/self/task"))?;
        Ok(task.links.saturating_sub(2))
    }

    fn thread(&self) -> i32 {
        unistd::gettid().as_raw()
    }

    fn began(&self, thread: i32) -> Called<u64> {
        const CALL: &str = "read /proc/PID/stat";
        let mut text = String::new();
        File::open(format!("/proc/{thread}/stat"))
            .and_then(|mut file| file.read_to_string(&mut text))
            .map_err(|error| failed_io(CALL, &error))?;
        // The name in parentheses may itself hold spaces and parentheses.
        text.rsplit_once(')')
            .and_then(|(_, rest)| rest.split_ascii_whitespace().nth(19))
            .and_then(parse_decimal)
            .ok_or(CallFailed {
                call: CALL,
                errno: Errno::EBADMSG,
            })
    }

    fn pid_namespace(&self) -> Called<u64> {
        namespace_link(&task_path(Task::Caller, "ns/pid"))
    }

    fn processes(&self) -> Called<Vec<i32>> {
        let entries =
            std::fs::read_dir("/proc").map_err(|error| failed_io("open /proc", &error))?;
        Ok(entries
            .flatten()
            .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
            .collect())
    }
}
