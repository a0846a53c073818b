//! `nix-ns init` without a store to take over.

use tests::machine_or_skip;

use crate::scene::{CONFIGURATION, STORE, as_alice, scene};

#[test]
fn makes_directory_and_configuration_once() {
    let machine = machine_or_skip!();
    scene(&machine);
    let made = as_alice(&machine, "umask 0; nix-ns init");
    assert_eq!(
        made.ok(),
        format!(
            "{STORE}: the store directory\n\
             {CONFIGURATION}: made; every key of it is commented out\n\
             Next: log out and in again, or run `nix-ns enter`; then /nix is this directory.\n\
             Then install Nix, as if the machine were yours alone: its installer with --no-daemon."
        )
    );
    let seen = as_alice(
        &machine,
        &format!("stat -c '%U %a' {STORE} {CONFIGURATION}"),
    );
    assert_eq!(seen.ok(), "alice 700\nalice 644");
    as_alice(&machine, "nix-ns check").ok();
    // What is there is kept.
    as_alice(&machine, &format!("echo '# mine' >{CONFIGURATION}")).ok();
    let again = as_alice(&machine, "nix-ns init");
    assert!(again.ok().contains("config.toml: kept as it is"), "{again}");
    assert_eq!(machine.read(CONFIGURATION), "# mine\n");
}

#[test]
fn says_in_a_session_that_it_has_the_directory() {
    let machine = machine_or_skip!();
    scene(&machine);
    machine.sshd();
    as_alice(&machine, "nix-ns init").ok();
    let inside = machine.ssh("alice", "nix-ns init");
    assert!(
        inside
            .ok()
            .contains("/nix is this directory in this session already."),
        "{inside}"
    );
    assert_eq!(machine.ssh("alice", "stat -c %U /nix").ok(), "alice");
}

#[test]
fn goes_where_the_configurations_say() {
    let machine = machine_or_skip!();
    let alice = scene(&machine);
    machine.configure_site(
        "opt_in = false\nroots = ['%h', '/scratch']\nsource_path = '/scratch/%u/nix'\n",
    );
    as_alice(&machine, "nix-ns init").ok();
    let seen = machine.run("stat -c '%U %a' /scratch/alice/nix");
    assert_eq!(seen.ok(), "alice 700");
    machine.configure(&alice, "source_path = 'here'\n");
    as_alice(&machine, "nix-ns init").ok();
    assert!(machine.exists("/home/alice/here"));
}

/// Configurations, and what is said of them; nothing is made.
#[test]
fn says_who_gets_no_nix_and_why() {
    let machine = machine_or_skip!();
    let alice = scene(&machine);
    let refused = |site: &str, why: &str| {
        machine.configure_site(site);
        let refused = as_alice(&machine, "nix-ns init");
        assert!(refused.fails().contains(why), "{refused}");
        assert!(!machine.exists("/home/alice/.local"), "{why}");
        assert!(!machine.exists("/home/alice/.config"), "{why}");
    };
    refused(
        "enable = false\n",
        "alice gets no /nix: the site configuration says enable = false",
    );
    refused("[users]\ndeny_users = ['alice']\n", "denies user alice");
    refused("[users]\nuid_max = 1000\n", "outside the range");
    refused(
        "[users]\nallow_groups = ['lab']\n",
        "allows certain users and groups, not this one",
    );
    refused("enable = maybe\n", "/etc/nix-ns/config.toml:1:10");
    refused("roots = ['/scratch']\n", "is not below /scratch");
    machine.run("rm /etc/nix-ns/config.toml").ok();
    let root = machine.run("nix-ns init");
    assert!(root.fails().starts_with("not as root"), "{root}");
    for (text, why) in [
        ("enable = false\n", "says enable = false"),
        ("sourcepath = 'x'\n", "config.toml:1:1"),
    ] {
        machine
            .run("install -d -o alice /home/alice/.config /home/alice/.config/nix-ns")
            .ok();
        machine.configure(&alice, text);
        let refused = as_alice(&machine, "nix-ns init");
        assert!(refused.fails().contains(why), "{refused}");
        assert!(!machine.exists("/home/alice/.local"), "{why}");
    }
}

#[test]
fn a_directory_that_others_can_change_is_refused() {
    let machine = machine_or_skip!();
    scene(&machine);
    as_alice(&machine, &format!("mkdir -p {STORE} && chmod 775 {STORE}")).ok();
    let refused = as_alice(&machine, "nix-ns init");
    assert_eq!(
        refused.fails(),
        format!("others can write {STORE} (mode 0775): `chmod go-w {STORE}`")
    );
    as_alice(
        &machine,
        "rm -r .local/share && ln -s /scratch .local/share",
    )
    .ok();
    let refused = as_alice(&machine, "nix-ns init");
    assert!(refused.fails().contains("is a symbolic link"), "{refused}");
    assert!(!machine.exists("/home/alice/.config"));
}

/// A part of the example, even none of it, is a valid configuration.
#[test]
fn a_configuration_that_cannot_be_written_whole_is_not_there() {
    let machine = machine_or_skip!();
    scene(&machine);
    let refused = as_alice(
        &machine,
        "strace -qq -o /dev/null -e inject=write:error=ENOSPC:when=2+ nix-ns init",
    );
    refused.fails();
    assert!(!machine.exists(CONFIGURATION), "{refused}");
    as_alice(&machine, "nix-ns init").ok();
}
