//! `nix-ns init --from`.

use tests::{machine_or_skip, skip};

use crate::scene::{CONFIGURATION, OLD, STORE, as_alice, make_store, same, scene};

/// About 100,000 files.
const LARGE: u32 = 1000;
const COPYING: &str = "/home/alice/.local/share/nix/.nix-ns-copying";

#[test]
fn a_large_store_is_copied_across_file_systems_and_back_after_kills() {
    let machine = machine_or_skip!();
    scene(&machine);
    make_store(&machine, OLD, LARGE);
    for (signal, package) in [("INT", 900), ("KILL", 500), ("TERM", 50)] {
        // Directories are gone into from the last that is listed on: which is
        // the hundredth or so is not known, that there are more each time is.
        let begun = format!(
            "env --default-signal=INT nix-ns init --from {OLD} >/dev/null & pid=$!; \
             until [ $(ls {COPYING}/tree/store 2>/dev/null | wc -l) -ge {} ]; do sleep 0.01; done; \
             kill -{signal} $pid; wait $pid; echo $?",
            LARGE - package
        );
        let killed = as_alice(&machine, &begun);
        assert!(["130", "137", "143"].contains(&killed.ok()), "{killed}");
        assert!(machine.exists(&format!("{COPYING}/tree")), "{killed}");
        assert!(!machine.exists(&format!("{STORE}/store")), "{killed}");
    }
    let ended = as_alice(&machine, &format!("nix-ns init --from {OLD}"));
    let said = ended.ok();
    assert!(
        said.contains(&format!(
            "{OLD}: untouched; when all is well, remove it with\n  nix-ns purge {OLD}"
        )),
        "{said}"
    );
    same(&machine, STORE);
    same(&machine, OLD);
    let rest = as_alice(&machine, &format!("ls -A {STORE}"));
    assert_eq!(rest.ok(), "store\nvar");
    assert!(machine.exists(CONFIGURATION));
    // A hole stays one.
    let sparse = as_alice(&machine, &format!("stat -c '%b' {STORE}/var/nix/sparse"));
    assert!(sparse.ok().parse::<u32>().unwrap() < 100, "{sparse}");
    // Nothing to move into any more.
    let again = as_alice(&machine, &format!("nix-ns init --from {OLD}"));
    assert!(
        again.fails().contains("has store already") || again.stderr.contains("has var already"),
        "{again}"
    );
    same(&machine, STORE);
}

#[test]
fn a_large_store_moves_at_once_on_one_file_system() {
    let machine = machine_or_skip!();
    scene(&machine);
    make_store(&machine, "/home/alice/.nix-portable/nix", LARGE);
    let inode = |path: &str| {
        as_alice(&machine, &format!("stat -c %i {path}/store"))
            .ok()
            .to_owned()
    };
    let before = inode(".nix-portable/nix");
    let moved = as_alice(&machine, "nix-ns init --from ~/.nix-portable/nix/");
    assert!(
        moved.ok().contains(": the store directory, moved from "),
        "{moved}"
    );
    same(&machine, STORE);
    assert_eq!(inode(STORE), before);
    assert!(!machine.exists("/home/alice/.nix-portable/nix"));
}

/// New Nix makes its own store below the very directory that is to be `/nix`, and
/// keeps other things there.
#[test]
fn a_chroot_store_comes_out_of_the_store_directory_itself() {
    let machine = machine_or_skip!();
    scene(&machine);
    let root = format!("{STORE}/root");
    make_store(&machine, &format!("{root}/nix"), 2);
    as_alice(&machine, &format!("touch {STORE}/repl-history")).ok();
    let meant = as_alice(&machine, &format!("nix-ns init --from {root}"));
    assert!(
        meant
            .fails()
            .contains(&format!("there is one in {root}/nix")),
        "{meant}"
    );
    as_alice(&machine, &format!("nix-ns init --from {root}/nix")).ok();
    let names = as_alice(
        &machine,
        &format!("ls -A {STORE}; rm -r {root} {STORE}/repl-history"),
    );
    assert_eq!(names.ok(), "repl-history\nroot\nstore\nvar");
    same(&machine, STORE);
}

