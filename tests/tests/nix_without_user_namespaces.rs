//! The promise that user-namespace wrappers cannot make: `/nix` where user
//! namespaces are switched off. A test program of its own, and one test in it:
//! the switch is the whole host's.

use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};

use tests::real_nix::SANDBOX;
use tests::{machine_or_skip, skip};

#[test]
fn nix_builds_on_a_users_nix_where_user_namespaces_are_off() {
    let machine = machine_or_skip!().set_up();
    if !machine.has_nix() {
        return skip(module_path!(), "needs Nix of the distribution's (nix-bin)");
    }
    let alice = machine.nix_user("alice");
    machine.write_hello(&alice);

    let Some(off) = UserNamespacesOff::switch() else {
        return skip(
            module_path!(),
            "may not switch off user namespaces (CAP_SYS_RESOURCE)",
        );
    };
    let other = machine.ssh("alice", "unshare --user true");
    let seen = machine.ssh("alice", "stat -c %U /nix").ok().to_owned();
    let insists = machine.ssh_nix("alice", &format!("nix-build {SANDBOX} hello.nix"));
    let built = machine.ssh_nix("alice", "nix-build hello.nix -o r >&2 && ./r/bin/hello-ns");
    drop(off);

    // Else nothing was shown.
    assert!(other.fails().contains("unshare failed"), "{other}");
    assert_eq!(seen, "alice");
    assert!(
        insists.fails().contains("cloning builder process"),
        "{insists}"
    );
    assert!(built.ok().starts_with("hi-from-/nix/store/"), "{built}");
    machine.ssh("alice", "unshare --user true").ok();
}

/// Holds the switch down. A process of its own does it, which puts it back
/// when this end of its standard input is gone, be it because the test run was
/// killed, and which lets two test runs wait for each other.
struct UserNamespacesOff {
    keeper: Child,
}

const KEEPER: &str = "\
switch=/proc/sys/user/max_user_namespaces
test -w $switch || exit 0
exec 3<$switch && flock 3 && before=$(cat $switch) && echo 0 >$switch || exit 1
echo off
read -r _
echo $before >$switch
";

impl UserNamespacesOff {
    fn switch() -> Option<Self> {
        let mut keeper = Command::new("sh")
            .args(["-c", KEEPER])
            // What kills this test run by its group leaves the keeper alone.
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("there is a shell");
        let mut said = String::new();
        BufReader::new(keeper.stdout.take().expect("piped"))
            .read_line(&mut said)
            .expect("a pipe");
        let keeper = Self { keeper };
        match said.as_str() {
            "off\n" => Some(keeper),
            "" => None,
            other => panic!("{other}"),
        }
    }
}

impl Drop for UserNamespacesOff {
    fn drop(&mut self) {
        drop(self.keeper.stdin.take());
        let _ = self.keeper.wait();
    }
}
