//! What a caller may not take from a program that decides something about it: a
//! few descriptors too few (`ulimit -Hn 5; nix-ns enter`), and a group of the
//! directory server's looks as if it did not exist. The site may deny its
//! members.

use nix::sys::resource::{RLIM_INFINITY, Resource, getrlimit, rlim_t, setrlimit};

struct Limit {
    resource: Resource,
    name: &'static str,
    wanted: rlim_t,
    enough: rlim_t,
}

const LIMITS: [Limit; 6] = [
    Limit {
        resource: Resource::RLIMIT_NOFILE,
        name: "open files (ulimit -n)",
        wanted: 1024,
        enough: 64,
    },
    Limit {
        resource: Resource::RLIMIT_AS,
        name: "address space (ulimit -v)",
        wanted: RLIM_INFINITY,
        enough: 1 << 28,
    },
    Limit {
        resource: Resource::RLIMIT_DATA,
        name: "data (ulimit -d)",
        wanted: RLIM_INFINITY,
        enough: 1 << 28,
    },
    Limit {
        resource: Resource::RLIMIT_STACK,
        name: "stack (ulimit -s)",
        wanted: 8 << 20,
        enough: 1 << 20,
    },
    // Nobody's processes are counted against it, and nobody has many.
    Limit {
        resource: Resource::RLIMIT_NPROC,
        name: "processes (ulimit -u)",
        wanted: RLIM_INFINITY,
        enough: 0,
    },
    Limit {
        resource: Resource::RLIMIT_CPU,
        name: "processor time (ulimit -t)",
        wanted: RLIM_INFINITY,
        enough: 10,
    },
];

/// Lifts them as far as this process may.
pub(crate) fn lift() {
    for limit in &LIMITS {
        if setrlimit(limit.resource, limit.wanted, limit.wanted).is_err() {
            if let Ok((_, hard)) = getrlimit(limit.resource) {
                let _ = setrlimit(limit.resource, hard, hard);
            }
        }
    }
}

/// The name of a limit that is too narrow even when lifted, in a process that
/// may not go beyond the hard ones.
pub(crate) fn narrowest() -> Option<&'static str> {
    let narrow =
        |limit: &&Limit| getrlimit(limit.resource).map_or(true, |(_, hard)| hard < limit.enough);
    LIMITS.iter().find(narrow).map(|limit| limit.name)
}
