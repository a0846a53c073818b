//! Killed at every call that changes something, one after the other: the next run
//! ends what was begun, and nothing is lost on the way.

use std::time::Duration;

use tests::{Machine, machine_or_skip};

use crate::scene::{OLD, STORE, scene};

const LONG: Duration = Duration::from_secs(120);

/// Every call by which these programs change the file system.
const CALLS: &str = "mkdirat linkat symlinkat unlinkat renameat renameat2 rmdir fchmod \
                     utimensat ftruncate mknodat copy_file_range syncfs";

/// Runs `begin` for each moment (of what is done to every file, each third) to be killed at, kills `act` there, checks
/// `after`, acts again unless all is done, and checks `end`; says how many moments
/// there were.
fn at_every_moment(machine: &Machine, begin: &str, act: &str, after: &str, end: &str) -> u32 {
    let script = format!(
        "set -e; cd; umask 077; moments=0
         same() {{ manifest $1 2>&1 | cmp -s - /scratch/manifest; }}
         begin() {{ {begin}; }}; after() {{ {after}; }}; end() {{ {end}; }}
         for call in {CALLS}; do
             when=1 step=1
             case $call in linkat | fchmod | utimensat | copy_file_range) step=3;; esac
             while begin; do
                 code=0
                 strace -qq -o /dev/null -e trace=$call -e inject=$call:signal=KILL:when=$when \
                     {act} >/dev/null || code=$?
                 if [ $code != 137 ]; then [ $code = 0 ]; break; fi
                 after || {{ echo \"after: $call $when\" >&2; exit 1; }}
                 end || {act} >/dev/null || {{ echo \"again: $call $when\" >&2; exit 1; }}
                 end || {{ echo \"end: $call $when\" >&2; exit 1; }}
                 when=$((when + step)); moments=$((moments + 1))
             done
         done
         echo $moments"
    );
    let ended = machine.spawn_as("alice", &script).finish_within(LONG);
    ended.ok().parse().expect("a number")
}

/// A new store of a dozen files, and nothing else.
fn new_store(path: &str) -> String {
    format!(
        "find {path} .local -type d -exec chmod u+w {{}} + 2>/dev/null || true; \
         rm -rf {path} .local .config; mkdir -p $(dirname {path}); make-store {path} 1 3; \
         manifest {path} >/scratch/manifest"
    )
}

/// A store directory that says it has a store has all of it.
const ALL_OR_NO_STORE: &str = "{ [ ! -e .local/share/nix/store ] || [ -e .local/share/nix/var ]; }";

#[test]
fn a_copy_survives_them() {
    let machine = machine_or_skip!();
    scene(&machine);
    let moments = at_every_moment(
        &machine,
        &new_store(OLD),
        &format!("nix-ns init --from {OLD}"),
        &format!("same {OLD} && {ALL_OR_NO_STORE}"),
        &format!("same {OLD} && same {STORE} && [ -e .config/nix-ns/config.toml ]"),
    );
    assert!(moments > 30, "{moments}");
}

#[test]
fn a_move_survives_them() {
    let machine = machine_or_skip!();
    scene(&machine);
    let moments = at_every_moment(
        &machine,
        &new_store("/home/alice/.nix"),
        "nix-ns init --from .nix",
        ALL_OR_NO_STORE,
        &format!("same {STORE} && [ ! -e .nix ] && [ -e .config/nix-ns/config.toml ]"),
    );
    assert!(moments >= 3, "{moments}");
}

#[test]
fn a_purge_survives_them() {
    let machine = machine_or_skip!();
    scene(&machine);
    let moments = at_every_moment(
        &machine,
        &new_store(OLD),
        &format!("nix-ns purge --yes {OLD}"),
        // Either nothing is gone, or it looks like a store no more.
        &format!(
            "[ ! -e {OLD}/store ] || {{ rmdir {OLD}/.nix-ns-purging/1; rmdir {OLD}/.nix-ns-purging; same {OLD}; }} 2>/dev/null"
        ),
        &format!("[ ! -e {OLD} ]"),
    );
    assert!(moments > 20, "{moments}");
}
