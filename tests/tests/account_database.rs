//! Who a user is, is asked of the account database, not read in /etc/passwd.

use tests::whereabouts::{COMMON, PROBE, Whereabouts};
use tests::{Lines, User, machine_or_skip, skip};

/// A directory service's users are in no file of the host's either.
#[test]
fn a_user_of_another_source_than_passwd_gets_nix() {
    let machine = machine_or_skip!();
    if machine
        .run("ls -d /usr/lib/libnss_extrausers.so.2 /lib/*/libnss_extrausers.so.2")
        .stdout
        .is_empty()
    {
        skip(
            "a_user_of_another_source_than_passwd_gets_nix",
            "needs libnss-extrausers",
        );
        return;
    }
    machine.install_module();
    machine.install_probe();
    machine.install_pam_host();
    machine.pam_lines("host", Lines::Both);
    let root = User::root();
    let remote = User {
        name: "erin".into(),
        uid: 20_000,
        gid: 20_000,
        home: "/home/erin".into(),
    };
    let nsswitch = "passwd: files extrausers\ngroup: files extrausers\nshadow: files extrausers\n";
    machine.write("/etc/nsswitch.conf", nsswitch, 0o644, &root);
    for (file, line) in [
        ("passwd", "erin:x:20000:20000::/home/erin:/bin/bash\n"),
        ("group", "erin:x:20000:\nlab:x:20001:erin\n"),
        ("shadow", "erin:*:19000:0:99999:7:::\n"),
    ] {
        machine.write(&format!("/var/lib/extrausers/{file}"), line, 0o644, &root);
    }
    machine
        .run("install -d -m 700 -o 20000 -g 20000 /home/erin")
        .ok();
    let configured =
        machine.run("cd /home/erin && install -d -o erin -g erin .config .config/nix-ns .ssh");
    configured.ok();
    machine.configure(&remote, "");
    machine
        .run("install -m 600 -o erin -g erin ~/.ssh/id_ed25519.pub ~erin/.ssh/authorized_keys")
        .ok();
    machine.sshd();
    machine.run("! grep erin /etc/passwd").ok();
    let by_ssh = machine.where_ssh_leads("erin");
    assert_eq!(by_ssh.owner(), "20000", "{}", machine.log());
    let session = machine.keep_by_ssh("erin");
    machine.pam_host(&format!("host erin -- {PROBE}")).ok();
    let report = machine.read(&format!("{COMMON}/report"));
    let found = Whereabouts::parse(&report).expect("the probe says it all");
    assert_eq!(found.namespace, session.namespace);
    // A group of hers that only the account database knows.
    let site = "[users]\nallow_groups = [\"lab\"]\n";
    machine.write("/etc/nix-ns/config.toml", site, 0o644, &root);
    assert_eq!(machine.where_ssh_leads("erin").owner(), "20000");
    let site = "[users]\ndeny_groups = [\"lab\"]\n";
    machine.write("/etc/nix-ns/config.toml", site, 0o644, &root);
    assert_eq!(machine.where_ssh_leads("erin").owner(), "0");
}
