//! Measures everything and keeps it: `benchmark DIRECTORY`, as root.

use std::error::Error;
use std::path::PathBuf;

use tests::benchmark::{Extent, run};

fn main() -> Result<(), Box<dyn Error>> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let (extent, directory) = match words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [directory] => (Extent::FULL, directory),
        ["--quick", directory] => (Extent::QUICK, directory),
        _ => return Err("benchmark [--quick] DIRECTORY".into()),
    };
    if !tests::root_or_skip("benchmark") {
        return Err("a throw-away machine needs root".into());
    }
    let results = run(&extent)?;
    results.keep(&PathBuf::from(directory))?;
    println!("{}", results.to_text());
    Ok(())
}
