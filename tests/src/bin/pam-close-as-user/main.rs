//! `pam-close-as-user SERVICE USER` opens a PAM session as root and closes it
//! as the user, as systemd's `(sd-pam)` does. It prints `open CODE` and
//! `close CODE`.

use std::env;
use std::error::Error;

use nix::unistd::{User, setgid, setgroups, setuid};

#[path = "../pam-host/pam.rs"]
#[allow(dead_code, reason = "shared with pam-host, which does more")]
mod pam;

use pam::{Flags, Handle};

fn main() -> Result<(), Box<dyn Error>> {
    let mut words = env::args().skip(1);
    let (service, name) = (words.next(), words.next());
    let (Some(service), Some(name)) = (service, name) else {
        return Err("pam-close-as-user SERVICE USER".into());
    };
    let user = User::from_name(&name)?.ok_or("no such user")?;
    let mut handle = Handle::start(&service, &name)?;
    say(&format!("open {}", handle.open(Flags::None)));
    setgroups(&[])?;
    setgid(user.gid)?;
    setuid(user.uid)?;
    say(&format!("close {}", handle.close(Flags::None)));
    Ok(())
}

fn say(line: &str) {
    println!("{line}");
}