#[test]
fn what_is_taken_over_must_be_a_store_that_nobody_uses() {
    let machine = machine_or_skip!();
    scene(&machine);
    make_store(&machine, OLD, 1);
    let refused = |from: &str, why: &str| {
        let refused = as_alice(&machine, &format!("nix-ns init --from {from}"));
        assert!(refused.fails().contains(why), "{refused}");
        assert!(!machine.exists(&format!("{STORE}/store")), "{refused}");
        assert!(!machine.exists(CONFIGURATION), "{refused}");
    };
    refused("/no/such", "there is no such directory");
    refused("/etc/passwd", "cannot be opened");
    refused("/usr", "belongs to uid 0");
    refused("~", "is your home directory or above it");
    refused("/home", "is your home directory or above it");
    as_alice(
        &machine,
        &format!("ln -s {OLD} link; mkdir -p shop/store shop/var"),
    )
    .ok();
    refused("link/", "is a symbolic link");
    refused("shop", "does not look like a store");
    // Any Nix, on any host.
    let lock = format!("{OLD}/var/nix/db/big-lock");
    let mut nix = machine.spawn_as(
        "alice",
        &format!("exec flock --shared {lock} -c 'echo held; exec sleep 1000'"),
    );
    nix.until_it_says("held");
    refused(OLD, "a Nix has the store");
    drop(nix);
    // Another tool, with a user namespace of its own.
    let bubble =
        format!("exec bwrap --dev-bind / / --bind {OLD} /nix sh -c 'echo in; exec sleep 1000'");
    let mut other = machine.spawn_as("alice", &bubble);
    other.until_it_says("in");
    refused(OLD, "is the /nix of process");
    drop(other);
    machine
        .run(&format!(
            "mkdir {OLD}/store/mount && mount -t tmpfs none {OLD}/store/mount"
        ))
        .ok();
    refused(OLD, "something is mounted on /scratch/old/nix/store/mount");
    machine
        .run(&format!(
            "umount {OLD}/store/mount && rmdir {OLD}/store/mount"
        ))
        .ok();
    machine
        .run(&format!(
            "touch {OLD}/var/private && chmod 0 {OLD}/var/private"
        ))
        .ok();
    refused(OLD, "var/private cannot be read: EACCES");
    machine.run(&format!("rm {OLD}/var/private")).ok();
    machine.configure_site(&format!(
        "roots = ['/scratch']\nsource_path = '{OLD}/inside/nix'\n"
    ));
    let inside = as_alice(&machine, &format!("nix-ns init --from {OLD}"));
    assert!(
        inside.fails().contains("cannot be moved into itself"),
        "{inside}"
    );
    machine.configure_site("");
    let taken = "rm -r inside; manifest . >/scratch/manifest; nix-ns init --from $PWD";
    as_alice(&machine, &format!("cd {OLD}; {taken}")).ok();
    same(&machine, STORE);
}

#[test]
fn what_has_no_room_is_not_begun_and_what_runs_out_of_it_is_gone_on_with() {
    let machine = machine_or_skip!();
    scene(&machine);
    make_store(&machine, OLD, 20);
    machine.configure_site("roots = ['/small']\nsource_path = '/small/alice/nix'\n");
    machine
        .run("install -d /small && mount -t tmpfs -o size=1M,mode=1777 none /small")
        .ok();
    let init = format!("nix-ns init --from {OLD}");
    let full = as_alice(&machine, &init);
    assert!(
        full.fails()
            .contains("/small/alice/nix has no room: the store needs"),
        "{full}"
    );
    assert!(!machine.exists(CONFIGURATION));
    machine
        .run("mount -o remount,size=1G,nr_inodes=200 /small")
        .ok();
    let full = as_alice(&machine, &init);
    assert!(full.fails().contains("has no room"), "{full}");
    machine
        .run("mount -o remount,size=1G,nr_inodes=100000 /small")
        .ok();
    for error in ["ENOSPC", "EDQUOT", "EIO"] {
        for (call, when) in [
            ("mkdirat", 3),
            ("linkat", 3),
            ("ftruncate", 1),
            ("symlinkat", 3),
            ("utimensat", 3),
            ("syncfs", 1),
        ] {
            let inject = format!("-e inject={call}:error={error}:when={when}+");
            let full = as_alice(
                &machine,
                &format!(
                    "strace -f --seccomp-bpf -qq -o /dev/null -e trace={call} {inject} {init}"
                ),
            );
            assert!(full.fails().contains(error), "{full}");
            let again = "nix-ns purge --yes /small/alice/nix/.nix-ns-copying";
            as_alice(&machine, again).ok();
        }
    }
    as_alice(&machine, &init).ok();
    same(&machine, "/small/alice/nix");
}

