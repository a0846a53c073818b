//! The main job, shown: two people log in over real ssh, and each has a `/nix`
//! of their own. Ends with an error if any of it is not so.

use std::fmt::Display;
use std::process::ExitCode;
use std::time::Instant;

use tests::{Machine, Output, Status};

/// A derivation that needs nothing but a shell: there is no network here.
const DERIVATION: &str = r#"
derivation {
  name = "hello-nix-ns"; system = builtins.currentSystem; builder = "/bin/sh";
  args = [ "-c" "/bin/mkdir -p $out/bin; printf '#!/bin/sh\necho hello from '$out'\n' > $out/bin/hello; /bin/chmod +x $out/bin/hello" ];
}
"#;

fn main() -> ExitCode {
    match show() {
        Ok(()) => ExitCode::SUCCESS,
        Err(what) => {
            println!("\n  This is not so: {what}");
            ExitCode::FAILURE
        }
    }
}

fn show() -> Result<(), String> {
    if !tests::root_or_skip("demo") {
        return Err("a throw-away machine needs root".to_owned());
    }
    let host_before = host_mounts()?;

    step("A throw-away machine on top of this one");
    let begun = Instant::now();
    let machine = Machine::start().map_err(|error| error.to_string())?;
    say(format!(
        "started in {} ms; nothing in it reaches this system",
        begun.elapsed().as_millis()
    ));

    step("The module, two lines in each of its PAM stacks, and a real sshd");
    machine.install_module();
    machine.sshd();
    show_output(&run(&machine, "grep -h pam_nixns /etc/pam.d/sshd")?);

    step("Two people, who opt in with an empty file");
    for user in ["alice", "bob"] {
        machine.user(user);
        let opt_in = "mkdir -p ~/.config/nix-ns && touch ~/.config/nix-ns/config.toml";
        ssh(&machine, user, opt_in)?;
        say(format!("{user}$ {opt_in}"));
    }

    step("Both log in over ssh; each sees a /nix of their own");
    for user in ["alice", "bob"] {
        let owner = ssh(&machine, user, "stat -c '%U %a' /nix")?;
        same(&owner, &format!("{user} 700"))?;
        show_output(&ssh(
            &machine,
            user,
            "findmnt -n -o TARGET,SOURCE,OPTIONS /nix",
        )?);
    }

    step("alice builds with an unmodified Nix");
    machine.write(
        "/home/alice/hello.nix",
        DERIVATION,
        0o644,
        &tests::User::root(),
    );
    let nix = "export NIX_CONFIG='substitute = false'; nix-store --init && nix-build --option sandbox false hello.nix -o result 2>/dev/null";
    let path = ssh(&machine, "alice", nix)?;
    say(format!("alice$ nix-build hello.nix\n{path}"));
    let hello = ssh(&machine, "alice", "./result/bin/hello")?;
    same(&hello, &format!("hello from {path}"))?;
    say(format!("alice$ ./result/bin/hello\n{hello}"));

    step("bob sees nothing of it, and cannot reach it");
    same(&ssh(&machine, "bob", "find /nix -type f")?, "")?;
    let peek = machine.ssh("bob", "ls /home/alice/.local/share/nix");
    if peek.status == Status::Exited(0) {
        return Err(format!("bob reads alice's store: {peek}"));
    }
    show_output(peek.stderr.trim());

    step("root, from inside alice's session, is back on the host's empty /nix");
    let root = ssh(
        &machine,
        "alice",
        "stat -c 'alice: /nix of %U' /nix; su -c \"stat -c 'root:  /nix of %U' /nix\"",
    )?;
    same(&root, "alice: /nix of alice\nroot:  /nix of root")?;
    show_output(&root);

    step("What the administrator reads");
    let log = machine.log();
    for line in log
        .lines()
        .filter(|line| line.contains("pam_nixns"))
        .take(3)
    {
        show_output(line.split_once("]: ").map_or(line, |(_, text)| text));
    }

    step("And nothing of it was ever on the host");
    same(
        &run(
            &machine,
            "ls -A /nix; grep -c ' /nix ' /proc/self/mountinfo || true",
        )?,
        "0",
    )?;
    drop(machine);
    if host_mounts()? != host_before {
        return Err("this system's mounts have changed".to_owned());
    }
    say("the machine is gone; this system's mount table is what it was");
    println!("\nAll of it is so.");
    Ok(())
}

fn step(what: &str) {
    println!("\n== {what}");
}

fn say(what: impl Display) {
    for line in what.to_string().lines() {
        println!("   {line}");
    }
}

fn show_output(text: &str) {
    for line in text.lines() {
        println!("   | {line}");
    }
}

fn run(machine: &Machine, command: &str) -> Result<String, String> {
    succeeded(&machine.run(command))
}

fn ssh(machine: &Machine, user: &str, command: &str) -> Result<String, String> {
    succeeded(&machine.ssh(user, command))
}

fn succeeded(output: &Output) -> Result<String, String> {
    match output.status {
        Status::Exited(0) => Ok(output.stdout.trim().to_owned()),
        _ => Err(output.to_string()),
    }
}

fn same(found: &str, expected: &str) -> Result<(), String> {
    if found == expected {
        Ok(())
    } else {
        Err(format!("expected {expected:?}, found {found:?}"))
    }
}

fn host_mounts() -> Result<String, String> {
    std::fs::read_to_string("/proc/self/mountinfo").map_err(|error| error.to_string())
}
