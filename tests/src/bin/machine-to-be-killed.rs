//! Starts a machine with a server in it, or boots a bed if its suite is named,
//! says which, and waits to be killed.

use std::env;
use std::thread::sleep;
use std::time::Duration;

use tests::Machine;
use tests::bed::{Bed, SUITES};

fn main() -> std::io::Result<()> {
    let named = env::args().nth(1);
    if let Some(suite) = SUITES.iter().find(|it| Some(it.name) == named.as_deref()) {
        let bed = Bed::boot(*suite)?;
        wait(&bed);
    } else {
        let machine = Machine::start()?;
        machine.sshd();
        wait(&machine);
    }
    Ok(())
}

fn wait(machine: &Machine) {
    println!("{}", machine.init());
    sleep(Duration::from_secs(60));
}
