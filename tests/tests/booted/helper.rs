//! Doors without PAM, from which `nix-ns enter` leads on.

use crate::cell::Tried;
use crate::household::Household;

pub fn runuser(home: &mut Household) -> Tried {
    leads_on(home, |home, enter| {
        home.bed
            .ssh("root", &format!("runuser -u alice -- {enter}"))
    })
}

pub fn service_with_user(home: &mut Household) -> Tried {
    leads_on(home, |home, enter| {
        let service = "systemd-run --quiet --wait -p User=alice";
        home.bed.run(&format!("{service} {enter}"))
    })
}

pub fn dropbear(home: &mut Household) -> Tried {
    home.bed
        .run("dropbearkey -t ed25519 -f /etc/dropbear_key >/dev/null 2>&1")
        .ok();
    let server = "systemd-run --quiet --unit dropbear dropbear -F -r /etc/dropbear_key -p 2222";
    home.bed.run(server).ok();
    let listens = || {
        home.bed
            .run("ss -Hltn 'sport = 2222'")
            .ok()
            .contains(":2222")
    };
    home.bed.wait_until("dropbear to listen", listens);
    let tried = leads_on(home, |home, enter| {
        home.bed
            .run(&format!("ssh -p 2222 alice@localhost {enter}"))
    });
    home.bed.run("systemctl stop dropbear").ok();
    tried
}

pub fn by_sudo(home: &mut Household) -> Tried {
    let anchor = home.anchor();
    let found = home.behind(|probe| {
        let sudo = format!(
            "echo {} | sudo -S nix-ns enter {probe}",
            crate::household::PASSWORD
        );
        home.bed
            .run("echo 'alice ALL=(ALL) ALL' >/etc/sudoers.d/alice")
            .ok();
        home.bed.ssh("alice", &sudo)
    });
    home.is_with(&anchor, &found);
    Ok(())
}

#[track_caller]
fn leads_on(home: &Household, open: impl Fn(&Household, &str) -> tests::Output) -> Tried {
    home.bed.run("chmod 4711 /usr/libexec/nix-ns-enter").ok();
    let anchor = home.anchor();
    let found = home.behind(|probe| open(home, probe));
    home.is_on_the_host(&found, home.alice.uid);
    let found = home.behind(|probe| open(home, &format!("nix-ns enter {probe}")));
    home.is_with(&anchor, &found);
    Ok(())
}
