//! Starts a machine with a server in it, says which, and waits to be killed.

use std::thread::sleep;
use std::time::Duration;

use tests::Machine;

fn main() -> std::io::Result<()> {
    let machine = Machine::start()?;
    machine.sshd();
    println!("{}", machine.init());
    sleep(Duration::from_secs(60));
    Ok(())
}
