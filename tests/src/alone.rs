//! A test in a process of its own.

use std::any::type_name;
use std::env;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use nix::fcntl::OFlag;
use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use nix::sys::prctl::set_pdeathsig;
use nix::sys::signal::{Signal, killpg};
use nix::sys::wait::WaitStatus;
use nix::unistd::{Pid, pipe2};

use crate::kernel::in_fork;
use crate::root_or_skip;

/// Set in the process of its own.
const ALONE: &str = "NIX_NS_TEST_ALONE";
/// Longer than any fact takes to show.
const LIMIT: Duration = Duration::from_secs(30);

/// Runs the body of a test as root in a process with one thread and a private
/// mount namespace, away from every other test. Must be all a test does: the
/// test program is started again for this one test, and forks for it, as the
/// harness keeps a thread of its own.
///
/// # Panics
///
/// When the body does, or takes longer than half a minute.
pub fn alone<F: FnOnce()>(body: F) {
    let test = test_name::<F>();
    if env::var_os(ALONE).is_some() {
        end_with_parent();
        let ended = in_fork(|| {
            end_with_parent();
            withdraw();
            body();
        });
        assert!(matches!(ended, Ok(WaitStatus::Exited(_, 0))), "{ended:?}");
    } else if root_or_skip(test) {
        start_again(test);
    }
}

/// The name by which the harness knows the test that a closure is written in.
fn test_name<F>() -> &'static str {
    let path = type_name::<F>().trim_end_matches("::{{closure}}");
    path.split_once("::").map_or(path, |(_, name)| name)
}

fn end_with_parent() {
    set_pdeathsig(Signal::SIGKILL).expect("any signal will do");
}

fn withdraw() {
    unshare(CloneFlags::CLONE_NEWNS).expect("root may");
    let private = MsFlags::MS_REC | MsFlags::MS_PRIVATE;
    mount(None::<&str>, "/", None::<&str>, private, None::<&str>).expect("root may");
}

fn start_again(test: &str) {
    let (output, theirs) = pipe2(OFlag::O_CLOEXEC).expect("descriptors are left");
    let mut child = Command::new(env::current_exe().expect("procfs is mounted"))
        .args([test, "--exact", "--nocapture"])
        .env(ALONE, "")
        .process_group(0)
        .stdin(Stdio::null())
        .stdout(theirs.try_clone().expect("descriptors are left"))
        .stderr(theirs)
        .spawn()
        .expect("this program started once already");
    let ended = wait(&mut child);
    kill_group(&child);
    let mut text = String::new();
    let _ = File::from(output).read_to_string(&mut text);
    for line in text.lines().filter(|line| line.starts_with("SKIPPED")) {
        let _ = writeln!(io::stderr(), "{line}");
    }
    let passed = ended.is_some_and(|status| status.success()) && text.contains("1 passed");
    assert!(
        passed,
        "alone in a process, {test} ended {ended:?}:\n{text}"
    );
}

/// How the process ended, if it did in time.
fn wait(child: &mut Child) -> Option<ExitStatus> {
    let deadline = Instant::now() + LIMIT;
    while Instant::now() < deadline {
        if let Some(status) = child.try_wait().expect("a child") {
            return Some(status);
        }
        sleep(Duration::from_millis(2));
    }
    None
}

/// Ends the process and every helper it left behind.
fn kill_group(child: &Child) {
    let group = i32::try_from(child.id()).expect("process numbers are small");
    let _ = killpg(Pid::from_raw(group), Signal::SIGKILL);
}
