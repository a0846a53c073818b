//! The configuration file: what is there instead of it, what is in it, what is
//! above it, and what it becomes while it is read.

use tests::hostile::End::{self, Either, Late, Own, Refused, Silent};
use tests::hostile::Step::{Alice, AliceKeeps, Bob, BobKeeps, Config, ConfigBytes, Root};
use tests::hostile::{Family, Scene};
use tests::machine_or_skip;

use crate::{Case, MANY, STORE, play};

const NOT_REGULAR: End = Refused("not a regular file");
const DENIED: End = Refused("permission denied");
const BOBS: End = Refused("belongs to uid 1002");
const BOBS_HOME: End = Refused("others can change /home/bob (owner uid 1002");
const OPEN: End =
    Refused("can change /home/alice/.config/nix-ns (owner uid 1001, mode 0777), and with it");
const TOO_LARGE: End = Refused("larger than 65536 bytes");

/// What is there instead of a file of hers.
const IN_PLACE_OF_THE_FILE: &[Case] = &[
    (
        "a link to bob's secret",
        &[Alice("ln -sf /home/bob/secret $C")],
        BOBS_HOME,
    ),
    (
        "a link to the shadow file",
        &[Alice("ln -sf /etc/shadow $C")],
        DENIED,
    ),
    (
        "a link to root's home",
        &[Alice("ln -sf /root/secret $C")],
        DENIED,
    ),
    (
        "a link to bob's readable file",
        &[
            Bob("echo 'enable = true' >~/open"),
            Alice("ln -sf /home/bob/open $C"),
        ],
        BOBS_HOME,
    ),
    (
        "a link through the root of a process to the shadow file",
        &[Alice("ln -sf /proc/self/root/etc/shadow $C")],
        DENIED,
    ),
    (
        "a link to endless zeroes",
        &[Alice("ln -sf /dev/zero $C")],
        NOT_REGULAR,
    ),
    (
        "a link to the full device",
        &[Alice("ln -sf /dev/full $C")],
        NOT_REGULAR,
    ),
    (
        "a link to the terminal",
        &[Alice("ln -sf /dev/tty $C")],
        NOT_REGULAR,
    ),
    (
        "a link to the maker of terminals",
        &[Alice("ln -sf /dev/ptmx $C")],
        NOT_REGULAR,
    ),
    (
        "a link to the FUSE device",
        &[Alice("ln -sf /dev/fuse $C")],
        NOT_REGULAR,
    ),
    (
        "a link to the random device",
        &[Alice("ln -sf /dev/random $C")],
        NOT_REGULAR,
    ),
    (
        "a link to the standard input",
        &[Alice("ln -sf /dev/stdin $C")],
        Refused("is not there"),
    ),
    (
        "a link to the reader's environment",
        &[Alice("ln -sf /proc/self/environ $C")],
        DENIED,
    ),
    (
        "a link to the reader's memory",
        &[Alice("ln -sf /proc/self/mem $C")],
        DENIED,
    ),
    (
        "a link to the reader's program",
        &[Alice("ln -sf /proc/self/exe $C")],
        DENIED,
    ),
    (
        "a link to the first process's environment",
        &[Alice("ln -sf /proc/1/environ $C")],
        DENIED,
    ),
    (
        "a link to the kernel's memory",
        &[Alice("ln -sf /proc/kmsg $C")],
        DENIED,
    ),
    (
        "a link to a directory",
        &[Alice("ln -sf /etc $C")],
        NOT_REGULAR,
    ),
    (
        "a link to itself",
        &[Alice("ln -sf config.toml $C")],
        Refused("circle"),
    ),
    (
        "a link that leads nowhere",
        &[Alice("ln -sf /srv/gone $C")],
        Refused("is not there"),
    ),
    (
        "a link into the store",
        &[Alice("ln -sf /nix/store/x $C")],
        Refused("symlink into /nix"),
    ),
    (
        "a chain of a hundred links",
        &[Alice(
            "cd ~/.config/nix-ns; echo >0; for i in $(seq 100); do ln -s $((i - 1)) $i; done; \
         ln -sf 100 config.toml",
        )],
        Refused("too many"),
    ),
    (
        "a link to a deleted file that is still open",
        &[AliceKeeps(
            "exec 3<>~/gone; chmod 600 ~/gone; rm ~/gone; ln -sf /proc/$$/fd/3 $C; \
         echo ready; sleep 1000",
        )],
        Either,
    ),
    (
        "a link to an open pipe",
        &[AliceKeeps(
            "mkfifo ~/fifo; exec 3<>~/fifo; ln -sf /proc/$$/fd/3 $C; echo ready; sleep 1000",
        )],
        Refused("config.toml"),
    ),
    (
        "a link to an open file of bob's",
        &[
            BobKeeps("exec 3<~/secret; echo $$ >/srv/common/pid; echo ready; sleep 1000"),
            Alice("ln -sf /proc/$(cat /srv/common/pid)/fd/3 $C"),
        ],
        Refused("others can change /proc/"),
    ),
    (
        "a link to words of bob's",
        &[
            BobKeeps("echo $$ >/srv/common/pid; echo ready; sleep 1000"),
            Alice("ln -sf /proc/$(cat /srv/common/pid)/cmdline $C"),
        ],
        Refused("others can change /proc/"),
    ),
    (
        "a link into a user namespace",
        &[AliceKeeps(
            "mkdir ~/m; ln -sf /proc/$$/root/home/alice/m/c $C; exec unshare -Urm sh -c \
         'mount -t tmpfs t ~/m; : >~/m/c; chmod 600 ~/m/c; echo ready; sleep 1000'",
        )],
        Either,
    ),
    (
        "a hard link to bob's readable file",
        &[
            Bob("echo 'enable = true' >~/open"),
            Root("ln -f /home/bob/open $C"),
        ],
        BOBS,
    ),
    (
        "a hard link to bob's secret",
        &[Root("ln -f /home/bob/secret $C")],
        DENIED,
    ),
    ("a FIFO", &[Alice("rm $C; mkfifo $C")], NOT_REGULAR),
    (
        "a FIFO with bob at its other end",
        &[
            Alice("chmod 755 ~; rm $C; mkfifo -m 666 $C"),
            BobKeeps("exec 3<>$C; echo 'enable = true' >&3; echo ready; sleep 1000"),
        ],
        NOT_REGULAR,
    ),
    (
        "a socket",
        &[AliceKeeps(
            "rm $C; ssh-agent -D -a $C >/dev/null & while ! test -S $C; do sleep 0.01; done; \
         echo ready; wait",
        )],
        NOT_REGULAR,
    ),
    ("a directory", &[Alice("rm $C; mkdir $C")], NOT_REGULAR),
    (
        "a character device of hers",
        &[Root("rm $C; mknod -m 666 $C c 1 5; chown alice $C")],
        NOT_REGULAR,
    ),
    (
        "a character device that is not there",
        &[Root("rm $C; mknod -m 666 $C c 10 254")],
        Refused("config.toml"),
    ),
    (
        "a block device",
        &[Root("rm $C; mknod -m 666 $C b 7 250; chown alice $C")],
        NOT_REGULAR,
    ),
    ("a file of bob's", &[Root("chown bob $C")], BOBS),
    (
        "a file of nobody's",
        &[Root("chown nobody $C")],
        Refused("belongs to uid 65534"),
    ),
    (
        "a file that all can write",
        &[Alice("chmod 0666 $C")],
        Refused("mode 0666"),
    ),
    (
        "a file that her group can write",
        &[Alice("chmod 0620 $C")],
        Refused("mode 0620"),
    ),
    (
        "a file that all others can write",
        &[Alice("chmod 0602 $C")],
        Refused("mode 0602"),
    ),
    (
        "a setuid file that all can write",
        &[Alice("chmod 6777 $C")],
        Refused("mode 6777"),
    ),
    (
        "a file that nobody can read",
        &[Alice("chmod 0 $C")],
        DENIED,
    ),
];

