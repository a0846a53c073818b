//! What a site gives all its users at once: `docs/site-base.md`, which says
//! why it is a binary cache and not a layer below everybody's store.

use tests::{Machine, User, machine_or_skip, skip};

/// A machine with Nix; its administrator has built something and made a signed
/// cache of it, that all users' Nix is told of.
macro_rules! machine_with_cache_or_skip {
    () => {{
        let machine = machine_or_skip!().set_up();
        if !machine.has_nix() {
            return skip(module_path!(), "needs Nix of the distribution's (nix-bin)");
        }
        let path = provide(&machine);
        (machine, path)
    }};
}

const CACHE: &str = "/srv/nix-cache";

/// By an account for that alone: its key is nobody else's.
fn provide(machine: &Machine) -> String {
    let curator = machine.nix_user("curator");
    machine.write_hello(&curator);
    machine.run(&format!("install -d -o curator {CACHE}")).ok();
    let path = machine.ssh_nix(
        "curator",
        &format!(
            "nix-build --option sandbox false hello.nix -o r >&2 && \
             nix-store --generate-binary-cache-key site-1 ~/key ~/key.pub && \
             nix copy --to \"file://{CACHE}?secret-key=$HOME/key\" ./r && readlink r"
        ),
    );
    let key = machine.read("/home/curator/key.pub");
    let settings = format!("substituters = file://{CACHE}\ntrusted-public-keys = {key}\n");
    machine.write("/etc/nix/nix.conf", settings, 0o644, &User::root());
    path.ok().to_owned()
}

#[test]
fn everybody_has_what_the_site_provides_without_building_it() {
    let (machine, path) = machine_with_cache_or_skip!();
    for user in ["alice", "bob"] {
        machine.nix_user(user);
        // No settings, no files, no network: a first login and one command.
        let taken = machine.ssh(
            user,
            &format!("nix-env -i {path} >&2 && stat -c %U {path} && hello-ns || ~/.nix-profile/bin/hello-ns"),
        );
        assert_eq!(taken.ok(), format!("{user}\nhi-from-{path}"));
        let sound = machine.ssh(
            user,
            "nix-store --verify --check-contents && nix-store --gc",
        );
        sound.ok();
        machine.ssh(user, "hello-ns").ok();
    }
}

#[test]
fn nobody_can_put_anything_else_into_it() {
    let (machine, path) = machine_with_cache_or_skip!();
    machine.nix_user("alice");
    machine.nix_user("bob");
    let archive = machine.run(&format!("ls {CACHE}/nar/*"));
    machine
        .run_as("alice", &format!("echo x >>{}", archive.ok()))
        .fails();
    // Were it to be changed all the same, nobody would take it.
    machine
        .run(&format!(
            "xz -dc {0} | sed s/hi-from/hello/ | xz >/tmp/other && cat /tmp/other >{0}",
            archive.ok()
        ))
        .ok();
    let refused = machine.ssh("bob", &format!("nix-store -r {path}"));
    assert!(!refused.fails().is_empty());
    machine
        .ssh("bob", &format!("nix-store -q --hash {path}"))
        .fails();
}

const AS_ALICE: &str = r#"#!/bin/sh
exec setpriv --reuid alice --regid alice --init-groups \
    env HOME=/home/alice USER=alice NIX_CONFIG='substitute = false
sandbox = false' "$@"
"#;

/// Runs a program where alice's store has the base below it.
const OVERLAY: &str = r#"#!/bin/sh
exec unshare --mount --propagation private sh -ec '
    mount --bind /srv/d/nix /nix
    mount -t overlay o -o lowerdir=/srv/d/base,upperdir=/srv/d/nix/store,workdir=/srv/d/work /nix/store
    "$@"' sh "$@"
"#;

/// Looks for a path, as Nix does before it builds; another builds it meanwhile.
const FIRST: &str = r#"#!/bin/sh -e
as=/srv/d/as-alice
path=$($as nix-store -q --outputs $($as nix-instantiate /home/alice/hello.nix 2>/dev/null))
test ! -e $path
ls /nix/store >/dev/null
nsenter --mount=/proc/1/ns/mnt /srv/d/overlay $as nix-build --no-out-link /home/alice/hello.nix 2>/dev/null >/srv/d/built
test $path = $(cat /srv/d/built)
$as nix-store -q --hash $path >/dev/null && echo valid
test -e $path && echo there || echo missing
"#;

/// Why it is no layer below the users' own stores: two of one user's namespaces
/// with an overlay each, of the same directories, do not see the same files,
/// though they have one database. If this fails, that page can be written anew.
#[test]
fn two_overlays_of_one_store_directory_disagree_about_what_is_in_it() {
    let machine = machine_or_skip!().set_up();
    if !machine.has_nix() {
        return skip(module_path!(), "needs Nix of the distribution's (nix-bin)");
    }
    let alice = machine.nix_user("alice");
    machine.write_hello(&alice);
    machine
        .run("mkdir -p /srv/d && mount -t tmpfs disk /srv/d && mkdir -p /srv/d/base/lib && cd /srv/d && \
              mkdir -p nix/store nix/var/nix work && chown -R alice: nix work")
        .ok();
    let root = User::root();
    machine.write("/srv/d/as-alice", AS_ALICE, 0o755, &root);
    machine.write("/srv/d/overlay", OVERLAY, 0o755, &root);
    machine.write("/srv/d/first", FIRST, 0o755, &root);
    let seen = machine.run("/srv/d/overlay /srv/d/first");
    let lines: Vec<&str> = seen.ok().lines().collect();
    assert_eq!(lines, ["valid", "missing"], "{seen}");
}
