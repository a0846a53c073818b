//! Accounts that a directory server knows and no file of the host's.

use tests::User;

use crate::cell::Tried;
use crate::household::Household;

const SERVER: &str = "\
include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
include /etc/ldap/schema/nis.schema
pidfile /run/slapd/slapd.pid
modulepath /usr/lib/ldap
moduleload back_mdb
database mdb
suffix dc=cluster
directory /var/lib/directory
access to * by * read
";
const ENTRIES: &str = "\
dn: dc=cluster
objectClass: dcObject
objectClass: organization
o: cluster
dc: cluster

dn: uid=erin,dc=cluster
objectClass: account
objectClass: posixAccount
uid: erin
cn: erin
uidNumber: 20000
gidNumber: 20000
homeDirectory: /home/erin
loginShell: /bin/bash

dn: cn=erin,dc=cluster
objectClass: posixGroup
cn: erin
gidNumber: 20000

dn: cn=lab,dc=cluster
objectClass: posixGroup
cn: lab
gidNumber: 20001
memberUid: erin
";
const NSLCD: &str = "uid nslcd\ngid nslcd\nuri ldap://127.0.0.1/\nbase dc=cluster\n";
const SSSD: &str = "\
[sssd]
services = nss
domains = cluster
[domain/cluster]
id_provider = ldap
auth_provider = none
access_provider = permit
ldap_uri = ldap://127.0.0.1/
ldap_search_base = dc=cluster
ldap_id_use_start_tls = false
ldap_tls_reqcert = never
entry_cache_timeout = 1
";

pub fn from_ldap_by_nslcd(home: &mut Household) -> Tried {
    home.start_directory();
    home.ask("nslcd", "ldap");
    home.groups_of_the_directory_count();
    home.stop_directory("nslcd");
    Ok(())
}

pub fn from_ldap_by_sssd(home: &mut Household) -> Tried {
    home.start_directory();
    home.ask("sssd", "sss");
    home.groups_of_the_directory_count();
    home.stop_directory("sssd");
    Ok(())
}

/// A server that answers now and then, and later not at all: sssd remembers whom
/// it has seen. (nslcd remembers nobody, and then every login waits for it, also
/// without the module.)
pub fn from_ldap_that_is_slow_and_then_gone(home: &mut Household) -> Tried {
    home.start_directory();
    home.ask("sssd", "sss");
    let slow = "while sleep 0.1; do systemctl kill -s STOP directory; sleep 0.5; \
                systemctl kill -s CONT directory; done";
    let slow = home.bed.spawn(slow);
    home.erin_and_alice_get_theirs();
    drop(slow);
    home.bed.run("systemctl kill -s STOP directory").ok();
    home.erin_and_alice_get_theirs();
    home.bed.run("systemctl kill -s CONT directory").ok();
    home.stop_directory("sssd");
    Ok(())
}

impl Household {
    #[track_caller]
    fn start_directory(&self) {
        let root = User::root();
        self.bed
            .write("/etc/ldap/directory.conf", SERVER, 0o644, &root);
        self.bed.write("/root/entries.ldif", ENTRIES, 0o644, &root);
        self.bed.write("/etc/nslcd.conf", NSLCD, 0o600, &root);
        self.bed.write("/etc/sssd/sssd.conf", SSSD, 0o600, &root);
        let started = self.bed.run(
            "mkdir -p /var/lib/directory /run/slapd && \
             slapadd -q -f /etc/ldap/directory.conf -l /root/entries.ldif && \
             systemd-run --quiet --unit directory \
                 slapd -f /etc/ldap/directory.conf -h ldap://127.0.0.1/ -d 0",
        );
        started.ok();
        let answers = "ldapsearch -x -H ldap://127.0.0.1/ -b dc=cluster uid=erin uid";
        self.bed.wait_until("the directory to answer", || {
            self.bed.run(answers).stdout.contains("uid: erin")
        });
        let home = "install -d -m 0700 -o 20000 -g 20000 /home/erin && cd /home/erin && \
                    install -d -o 20000 -g 20000 .config .config/nix-ns .ssh";
        self.bed.run(home).ok();
        let key = self.bed.read("/root/.ssh/id_ed25519.pub");
        let file = "/home/erin/.ssh/authorized_keys";
        self.bed.write(file, key, 0o600, &erin());
        self.bed.configure(&erin(), "");
    }

    /// Has the name service switch ask the directory by this daemon.
    #[track_caller]
    fn ask(&self, daemon: &str, source: &str) {
        let switch = format!("passwd: files {source}\ngroup: files {source}\nshadow: files\n");
        self.bed
            .write("/etc/nsswitch.conf", switch, 0o644, &User::root());
        self.bed.run(&format!("systemctl start {daemon}")).ok();
        self.bed.wait_until("erin to be known", || {
            self.bed.run("id -nG erin").stdout.contains("lab")
        });
    }

    #[track_caller]
    fn groups_of_the_directory_count(&self) {
        let owner = |site| {
            self.bed.configure_site(site);
            let found = self.behind(|probe| self.bed.ssh("erin", probe));
            found.owner().to_owned()
        };
        assert_eq!(owner(""), "20000");
        assert_eq!(owner("[users]\nallow_groups = [\"lab\"]\n"), "20000");
        assert_eq!(owner("[users]\ndeny_groups = [\"lab\"]\n"), "0");
        self.bed.configure_site("");
    }

    #[track_caller]
    fn erin_and_alice_get_theirs(&self) {
        let found = self.behind(|probe| self.bed.ssh("erin", probe));
        assert_eq!(found.owner(), "20000", "{}", self.bed.log());
        let found = self.behind(|probe| self.bed.ssh("alice", probe));
        self.is_alices(&found);
    }

    #[track_caller]
    fn stop_directory(&self, daemon: &str) {
        self.has_left("erin");
        let stop = format!("systemctl stop {daemon} directory");
        self.bed.run(&stop).ok();
        let switch = "passwd: files\ngroup: files\nshadow: files\n";
        self.bed
            .write("/etc/nsswitch.conf", switch, 0o644, &User::root());
    }
}

fn erin() -> User {
    User {
        name: "erin".into(),
        uid: 20_000,
        gid: 20_000,
        home: "/home/erin".into(),
    }
}