/// What is written in it.
const IN_THE_FILE: &[Case] = &[
    (
        "a hundred megabytes",
        &[Alice("truncate -s 100M $C")],
        TOO_LARGE,
    ),
    (
        "a gigabyte with holes",
        &[Alice("truncate -s 1G $C")],
        TOO_LARGE,
    ),
    (
        "a million keys",
        &[Alice("seq -f 'k%.0f = 1' 1000000 >$C")],
        TOO_LARGE,
    ),
    (
        "one byte too many",
        &[Alice("head -c 65537 /dev/zero | tr '\\0' ' ' >$C")],
        TOO_LARGE,
    ),
    (
        "as many spaces as there may be",
        &[Alice("head -c 65536 /dev/zero | tr '\\0' ' ' >$C")],
        Own(STORE),
    ),
    (
        "bytes that are no text",
        &[ConfigBytes(b"enable = \xff\xfe")],
        Refused("1:10: not UTF-8"),
    ),
    (
        "half a character",
        &[ConfigBytes(b"# \xe2\x82")],
        Refused("not UTF-8"),
    ),
    (
        "a surrogate",
        &[ConfigBytes(b"# \xed\xa0\x80")],
        Refused("not UTF-8"),
    ),
    (
        "UTF-16",
        &[ConfigBytes(b"\xff\xfee\0n\0")],
        Refused("not UTF-8"),
    ),
    (
        "NUL bytes",
        &[ConfigBytes(b"enable = true\0")],
        Refused("config.toml:1:"),
    ),
    (
        "nothing but NUL bytes",
        &[Alice("truncate -s 60000 $C")],
        Refused("config.toml:1:"),
    ),
    (
        "a byte order mark",
        &[ConfigBytes(b"\xef\xbb\xbfenable = true\n")],
        Own(STORE),
    ),
    (
        "carriage returns alone",
        &[ConfigBytes(b"enable = true\renable = false\r")],
        Refused("config.toml:1:"),
    ),
    (
        "the same key twice",
        &[Config("enable = true\nenable = false\n")],
        Refused("duplicate"),
    ),
    (
        "an unknown key",
        &[Config("root = true\n")],
        Refused("`root` is not a key"),
    ),
    (
        "a key of the site's",
        &[Config("override_refusals = [\"user-fuse\"]\n")],
        Refused("is not a key"),
    ),
    (
        "a root of her own",
        &[Config("roots = [\"/\"]\nsource_path = \"/etc\"\n")],
        Refused("is not a key"),
    ),
    (
        "a table in place of a word",
        &[Config("[source_path]\nx = 1\n")],
        Refused("config.toml:1:"),
    ),
    (
        "a path of 60 kilobytes",
        &[Alice(
            "(printf 'source_path = \"'; head -c 60000 /dev/zero | tr '\\0' x; echo '\"') >$C",
        )],
        Refused("longer than 4095 bytes"),
    ),
    (
        "homes in homes in homes",
        &[Alice(
            "(printf 'source_path = \"'; yes %h | head -n 1300 | tr -d '\\n'; echo '\"') >$C",
        )],
        Refused("longer than 4095 bytes"),
    ),
];