/// What the source lost since, the copy must not keep; what changed there must
/// come again, though size and time are the same.
#[test]
fn a_source_that_changed_between_two_runs_is_copied_as_it_is_now() {
    let machine = machine_or_skip!();
    scene(&machine);
    make_store(&machine, OLD, 3);
    let part =
        format!("strace -qq -o /dev/null -e inject=syncfs:signal=KILL nix-ns init --from {OLD}");
    as_alice(&machine, &part).fails();
    assert!(machine.exists(&format!("{COPYING}/tree/var/nix/db/db.sqlite")));
    let change = format!(
        "cd {OLD}; rm var/nix/db/db.sqlite; chmod u+w store/*package-1/lib; \
         rm -f store/*package-1/lib/file1; chmod u+w store store/*package-2; rm -f store/*package-2/file4; \
         printf 'package 2 fiLe 4\\n' >store/*package-2/new; mv store/*package-2/new store/*package-2/file4 2>/dev/null; \
         f=$(echo store/*package-3/file4); chmod u+w $f; printf 'package 3 FILE 4\\n' >$f; chmod 444 $f; touch -d @1 $f; \
         ln -f store/.links/1 store/.links/more; mkdir -p store/fresh; \
         manifest {OLD} >/scratch/manifest"
    );
    as_alice(&machine, &change).ok();
    as_alice(&machine, &format!("nix-ns init --from {OLD}")).ok();
    same(&machine, STORE);
}

#[test]
fn an_interrupted_copy_of_another_store_is_not_mixed() {
    let machine = machine_or_skip!();
    scene(&machine);
    make_store(&machine, OLD, 2);
    make_store(&machine, "/scratch/other", 2);
    let part = "strace -qq -o /dev/null -e inject=syncfs:signal=KILL nix-ns init --from";
    as_alice(&machine, &format!("{part} {OLD}")).fails();
    let refused = as_alice(&machine, "nix-ns init --from /scratch/other");
    assert!(
        refused
            .fails()
            .contains(&format!("{COPYING} holds the interrupted copy of {OLD}")),
        "{refused}"
    );
    let warned = as_alice(&machine, "nix-ns init");
    assert!(warned.ok().contains("is an interrupted copy"), "{warned}");
    as_alice(&machine, &format!("nix-ns purge --yes {COPYING}")).ok();
    as_alice(&machine, "nix-ns init --from /scratch/other").ok();
    same(&machine, STORE);
}

#[test]
fn what_nobody_can_copy_is_said() {
    let machine = machine_or_skip!();
    scene(&machine);
    make_store(&machine, OLD, 1);
    let socket = format!(
        "perl -MIO::Socket::UNIX -e 'IO::Socket::UNIX->new(Local => \"{OLD}/var/nix/socket\", Listen => 1)'"
    );
    as_alice(&machine, &socket).ok();
    let others = format!("manifest {OLD} | grep -v socket >/scratch/manifest");
    as_alice(&machine, &others).ok();
    let copied = as_alice(&machine, &format!("nix-ns init --from {OLD}"));
    assert!(
        copied
            .ok()
            .contains("not copied, a socket or device: /scratch/old/nix/var/nix/socket"),
        "{copied}"
    );
    same(&machine, STORE);
}

/// The database says where the store is, and Nix checks every byte of it.
#[test]
fn nix_itself_finds_its_store_whole() {
    let machine = machine_or_skip!().set_up();
    if !machine.has_nix() {
        return skip(module_path!(), "needs Nix of the distribution's (nix-bin)");
    }
    machine
        .run("install -d /scratch && mount -t tmpfs -o mode=1777 tmpfs /scratch")
        .ok();
    machine.configure_site("roots = ['%h', '/scratch']\n");
    let alice = machine.nix_user("alice");
    machine.write_hello(&alice);
    machine.configure(&alice, "source_path = '/scratch/alice'\n");
    let built = "nix-build --option sandbox false hello.nix -o r >&2 && ./r/bin/hello-ns; nix-store --optimise";
    let said = machine.ssh_nix("alice", built).ok().to_owned();
    machine.configure(&alice, "");
    as_alice(&machine, "nix-ns init --from /scratch/alice").ok();
    let seen = machine.ssh_nix(
        "alice",
        "./r/bin/hello-ns; nix-store --verify --check-contents",
    );
    assert_eq!(seen.ok(), said);
    let built = machine.ssh_nix(
        "alice",
        "nix-build --option sandbox false hello.nix --check",
    );
    built.ok();
}

/// What the lock rests on.
#[test]
fn a_nix_that_runs_holds_its_big_lock() {
    let machine = machine_or_skip!().set_up();
    if !machine.has_nix() {
        return skip(module_path!(), "needs Nix of the distribution's (nix-bin)");
    }
    machine.nix_user("alice");
    machine.ssh_nix("alice", "nix-store --init").ok();
    let exclusive = "flock --nonblock --exclusive /nix/var/nix/db/big-lock true";
    machine.ssh("alice", exclusive).ok();
    // It opens the file, and then takes the lock.
    let held = machine.ssh_nix(
        "alice",
        &format!(
            "mkfifo f; nix-store --serve <f & exec 3>f; \
             for i in $(seq 500); do {exclusive} || {{ echo held; break; }}; sleep 0.02; done"
        ),
    );
    assert_eq!(held.stdout.trim(), "held", "{held}");
}
