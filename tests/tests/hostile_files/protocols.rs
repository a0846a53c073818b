//! What programs say to each other through a login, while the module has
//! something to say as well.

use tests::hostile::Step::{self, Alice, Config};
use tests::hostile::{Family, Scene, check_text};
use tests::machine_or_skip;

/// What makes the module speak.
const SPOKEN: &[(&str, &[Step])] = &[
    ("a broken configuration", &[Config("enable = 7\n")]),
    (
        "a configuration that steers",
        &[Config("\"\\u001b[2J\\n0000\" = 1\n")],
    ),
    ("an open store", &[Alice("mkdir -p $N; chmod 777 $N")]),
    ("a store outside", &[Config("source_path = \"/etc\"\n")]),
];

/// Programs that talk to each other through a login; what they carry must
/// arrive whole, and nothing besides.
const TALKS: &[(&str, &str)] = &[
    ("a command by ssh", "ssh alice@localhost cat <$A >$B"),
    (
        "a subsystem",
        "echo 'put /tmp/a /home/alice/b' | sftp -q -b - alice@localhost >&2 && cp /home/alice/b $B",
    ),
    (
        "sftp back",
        "cp $A /srv/a; chmod 644 /srv/a; echo 'get /srv/a /tmp/b' | sftp -q -b - alice@localhost >&2",
    ),
    ("scp", "scp -q $A alice@localhost:b && cp /home/alice/b $B"),
    (
        "scp back",
        "cp $A /srv/a; chmod 644 /srv/a; scp -q alice@localhost:/srv/a $B",
    ),
    (
        "old scp",
        "scp -q -O $A alice@localhost:b && cp /home/alice/b $B",
    ),
    (
        "old scp back",
        "cp $A /srv/a; chmod 644 /srv/a; scp -q -O alice@localhost:/srv/a $B",
    ),
    (
        "rsync",
        "rsync -q $A alice@localhost:b && cp /home/alice/b $B",
    ),
    (
        "rsync back",
        "cp $A /srv/a; chmod 644 /srv/a; rsync -q alice@localhost:/srv/a $B",
    ),
    (
        "tar through ssh",
        "tar -C /tmp -c a | ssh alice@localhost cat | tar -xO >$B",
    ),
    ("su", "su alice -c cat <$A >$B"),
    ("a login by su", "su - alice -c cat <$A >$B"),
    ("sudo", "sudo -u alice cat <$A >$B"),
];

#[test]
fn what_programs_exchange_stays_whole() {
    let scene = Scene::set(machine_or_skip!());
    let machine = &scene.machine;
    let mut family = Family::new("protocols");
    machine.run("head -c 100000 /dev/urandom >/tmp/a").ok();
    for (why, steps) in SPOKEN {
        for (how, talk) in TALKS {
            family.case(&format!("{how}, {why}"), || {
                let _kept = scene.prepare(steps);
                let call = format!("A=/tmp/a; B=/tmp/b; rm -f $B; {talk}");
                let (talked, log) = machine.logged_during(|| machine.run(&call));
                talked.ok();
                let said = format!("{}{}", talked.stdout, talked.stderr);
                let without_prompt = said.replace("sftp> ", "");
                if without_prompt.contains("nix") {
                    return Err(format!("it was told to a program: {talked}"));
                }
                if !log.iter().any(|line| line.contains("no /nix for alice")) {
                    return Err(format!("the module had nothing to say: {talked}"));
                }
                machine.run("cmp /tmp/a /tmp/b").ok();
                Ok(())
            });
        }
        family.case(&format!("an application that wants silence, {why}"), || {
            let _kept = scene.prepare(steps);
            let told = machine.pam_host("probe alice -- true");
            let silent = machine.pam_host("--silent probe alice -- true");
            let says = |output: &str| {
                output
                    .lines()
                    .filter(|line| line.starts_with("message"))
                    .count()
            };
            match (says(told.ok()), says(silent.ok())) {
                (1, 0) => Ok(()),
                counts => Err(format!("told {counts:?} times: {told} {silent}")),
            }
        });
        family.case(&format!("a terminal, {why}"), || {
            let _kept = scene.prepare(steps);
            let shell = machine.run("echo exit | ssh -tt alice@localhost 2>&1");
            let lines: Vec<&str> = shell.ok().lines().collect();
            let told = lines
                .iter()
                .filter(|line| line.contains("nix-ns: this session"));
            match told.copied().collect::<Vec<_>>()[..] {
                [line] => check_text(line.trim_end().as_bytes()),
                _ => Err(format!("not told once: {shell}")),
            }
        });
    }
    family.finish();
}