/// What is above it.
const ABOVE_THE_FILE: &[Case] = &[
    (
        "a directory that is a link to hers",
        &[Alice("mv ~/.config ~/c; ln -s c ~/.config")],
        Own(STORE),
    ),
    (
        "a directory that is a link to bob's",
        &[Alice("rm -r ~/.config; ln -s ~bob/.config ~/.config")],
        BOBS_HOME,
    ),
    (
        "a directory that is a link to itself",
        &[Alice("rm -r ~/.config; ln -s .config ~/.config")],
        Refused("circle"),
    ),
    (
        "a directory that is a FIFO",
        &[Alice("rm -r ~/.config; mkfifo ~/.config")],
        Refused("not a directory"),
    ),
    (
        "a directory that is a link to a device",
        &[Alice("rm -r ~/.config; ln -s /dev/zero ~/.config")],
        Refused("not a directory"),
    ),
    (
        "a directory that nobody can enter",
        &[Alice("chmod 0 ~/.config")],
        DENIED,
    ),
    (
        "a directory of bob's with his file",
        &[Root("chown -R bob ~alice/.config")],
        Refused("can change /home/alice/.config (owner uid 1002"),
    ),
    (
        "a directory of bob's that is closed to her",
        &[Root("chown bob ~alice/.config; chmod 700 ~alice/.config")],
        Refused("can change /home/alice/.config (owner uid 1002"),
    ),
    (
        "an open directory, in which bob puts his file",
        &[
            Alice("chmod 755 ~; chmod 777 ~/.config/nix-ns"),
            Bob("rm $C; echo 'enable = true' >$C"),
        ],
        OPEN,
    ),
    (
        "an open directory, in which bob puts a link to the shadow file",
        &[
            Alice("chmod 755 ~; chmod 777 ~/.config/nix-ns"),
            Bob("ln -sf /etc/shadow $C"),
        ],
        OPEN,
    ),
    (
        "an open directory, in which bob puts a link to his words",
        &[
            Alice("chmod 755 ~; chmod 777 ~/.config/nix-ns"),
            BobKeeps("ln -sf /proc/$$/cmdline $C; echo ready; sleep 1000"),
        ],
        OPEN,
    ),
    (
        "an open directory, in which bob puts a directory of his",
        &[
            Alice("chmod 755 ~; chmod 777 ~/.config/nix-ns"),
            Bob("rm $C; mkdir $C"),
        ],
        OPEN,
    ),
    (
        "an open home, in which bob puts his configuration",
        &[
            Alice("chmod 777 ~"),
            Bob(
                "mv ~alice/.config ~alice/c; mkdir -p ~alice/.config/nix-ns; echo 'enable = true' >$C",
            ),
        ],
        Refused("can change /home/alice/.config (owner uid 1002"),
    ),
    (
        "an open directory, with her own file in it",
        &[Alice("chmod 777 ~/.config/nix-ns")],
        OPEN,
    ),
    (
        "an open directory above that, in which bob puts another of her own",
        &[
            Alice("chmod 755 ~; cp -r ~/.config/nix-ns ~/.config/old; chmod 777 ~/.config"),
            Bob("cd ~alice/.config; mv nix-ns new; mv old nix-ns"),
        ],
        Refused("; `chmod go-w /home/alice/.config`"),
    ),
    (
        "a directory that her group can write",
        &[Alice("chmod 775 ~/.config")],
        Refused("(owner uid 1001, mode 0775)"),
    ),
    (
        "a directory that anybody can write, and only owners change",
        &[Alice("chmod 1777 ~/.config")],
        Own(STORE),
    ),
    (
        "links, as stow makes them",
        &[Alice(
            "mkdir -p ~/dotfiles/nix-ns; mv $C ~/dotfiles/nix-ns; rmdir ~/.config/nix-ns; \
             ln -s ../dotfiles/nix-ns ~/.config/nix-ns",
        )],
        Own(STORE),
    ),
    (
        "links, as stow makes them, into an open directory",
        &[Alice(
            "mkdir -p ~/dotfiles/nix-ns; mv $C ~/dotfiles/nix-ns; chmod 777 ~/dotfiles; \
             ln -s ../../dotfiles/nix-ns/config.toml $C",
        )],
        Refused("can change /home/alice/dotfiles (owner uid 1001, mode 0777)"),
    ),
    (
        "a link to a directory of hers on a scratch disk",
        &[
            Root("chmod 1777 /scratch"),
            Alice(
                "mkdir /scratch/alice; mv $C /scratch/alice; ln -s /scratch/alice/config.toml $C",
            ),
        ],
        Own(STORE),
    ),
    (
        "a link to a link of bob's, to a file of hers",
        &[
            Root("chmod 1777 /scratch"),
            Bob("ln -s /home/alice/c /scratch/c"),
            Alice("mv $C ~/c; ln -s /scratch/c $C"),
        ],
        Refused("others can change /scratch/c (owner uid 1002"),
    ),
    ("nothing at all", &[Alice("rm -r ~/.config")], Silent),
    (
        "nothing at all, in a home in which only owners rename",
        &[Alice("rm -r ~/.config; chmod 1777 ~")],
        Silent,
    ),
    (
        "an open home, in which bob puts a directory for the store",
        &[Alice("chmod 777 ~"), Bob("mkdir -p $N")],
        Refused("others can change /home/alice/.local"),
    ),
    (
        "an open home, in which bob puts a link for the store",
        &[
            Alice("chmod 777 ~"),
            Bob("ln -s /home/bob/.local ~alice/.local"),
        ],
        Refused("is a symbolic link"),
    ),
    (
        "a home of bob's",
        &[Root("chown bob ~alice; chmod 755 ~alice")],
        Refused(".local cannot be made"),
    ),
    (
        "a home of bob's that is closed to her",
        &[Root("chown bob ~alice; chmod 700 ~alice")],
        DENIED,
    ),
    (
        "a file system that never answers",
        &[AliceKeeps("serve mute ~/.config")],
        Late("did not answer"),
    ),
    (
        "a file system that makes everything a directory",
        &[AliceKeeps("serve 0 ~/.config")],
        Refused("config.toml"),
    ),
    (
        "a link through bob's home to a file system that never answers",
        &[
            BobKeeps("mkdir ~/m; serve mute ~/m allow_other"),
            Alice("rm $C; ln -s ~bob/m/c $C"),
        ],
        BOBS_HOME,
    ),
];

