//! What applications of a desktop rely on: sandboxes, portals, mounts of their
//! own, and programs that may more than their user.

use tests::User;
use tests::bed::Screen;
use tests::whereabouts::{COMMON, Stay, Whereabouts};

use crate::household::Household;

/// Run from a terminal of the desktop, as alice; each step leaves a file. `look`
/// is an application of Flatpak's on a platform that is no more than busybox.
const STEPS: &str = r#"#!/bin/sh
set -eu
cd /srv/common
echo hers >/nix/hers

# Its own view of mounts, and all that there is.
bwrap --dev-bind / / /usr/local/bin/probe /srv/common/app.bwrap || [ $? -eq 7 ]
# One with nothing but the system's programs.
bwrap --ro-bind /usr /usr --symlink usr/bin /bin --symlink usr/lib /lib --symlink usr/lib64 /lib64 \
    --proc /proc --dev /dev ls / >app.bare

sudo -n /usr/local/bin/probe /srv/common/app.sudo || [ $? -eq 7 ]

gio mount localtest:///

busctl --user call org.freedesktop.portal.Documents /org/freedesktop/portal/documents \
    org.freedesktop.portal.Documents GetMountPoint >app.documents
busctl --user get-property org.freedesktop.portal.Desktop /org/freedesktop/portal/desktop \
    org.freedesktop.portal.Settings version >app.portal

machine=$(flatpak --default-arch)
cd "$(mktemp -d)"
mkdir -p platform/usr/bin platform/usr/sbin platform/files look/files/bin look/export
cp /bin/busybox platform/usr/bin
for tool in sh ls stat id; do ln -s busybox platform/usr/bin/$tool; done
cp /sbin/ldconfig platform/usr/sbin
printf '[Runtime]\nname=org.example.Platform\nruntime=org.example.Platform/%s/1\nsdk=org.example.Platform/%s/1\n' \
    $machine $machine >platform/metadata
printf '#!/bin/sh\nid -u; ls -A /nix; stat -c %%u:%%d:%%i /nix; :\n' >look/files/bin/look
chmod 0755 look/files/bin/look
printf '[Application]\nname=org.example.Look\nruntime=org.example.Platform/%s/1\nsdk=org.example.Platform/%s/1\ncommand=look\n' \
    $machine $machine >look/metadata
flatpak build-export --runtime repository platform 1
flatpak build-export repository look 1
flatpak --user remote-add --no-gpg-verify ours repository
flatpak --user install -y --noninteractive ours org.example.Look//1
flatpak run org.example.Look >/srv/common/app.flatpak 2>&1
flatpak run --filesystem=host org.example.Look >/srv/common/app.flatpak-host 2>&1
"#;

/// Flatpak's sandboxes forbid themselves more namespaces, by a file that is
/// theirs alone. systemd-nspawn has it read-only, which no system outside has.
const LET_SANDBOXES_LIMIT_THEMSELVES: &str = "\
mount -t proc proc /mnt && mount --bind /mnt/sys/user /proc/sys/user && umount /mnt";

impl Household {
    /// Has alice run all of it in her desktop, and looks at what came of it.
    #[track_caller]
    pub fn try_applications(&self, screen: &Screen, anchor: &Stay) {
        self.bed.run(LET_SANDBOXES_LIMIT_THEMSELVES).ok();
        let file = "/usr/local/bin/applications";
        self.bed.write(file, STEPS, 0o755, &User::root());
        let said = format!("{COMMON}/app.said");
        let ended = format!("{COMMON}/app.ended");
        let all = format!("#!/bin/sh\napplications >{said} 2>&1; echo $? >{ended}\n");
        let file = "/usr/local/bin/all-applications";
        self.bed.write(file, all, 0o755, &User::root());
        let started = || self.bed.exists(&said);
        self.launch(screen, "xterm -e all-applications", started);
        self.wait_slowly("the applications to end", || self.bed.exists(&ended));
        let all = || self.bed.run(&format!("tail -n 99 {COMMON}/app.*")).stdout;
        assert_eq!(self.bed.read(&ended), "0\n", "{}", all());
        let came = |what: &str| self.bed.read(&format!("{COMMON}/app.{what}"));

        // A sandbox's view is made from alice's, and shows as much of it as the
        // sandbox likes.
        let boxed = Whereabouts::parse(&came("bwrap")).expect("the probe says it all");
        self.is_alices(&boxed);
        assert_ne!(boxed.namespace, anchor.namespace);
        assert!(!came("bare").contains("nix"), "{}", came("bare"));
        assert!(
            came("flatpak").contains("/nix: No such file"),
            "{}",
            came("flatpak")
        );
        let seen = format!("{}\nhers\nvar\n{}\n", self.alice.uid, boxed.nix);
        assert_eq!(came("flatpak-host"), seen);

        let root = Whereabouts::parse(&came("sudo")).expect("the probe says it all");
        self.is_on_the_host(&root, 0);

        // What the desktop mounts is seen by all sessions of alice's, and by
        // nobody else.
        let mounted = "cat $XDG_RUNTIME_DIR/gvfs/localtest*/nix/hers";
        assert_eq!(self.bed.ssh("alice", mounted).ok(), "hers");
        let documents = "mountpoint -q $XDG_RUNTIME_DIR/doc";
        self.bed.ssh("alice", documents).ok();
        assert!(
            came("documents").starts_with("ay "),
            "{}",
            came("documents")
        );
        assert!(came("portal").starts_with("u "), "{}", came("portal"));
        let table = self.bed.mount_table();
        assert!(
            !table.contains("gvfsd-fuse gvfsd-fuse rw,user_id=1001"),
            "{table}"
        );
        self.bed.run("umount /proc/sys/user").ok();
    }
}
