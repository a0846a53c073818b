//! Desktops that are seen elsewhere: they have neither seat nor greeter here.

use tests::User;
use tests::bed::Screen;

use crate::cell::Tried;
use crate::desktop::XFCE;
use crate::household::{Household, PASSWORD};

/// The session that tigervnc's service opens for whoever a display belongs to.
pub fn vnc(home: &mut Household) -> Tried {
    let settings = "$session = 'xfce';\n$SecurityTypes = 'None';\n1;\n";
    let file = "/home/alice/.vnc/tigervnc.conf";
    home.bed.write(file, settings, 0o644, &home.alice);
    let users = "/etc/tigervnc/vncserver.users";
    home.bed.write(users, ":5=alice\n", 0o644, &User::root());
    home.knows_its_name();
    home.autostart_probe();
    home.bed.run("systemctl start tigervncserver@:5").ok();
    let screen = home.works_and_is_left();
    assert_eq!(screen.display, ":5");
    Ok(())
}

/// With a client of that protocol, which gives name and password.
pub fn xrdp(home: &mut Household) -> Tried {
    let session = "exec startxfce4\n";
    let file = "/home/alice/.xsession";
    home.bed.write(file, session, 0o644, &home.alice);
    home.knows_its_name();
    home.autostart_probe();
    home.bed.run(SET_UP_XRDP).ok();
    let client = home.bed.spawn(&format!(
        "Xvfb :77 & export DISPLAY=:77; \
         for client in xfreerdp3 xfreerdp; do command -v $client && break; done; \
         until ss -Hltn 'sport = 3389' | grep -q 3389 && xdpyinfo >/dev/null; do sleep 1; done; \
         exec $client /v:127.0.0.1 /u:alice /p:{PASSWORD} /cert:ignore"
    ));
    home.works_and_is_left();
    drop(client);
    home.bed.run("systemctl stop xrdp xrdp-sesman").ok();
    Ok(())
}

/// The server that needs no graphics, and a certificate, which its package leaves
/// to another one.
const SET_UP_XRDP: &str = "\
cd /etc/xrdp
openssl req -x509 -newkey rsa:2048 -nodes -keyout own.key -out own.pem -subj /CN=bed 2>/dev/null
chown xrdp own.key
sed -i -e '/^autorun=/d' -e 's/^\\[Globals\\]/&\\nautorun=Xvnc/' \
    -e 's|^certificate=.*|certificate=/etc/xrdp/own.pem|' -e 's|^key_file=.*|key_file=/etc/xrdp/own.key|' xrdp.ini
systemctl start xrdp-sesman xrdp";

impl Household {
    /// Both servers ask for it.
    #[track_caller]
    fn knows_its_name(&self) {
        let hosts = format!("127.0.0.1 localhost\n127.0.1.1 {}\n", self.bed.suite.name);
        self.bed.write("/etc/hosts", hosts, 0o644, &User::root());
    }

    /// Alice's desktop: where she is in every other session, and gone in the end.
    #[track_caller]
    fn works_and_is_left(&self) -> Screen {
        let (found, screen) = self.desktop_of(&self.alice);
        let anchor = self.anchor();
        self.is_with(&anchor, &found);
        let found = self.launched(&screen);
        self.is_with(&anchor, &found);
        self.all_are_with(&anchor, &self.alice);
        drop(anchor);
        self.log_out(&self.alice, &screen, &XFCE);
        self.has_left_slowly("alice");
        screen
    }
}