#[test]
fn nothing_in_place_of_the_configuration_does_harm() {
    let scene = Scene::set(machine_or_skip!());
    let mut family = Family::new("configuration file");
    play(&mut family, &scene, IN_PLACE_OF_THE_FILE);
    play(&mut family, &scene, IN_THE_FILE);
    family.finish();
}

#[test]
fn nothing_above_the_configuration_and_no_change_at_a_bad_moment_does_harm() {
    let scene = Scene::set(machine_or_skip!());
    let mut family = Family::new("configuration's place");
    play(&mut family, &scene, ABOVE_THE_FILE);
    let races: [(&str, &str); 5] = [
        (
            "for a link to the shadow file",
            "ln -s /etc/shadow ~/other; exec exchange ~/other $C",
        ),
        ("for a FIFO", "mkfifo ~/other; exec exchange ~/other $C"),
        (
            "for a link to endless zeroes",
            "ln -s /dev/zero ~/other; exec exchange ~/other $C",
        ),
        ("for a directory", "mkdir ~/other; exec exchange ~/other $C"),
        (
            "for bob's, with all above it",
            "ln -s ~bob/.config ~/other; exec exchange ~/other ~/.config",
        ),
    ];
    for (what, script) in races {
        let steps = [Alice("mkdir -p $N"), AliceKeeps(script)];
        family.case(&format!("exchanged {what}"), || {
            scene.storm(&steps, MANY, &[STORE])
        });
    }
    let growing =
        "echo ready; while :; do : >$C; for i in $(seq 500); do echo '# more' >>$C; done; done";
    family.case("growing while it is read", || {
        scene.storm(&[Alice("mkdir -p $N"), AliceKeeps(growing)], MANY, &[STORE])
    });
    let with_bob = [
        Alice("mkdir -p $N; chmod 755 ~; chmod 777 ~/.config/nix-ns"),
        BobKeeps("cd ~alice/.config/nix-ns; ln -s /home/bob/secret o; exec exchange o $C"),
    ];
    family.case("exchanged by bob for a link to his secret", || {
        scene.storm(&with_bob, MANY, &[STORE])
    });
    family.finish();
}
