//! What the module answers Linux-PAM, and what it tells the user and the log.

use tests::{ENTER, LEAVE, Lines, Machine, User, machine_or_skip};

/// A machine with the module, the program that calls it, and alice, who has a
/// configuration.
macro_rules! machine_with_alice_or_skip {
    () => {{
        let machine = machine_or_skip!();
        machine.install_module();
        machine.install_pam_host();
        let alice = machine.nix_user("alice");
        (machine, alice)
    }};
}

// ---- codes

#[test]
fn a_user_with_a_nix_is_a_success() {
    let (machine, _) = machine_with_alice_or_skip!();
    assert_eq!(answer(&machine, "", "alice"), "success");
    assert_eq!(answer(&machine, "leave", "alice"), "success");
}

#[test]
fn a_user_without_a_configuration_is_ignored() {
    let (machine, _) = machine_with_alice_or_skip!();
    machine.user("bob");
    assert_eq!(answer(&machine, "", "bob"), "ignore");
}

#[test]
fn a_user_who_switched_it_off_is_ignored() {
    let (machine, alice) = machine_with_alice_or_skip!();
    machine.configure(&alice, "enable = false\n");
    assert_eq!(answer(&machine, "", "alice"), "ignore");
}

#[test]
fn a_user_who_is_not_selected_is_ignored() {
    let (machine, _) = machine_with_alice_or_skip!();
    machine.configure_site("[users]\ndeny_users = [\"alice\"]\n");
    assert_eq!(answer(&machine, "", "alice"), "ignore");
}

#[test]
fn root_is_ignored() {
    let (machine, _) = machine_with_alice_or_skip!();
    machine
        .run("mkdir -p /root/.config/nix-ns && touch /root/.config/nix-ns/config.toml")
        .ok();
    assert_eq!(answer(&machine, "", "root"), "ignore");
}

#[test]
fn a_broken_user_configuration_is_ignored() {
    let (machine, alice) = machine_with_alice_or_skip!();
    machine.configure(&alice, "enable =\n");
    assert_eq!(answer(&machine, "", "alice"), "ignore");
}

#[test]
fn a_broken_site_configuration_is_ignored() {
    let (machine, _) = machine_with_alice_or_skip!();
    machine.configure_site("enable =\n");
    assert_eq!(answer(&machine, "", "alice"), "ignore");
    assert_eq!(answer(&machine, "leave", "alice"), "success");
}

#[test]
fn a_broken_user_configuration_fails_a_strict_site() {
    let (machine, alice) = machine_with_alice_or_skip!();
    machine.configure_site("strict = true\n");
    assert_eq!(answer(&machine, "", "alice"), "success");
    machine.configure(&alice, "enable =\n");
    assert_eq!(answer(&machine, "", "alice"), "system_err");
}

/// A namespace that is not the recorded one any more is left again; strace
/// lets that fail, as nothing else does.
#[test]
fn a_way_back_that_fails_stops_the_session() {
    let (machine, _) = machine_with_alice_or_skip!();
    machine.pam_lines("host", Lines::EnterOnly);
    let mut first = machine.spawn("pam-host host alice -- sh -c 'echo in; sleep 100'");
    first.until_it_says("in");
    let cover = "nsenter -m -t $(pgrep -u alice sleep) mount --bind /home/alice /nix";
    machine.run(cover).ok();

    let fail = "strace -qq -o /dev/null -e inject=setns:error=EPERM:when=2";
    let opened = machine.run(&format!("{fail} pam-host host alice -- echo ran"));
    // PAM_ABORT
    assert!(opened.ok().contains("open 26"), "{opened}");
    assert!(!opened.stdout.contains("ran"), "{opened}");
    assert!(opened.log.contains("cannot go back"), "{opened}");
}

#[test]
fn the_recommended_lines_let_everything_harmless_through() {
    let (machine, alice) = machine_with_alice_or_skip!();
    machine.user("bob");
    machine.pam("probe", &[LEAVE, "session required pam_permit.so", ENTER]);
    machine.configure(&alice, "enable =\n");
    for user in ["alice", "bob", "root"] {
        let opened = machine.pam_host(&format!("probe {user}"));
        assert!(opened.ok().contains("open 0\n"), "{user}: {opened}");
        assert!(opened.ok().ends_with("close 0"), "{user}: {opened}");
    }
}

