//! `nix-ns purge`.

use tests::machine_or_skip;

use crate::scene::{OLD, STORE, as_alice, make_store, scene};

#[test]
fn removes_a_large_store_and_nothing_outside_it() {
    let machine = machine_or_skip!();
    scene(&machine);
    make_store(&machine, STORE, 1000);
    let outside = format!(
        "mkdir -p precious/below && echo 1 >precious/file && echo 2 >precious/below/file && \
         chmod 444 precious/file && cd {STORE} && ln ~/precious/file var/nix/hard && \
         ln -s ~/precious var/nix/soft && ln -s ../../../../../../precious store/relative && \
         mkdir store/tight store/tighter && touch store/tight/file && chmod 0 store/tight && \
         chmod 300 store/tighter"
    );
    as_alice(&machine, &outside).ok();
    let before = as_alice(&machine, "manifest precious; stat -c %a precious/file")
        .ok()
        .to_owned();
    let purged = as_alice(&machine, "nix-ns purge --yes");
    assert!(purged.ok().starts_with("removed 99,5"), "{purged}");
    assert!(!machine.exists(STORE));
    let after = as_alice(&machine, "manifest precious; stat -c %a precious/file");
    let names = |manifest: &str| {
        manifest
            .lines()
            .map(|line| line.split(' ').take(5).collect::<Vec<_>>().join(" "))
            .collect::<Vec<_>>()
    };
    assert_eq!(names(after.ok()), names(&before));
    let again = as_alice(&machine, "nix-ns purge --yes");
    assert!(
        again.fails().contains("there is nothing to remove"),
        "{again}"
    );
}

#[test]
fn stays_off_mounts_and_of_what_is_not_the_callers() {
    let machine = machine_or_skip!();
    scene(&machine);
    make_store(&machine, OLD, 1);
    // On the same file system: only the mounts themselves tell the two apart.
    let binds = format!(
        "mkdir /scratch/precious {OLD}/store/bound && touch /scratch/precious/file {OLD}/var/file && \
         chown -R alice /scratch/precious {OLD}/store/bound {OLD}/var/file && \
         mount --bind /scratch/precious {OLD}/store/bound && \
         mount --bind /scratch/precious/file {OLD}/var/file && \
         install -d -o bin {OLD}/var/foreign && touch {OLD}/var/foreign/file {OLD}/var/foreign-file"
    );
    machine.run(&binds).ok();
    let left = as_alice(&machine, &format!("nix-ns purge --yes {OLD}"));
    let complaints = left.fails();
    for complaint in [
        "store/bound has something mounted on it",
        "var/file has something mounted on it",
        "var/foreign belongs to uid 2",
        "var/foreign-file belongs to uid 0",
        "4 files are left below",
    ] {
        assert!(complaints.contains(complaint), "{complaint}: {left}");
    }
    assert!(machine.exists("/scratch/precious/file"));
    assert!(!machine.exists(&format!("{OLD}/store")));
    machine.run("cd /scratch/old/nix/.nix-ns-purging/1; umount store/bound var/file; rm -r var/foreign*").ok();
    as_alice(&machine, &format!("nix-ns purge --yes {OLD}")).ok();
    assert!(!machine.exists(OLD));
    assert!(machine.exists("/scratch/precious/file"));
}

#[test]
fn removes_only_stores_that_nobody_uses() {
    let machine = machine_or_skip!();
    let alice = scene(&machine);
    machine.install_probe();
    machine.sshd();
    make_store(&machine, OLD, 1);
    let refused = |words: &str, why: &str| {
        let refused = as_alice(&machine, &format!("nix-ns purge {words}"));
        assert!(refused.fails().contains(why), "{refused}");
    };
    as_alice(
        &machine,
        &format!("ln -s {OLD} link; mkdir -p shop/store/shoes shop/var empty; cp /bin/true file"),
    )
    .ok();
    refused("--yes /", "is your home directory or above it");
    refused("--yes ~", "is your home directory or above it");
    refused("--yes /home/", "is your home directory or above it");
    refused("--yes .", "is your home directory or above it");
    refused(
        "--yes /home/alice/shop/..",
        "is your home directory or above it",
    );
    refused("--yes /usr", "belongs to uid 0");
    refused("--yes link", "is a symbolic link");
    refused("--yes link/", "is a symbolic link");
    refused("--yes shop", "does not look like a store");
    refused("--yes file", "cannot be opened: ENOTDIR");
    refused("--yes nowhere", "there is no such directory");
    refused(OLD, "standard input is no terminal to ask on: say --yes");
    let root = machine.run(&format!("nix-ns purge --yes {OLD}"));
    assert!(root.fails().starts_with("not as root"), "{root}");
    let lock = format!("{OLD}/var/nix/db/big-lock");
    let mut nix = machine.spawn_as(
        "alice",
        &format!("exec flock --shared {lock} -c 'echo held; exec sleep 1000'"),
    );
    nix.until_it_says("held");
    refused(&format!("--yes {OLD}"), "a Nix has the store");
    drop(nix);
    // A session of hers has it, hers alone can tell.
    make_store(&machine, STORE, 1);
    as_alice(&machine, "nix-ns init").ok();
    let (session, process) = machine.stay_by_ssh("alice");
    refused("--yes", "is the /nix of process");
    refused("--yes", &format!("{process} ("));
    let inside = machine.ssh("alice", &format!("nix-ns purge --yes {STORE}"));
    assert!(
        inside.fails().contains("is the /nix of process"),
        "{inside}"
    );
    let inside = machine.ssh("alice", "nix-ns purge --yes /nix");
    assert!(
        inside.fails().contains("is the /nix of process"),
        "{inside}"
    );
    drop(session);
    machine.wait_until("her session to end", || {
        machine.run("pgrep -u alice").stdout.is_empty()
    });
    // With what the refusal says to do, even a session of hers may.
    machine.configure(&alice, "enable = false\n");
    machine.ssh("alice", "nix-ns purge --yes").ok();
    assert!(!machine.exists(STORE));
    as_alice(&machine, &format!("ls {OLD}/store shop/store/shoes link")).ok();
    machine.configure(&alice, "no configuration at all");
    as_alice(&machine, &format!("nix-ns purge --yes {OLD}")).ok();
}

