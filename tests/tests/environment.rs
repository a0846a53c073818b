//! What a session's environment holds, by whatever door it comes: where the
//! user's programs are, and nothing of a user's where root looks.

use tests::{ENTER, LEAVE, Machine, User, machine_or_skip};

/// What login.defs says, and Debian's /etc/profile.
const USUAL: &str = "/usr/local/bin:/usr/bin:/bin:/usr/local/games:/usr/games";
const PROFILE: &str = "/home/alice/.nix-profile";

/// A profile as Nix makes it, with one program.
const INSTALL: &str = "\
mkdir -p /nix/var/nix/profiles/per-user/alice/profile/bin && \
cd /nix/var/nix/profiles/per-user/alice/profile && \
printf '#!/bin/sh\necho from-nix\n' >bin/hello-ns && chmod +x bin/hello-ns && \
ln -sfn $PWD ~/.nix-profile";

/// A machine to log in to, and alice on it, who has installed something.
macro_rules! machine_with_profile_or_skip {
    () => {{
        let machine = machine_or_skip!().set_up();
        let alice = machine.nix_user("alice");
        machine.ssh("alice", INSTALL).ok();
        (machine, alice)
    }};
}

/// A variable as the commands of a session have it.
#[track_caller]
fn variable(machine: &Machine, name: &str) -> String {
    let seen = machine.ssh("alice", &format!("echo \"${{{name}-unset}}\""));
    seen.ok().to_owned()
}

#[track_caller]
fn has_no_environment(machine: &Machine) {
    let seen = machine.ssh("alice", "echo $NIX_NS $PATH ${XDG_DATA_DIRS-unset}");
    let (nix_ns, rest) = seen.ok().split_once(' ').expect("NIX_NS is set");
    assert_eq!(nix_ns, "1");
    assert!(!rest.contains("nix") && rest.ends_with(" unset"), "{rest}");
}

// ---- every way in

#[test]
fn a_program_of_the_profile_is_found_through_every_door() {
    let (machine, _) = machine_with_profile_or_skip!();
    let said = "1 from-nix";
    let ask = "echo $NIX_NS $(hello-ns)";
    for command in [
        ask.to_owned(),
        format!("bash -lc '{ask}'"),
        format!("dash -lc '{ask}'"),
        format!("echo '{ask}' | sudo -iu alice"),
        format!("su alice -c '{ask}'"),
        format!("su - alice -c '{ask}'"),
        format!("su -l -s /bin/dash alice -c '{ask}'"),
    ] {
        let seen = machine.ssh("alice", &command);
        assert_eq!(seen.ok(), said, "{command}");
    }
    for command in [
        format!("su alice -c '{ask}'"),
        format!("su - alice -c '{ask}'"),
        format!("echo '{ask}' | sudo -iu alice"),
    ] {
        let seen = machine.run(&command);
        assert_eq!(seen.ok(), said, "root: {command}");
    }
    let typed = format!("printf '%s\\n' '{ask}' exit | ssh -tt alice@localhost");
    let shell = machine.run(&typed);
    assert!(shell.ok().contains(said), "{shell}");
}

/// Debian's cron and sudo set PATH themselves; what they leave alone arrives,
/// and so does everything in a login shell.
#[test]
fn where_the_door_itself_sets_path_a_login_shell_finds_it() {
    let (machine, _) = machine_with_profile_or_skip!();
    let seen = machine.run("sudo -u alice sh -c 'echo $NIX_NS $NIX_PROFILES; command -v hello-ns'");
    assert!(
        seen.stdout.starts_with("1 /") && seen.stdout.ends_with(".nix-profile\n"),
        "{seen}"
    );
    let job = "echo $NIX_NS >~/seen; { hello-ns || bash -lc hello-ns; } >>~/seen; mv ~/seen ~/cron";
    let tab = format!("@reboot alice {job}\n");
    machine.write("/etc/cron.d/job", tab, 0o644, &User::root());
    let _cron = machine.spawn("rm -f /run/crond.reboot; exec cron -f");
    machine.wait_until("cron", || machine.exists("/home/alice/cron"));
    assert_eq!(machine.read("/home/alice/cron"), "1\nfrom-nix\n");
}