/// Linux-PAM finds no such function in the module; a silent success would be
/// an open door.
#[test]
fn the_module_in_an_auth_line_is_an_unknown_module() {
    let (machine, _) = machine_with_alice_or_skip!();
    for kind in ["auth", "account", "password"] {
        let stack = format!("{kind} required pam_nixns.so\nsession required pam_permit.so\n");
        machine.write("/etc/pam.d/probe", stack, 0o644, &User::root());
        if kind == "auth" {
            let asked = machine.pam_host("--authenticate probe alice");
            assert!(asked.ok().contains("authenticate 28\n"), "{asked}");
        }
        let opened = machine.pam_host("probe alice");
        assert!(opened.ok().contains("open 0\n"), "{kind}: {opened}");
    }
}

// ---- arguments

#[test]
fn an_unknown_argument_is_logged_and_does_not_matter() {
    let (machine, _) = machine_with_alice_or_skip!();
    machine.pam("probe", &["session required pam_nixns.so debgu"]);
    let (opened, log) =
        machine.logged_during(|| machine.pam_host("probe alice -- stat -c %U /nix"));
    assert!(opened.ok().contains("\nalice\n"), "{opened}");
    let complaints: Vec<_> = log.iter().filter(|line| line.contains("`debgu`")).collect();
    assert_eq!(complaints.len(), 1, "{log:?}");
    assert!(
        complaints[0].contains("leave, debug and config="),
        "{log:?}"
    );
}

#[test]
fn another_site_configuration_can_be_named() {
    let (machine, _) = machine_with_alice_or_skip!();
    machine.write("/etc/off.toml", "enable = false\n", 0o644, &User::root());
    assert_eq!(answer(&machine, "config=/etc/off.toml", "alice"), "ignore");
    assert_eq!(answer(&machine, "", "alice"), "success");
}

#[test]
fn debug_tells_why_nothing_was_done_and_without_it_nothing_is_said() {
    let (machine, _) = machine_with_alice_or_skip!();
    machine.user("bob");
    machine.pam("quiet", &["session optional pam_nixns.so"]);
    machine.pam("talking", &["session optional pam_nixns.so debug"]);
    let (_, quiet) = machine.logged_during(|| machine.pam_host("quiet bob"));
    assert!(quiet.is_empty(), "{quiet:?}");
    let (_, talking) = machine.logged_during(|| machine.pam_host("talking bob"));
    assert_eq!(talking.len(), 1, "{talking:?}");
    assert!(talking[0].contains("no user configuration"), "{talking:?}");
}

// ---- the user's text

#[test]
fn a_user_is_told_what_is_wrong_with_the_configuration() {
    let (machine, alice) = machine_with_alice_or_skip!();
    machine.pam("probe", &[ENTER, "session required pam_permit.so"]);
    machine.configure(&alice, "\n  enable = 7\n");
    let told = messages(&machine, "probe alice");
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].contains("no /nix"), "{told:?}");
    assert!(told[0].contains("config.toml:2:12"), "{told:?}");
}

#[test]
fn silence_is_kept_where_the_application_wants_it() {
    let (machine, alice) = machine_with_alice_or_skip!();
    machine.pam("probe", &[ENTER, "session required pam_permit.so"]);
    machine.configure(&alice, "enable = 7\n");
    let (opened, log) = machine.logged_during(|| machine.pam_host("--silent probe alice"));
    assert!(!opened.ok().contains("message"), "{opened}");
    assert_eq!(log.len(), 1, "the log is another matter: {log:?}");
}

#[test]
fn the_faults_of_the_site_are_not_told_to_users() {
    let (machine, _) = machine_with_alice_or_skip!();
    machine.pam("probe", &[ENTER, "session required pam_permit.so"]);
    machine.configure_site("enable = 7\n");
    assert_eq!(messages(&machine, "probe alice"), [""; 0]);
}

// ---- the process

#[test]
fn the_command_of_a_session_is_on_the_users_nix() {
    let (machine, _) = machine_with_alice_or_skip!();
    machine.pam("probe", &[LEAVE, ENTER]);
    let opened = machine.pam_host("probe alice -- stat -c '%U %a' /nix");
    assert_eq!(opened.ok(), "open 0\nalice 700\ncommand 0\nclose 0");
}

/// All but the namespace, which is what it is about.
#[test]
fn the_process_is_as_it_was() {
    let (machine, alice) = machine_with_alice_or_skip!();
    machine.pam("probe", &[LEAVE, ENTER, "session required pam_permit.so"]);
    let host = machine.run("readlink /proc/self/ns/mnt").ok().to_owned();
    for (case, text) in [("builds", ""), ("refuses", "enable = 7\n")] {
        machine.configure(&alice, text);
        for place in ["/", "/home", "/etc/pam.d"] {
            let opened = machine.run(&format!("cd {place} && pam-host --state probe alice"));
            let before = state(opened.ok(), "before", true);
            assert!(
                before.contains(&format!("cwd={place}").as_str()),
                "{opened}"
            );
            assert_eq!(
                state(opened.ok(), "opened", true),
                before,
                "{case}: {opened}"
            );
            assert_eq!(
                state(opened.ok(), "closed", true),
                before,
                "{case}: {opened}"
            );
            let there = format!("namespace={host}");
            let moments = ["before", "opened", "closed"]
                .map(|moment| state(opened.ok(), moment, false).contains(&there.as_str()));
            assert_eq!(moments, [true, case == "refuses", true], "{opened}");
        }
    }
}

