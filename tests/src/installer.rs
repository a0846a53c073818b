//! Nix as its makers hand it out: a directory with a store in it and a script
//! that installs it for one user. The store is made from the distribution's
//! Nix; the script does what Nix's `install-nix-from-tarball.sh --no-daemon`
//! does, step by step, and is this project's own, as is the `nix.sh`.

use crate::{Machine, User};

/// Where it is unpacked, for everybody.
const UNPACKED: &str = "/srv/nix-installer";

const SCRIPT: &str = r#"#!/bin/sh
set -e
umask 0022
dest=/nix
self=$(dirname "$0")
nix=$(cat "$self/nix-path")
if ! [ -e "$dest" ]; then
    ${NIX_BECOME:-sudo} sh -c "mkdir -m 0755 $dest && chown $USER $dest"
fi
if ! [ -w "$dest" ]; then
    echo "$dest exists, but is not writable by you" >&2
    exit 1
fi
mkdir -p "$dest/store" "$dest/var/nix"
for path in "$self"/store/*; do
    name=$(basename "$path")
    [ -e "$dest/store/$name" ] && continue
    cp -RP --preserve=ownership,timestamps "$path" "$dest/store/$name.$$"
    chmod -R a-w "$dest/store/$name.$$"
    chmod +w "$dest/store/$name.$$"
    mv "$dest/store/$name.$$" "$dest/store/$name"
    chmod -w "$dest/store/$name"
done
"$nix/bin/nix-store" --load-db <"$self/.reginfo"
. "$nix/etc/profile.d/nix.sh"
"$nix/bin/nix-env" -i "$nix"
script=$HOME/.nix-profile/etc/profile.d/nix.sh
for file in .bash_profile .bash_login .profile; do
    [ -w "$HOME/$file" ] || continue
    printf '\nif [ -e %s ]; then . %s; fi # added by Nix installer\n' "$script" "$script" >>"$HOME/$file"
    break
done
"#;

/// What Nix's own sets in the end, without looking whether it is set.
const NIX_SH: &str = r#"if [ -n "$HOME" ] && [ -n "$USER" ]; then
    NIX_LINK=$HOME/.nix-profile
    export NIX_PROFILES="/nix/var/nix/profiles/default $NIX_LINK"
    export XDG_DATA_DIRS="${XDG_DATA_DIRS:-/usr/local/share:/usr/share}:$NIX_LINK/share"
    export PATH="$NIX_LINK/bin:$PATH"
    unset NIX_LINK
fi
"#;

/// The distribution's Nix has no shell of its own for the sandbox, as that of
/// its makers has.
const SETTINGS: &str = "sandbox-paths = /bin /usr /lib /lib64\n";

/// A package of the distribution's programs, as a store would have it.
const PACK: &str = r#"set -e
package=/tmp/package
mkdir -p $package/bin
cp -P $(find /usr/bin -name 'nix*' ! -name 'nix-ns*') $package/bin
export NIX_CONFIG='experimental-features = nix-command'
store="nix-store --store /tmp/packing"
path=$($store --add $package)
cp -R /tmp/packing/nix/store /srv/nix-installer/
rm -rf /srv/nix-installer/store/.links
echo "$path" >/srv/nix-installer/nix-path
$store --dump-db "$path" >/srv/nix-installer/.reginfo
chmod -R a+rX /srv/nix-installer
"#;

impl Machine {
    /// Unpacks the installer at a place everybody reads, and takes the
    /// distribution's own Nix away: what is found after is the user's.
    #[track_caller]
    pub fn unpack_nix_installer(&self) -> String {
        let root = User::root();
        self.write("/tmp/package/etc/profile.d/nix.sh", NIX_SH, 0o644, &root);
        let script = format!("{UNPACKED}/install");
        self.write(&script, SCRIPT, 0o755, &root);
        self.run(PACK).ok();
        self.write("/etc/nix/nix.conf", SETTINGS, 0o644, &root);
        // The hook that hands builds on is found by its compiled-in path.
        self.run(
            "cp --remove-destination /usr/bin/nix /usr/libexec/nix/build-remote && \
             find /usr/bin -name 'nix*' ! -name 'nix-ns*' -delete",
        )
        .ok();
        script
    }

    /// Installs Nix for a user, in a session of theirs, with nobody to ask for
    /// more rights.
    #[track_caller]
    pub fn install_nix(&self, user: &str, script: &str) {
        self.ssh_nix(
            user,
            &format!("NIX_BECOME=/bin/false {script} --no-daemon --no-channel-add"),
        )
        .ok();
    }
}