#[test]
fn at_takes_the_environment_of_whoever_asks() {
    let (machine, _) = machine_with_profile_or_skip!();
    machine
        .run("mkdir -p /var/spool/cron/atjobs /var/spool/cron/atspool")
        .ok();
    let _atd = machine.spawn("exec atd -f");
    let job = "{ echo $NIX_NS; hello-ns; } >~/seen 2>&1; mv ~/seen ~/at";
    machine.ssh("alice", &format!("echo '{job}' | at now")).ok();
    machine.wait_until("at", || machine.exists("/home/alice/at"));
    assert_eq!(machine.read("/home/alice/at"), "1\nfrom-nix\n");
}

#[test]
fn a_session_names_all_that_nix_itself_would() {
    let (machine, _) = machine_with_profile_or_skip!();
    machine.write(
        "/etc/ssl/certs/ca-certificates.crt",
        "",
        0o644,
        &User::root(),
    );
    for (name, value) in [
        ("NIX_NS", "1".to_owned()),
        ("PATH", format!("{PROFILE}/bin:{USUAL}")),
        (
            "XDG_DATA_DIRS",
            format!("/usr/local/share:/usr/share:{PROFILE}/share"),
        ),
        (
            "NIX_PROFILES",
            format!("/nix/var/nix/profiles/default {PROFILE}"),
        ),
        (
            "NIX_SSL_CERT_FILE",
            "/etc/ssl/certs/ca-certificates.crt".to_owned(),
        ),
        ("MANPATH", "unset".to_owned()),
    ] {
        assert_eq!(variable(&machine, name), value, "{name}");
    }
}

#[test]
fn what_the_system_sets_is_extended() {
    let (machine, _) = machine_with_profile_or_skip!();
    let text = "PATH=/opt/bin:/usr/bin:/bin\nXDG_DATA_DIRS=/opt/share\nMANPATH=/opt/man\n";
    machine.write("/etc/environment", text, 0o644, &User::root());
    for (name, value) in [
        ("PATH", format!("{PROFILE}/bin:/opt/bin:/usr/bin:/bin")),
        ("XDG_DATA_DIRS", format!("/opt/share:{PROFILE}/share")),
        ("MANPATH", format!("{PROFILE}/share/man:/opt/man")),
    ] {
        assert_eq!(variable(&machine, name), value, "{name}");
    }
}

/// Debian's sshd has pam_env after what all services include.
#[test]
fn where_a_later_line_sets_it_anew_the_entering_line_may_stand_twice() {
    let (machine, _) = machine_with_profile_or_skip!();
    let text = "PATH=/opt/bin:/usr/bin:/bin\n";
    machine.write("/etc/environment", text, 0o644, &User::root());
    let env = "session required pam_env.so";
    machine.pam("sshd", &[LEAVE, ENTER, env]);
    assert_eq!(variable(&machine, "PATH"), "/opt/bin:/usr/bin:/bin");
    machine.pam("sshd", &[LEAVE, ENTER, env, ENTER]);
    assert_eq!(
        variable(&machine, "PATH"),
        format!("{PROFILE}/bin:/opt/bin:/usr/bin:/bin")
    );
}

/// The installer's line in `~/.profile`, with a `nix.sh` of either age.
#[test]
fn nothing_is_named_twice_where_nixs_own_script_runs_too() {
    let (machine, alice) = machine_with_profile_or_skip!();
    let script =
        "/home/alice/.local/share/nix/var/nix/profiles/per-user/alice/profile/etc/profile.d/nix.sh";
    let source = format!(
        "if [ -e {PROFILE}/etc/profile.d/nix.sh ]; then . {PROFILE}/etc/profile.d/nix.sh; fi\n"
    );
    machine.write("/home/alice/.profile", source, 0o644, &alice);
    let path = "export PATH=\"$HOME/.nix-profile/bin:$PATH\"\n";
    let data = "export XDG_DATA_DIRS=\"${XDG_DATA_DIRS:-/usr/local/share:/usr/share}:$HOME/.nix-profile/share\"\n";
    for (text, shell) in [
        (path.to_owned(), "bash"),
        (format!("{data}{path}"), "bash"),
        (format!("{data}{path}"), "dash"),
    ] {
        machine.write(script, text, 0o644, &alice);
        let login = format!("{shell} -lc 'echo \"$PATH $XDG_DATA_DIRS\"'");
        assert_eq!(
            machine.ssh("alice", &login).ok(),
            format!("{PROFILE}/bin:{USUAL} /usr/local/share:/usr/share:{PROFILE}/share")
        );
    }
}