/// A server that answers nothing on `/nix` of another process of hers.
#[test]
fn asks_no_file_system_who_uses_it() {
    let machine = machine_or_skip!();
    scene(&machine);
    make_store(&machine, OLD, 1);
    let mute = "exec 3<>/dev/fuse && mount -i -t fuse -o fd=3,rootmode=40000,user_id=0,group_id=0,allow_other mute /nix && \
                echo mounted && exec setpriv --reuid alice --regid alice --clear-groups sleep 1000";
    let mut server = machine.spawn(&format!("exec unshare --mount sh -c '{mute}'"));
    server.until_it_says("mounted");
    as_alice(&machine, &format!("nix-ns purge --yes {OLD}")).ok();
    assert!(!machine.exists(OLD));
}

#[test]
fn removes_what_is_deeper_than_files_can_be_open_and_than_a_path_is_long() {
    let machine = machine_or_skip!();
    scene(&machine);
    let deep = format!(
        "make-store {OLD}0 1 && perl -e 'chdir \"{OLD}0/store\" or die; for (1..20000) {{ mkdir \"deeper\" or die; chdir \"deeper\" or die }} open F, \">end\" or die'"
    );
    as_alice(&machine, &format!("mkdir -p $(dirname {OLD}); {deep}")).ok();
    // As deep it is copied, too.
    as_alice(
        &machine,
        &format!("ulimit -n 100; ulimit -s 256; nix-ns init --from {OLD}0"),
    )
    .ok();
    let limited = "ulimit -n 60; ulimit -s 256; ulimit -v 100000; nix-ns purge --yes";
    as_alice(&machine, &format!("{limited} {OLD}0")).ok();
    as_alice(&machine, limited).ok();
    assert!(!machine.exists(&format!("{OLD}0")));
    assert!(!machine.exists(STORE));
}

#[test]
fn asks_on_a_terminal_and_shows_how_far_it_is() {
    let machine = machine_or_skip!();
    scene(&machine);
    make_store(&machine, OLD, 200);
    let talk = |answer: &str| {
        let script = format!(
            "set timeout 50; set env(TERM) xterm; spawn nix-ns purge {OLD}; \
             expect \"Type yes: \"; send \"{answer}\\r\"; expect eof; \
             exit [lindex [wait] 3]"
        );
        as_alice(&machine, &format!("expect -c '{script}'"))
    };
    for answer in ["no", "", "y"] {
        let kept = talk(answer);
        kept.fails();
        assert!(kept.stdout.contains("nothing was removed"), "{kept}");
    }
    let removed = talk("yes");
    let said = removed.ok();
    assert!(
        said.contains("Remove 20,") && said.contains(" files, "),
        "{said}"
    );
    assert!(said.contains(&format!("below {OLD}? Type yes: ")), "{said}");
    assert!(said.contains("\rremoving: "), "{said}");
    assert!(said.contains("removed 20,"), "{said}");
    assert!(!machine.exists(OLD));
    make_store(&machine, OLD, 200);
    let bar =
        format!("set timeout 50; set env(TERM) xterm; spawn nix-ns init --from {OLD}; expect eof");
    let bar = as_alice(&machine, &format!("expect -c '{bar}'"));
    assert!(bar.ok().contains("\rcopying [####"), "{bar}");
}

/// A process of hers swaps directories of the store for links to what is
/// precious, while the program is held up before everything it opens.
#[test]
fn a_race_leads_nowhere_else() {
    let machine = machine_or_skip!();
    scene(&machine);
    let precious = "mkdir -p /scratch/precious && touch /scratch/precious/file{0..92}";
    as_alice(&machine, &format!("bash -c '{precious}'")).ok();
    for _ in 0..5 {
        make_store(&machine, OLD, 1);
        as_alice(&machine, &format!("chmod u+w {OLD}/store/0*")).ok();
        let mut racer = machine.spawn_as("alice", &format!("exec perl -e '{SWAP}'"));
        racer.until_it_says("racing");
        let purge = format!(
            "strace -qq -o /dev/null -e inject=openat2:delay_enter=12000 nix-ns purge --yes {OLD}"
        );
        // What was away at a bad moment is left, and said.
        let _ = as_alice(&machine, &purge);
        drop(racer);
        let kept = machine.run("ls /scratch/precious | grep -c file");
        assert_eq!(kept.ok(), "93");
        as_alice(
            &machine,
            &format!("[ ! -e {OLD} ] || nix-ns purge --yes {OLD}"),
        )
        .ok();
    }
}

const SWAP: &str = r#"
    $| = 1; print "racing";
    while (1) {
        my @at = glob("/scratch/old/nix/{store,.nix-ns-purging/*/store}/0*/{lib,bin,share}");
        for (@at) { rename $_, "$_.away" and symlink "../../../../../../precious", $_ }
        select undef, undef, undef, 0.005;
        for (@at) { unlink $_; rename "$_.away", $_ }
        select undef, undef, undef, 0.005;
    }"#;
