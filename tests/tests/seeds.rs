//! The fuzzer's seeds, and every input that it once found a defect with, tried
//! without it (`make fuzz` looks for new ones).

#[path = "../fuzz/src/lib.rs"]
mod fuzz;

use std::fs;
use std::path::Path;

fn try_every_seed(target: &str, holds: fn(&[u8])) {
    let seeds = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("fuzz/seeds")
        .join(target);
    let seeds: Vec<_> = fs::read_dir(&seeds)
        .expect("every target has seeds")
        .map(|seed| seed.expect("a seed").path())
        .collect();
    assert!(!seeds.is_empty(), "{target} has no seeds");
    for seed in seeds {
        holds(&fs::read(&seed).expect("a seed"));
    }
}

macro_rules! targets {
    ($($target:ident)*) => {
        $(
            #[test]
            fn $target() {
                try_every_seed(stringify!($target), fuzz::$target);
            }
        )*

        #[test]
        fn every_target_is_here() {
            let targets = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/fuzz_targets");
            let mut names: Vec<String> = fs::read_dir(targets)
                .expect("the targets")
                .filter_map(|it| it.ok()?.path().file_stem()?.to_str().map(str::to_owned))
                .collect();
            names.sort();
            assert_eq!(names, [$(stringify!($target)),*]);
        }
    };
}

targets! { arguments mount_table printable record references reply site user }