#[test]
fn a_login_shell_keeps_its_words_and_learns_no_new_functions() {
    let (machine, _) = machine_with_profile_or_skip!();
    let script = "echo \"$# $1 $(set | grep -c nix_ns)\"";
    let seen = machine.ssh("alice", &format!("bash -lc '{script}' name one"));
    assert_eq!(seen.ok(), "1 one 1", "the one is this very command");
}

// ---- which profile

#[test]
fn a_user_without_a_profile_keeps_the_systems_path_until_there_is_one() {
    let machine = machine_or_skip!().set_up();
    machine.nix_user("alice");
    let (_stays, _) = machine.stay_by_ssh("alice");
    // Looked for once, so that the kernel remembers that there is none.
    machine
        .ssh("alice", "ls ~/.nix-profile ~/.local/state/nix/profile")
        .fails();
    has_no_environment(&machine);
    machine.ssh("alice", INSTALL).ok();
    let seen = machine.logged_during(|| machine.ssh("alice", "hello-ns"));
    assert_eq!(seen.0.ok(), "from-nix");
    assert!(
        seen.1.iter().any(|line| line.contains(": joined")),
        "{:?}",
        seen.1
    );
}

#[test]
fn of_two_profiles_the_one_that_nix_takes_is_named() {
    let (machine, _) = machine_with_profile_or_skip!();
    machine
        .ssh("alice", "mkdir -p ~/.local/state/nix && ln -s $(readlink ~/.nix-profile) ~/.local/state/nix/profile")
        .ok();
    let state = "/home/alice/.local/state/nix/profile";
    assert_eq!(variable(&machine, "PATH"), format!("{state}/bin:{USUAL}"));
    let login = machine.ssh("alice", "bash -lc 'echo $PATH'");
    assert_eq!(login.ok(), format!("{state}/bin:{USUAL}"));
}

/// Nothing asks the file system itself, which may never answer.
#[test]
fn a_profile_that_does_not_answer_holds_up_nobody() {
    let (machine, _) = machine_with_profile_or_skip!();
    let (_stays, _) = machine.stay_by_ssh("alice");
    machine.ssh("alice", "mkdir -p ~/.local/state/nix").ok();
    let _mute = machine.mount_mute("/home/alice/.local/state/nix");
    let (seen, log) = machine.logged_during(|| machine.ssh("alice", "echo $PATH"));
    assert_eq!(seen.ok(), format!("{PROFILE}/bin:{USUAL}"));
    assert!(log.iter().any(|line| line.contains(": joined")), "{log:?}");
}

// ---- switched off

#[test]
fn the_site_or_the_user_can_switch_it_off() {
    let (machine, alice) = machine_with_profile_or_skip!();
    let (_stays, _) = machine.stay_by_ssh("alice");
    machine.configure_site("environment = false\n");
    has_no_environment(&machine);
    machine.configure(&alice, "environment = true\n");
    has_no_environment(&machine);
    machine.configure_site("environment = true\n");
    assert_eq!(machine.ssh("alice", "hello-ns").ok(), "from-nix");
    machine.configure(&alice, "environment = false\n");
    // The first reads what was edited, the second joins and reads nothing.
    has_no_environment(&machine);
    has_no_environment(&machine);
    let inside = machine.ssh(
        "alice",
        "env -u NIX_NS su - alice -c 'echo $NIX_NS ${NIX_PROFILES-unset}'",
    );
    assert_eq!(inside.ok(), "1 unset");
    let login = machine.ssh("alice", "bash -lc 'echo $PATH'");
    assert_eq!(login.ok(), USUAL);
    machine.configure(&alice, "");
    assert_eq!(machine.ssh("alice", "hello-ns").ok(), "from-nix");
}