/// As sshd, cron and su do it all day long.
#[test]
fn a_hundred_sessions_in_one_process_leave_nothing_in_it() {
    let (machine, _) = machine_with_alice_or_skip!();
    machine.pam("probe", &[LEAVE, ENTER]);
    let opened = machine.pam_host("--times 100 --state probe alice");
    let sessions: Vec<_> = opened.ok().matches("open 0\n").collect();
    assert_eq!(sessions.len(), 100, "{opened}");
    let descriptors = |moment| {
        let mut all = state(opened.ok(), moment, true);
        all.retain(|line| line.starts_with("descriptors="));
        all.dedup();
        all
    };
    assert_eq!(descriptors("closed").len(), 1, "{opened}");
    assert_eq!(descriptors("closed"), descriptors("before"));
}

// ---- threads

#[test]
fn a_program_with_threads_keeps_its_namespace_and_the_log_says_so() {
    let (machine, _) = machine_with_alice_or_skip!();
    machine.pam("probe", &[LEAVE, ENTER, "session required pam_permit.so"]);
    let host = machine.run("readlink /proc/self/ns/mnt").ok().to_owned();
    let call = "--second-thread probe alice -- readlink /proc/self/ns/mnt";
    let (opened, log) = machine.logged_during(|| machine.pam_host(call));
    let expected = format!("open 0\n{host}\ncommand 0\nclose 0\nother thread {host}");
    assert_eq!(opened.ok(), expected);
    assert_eq!(log.len(), 1, "{log:?}");
    assert!(log[0].contains("has 2 threads"), "{log:?}");
    assert!(log[0].contains("`threaded`"), "{log:?}");
}

#[test]
fn a_service_may_be_listed_as_threaded_and_only_the_calling_thread_moves() {
    let (machine, _) = machine_with_alice_or_skip!();
    machine.pam("probe", &[LEAVE, ENTER]);
    machine.configure_site("[services.probe]\nthreaded = true\n");
    let host = machine.run("readlink /proc/self/ns/mnt").ok().to_owned();
    for options in [
        "--second-thread",
        "--from-thread",
        "--from-thread --second-thread",
    ] {
        let opened = machine.pam_host(&format!("{options} probe alice -- stat -c %U /nix"));
        let said = opened.ok();
        assert!(
            said.starts_with("open 0\nalice\ncommand 0\nclose 0"),
            "{opened}"
        );
        if options.contains("second") {
            assert!(said.ends_with(&format!("other thread {host}")), "{opened}");
        }
    }
}

// ---- tools

/// What the module answers in a session line with these arguments, found out by
/// where Linux-PAM jumps to.
fn answer(machine: &Machine, arguments: &str, user: &str) -> String {
    let controls = "success=ignore ignore=2 system_err=4 abort=6 default=8";
    let module = format!("session [{controls}] pam_nixns.so {arguments}");
    let mut stack = vec![module];
    for word in ["success", "ignore", "system_err", "abort", "another"] {
        stack.push(format!("session optional pam_echo.so answer: {word}"));
        stack.push("session [default=done] pam_permit.so".into());
    }
    let stack: Vec<&str> = stack.iter().map(String::as_str).collect();
    machine.pam("answer", &stack);
    let opened = machine.pam_host(&format!("answer {user}"));
    // Close hooks answer for themselves.
    let (at_open, _) = opened.ok().split_once("open 0").expect("an answer");
    let word = at_open
        .lines()
        .find_map(|line| line.strip_prefix("message answer: "));
    word.unwrap_or_else(|| panic!("no answer: {opened}")).into()
}

fn messages(machine: &Machine, call: &str) -> Vec<String> {
    let opened = machine.pam_host(call);
    let lines = opened.ok().lines();
    lines
        .filter_map(|line| Some(line.strip_prefix("message ")?.to_owned()))
        .collect()
}

/// What the program is like at a moment; with or without the namespace, which
/// is to change.
fn state<'a>(output: &'a str, moment: &str, without_namespace: bool) -> Vec<&'a str> {
    let lines = output
        .lines()
        .filter_map(|line| line.strip_prefix(moment)?.strip_prefix(' '));
    lines
        .filter(|line| !(without_namespace && line.starts_with("namespace=")))
        .collect()
}
