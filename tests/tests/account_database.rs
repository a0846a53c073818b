//! Who a user is, is asked of the account database, not read in /etc/passwd.

use tests::whereabouts::{COMMON, PROBE, Whereabouts};
use tests::{Lines, machine_or_skip, skip};

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
    machine.directory_user("erin", 20_000, "lab");
    machine.sshd();
    machine.run("! grep erin /etc/passwd").ok();
    let by_ssh = machine.where_ssh_leads("erin");
    assert_eq!(by_ssh.owner(), "20000", "{}", machine.log());
    let session = machine.keep_by_ssh("erin");
    machine.pam_host(&format!("host erin -- {PROBE}")).ok();
    let report = machine.read(&format!("{COMMON}/report"));
    let found = Whereabouts::parse(&report).expect("the probe says it all");
    assert_eq!(found.namespace, session.namespace, "{}", machine.log());
    // A group of hers that only the account database knows.
    let site = "[users]\nallow_groups = [\"lab\"]\n";
    machine.configure_site(site);
    assert_eq!(machine.where_ssh_leads("erin").owner(), "20000");
    let site = "[users]\ndeny_groups = [\"lab\"]\n";
    machine.configure_site(site);
    assert_eq!(machine.where_ssh_leads("erin").owner(), "0");
}
