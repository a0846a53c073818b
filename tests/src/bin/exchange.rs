//! `exchange ONE OTHER` gives each of two names what the other has, in one
//! instant, over and over, as fast as can be. It says `ready` after the first.

use std::env;
use std::error::Error;
use std::path::PathBuf;

use nix::fcntl::{AT_FDCWD, RenameFlags, renameat2};

fn main() -> Result<(), Box<dyn Error>> {
    let [one, other] = <[PathBuf; 2]>::try_from(
        env::args_os()
            .skip(1)
            .map(PathBuf::from)
            .collect::<Vec<_>>(),
    )
    .map_err(|_| "exchange ONE OTHER")?;
    let exchange = || {
        renameat2(
            AT_FDCWD,
            &one,
            AT_FDCWD,
            &other,
            RenameFlags::RENAME_EXCHANGE,
        )
    };
    exchange()?;
    println!("ready");
    loop {
        // Whoever else exchanges the same names may win.
        let _ = exchange();
    }
}
