//! The store directory: where it is said to be, what is there instead of it, and
//! what it becomes while it is looked at.

use tests::hostile::End::{self, Either, Late, Own, Refused};
use tests::hostile::Step::{self, Alice, AliceKeeps, Bob, BobKeeps, Config, Root, RootKeeps, Site};
use tests::hostile::{Door, Family, Scene};
use tests::machine_or_skip;

use crate::{Case, LINK, MANY, NO_DIRECTORY, SCRATCH, STORE, WRITABLE, play};

/// A site that leaves it all to its users.
const ANYWHERE: Step = Site("roots = [\"/\"]\n");
const NO_LINK: Step = Config("source_path = \"link\"\n");
const ON_SCRATCH: Step = Config("source_path = \"/scratch/alice\"\nallow_symlinks = true\n");

const OTHERS: End = Refused("others can change");
const OUTSIDE: End = Refused("is not below");
const MANY_LINKS: End = Refused("more than 40 symbolic links");
const USER_FUSE: End = Refused("refusal user-fuse");

/// What can be written, and why it is no place where the default roots are, and
/// where everything is allowed; `None` where it is a place.
const PATHS: &[(&str, Option<&str>, Option<&str>)] = &[
    ("/", Some("not below"), Some("not below")),
    ("//", Some("not below"), Some("not below")),
    ("/etc", Some("not below"), Some("belongs to uid 0")),
    ("/etc/alice", Some("not below"), Some("cannot be made")),
    ("/root", Some("not below"), Some("belongs to uid 0")),
    ("/root/x", Some("not below"), Some("EACCES")),
    ("/home", Some("not below"), Some("belongs to uid 0")),
    ("/home/bob", Some("not below"), Some("belongs to uid 1002")),
    (
        "/home/bob/x",
        Some("not below"),
        Some("others can change /home/bob"),
    ),
    ("/home/alicent", Some("not below"), Some("cannot be made")),
    ("/home/alice", Some("not below"), None),
    ("~", Some("not below"), None),
    ("%h/", Some("not below"), None),
    ("/tmp/x", Some("not below"), None),
    ("/nix", Some("is in /nix"), Some("is in /nix")),
    ("/nix/store", Some("is in /nix"), Some("is in /nix")),
    ("//nix//", Some("is in /nix"), Some("is in /nix")),
    ("/proc", Some("is in /proc"), Some("is in /proc")),
    ("/proc/self", Some("is in /proc"), Some("is in /proc")),
    (
        "/proc/self/root/home/alice/x",
        Some("is in /proc"),
        Some("is in /proc"),
    ),
    ("/proc/self/root/..", Some("`..`"), Some("`..`")),
    ("/sys/fs/cgroup/x", Some("is in /sys"), Some("is in /sys")),
    ("/dev/shm/x", Some("is in /dev"), Some("is in /dev")),
    (
        "/run/nix-ns",
        Some("is in /run/nix-ns"),
        Some("is in /run/nix-ns"),
    ),
    (
        "/run/nix-ns/self",
        Some("is in /run/nix-ns"),
        Some("is in /run/nix-ns"),
    ),
    ("/run/x", Some("not below"), Some("cannot be made")),
    ("..", Some("`..`"), Some("`..`")),
    ("../bob", Some("`..`"), Some("`..`")),
    ("a/../../bob", Some("`..`"), Some("`..`")),
    ("a/..", Some("`..`"), Some("`..`")),
    ("%h/../bob", Some("`..`"), Some("`..`")),
    ("~/..", Some("`..`"), Some("`..`")),
    ("/home/alice/../bob/x", Some("`..`"), Some("`..`")),
    ("..//bob", Some("`..`"), Some("`..`")),
    ("./..", Some("`..`"), Some("`..`")),
    ("./x", Some("`.` as"), Some("`.` as")),
    (
        "~bob/x",
        Some("only one's own home"),
        Some("only one's own home"),
    ),
    ("%", Some("means nothing"), Some("means nothing")),
    ("%s%n", Some("`%s`"), Some("`%s`")),
    ("", Some("is empty"), Some("is empty")),
];

