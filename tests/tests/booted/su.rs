//! Becoming somebody else by su and runuser.

use crate::cell::Tried;
use crate::household::{Household, PASSWORD};

pub fn su(home: &mut Household) -> Tried {
    to_alice(home, "su alice -c")
}

pub fn su_login(home: &mut Household) -> Tried {
    to_alice(home, "su - alice -c")
}

pub fn su_to_root(home: &mut Household) -> Tried {
    to_root(home, "su -c")
}

pub fn su_login_to_root(home: &mut Household) -> Tried {
    to_root(home, "su - -c")
}

/// Debian's stacks of runuser have no line of ours: it stays where its caller
/// is, as the README says.
pub fn runuser(home: &mut Household) -> Tried {
    let _anchor = home.anchor();
    for command in ["runuser -u alice --", "runuser -l alice -c"] {
        let found = home.behind(|probe| home.bed.ssh("root", &call(command, probe)));
        home.is_on_the_host(&found, home.alice.uid);
    }
    Ok(())
}

/// From root's session, and from bob's with alice's password.
#[track_caller]
fn to_alice(home: &Household, command: &str) -> Tried {
    let anchor = home.anchor();
    let found = home.behind(|probe| home.bed.ssh("root", &call(command, probe)));
    home.is_with(&anchor, &found);
    let found = home.behind(|probe| home.bed.ssh("bob", &with_password(command, probe)));
    home.is_with(&anchor, &found);
    Ok(())
}

/// From alice's session with root's password.
#[track_caller]
fn to_root(home: &Household, command: &str) -> Tried {
    let _anchor = home.anchor();
    let found = home.behind(|probe| home.bed.ssh("alice", &with_password(command, probe)));
    home.is_on_the_host(&found, 0);
    Ok(())
}

fn call(command: &str, probe: &str) -> String {
    // A shell takes one word.
    let quoted = format!("'{probe}'");
    let words = if command.ends_with("-c") {
        &quoted
    } else {
        probe
    };
    format!("{command} {words}")
}

fn with_password(command: &str, probe: &str) -> String {
    format!("echo {PASSWORD} | {}", call(command, probe))
}
