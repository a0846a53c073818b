//! A real ssh login lands on its own `/nix`.

#[test]
fn first_light() {
    let machine = tests::machine_or_skip!();
    machine.user("alice");
    machine.install_module();
    machine.sshd();
    println!(
        "{}",
        machine
            .ssh(
                "alice",
                "mkdir -p ~/.config/nix-ns; touch ~/.config/nix-ns/config.toml; ls -ld /nix"
            )
            .ok()
    );
    let out = machine.ssh("alice", "stat -c '%U %a' /nix; grep -E ' /nix | /run/nix-ns' /proc/self/mountinfo; cat /run/nix-ns/self/namespace; ls -l /run/nix-ns/self; id; pwd; readlink /proc/self/ns/mnt");
    println!("{out:?}");
    let out = machine.ssh("alice", "stat -c '%U %a' /nix; readlink /proc/self/ns/mnt; su -c 'readlink /proc/self/ns/mnt; stat -c %U /nix'");
    println!("{out:?}");
    println!("{}", machine.log());
    println!("{:?}", machine.run("find /run/nix-ns -ls"));
    panic!();
}