const IN_THE_STORES_PLACE: &[Case] = &[
    (
        "a directory of bob's that all can write",
        &[
            SCRATCH,
            Root("install -d -o bob -m 777 /scratch/alice"),
            ON_SCRATCH,
        ],
        Refused("belongs to uid 1002"),
    ),
    (
        "a directory of hers in one of bob's that all can write",
        &[
            SCRATCH,
            Root("install -d -o bob -m 777 /scratch/b; install -d -o alice /scratch/b/a"),
            Config("source_path = \"/scratch/b/a\"\n"),
        ],
        OTHERS,
    ),
    (
        "a directory of hers in one of bob's",
        &[
            SCRATCH,
            Root("install -d -o bob -m 755 /scratch/b; install -d -o alice /scratch/b/a"),
            Config("source_path = \"/scratch/b/a\"\n"),
        ],
        OTHERS,
    ),
    (
        "a directory of hers in a sticky one of bob's",
        &[
            SCRATCH,
            Root("install -d -o bob -m 1777 /scratch/b; install -d -o alice /scratch/b/a"),
            Config("source_path = \"/scratch/b/a\"\n"),
        ],
        OTHERS,
    ),
    (
        "a directory of hers far below one of bob's",
        &[
            SCRATCH,
            Root("install -d -o bob /scratch/b; install -d -o alice /scratch/b/a /scratch/b/a/n"),
            Config("source_path = \"/scratch/b/a/n\"\n"),
        ],
        OTHERS,
    ),
    (
        "a directory of hers in one that all can write",
        &[Alice("mkdir -p $N; chmod 777 ~/.local")],
        OTHERS,
    ),
    (
        "a directory of hers in one that a group can write",
        &[Alice("mkdir -p $N; chmod 770 ~/.local/share")],
        OTHERS,
    ),
    (
        "a directory of hers in a sticky one of root's",
        &[
            SCRATCH,
            Root("chmod 1777 /scratch; install -d -o alice /scratch/alice"),
            ON_SCRATCH,
        ],
        Own("/scratch/alice"),
    ),
    (
        "a directory that bob made first, in a sticky one",
        &[
            SCRATCH,
            Root("chmod 1777 /scratch"),
            Bob("mkdir /scratch/alice"),
            ON_SCRATCH,
        ],
        Refused("belongs to uid 1002"),
    ),
    (
        "a link that bob made first, to his, in a sticky one",
        &[
            SCRATCH,
            Root("chmod 1777 /scratch"),
            Bob("mkdir -m 777 ~/p; ln -s ~/p /scratch/alice"),
            ON_SCRATCH,
        ],
        OTHERS,
    ),
    (
        "a link that bob made first, to hers, in a sticky one",
        &[
            SCRATCH,
            Root("chmod 1777 /scratch"),
            Alice("mkdir ~/x"),
            Bob("ln -s ~alice/x /scratch/alice"),
            Config("source_path = \"/scratch/alice\"\n"),
        ],
        Refused("is a symbolic link"),
    ),
    (
        "a link of hers",
        &[Alice("mkdir ~/x; ln -s x ~/link"), NO_LINK],
        Refused("is a symbolic link"),
    ),
    (
        "a link of hers that she allows",
        &[Alice("mkdir ~/x; ln -s x ~/link"), LINK],
        Own("/home/alice/x"),
    ),
    (
        "a link of bob's among hers",
        &[
            Alice("mkdir ~/x; ln -s x ~/link"),
            Root("chown -h bob ~alice/link"),
            NO_LINK,
        ],
        Refused("is a symbolic link"),
    ),
    (
        "a link of root's among hers",
        &[
            Alice("mkdir ~/x; ln -s x ~/link"),
            Root("chown -h root ~alice/link"),
            NO_LINK,
        ],
        Refused("is a symbolic link"),
    ),
    (
        "a link to the system's files",
        &[Alice("ln -s /etc ~/link"), LINK],
        Refused("belongs to uid 0"),
    ),
    (
        "a link to the root directory",
        &[Alice("ln -s / ~/link"), LINK],
        Refused("belongs to uid 0"),
    ),
    (
        "a link to the host's /nix",
        &[ANYWHERE, Alice("ln -s /nix ~/link"), LINK],
        Refused("belongs to uid 0"),
    ),
    (
        "a link into the registry",
        &[ANYWHERE, Alice("ln -s /run/nix-ns/self ~/link"), LINK],
        Refused("belongs to uid 0"),
    ),
    (
        "a link to bob's",
        &[
            Bob("mkdir -m 777 ~/p"),
            Alice("ln -s /home/bob/p ~/link"),
            LINK,
        ],
        OTHERS,
    ),
    (
        "a link up and out",
        &[Alice("mkdir ~/a; ln -s a/../../bob ~/link"), LINK],
        Refused("belongs to uid 1002"),
    ),
    (
        "a link to the outside that is hers",
        &[
            Root("install -d -o alice /srv/a"),
            Alice("ln -s /srv/a ~/link"),
            LINK,
        ],
        OUTSIDE,
    ),
    (
        "a link to where nothing is",
        &[Alice("ln -s gone ~/link"), LINK],
        Refused("ENOENT"),
    ),
    (
        "a link to itself",
        &[Alice("ln -s link ~/link"), LINK],
        MANY_LINKS,
    ),
    (
        "two links to each other",
        &[Alice("ln -s other ~/link; ln -s link ~/other"), LINK],
        MANY_LINKS,
    ),
    (
        "a chain of a hundred links",
        &[
            Alice(
                "cd ~; mkdir 0; for i in $(seq 100); do ln -s $((i - 1)) $i; done; ln -s 100 link",
            ),
            LINK,
        ],
        MANY_LINKS,
    ),
    (
        "a link that grows as it is followed",
        &[Alice("ln -s link/link ~/link"), LINK],
        MANY_LINKS,
    ),
    (
        "a link to the root of the reader",
        &[
            ANYWHERE,
            Alice("mkdir ~/x; ln -s /proc/self/root/home/alice/x ~/link"),
            LINK,
        ],
        Either,
    ),
    (
        "a link to the working directory of the reader",
        &[ANYWHERE, Alice("ln -s /proc/self/cwd ~/link"), LINK],
        Either,
    ),
    (
        "a link to a descriptor of the reader",
        &[ANYWHERE, Alice("ln -s /proc/self/fd/0 ~/link"), LINK],
        Refused("socket:"),
    ),
    (
        "a link to a process of hers",
        &[
            ANYWHERE,
            AliceKeeps("ln -s /proc/$$ ~/link; echo ready; sleep 1000"),
            LINK,
        ],
        Refused("is on proc"),
    ),
    (
        "a link to a process's descriptors",
        &[
            ANYWHERE,
            AliceKeeps("ln -s /proc/$$/fdinfo ~/link; echo ready; sleep 1000"),
            LINK,
        ],
        Refused("is on proc"),
    ),
    (
        "a link into a user namespace",
        &[
            ANYWHERE,
            AliceKeeps(
                "mkdir ~/m ~/m/in; ln -s /proc/$$/root/home/alice/m/in ~/link; exec unshare -Urm sh -c \
         'mount -t tmpfs t ~/m; mkdir ~/m/in; echo ready; sleep 1000'",
            ),
            LINK,
        ],
        Either,
    ),
    (
        "a link to where a process in a user namespace is",
        &[
            ANYWHERE,
            AliceKeeps(
                "mkdir ~/m; ln -s /proc/$$/cwd ~/link; exec unshare -Urm sh -c \
         'mount -t tmpfs t ~/m; mkdir ~/m/in; cd ~/m/in; echo ready; sleep 1000'",
            ),
            LINK,
        ],
        Refused("/cwd cannot be read"),
    ),
    (
        "a link to a root directory that bob's process has",
        &[
            ANYWHERE,
            BobKeeps("echo $$ >/srv/common/pid; echo ready; sleep 1000"),
            Alice("ln -s /proc/$(cat /srv/common/pid)/root/home/alice ~/link"),
            LINK,
        ],
        Refused("/proc/"),
    ),
    (
        "a path in a mount that only a user namespace has",
        &[
            AliceKeeps(
                "mkdir ~/m; exec unshare -Urm sh -c \
                    'mount -t tmpfs t ~/m; mkdir ~/m/in; echo ready; sleep 1000'",
            ),
            Config("source_path = \"m/in\"\n"),
        ],
        Own("/home/alice/m/in"),
    ),
    (
        "a FIFO",
        &[Alice("mkdir -p ~/.local/share; mkfifo $N")],
        NO_DIRECTORY,
    ),
    ("a FIFO above it", &[Alice("mkfifo ~/.local")], NO_DIRECTORY),
    (
        "a file",
        &[Alice("mkdir -p ~/.local/share; : >$N")],
        NO_DIRECTORY,
    ),
    ("a file above it", &[Alice(": >~/.local")], NO_DIRECTORY),
    (
        "a socket",
        &[AliceKeeps(
            "mkdir -p ~/.local/share; ssh-agent -D -a $N >/dev/null & \
         while ! test -S $N; do sleep 0.01; done; echo ready; wait",
        )],
        NO_DIRECTORY,
    ),
    (
        "a device",
        &[Root("mknod -m 666 ~alice/.local c 1 5")],
        NO_DIRECTORY,
    ),
    (
        "a device at the end of a link",
        &[Alice("ln -s /dev/zero ~/link"), LINK],
        NO_DIRECTORY,
    ),
    (
        "a directory that was there and is removed while its owner is in it",
        &[
            AliceKeeps(
                "mkdir ~/x; cd ~/x; rmdir ~/x; ln -s /proc/$$/cwd ~/link; echo ready; sleep 1000",
            ),
            LINK,
        ],
        Refused("/cwd cannot be read"),
    ),
    (
        "a directory with no permission at all",
        &[Alice("mkdir -p $N; chmod 0 $N")],
        Own(STORE),
    ),
    (
        "a directory above it with no permission",
        &[Alice("mkdir -p $N; chmod 0 ~/.local")],
        Refused("EACCES"),
    ),
    (
        "mode 0777",
        &[Alice("mkdir -p $N; chmod 0777 $N")],
        WRITABLE,
    ),
    (
        "mode 0770",
        &[Alice("mkdir -p $N; chmod 0770 $N")],
        WRITABLE,
    ),
    (
        "mode 0720",
        &[Alice("mkdir -p $N; chmod 0720 $N")],
        WRITABLE,
    ),
    (
        "mode 0702",
        &[Alice("mkdir -p $N; chmod 0702 $N")],
        WRITABLE,
    ),
    (
        "mode 1777",
        &[Alice("mkdir -p $N; chmod 1777 $N")],
        WRITABLE,
    ),
    (
        "mode 3777",
        &[Alice("mkdir -p $N; chmod 3777 $N")],
        WRITABLE,
    ),
    (
        "a directory of bob's in its place",
        &[Alice("mkdir -p $N"), Root("chown bob $N")],
        Refused("belongs to uid 1002"),
    ),
    (
        "a directory of root's in its place",
        &[Alice("mkdir -p $N"), Root("chown root $N")],
        Refused("belongs to uid 0"),
    ),
    (
        "bob's directory bound over it",
        &[
            Alice("mkdir -p $N"),
            Bob("mkdir ~/b"),
            Root("mount --bind ~bob/b $N"),
        ],
        Refused("belongs to uid 1002"),
    ),
    (
        "the system's files bound over it",
        &[Alice("mkdir -p $N"), Root("mount --bind /etc $N")],
        Refused("belongs to uid 0"),
    ),
    (
        "a directory of hers bound over it twice",
        &[
            Alice("mkdir -p $N ~/one ~/two"),
            Root("mount --bind ~alice/one $N; mount --bind ~alice/two $N"),
        ],
        Own(STORE),
    ),
    (
        "a mount over all of it",
        &[
            Alice("mkdir -p $N"),
            Root("mount -t tmpfs -o uid=1001,mode=700 t ~alice/.local"),
        ],
        Own(STORE),
    ),
    (
        "the home bound into itself",
        &[
            Alice("mkdir -p $N ~/again"),
            Root("mount --rbind ~alice ~alice/again"),
            Config("source_path = \"again/.local/share/nix\"\n"),
        ],
        Own(STORE),
    ),
    (
        "a delegated control group",
        &[
            SCRATCH,
            Root(
                "mkdir /srv/cg; mount -t cgroup -o none,name=nix-ns-test t /srv/cg; chown alice /srv/cg",
            ),
            Config("source_path = \"/srv/cg\"\n"),
        ],
        Refused("is on cgroup"),
    ),
    (
        "message queues",
        &[
            SCRATCH,
            Root(
                "mkdir /srv/mq; mount -t mqueue t /srv/mq; chown alice /srv/mq; chmod 755 /srv/mq",
            ),
            Config("source_path = \"/srv/mq\"\n"),
        ],
        Refused("is on mqueue"),
    ),
    (
        "another mount of the processes",
        &[
            SCRATCH,
            Root("mkdir /srv/proc; mount -t proc t /srv/proc"),
            AliceKeeps("ln -s /srv/proc/$$ ~/link; echo ready; sleep 1000"),
            LINK,
        ],
        Refused("is on proc"),
    ),
    (
        "terminals",
        &[
            SCRATCH,
            Root("mkdir /srv/pts; mount -t devpts -o newinstance t /srv/pts; chown alice /srv/pts"),
            Config("source_path = \"/srv/pts\"\n"),
        ],
        Refused("is on devpts"),
    ),
    (
        "a name of 255 bytes",
        &[
            Alice("x=$(printf 'x%.0s' $(seq 255)); mkdir ~/$x; ln -s $x ~/link"),
            LINK,
        ],
        Own("/home/alice/link/"),
    ),
    (
        "a name of 256 bytes",
        &[Alice(
            "printf 'source_path = \"%s\"\\n' $(printf 'x%.0s' $(seq 256)) >$C",
        )],
        Refused("ENAMETOOLONG"),
    ),
    (
        "a path of 3900 bytes",
        &[Alice(
            "printf 'source_path = \"%s\"\\n' $(printf '/ddddddddd%.0s' $(seq 390) | cut -c2-) >$C",
        )],
        Refused("more than 3072 bytes"),
    ),
    (
        "a path that no system call takes, through links",
        &[
            Alice(
                "d=$(printf 'ddddddddd/%.0s' $(seq 200)); cd ~; \
             for i in 1 2 3; do mkdir -p $d; ln -s $d link; cd link; done; mkdir last",
            ),
            Config("source_path = \"link/link/link/last\"\nallow_symlinks = true\n"),
        ],
        Refused("no /nix"),
    ),
    (
        "a file system of hers that never answers",
        &[AliceKeeps("mkdir -p $N; serve mute $N")],
        Late("did not answer"),
    ),
    (
        "a file system of hers that never answers, above it",
        &[AliceKeeps("mkdir -p ~/.local; serve mute ~/.local")],
        Late("did not answer"),
    ),
    // Without `allow_other`, not even root may look at it.
    (
        "a file system of hers",
        &[AliceKeeps("mkdir -p $N; serve 1001 $N")],
        Refused("EACCES"),
    ),
    (
        "a file system of hers, above it",
        &[AliceKeeps("mkdir ~/.local; serve 1001 ~/.local")],
        Refused("no /nix"),
    ),
    (
        "a file system of hers that all may use",
        &[AliceKeeps("mkdir -p $N; serve 1001 $N allow_other")],
        USER_FUSE,
    ),
    (
        "a file system of hers that says it is root's",
        &[AliceKeeps("mkdir -p $N; serve 0 $N")],
        Refused("EACCES"),
    ),
    (
        "a file system of bob's that says it is hers",
        &[
            SCRATCH,
            Root("install -d -o bob /scratch/alice"),
            ON_SCRATCH,
            BobKeeps("serve 1001 /scratch/alice allow_other"),
        ],
        USER_FUSE,
    ),
    (
        "a directory in a file system of bob's that says it is hers",
        &[
            SCRATCH,
            Root("install -d -o bob /scratch/b"),
            Config("source_path = \"/scratch/b/a\"\n"),
            BobKeeps("serve 1001 /scratch/b allow_other"),
        ],
        USER_FUSE,
    ),
    (
        "a file system of bob's that never answers",
        &[
            SCRATCH,
            Root("install -d -o bob /scratch/alice"),
            ON_SCRATCH,
            BobKeeps("serve mute /scratch/alice allow_other"),
        ],
        Late("did not answer"),
    ),
];

