//! What a PAM stack names may be where users write: a spool, a log, all homes. It
//! is none of theirs what root reads for it, and for how long.

use tests::hostile::Step::{Alice, Bob, BobKeeps, Root};
use tests::hostile::{Door, End, Family, Scene, Step};
use tests::machine_or_skip;

use crate::STORE;

/// Each time written anew, so that it is read anew.
const STACK: Step = Root(
    "echo 'session optional pam_mail.so dir=/srv/spool standard
session optional pam_unheard.so dir=/srv/spool file=/srv/spool/bob rest=/srv/spool/deep/file
session optional pam_exec.so /usr/bin/true /home /home/bob/file /srv/bobs/file' >/etc/pam.d/named
install -d -m 1777 /srv/spool; install -d -o bob /srv/bobs",
);

/// What bob puts there while alice wants to log in.
const CASES: &[(&str, &[Step])] = &[
    ("nothing", &[]),
    (
        "a file that names /nix",
        &[Bob("echo /nix >/srv/spool/bob")],
    ),
    (
        "a file of his home that names /nix",
        &[Bob("echo /nix >/home/bob/file")],
    ),
    ("a link onto /nix", &[Bob("ln -s /nix/x /srv/spool/bob")]),
    ("a link to itself", &[Bob("ln -s bob /srv/spool/bob")]),
    ("a FIFO", &[Bob("mkfifo /srv/spool/bob")]),
    (
        "a link to a file without end",
        &[Bob(
            "mkdir /srv/spool/deep; ln -s /proc/kmsg /srv/spool/deep/file; ln -s /proc/kmsg /srv/spool/bob",
        )],
    ),
    (
        "a FIFO that is a file at times",
        &[BobKeeps(
            "cd /srv/spool; touch bob; mkfifo fifo; echo ready; exchange bob fifo",
        )],
    ),
    (
        "files as large as may be",
        &[Bob(
            "cd /srv/spool; for i in $(seq 64); do truncate -s 16M $i; done; truncate -s 16M bob",
        )],
    ),
    (
        "a file without an end",
        &[Bob("truncate -s 1000G /srv/spool/bob")],
    ),
    (
        "five thousand files",
        &[Bob("cd /srv/spool; seq 5000 | xargs touch")],
    ),
    (
        "a file server that never answers",
        &[BobKeeps(
            "mkdir /srv/spool/deep; serve mute /srv/spool/deep",
        )],
    ),
    (
        "the same on a directory of his, for him alone",
        &[BobKeeps("serve mute /srv/bobs")],
    ),
    (
        "the same for everybody",
        &[BobKeeps("serve mute /srv/bobs allow_other")],
    ),
    (
        "one that says all is root's",
        &[BobKeeps("serve 0 /srv/bobs allow_other")],
    ),
    (
        "the same in his home",
        &[BobKeeps("mkdir /home/bob/deep; serve mute /home/bob/deep")],
    ),
];

#[test]
fn what_users_put_where_a_stack_points_keeps_nobody_from_a_nix() {
    let mut scene = Scene::set(machine_or_skip!());
    scene.doors = &[Door::PamHost];
    let mut family = Family::new("what a PAM stack names");
    for (name, steps) in CASES {
        family.case(name, || {
            let all = [&[STACK, Alice("mkdir -p $N")], *steps].concat();
            scene.play(&all, End::Own(STORE))
        });
    }
    family.finish();
}
