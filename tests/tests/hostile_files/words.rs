//! What is logged and shown of what users write: one line, that steers nothing.

use tests::hostile::End::{self, Own, Refused};
use tests::hostile::Step::{self, Alice, Config, ConfigBytes, Root};
use tests::hostile::{Door, Family, Scene};
use tests::machine_or_skip;

use crate::{LINK, NO_DIRECTORY, STORE, WRITABLE};

/// What could forge a line, move a cursor or hide what is there; as TOML writes
/// it, and as it is.
fn payloads() -> Vec<(&'static str, String, String)> {
    let forged = "Nov  1 00:00:00 host sshd[1]: pam_nixns(sshd:session): /nix is /evil";
    let same = |text: &str| (text.to_owned(), text.to_owned());
    let of = |toml: &str, raw: &str| (toml.to_owned(), raw.to_owned());
    let (long, path) = ("y".repeat(60_000), "y".repeat(200));
    [
        ("a line break", of("a\\nb", "a\nb")),
        (
            "a forged line",
            of(
                &format!("a\\n{forged}"),
                &format!("a\n{forged}").replace('/', "|"),
            ),
        ),
        ("a carriage return", of("a\\rb", "a\rb")),
        ("a cleared screen", of("a\\u001b[2Jb", "a\u{1b}[2Jb")),
        ("a title", of("a\\u001b]0;b\\u0007", "a\u{1b}]0;b\u{7}")),
        ("an eight-bit control", of("a\\u009b2Jb", "a\u{9b}2Jb")),
        ("backspaces", of("a\\b\\bb", "a\u{8}\u{8}b")),
        ("a turn to the left", of("a\\u202eb", "a\u{202e}b")),
        ("an isolated turn", of("a\\u2067b", "a\u{2067}b")),
        (
            "nothing to be seen",
            of("a\\u200b\\u2060\\ufeffb", "a\u{200b}\u{2060}\u{feff}b"),
        ),
        (
            "line and paragraph separators",
            of("a\\u2028\\u2029b", "a\u{2028}\u{2029}b"),
        ),
        ("tags", of("a\\U000e0041b", "a\u{e0041}b")),
        ("formats", same("%s%n%d%1000000d%99$s")),
        ("octal escapes", same("a'012b'033[2J")),
        ("quotes", same("`, expected one of `enable`")),
        ("60 kilobytes", (long, path)),
    ]
    .map(|(name, (toml, raw))| (name, toml, raw))
    .to_vec()
}

/// As one word of a shell.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "'\\''"))
}

#[test]
fn nothing_a_user_writes_steers_the_log_or_the_terminal() {
    let mut scene = Scene::set(machine_or_skip!());
    scene.doors = &[Door::PamHost, Door::Su];
    let mut family = Family::new("log and messages");
    for (name, toml, raw) in payloads() {
        let word = quoted(&raw);
        let mut case = |place: &str, steps: &[Step], end: End| {
            family.case(&format!("{name} {place}"), || scene.play(steps, end));
        };
        let key = format!("\"{toml}\" = 1\n");
        // What to do stands at the end, and is there however long the text is.
        let keys = "the keys are `enable`, `source_path`, `allow_symlinks`";
        case("in a key", &[Config(&key)], Refused(keys));
        let value = format!("enable = \"{toml}\"\n");
        case(
            "in a value",
            &[Config(&value)],
            Refused("expected a boolean"),
        );
        let path = format!("source_path = \"../{toml}\"\n");
        case("in a path", &[Config(&path)], Refused("config.toml:1:15"));
        // As long as a path may be.
        let path = format!("source_path = \"../{}\"\n", raw.repeat(4_000 / raw.len()));
        let what = Refused("write the path without it");
        if !raw.contains(char::is_control) && raw.len() < 4_000 {
            case("all over a path", &[Config(&path)], what);
        }
        let bare = format!("enable = {raw}\n");
        case(
            "in what is no TOML",
            &[ConfigBytes(bare.as_bytes())],
            Refused("config.toml:"),
        );
        let target = format!("rm $C; ln -s /srv/{word} $C");
        case(
            "in where the file leads",
            &[Alice(&target)],
            Refused("is not there"),
        );
        let target = format!("ln -s /srv/{word} ~/link");
        case(
            "in where the store leads",
            &[Alice(&target), LINK],
            Refused("ENOENT"),
        );
        let open = format!("mkdir -m 777 ~/{word}; ln -s {word} ~/link");
        case(
            "in the name of a refused store",
            &[Alice(&open), LINK],
            WRITABLE,
        );
        let good = format!("mkdir ~/{word}; ln -s {word} ~/link");
        case(
            "in the name of a store",
            &[Alice(&good), LINK],
            Own("/home/alice/link/"),
        );
        let between = format!("mkdir -p ~/{word}; mkfifo ~/{word}/x; ln -s {word}/x ~/link");
        case(
            "in the name above a FIFO",
            &[Alice(&between), LINK],
            NO_DIRECTORY,
        );
        if !raw.contains('\n') {
            let comment = format!(
                "usermod -c {} alice 2>/dev/null || \
                 awk -F: -v OFS=: -v c={} '$1 == \"alice\" {{ $5 = c }} 1' /root/passwd >/etc/passwd",
                word.replace(':', ";"),
                word.replace(':', ";")
            );
            case("in the name of the person", &[Root(&comment)], Own(STORE));
        }
    }
    family.finish();
}
