//! The module's reader; see `helper::reader`.

use std::process::ExitCode;

fn main() -> ExitCode {
    match helper::reader::serve() {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}
