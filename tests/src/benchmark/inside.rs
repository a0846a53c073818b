//! Work on one's own `/nix`, beside the same work outside, under proot, and on a
//! FUSE overlay.

use std::io;

use super::samples::Samples;
use super::scene::{self, Scene};
use super::{Extent, Results};
use crate::User;

/// The table.
pub const INSIDE: &str = "work inside";
/// What is done: times are for one file, one process, one build.
pub const WORKS: [&str; 3] = [
    "stat, open and read a file",
    "start a process",
    "a build by gcc",
];

/// Where it is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// In the host's namespace, on the store directory by its own path.
    Outside,
    /// In the user's, on `/nix`.
    OnNix,
    /// In the host's, with `/nix` as proot shows it.
    Proot,
    /// In the host's, on a FUSE overlay of the store directory.
    Fuse,
}

impl Place {
    /// Every one.
    pub const ALL: [Self; 4] = [Self::Outside, Self::OnNix, Self::Proot, Self::Fuse];

    /// For the table.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Outside => "outside",
            Self::OnNix => "on /nix",
            Self::Proot => "under proot",
            Self::Fuse => "on fuse-overlayfs",
        }
    }
}

/// Where everything takes much longer, so much less is done.
const LESS: u32 = 10;

const FUSE: &str = "/srv/overlay";
const BUILD: &str = "for i in 1 2 3 4 5 6 7 8; do gcc -O1 -c -o $1/$i.o $1/$i.c || exit; done
gcc -o $1/program $1/*.o
";

/// Every work at every place, in turn.
pub fn measure(extent: &Extent, results: &mut Results) -> io::Result<()> {
    let scene = Scene::set_up()?;
    let _held = scene.hold(1, &[scene::JOINER]);
    let bench = Bench {
        store: scene.store(scene::JOINER),
        member: scene.member(scene::JOINER),
        scene: &scene,
    };
    bench.prepare(extent);
    let mut all: Vec<(String, Samples)> = Vec::new();
    for _ in 0..=extent.works {
        for place in Place::ALL {
            for (work, time) in WORKS.into_iter().zip(bench.times(place, extent)) {
                let name = format!("{work}, {}", place.name());
                let samples = match all.iter_mut().find(|(found, _)| *found == name) {
                    Some((_, samples)) => samples,
                    None => {
                        all.push((name, Samples::default()));
                        // What is not in the caches yet is no part of it.
                        continue;
                    }
                };
                samples.push(time);
            }
        }
    }
    for (name, samples) in all {
        results.add(INSIDE, &name, 0, samples);
    }
    Ok(())
}

struct Bench<'a> {
    scene: &'a Scene,
    store: String,
    /// A process on the user's `/nix`.
    member: u32,
}

impl Bench<'_> {
    fn prepare(&self, extent: &Extent) {
        let Self { store, scene, .. } = self;
        let (files, fewer) = (extent.files, extent.files / LESS);
        let user = scene::JOINER;
        scene
            .machine()
            .write("/srv/build", BUILD, 0o644, &User::root());
        scene.run_as(
            user,
            &format!(
                "workload make-files {store}/files-{files} {files}
                workload make-files {store}/files-{fewer} {fewer}
                mkdir {store}/build
                for i in 1 2 3 4 5 6 7 8; do
                    echo '#include <stdio.h>' >{store}/build/$i.c
                    for j in $(seq 100); do
                        echo \"int f_${{i}}_$j(int x) {{ return printf(\\\"%d\\\", x * $j); }}\"
                    done >>{store}/build/$i.c
                done
                echo 'int main(void) {{ return 0; }}' >>{store}/build/1.c"
            ),
        );
        scene.run(&format!(
            "mkdir {FUSE} /srv/upper /srv/work && chown {user} {FUSE} /srv/upper /srv/work"
        ));
        // A server of its own, in the background.
        scene.run_as(
            user,
            &format!(
                "fuse-overlayfs -o lowerdir={store},upperdir=/srv/upper,workdir=/srv/work {FUSE}"
            ),
        );
    }

    /// Nanoseconds for one piece of each work.
    fn times(&self, place: Place, extent: &Extent) -> [u64; 3] {
        let less = match place {
            Place::Outside | Place::OnNix => 1,
            Place::Proot | Place::Fuse => LESS,
        };
        let (files, processes) = (extent.files / less, (extent.processes / less).max(1));
        let below = match place {
            Place::Outside => self.store.as_str(),
            Place::OnNix | Place::Proot => "/nix",
            Place::Fuse => FUSE,
        };
        // A program on the same file system as the files.
        [
            (format!("workload files {below}/files-{files}"), files),
            (
                format!("workload processes {processes} /usr/bin/true"),
                processes,
            ),
            (
                format!("workload exec 1 x=/bin/sh,/srv/build,{below}/build"),
                1,
            ),
        ]
        .map(|(script, pieces)| {
            let said = self.run(place, &script);
            let whole = said
                .split_whitespace()
                .last()
                .and_then(|it| it.parse().ok());
            let whole: u64 = whole.expect("the work says how long it took");
            whole / u64::from(pieces.max(1))
        })
    }

    fn run(&self, place: Place, script: &str) -> String {
        let (scene, user) = (self.scene, scene::JOINER);
        match place {
            Place::Outside | Place::Fuse => scene.run_as(user, script),
            Place::Proot => scene.run_as(user, &format!("proot -b {}:/nix {script}", self.store)),
            Place::OnNix => scene.run(&format!(
                "nsenter -t {} -m setpriv --reuid {user} --regid {user} --init-groups {script}",
                self.member
            )),
        }
    }
}