#[test]
fn no_path_leads_to_a_place_that_is_not_for_a_store() {
    let mut scene = Scene::set(machine_or_skip!());
    scene.doors = &[Door::PamHost, Door::Su];
    let mut family = Family::new("store path");
    for (path, by_default, anywhere) in PATHS {
        let config = format!("source_path = \"{path}\"\n");
        for (site, why) in [(Site(""), by_default), (ANYWHERE, anywhere)] {
            let end = why.map_or(Either, Refused);
            family.case(&format!("{path:?}, {site:?}"), || {
                scene.play(&[site, Config(&config)], end)
            });
        }
    }
    family.finish();
}

#[test]
fn nothing_in_place_of_the_store_does_harm() {
    let scene = Scene::set(machine_or_skip!());
    let mut family = Family::new("store directory");
    play(&mut family, &scene, IN_THE_STORES_PLACE);
    family.finish();
}

/// Every check is made on what is mounted, at whatever moment it changes.
#[test]
fn a_store_that_changes_at_a_bad_moment_does_no_harm() {
    let scene = Scene::set(machine_or_skip!());
    let mut family = Family::new("store race");
    let allowed = Config("allow_symlinks = true\n");
    let made = Alice("mkdir -p $N ~/other");
    let races: &[(&str, &[Step], &[&str])] = &[
        (
            "exchanged for a link to the system's files",
            &[
                made,
                allowed,
                Alice("ln -s /etc ~/link"),
                AliceKeeps("exec exchange ~/link $N"),
            ],
            &[STORE],
        ),
        (
            "exchanged for a link to the system's files, not allowed",
            &[
                made,
                Alice("ln -s /etc ~/link"),
                AliceKeeps("exec exchange ~/link $N"),
            ],
            &[STORE],
        ),
        (
            "exchanged for a link to bob's",
            &[
                made,
                allowed,
                Bob("mkdir ~/b"),
                Alice("ln -s ~bob/b ~/link"),
                AliceKeeps("exec exchange ~/link $N"),
            ],
            &[STORE],
        ),
        (
            "exchanged for another of hers",
            &[made, AliceKeeps("exec exchange ~/other $N")],
            &[STORE, "/home/alice/other"],
        ),
        (
            "exchanged for one of bob's",
            &[
                made,
                Root("chown bob ~alice/other; mv ~alice/other ~alice/.local/share"),
                AliceKeeps("exec exchange ~/.local/share/other $N"),
            ],
            &[STORE],
        ),
        (
            "exchanged for one of root's",
            &[
                made,
                Root("chown root ~alice/other; mv ~alice/other ~alice/.local/share"),
                AliceKeeps("exec exchange ~/.local/share/other $N"),
            ],
            &[STORE],
        ),
        (
            "exchanged, all above it, for a link to bob's",
            &[
                made,
                allowed,
                Bob("mkdir -p ~/b/share/nix"),
                Alice("ln -s ~bob/b ~/link"),
                AliceKeeps("exec exchange ~/link ~/.local"),
            ],
            &[STORE],
        ),
        (
            "exchanged for a FIFO",
            &[
                made,
                Alice("mkfifo ~/fifo"),
                AliceKeeps("exec exchange ~/fifo $N"),
            ],
            &[STORE],
        ),
        (
            "exchanged by bob, who may write above it",
            &[
                made,
                Alice("chmod 755 ~; chmod 777 ~/.local/share"),
                BobKeeps("cd ~alice/.local/share; mkdir theirs; exec exchange theirs nix"),
            ],
            &[STORE],
        ),
        (
            "exchanged by bob in a sticky directory",
            &[
                made,
                SCRATCH,
                Root("chmod 1777 /scratch"),
                Bob("mkdir ~/b; ln -s ~/b /scratch/one; mkdir /scratch/alice"),
                ON_SCRATCH,
                BobKeeps("exec exchange /scratch/one /scratch/alice"),
            ],
            &[STORE],
        ),
        (
            "given to bob and back by root",
            &[
                made,
                RootKeeps("echo ready; while :; do chown bob $N; chown alice $N; done"),
            ],
            &[STORE],
        ),
        (
            "opened to all and closed",
            &[
                made,
                AliceKeeps("echo ready; while :; do chmod 777 $N; chmod 700 $N; done"),
            ],
            &[STORE],
        ),
        (
            "removed and made",
            &[
                made,
                AliceKeeps("echo ready; while :; do rm -rf $N; mkdir $N; done"),
            ],
            &[],
        ),
        (
            "moved away and back",
            &[
                made,
                AliceKeeps("echo ready; while :; do mv -T $N ~/away; mv -T ~/away $N; done"),
            ],
            &[],
        ),
        (
            "moved out of what the site allows",
            &[
                made,
                Root("install -d -o alice /home/outside; chown alice /home/outside"),
                AliceKeeps(
                    "echo ready; while :; do mv -T $N /home/outside/n; mv -T /home/outside/n $N; done",
                ),
            ],
            &[],
        ),
        (
            "mounted over and not",
            &[
                made,
                RootKeeps("echo ready; while :; do mount --bind /etc $N; umount -l $N; done"),
            ],
            &[STORE],
        ),
        (
            "said to be elsewhere, over and over",
            &[
                made,
                AliceKeeps(
                    "echo 'source_path = \"other\"' >~/o; chmod 644 ~/o; exec exchange ~/o $C",
                ),
            ],
            &[STORE, "/home/alice/other"],
        ),
    ];
    for (what, steps, own) in races {
        family.case(what, || scene.storm(steps, MANY, own));
    }
    family.finish();
}
