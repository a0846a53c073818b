//! Time and room: what one user takes from another, or from a login.

use std::time::{Duration, Instant};

use tests::hostile::End::{Either, EitherLate, Own, Refused};
use tests::hostile::Step::{self, Alice, AliceKeeps, Config, Root};
use tests::hostile::{Door, Family, Scene};
use tests::machine_or_skip;

use crate::{Case, SCRATCH, STORE, play};

/// At most 64 KiB that are as much work as can be: told by a shell, that makes
/// the file.
const BUSY: &[(&str, &str)] = &[
    (
        "brackets",
        "printf 'a = '; head -c 60000 /dev/zero | tr '\\0' '['",
    ),
    (
        "closed brackets",
        "printf 'a = '; head -c 30000 /dev/zero | tr '\\0' '['; head -c 30000 /dev/zero | tr '\\0' ']'",
    ),
    (
        "tables in tables",
        "yes 'a={' | head -n 21000 | tr -d '\\n'",
    ),
    (
        "closed tables in tables",
        "printf 'a='; yes '{a=' | head -n 12000 | tr -d '\\n'; printf 1; head -c 12000 /dev/zero | tr '\\0' '}'",
    ),
    (
        "arrays and tables in turn",
        "printf 'a='; yes '[{a=' | head -n 15000 | tr -d '\\n'",
    ),
    (
        "a key of many parts",
        "yes 'a.' | head -n 32000 | tr -d '\\n'; echo 'a = 1'",
    ),
    (
        "a heading of many parts",
        "printf '['; yes 'a.' | head -n 32000 | tr -d '\\n'; echo 'a]'",
    ),
    (
        "headings that grow",
        "for i in $(seq 340); do printf '['; yes 'a.' | head -n $((i / 4 + 1)) | tr -d '\\n'; echo \"b$i]\"; done",
    ),
    ("thousands of tables", "seq -f '[t%.0f]' 7000"),
    (
        "thousands of tables in one array",
        "yes '[[a]]' | head -n 10000",
    ),
    ("thousands of keys", "seq -f 'k%.0f=1' 7000"),
    (
        "thousands of keys below one",
        "seq -f 'enable.k%.0f=1' 4000",
    ),
    (
        "thousands of the same key",
        "yes 'enable=true' | head -n 5000",
    ),
    ("thousands of errors", "yes '=' | head -n 30000"),
    (
        "a number of 60,000 digits",
        "printf 'enable = '; head -c 60000 /dev/zero | tr '\\0' 9",
    ),
    (
        "a fraction of 60,000 digits",
        "printf 'enable = 0.'; head -c 60000 /dev/zero | tr '\\0' 9; echo e99999",
    ),
    (
        "a text without end",
        "printf 'source_path = \"'; head -c 60000 /dev/zero | tr '\\0' x",
    ),
    (
        "thousands of escapes",
        "printf 'source_path = \"'; yes '\\u0041' | head -n 9000 | tr -d '\\n'; echo '\"'",
    ),
    (
        "thousands of quotes",
        "printf 'source_path = '; head -c 60000 /dev/zero | tr '\\0' '\"'",
    ),
    (
        "an unknown key of 60,000 letters",
        "head -c 60000 /dev/zero | tr '\\0' x; echo ' = 1'",
    ),
    (
        "a thousand dates",
        "printf 'enable = ['; yes '1979-05-27T07:32:00.999999Z,' | head -n 2200 | tr -d '\\n'; echo ']'",
    ),
    ("thousands of comments", "yes '#' | head -n 30000"),
    (
        "a path of two thousand names",
        "printf 'source_path = \"'; yes d/ | head -n 2000 | tr -d '\\n'; echo 'd\"'",
    ),
];

/// Longer than any of it takes to read, were it read in a bounded way.
const BRIEF: Duration = Duration::from_secs(2);

#[test]
fn no_user_takes_time_or_room_from_another() {
    let mut scene = Scene::set(machine_or_skip!());
    scene.doors = &[Door::PamHost];
    let mut family = Family::new("resources");
    for (what, make) in BUSY {
        family.case(&format!("a configuration of {what}"), || {
            scene.play(&[Alice(&format!("{{ {make}; }} >$C"))], Either)?;
            let begin = Instant::now();
            scene.machine.pam_host("probe alice -- true").ok();
            let took = begin.elapsed();
            (took < BRIEF)
                .then_some(())
                .ok_or_else(|| format!("took {took:?}"))
        });
    }
    play(&mut family, &scene, ROOM);
    family.case(
        "many logins at once with a store that never answers",
        || crowd(&scene, &[AliceKeeps("mkdir -p $N; serve mute $N")]),
    );
    family.case(
        "many logins at once with a configuration that never answers",
        || crowd(&scene, &[AliceKeeps("serve mute ~/.config")]),
    );
    family.finish();
}

/// What alice does to her own processes, of which the reader is one, and to what
/// everybody shares.
const ROOM: &[Case] = &[
    (
        "a reader that is stopped whenever it is seen",
        &[
            Alice("mkdir -p $N"),
            AliceKeeps("echo ready; while :; do pkill -STOP nix-ns-reader; done"),
        ],
        EitherLate,
    ),
    (
        "a reader that is killed whenever it is seen",
        &[
            Alice("mkdir -p $N"),
            AliceKeeps("echo ready; while :; do pkill -KILL nix-ns-reader; done"),
        ],
        EitherLate,
    ),
    (
        "all of the processor",
        &[
            Alice("mkdir -p $N"),
            AliceKeeps("for i in 1 2 3 4 5 6; do while :; do :; done & done; echo ready; wait"),
        ],
        Own(STORE),
    ),
    (
        "a full home",
        &[
            Root("mount -t tmpfs -o size=16k,nr_inodes=4,uid=1001,mode=700 t ~alice/.config"),
            Alice(
                "mkdir ~/.config/nix-ns; : >$C; head -c 20000 /dev/zero >>~/.config/full 2>/dev/null || :",
            ),
        ],
        Own(STORE),
    ),
    (
        "a home without room for the store",
        &[
            Root("mount -t tmpfs -o size=16k,nr_inodes=1,uid=1001,mode=700 t /srv; chmod 755 /srv"),
            SCRATCH,
            Config("source_path = \"/srv/n\"\n"),
        ],
        Refused("/srv/n cannot be made"),
    ),
    (
        "a directory of ten thousand names above the store",
        &[Alice(
            "mkdir -p $N; cd ~/.local/share; seq 10000 | xargs touch",
        )],
        Own(STORE),
    ),
];

/// Twenty logins of alice's that wait; bob's meanwhile do not; afterwards
/// nothing of hers is left.
fn crowd(scene: &Scene, steps: &[Step]) -> Result<(), String> {
    let machine = &scene.machine;
    let kept = scene.prepare(steps);
    let waiting: Vec<_> = (0..20)
        .map(|_| machine.spawn("pam-host probe alice -- true"))
        .collect();
    let begin = Instant::now();
    while begin.elapsed() < Duration::from_secs(3) {
        scene.leave_bob_alone()?;
    }
    for login in waiting {
        let login = login.finish_within(Duration::from_secs(8));
        if !login.stdout.contains("command 0") {
            return Err(format!("alice did not get in: {login}"));
        }
    }
    drop(kept);
    drop(scene.prepare(&[]));
    machine.wait_until("the readers to end", || {
        !machine
            .processes()
            .iter()
            .any(|process| process.contains("nix-ns-reader"))
    });
    Ok(())
}
