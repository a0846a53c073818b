//! Homes that are not there yet when the first session begins.

use tests::User;

use crate::cell::{NotThere, Tried};
use crate::household::{Household, PASSWORD};

/// A lingering user's manager starts at boot, and the home comes later. Who logs
/// in then has a `/nix`; the manager gets one when it starts anew.
pub fn comes_after_a_lingering_manager(home: &mut Household) -> Tried {
    home.bed.ssh("root", "loginctl enable-linger alice").ok();
    home.bed.run("mv /home/alice /srv/alice").ok();
    home.bed.boot_again();
    home.bed.run("mv /srv/alice /home/alice").ok();
    let session = home.anchor();
    let found = home.behind(|probe| home.bed.ssh("alice", probe));
    home.is_with(&session, &found);
    home.bed
        .run(&format!("systemctl restart user@{}", home.alice.uid))
        .ok();
    let found = home.behind(|probe| {
        home.bed
            .ssh("alice", &format!("systemd-run --user --wait {probe} || :"))
    });
    home.is_with(&session, &found);
    drop(session);
    home.bed.ssh("root", "loginctl disable-linger alice").ok();
    Ok(())
}

/// Made in the same stack at the first login; everybody takes part.
pub fn made_by_pam_mkhomedir(home: &mut Household) -> Tried {
    home.will_be_made_for("carol");
    let before = "cd /etc/pam.d && line=$(grep pam_mkhomedir common-session) && \
                  sed -i -e /pam_mkhomedir/d -e \"s|.*pam_systemd.so.*|$line\\n&|\" common-session";
    home.bed.run(before).ok();
    home.log_in_at_console("carol", PASSWORD);
    home.session_and_manager_agree("carol");
    home.bed.enter_at_console("exit");
    home.has_left("carol");
    Ok(())
}

/// Debian's profile makes the home after pam_systemd has started the manager,
/// which then has no `/nix` until it starts anew. The session has one.
pub fn made_by_pam_mkhomedir_after_the_manager_started(home: &mut Household) -> Tried {
    home.will_be_made_for("carol");
    home.log_in_at_console("carol", PASSWORD);
    let session = home.behind(|probe| home.at_console(probe));
    assert_eq!(session.owner(), home.bed.uid("carol").to_string());
    home.bed.enter_at_console("exit");
    home.has_left("carol");
    home.log_in_at_console("carol", PASSWORD);
    home.session_and_manager_agree("carol");
    home.bed.enter_at_console("exit");
    home.has_left("carol");
    Ok(())
}

/// Mounted in the same stack, with the password of the login.
pub fn mounted_by_pam_mount(home: &mut Household) -> Tried {
    home.will_be_mounted_for_alice();
    home.log_in_at_console("alice", PASSWORD);
    home.session_and_manager_agree("alice");
    assert!(home.alices_is_mounted(), "{}", home.bed.log());
    home.bed.enter_at_console("exit");
    Ok(())
}

/// By su in bob's session, which has a view of its own: mounted and unmounted
/// for everybody, as if there were none.
pub fn mounted_by_pam_mount_for_su(home: &mut Household) -> Tried {
    home.will_be_mounted_for_alice();
    let bob = home.bed.keep_by_ssh("bob");
    let mut session = home.bed.spawn_ssh(
        "bob",
        &[],
        &format!("echo {PASSWORD} | su - alice -c 'stat -c %U /nix; echo is there; sleep 1000'"),
    );
    session.until_it_says("alice\nis there");
    assert!(home.alices_is_mounted(), "{}", home.bed.log());
    home.bed.run("pkill -u alice -x sleep").ok();
    let _ = session.finish();
    drop(bob);
    home.has_left("bob");
    home.bed
        .wait_until("the home to be unmounted", || !home.alices_is_mounted());
    Ok(())
}

