//! Becoming somebody else by sudo and pkexec.

use crate::cell::Tried;
use crate::household::Household;

pub fn sudo_to_root(home: &mut Household) -> Tried {
    to_root(home, "sudo")
}

pub fn sudo_i_to_root(home: &mut Household) -> Tried {
    to_root(home, "sudo -i")
}

pub fn sudo_u(home: &mut Household) -> Tried {
    to_alice(home, "sudo -u alice")
}

pub fn sudo_i_u(home: &mut Household) -> Tried {
    to_alice(home, "sudo -i -u alice")
}

pub fn pkexec_to_root(home: &mut Household) -> Tried {
    to_root(home, "pkexec")
}

/// It has three threads when it opens the session, which join nothing unless the
/// site says so.
pub fn pkexec_to_another(home: &mut Household) -> Tried {
    let _anchor = home.anchor();
    let found = home.behind(|probe| home.bed.ssh("bob", &format!("pkexec --user alice {probe}")));
    home.is_on_the_host(&found, home.alice.uid);
    Ok(())
}

#[track_caller]
fn to_root(home: &Household, command: &str) -> Tried {
    let _anchor = home.anchor();
    let found = home.behind(|probe| home.bed.ssh("alice", &format!("{command} {probe}")));
    home.is_on_the_host(&found, 0);
    Ok(())
}

/// From bob's session, and from alice's own.
#[track_caller]
fn to_alice(home: &Household, command: &str) -> Tried {
    let anchor = home.anchor();
    for caller in ["bob", "alice"] {
        let found = home.behind(|probe| home.bed.ssh(caller, &format!("{command} {probe}")));
        home.is_with(&anchor, &found);
    }
    Ok(())
}