#[test]
fn who_takes_no_part_gets_nothing() {
    let (machine, alice) = machine_with_profile_or_skip!();
    machine.configure(&alice, "enable = false\n");
    assert_eq!(variable(&machine, "NIX_NS"), "unset");
    assert!(!variable(&machine, "PATH").contains("nix"));
    assert_eq!(variable(&machine, "NIX_PROFILES"), "unset");
}

// ---- root

#[test]
fn root_gets_nothing_of_it() {
    let (machine, _) = machine_with_profile_or_skip!();
    machine
        .run(&format!("ln -s {PROFILE} /root/.nix-profile"))
        .ok();
    let show = "env | grep -e NIX -e alice/ -e XDG_DATA | grep -v -e ^OLDPWD= -e ^SUDO_ -e ^PWD=";
    for door in ["su - -c", "sudo sh -c", "sudo -i sh -c"] {
        let seen = machine.ssh("alice", &format!("{door} '{show} || echo nothing'"));
        assert_eq!(seen.ok(), "nothing", "{door}");
    }
    // Without a dash su keeps what the caller has: we add nothing to it.
    let kept = machine.ssh("alice", "env -i PATH=$PATH su -c env");
    let kept = kept.ok();
    assert!(
        !kept.contains("NIX_") && !kept.contains("XDG_DATA_DIRS"),
        "{kept}"
    );
    let logged = machine.ssh("root", &format!("{show} || echo nothing"));
    assert_eq!(logged.ok(), "nothing");
}

/// A hook of the site's that PAM runs as root with the session's environment.
const HOOK: &str = "session optional pam_exec.so /usr/local/sbin/hook";

const GOES_ON: &str = "session optional pam_permit.so \\";

/// Says which program it would run for a name that the system does not have.
fn write_hook(machine: &Machine) {
    let hook = "#!/bin/sh\necho \"$PAM_TYPE $(id -u) $(command -v hello-ns || echo none) ${XDG_DATA_DIRS-none}\" >>/run/hooked\n";
    machine.write("/usr/local/sbin/hook", hook, 0o755, &User::root());
}

#[test]
fn what_pam_runs_as_root_finds_no_program_of_a_users() {
    let (machine, _) = machine_with_profile_or_skip!();
    write_hook(&machine);
    for (stack, is_named) in [
        (vec![LEAVE, HOOK, ENTER], true),
        (vec![LEAVE, ENTER, HOOK], false),
        (vec![HOOK, LEAVE, ENTER], false),
        (vec![HOOK, ENTER], false),
        (vec![LEAVE, ENTER, HOOK, ENTER], false),
        (vec![LEAVE, ENTER, LEAVE, HOOK, ENTER], true),
        (vec![LEAVE, ENTER, HOOK, LEAVE, ENTER], false),
        // Whether the first line is one depends on the release of libpam.
        (vec![GOES_ON, "", LEAVE, HOOK, ENTER], false),
    ] {
        machine.pam("sshd", &stack);
        // libpam reads a stack in whatever encoding.
        let latin = r"printf '# gr\374n\n' >>/etc/pam.d/sshd";
        machine.run(&format!("{latin}; rm -f /run/hooked")).ok();
        let (seen, log) = machine.logged_during(|| machine.ssh("alice", "echo $NIX_NS $PATH"));
        let named = seen.ok().contains(PROFILE);
        assert_eq!(named, is_named, "{stack:?}: {seen}");
        let warned = log
            .iter()
            .any(|line| line.contains("may run programs with it as root"));
        assert_eq!(warned, !is_named, "{stack:?}: {log:?}");
        machine.wait_until("the session to close", || {
            machine.exists("/run/hooked") && machine.read("/run/hooked").contains("close_session")
        });
        let hooked = machine.read("/run/hooked");
        assert!(hooked.contains("open_session 0"), "{hooked}");
        for line in hooked.lines() {
            assert!(line.ends_with(" none none"), "{stack:?}: {hooked}");
        }
    }
}