/// Activated by systemd-homed in the same stack.
pub fn activated_by_homed(home: &mut Household) -> Tried {
    home.enable("systemd-homed");
    home.bed.run("systemctl enable --now systemd-homed").ok();
    // systemd-homed's own uids are above those of /etc/login.defs.
    home.bed
        .configure_site("opt_in = false\n[users]\nuid_max = 60513\n");
    let created = home.bed.run(&format!(
        "NEWPASSWORD={PASSWORD} homectl create dora --storage=directory --uid=60100 \
         --enforce-password-policy=no"
    ));
    if created.status != tests::Status::Exited(0) {
        return Err(NotThere(format!("homectl: {}", created.stderr.trim())));
    }
    home.log_in_at_console("dora", PASSWORD);
    home.session_and_manager_agree("dora");
    home.bed.enter_at_console("exit");
    home.has_left("dora");
    Ok(())
}

/// Mounted by the automounter when the login first looks at it, behind a link of
/// root's; other people's homes are mounted when a session looks at them, and
/// seen in it.
pub fn mounted_by_autofs(home: &mut Household) -> Tried {
    let root = User::root();
    home.bed
        .write("/etc/auto.master", "/auto /etc/auto.homes\n", 0o644, &root);
    let map = "* -fstype=bind :/srv/homes/&\n";
    home.bed.write("/etc/auto.homes", map, 0o644, &root);
    home.bed
        .run("mv /home /srv/homes && ln -s /auto /home && systemctl start autofs")
        .ok();
    let session = home.anchor();
    assert!(home.bed.mount_table().contains(" /auto/alice "));
    assert!(!home.bed.mount_table().contains(" /auto/bob "));
    let found = home.behind(|probe| home.bed.ssh("alice", probe));
    home.is_with(&session, &found);
    let other = home.bed.ssh("alice", "stat -c %U /home/bob");
    assert_eq!(other.ok(), "bob");
    assert!(home.bed.mount_table().contains(" /auto/bob "));
    drop(session);
    home.has_left("alice");
    home.bed
        .run("systemctl stop autofs && rm /home && mv /srv/homes /home")
        .ok();
    Ok(())
}

impl Household {
    /// A PAM profile of Debian's, as its package would; the module's lines stay
    /// around it.
    #[track_caller]
    fn enable(&self, profile: &str) {
        self.bed
            .run(&format!("pam-auth-update --package --enable {profile}"))
            .ok();
    }

    /// An account whose home pam_mkhomedir makes.
    #[track_caller]
    fn will_be_made_for(&self, user: &str) {
        self.bed.configure_site("opt_in = false\n");
        self.enable("mkhomedir");
        let added = format!("useradd --no-create-home --shell /bin/bash {user}");
        self.bed.run(&added).ok();
        self.bed
            .run(&format!("echo {user}:{PASSWORD} | chpasswd"))
            .ok();
    }

    /// A home that pam_mount mounts.
    #[track_caller]
    fn will_be_mounted_for_alice(&self) {
        self.bed
            .run("mv /home/alice /srv/alice && mkdir /home/alice")
            .ok();
        self.enable("libpam-mount");
        let volume = "<volume user=\"alice\" fstype=\"auto\" path=\"/srv/alice\" \
                      mountpoint=\"/home/alice\" options=\"bind\" />\n</pam_mount>";
        let file = "/etc/security/pam_mount.conf.xml";
        let text = self.bed.read(file).replace("</pam_mount>", volume);
        self.bed.write(file, text, 0o644, &User::root());
    }

    /// In the view of the system itself.
    fn alices_is_mounted(&self) -> bool {
        self.bed.mount_table().contains(" /home/alice ")
    }

    /// Where a user who is logged in at the console is, and their manager.
    #[track_caller]
    fn session_and_manager_agree(&self, user: &str) {
        let session = self.behind(|probe| self.at_console(probe));
        assert_eq!(
            session.owner(),
            self.bed.uid(user).to_string(),
            "{}",
            self.bed.log()
        );
        // The manager itself: to ask it to start something starts a message bus,
        // which stands in the home and keeps pam_mount from unmounting that,
        // with and without a /nix.
        let manager = self.namespace_of_manager(user);
        assert_eq!(session.namespace, manager, "{}", self.bed.log());
    }
}
