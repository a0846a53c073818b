//! What a bed has on top of its suite's tree: more packages, unpacked once into
//! a directory of their own, which lies over the tree that all beds share.

use std::collections::hash_map::DefaultHasher;
use std::fs::{self, DirBuilder};
use std::hash::{Hash, Hasher};
use std::io::{self, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::Suite;
use super::tree::{CACHE, locked, tree};

/// Packages that some beds have besides those that all have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Layer {
    name: &'static str,
    packages: &'static [&'static str],
    /// What one suite alone has, or calls so.
    in_suite: &'static [(&'static str, &'static [&'static str])],
    /// Of these packages, what would start at boot.
    services: &'static [&'static str],
}

/// What people sit in front of. An X server without a screen stands in for the
/// one that wants hardware.
pub const DESKTOPS: Layer = Layer {
    name: "desktops",
    packages: &[
        "at-spi2-core",
        "bubblewrap",
        "busybox-static",
        "dbus-x11",
        "flatpak",
        "fonts-dejavu-core",
        "gdm3",
        "gjs",
        "gnome-session",
        "gnome-terminal",
        "gvfs-backends",
        "gvfs-fuse",
        "i3lock",
        "lightdm",
        "lightdm-gtk-greeter",
        "nix-bin",
        "scrot",
        "sddm",
        "tigervnc-standalone-server",
        "x11-apps",
        "x11-utils",
        "x11-xserver-utils",
        "xdg-desktop-portal-gtk",
        "xdotool",
        "xfce4-appfinder",
        "xfce4-panel",
        "xfce4-session",
        "xfce4-settings",
        "xfdesktop4",
        "xfwm4",
        "xrdp",
        "xterm",
        "xvfb",
    ],
    in_suite: &[
        ("bookworm", &["freerdp2-x11"]),
        ("trixie", &["freerdp3-x11", "gnome-session-xsession"]),
        ("sid", &["freerdp3-x11"]),
    ],
    services: &["gdm", "lightdm", "sddm", "xrdp", "xrdp-sesman"],
};

/// A desktop without X, which is content to draw into memory.
pub const WAYLAND: Layer = Layer {
    name: "wayland",
    packages: &["foot", "grim", "sway", "wtype"],
    in_suite: &[],
    services: &[],
};

/// Unpacks and configures packages in the tree, and keeps what that changed.
const RECIPE: &str = include_str!("make-layer");

impl Layer {
    /// The trees that a bed of a suite lies on with these layers, the uppermost
    /// first, as overlayfs wants them; made if they are not there.
    pub(super) fn trees(suite: Suite, layers: &[Layer]) -> io::Result<Vec<PathBuf>> {
        let mut trees = vec![tree(suite)?];
        for layer in layers {
            let upper = layer.over(suite, &trees)?;
            trees.insert(0, upper);
        }
        Ok(trees)
    }

    fn over(&self, suite: Suite, below: &[PathBuf]) -> io::Result<PathBuf> {
        let family = format!("{}-{}", self.name, suite.name);
        let _held = locked(&family)?;
        let tree = Path::new(CACHE).join(format!("{family}-{:016x}", self.number(suite, below)));
        if !tree.exists() {
            super::tree::remove_others(&family)?;
            self.make(suite, below, &tree)?;
        }
        Ok(tree)
    }

    /// No other recipe has it, nor the same one on another tree.
    fn number(&self, suite: Suite, below: &[PathBuf]) -> u64 {
        let mut hasher = DefaultHasher::new();
        (RECIPE, self.packages_of(suite), self.services, below).hash(&mut hasher);
        hasher.finish()
    }

    fn packages_of(&self, suite: Suite) -> Vec<&'static str> {
        let special = self.in_suite.iter();
        let special = special.filter(|(name, _)| *name == suite.name);
        let special = special.flat_map(|(_, packages)| *packages);
        self.packages.iter().chain(special).copied().collect()
    }

    fn make(&self, suite: Suite, below: &[PathBuf], tree: &Path) -> io::Result<()> {
        let (what, of) = (self.name, suite.name);
        let _ = writeln!(io::stderr(), "adding {what} to the tree of {of}: minutes");
        let unfinished = tree.with_extension("unfinished");
        DirBuilder::new().mode(0o755).create(&unfinished)?;
        let work = tree.with_extension("work");
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&work)?;
        // A test run that is killed gives the lock back: nobody may go on then.
        let made = Command::new("setpriv")
            .args(["--pdeathsig", "KILL", "--", "unshare"])
            .args(["--mount", "--pid", "--mount-proc", "--fork", "--kill-child"])
            .args(["--", "sh", "-c", RECIPE, "make-layer"])
            .arg(colons(below))
            .args([&unfinished, &work])
            .arg(self.services.join(" "))
            .args(self.packages_of(suite))
            .stdin(Stdio::null())
            .output()?;
        let _ = fs::remove_dir_all(work);
        if !made.status.success() {
            let said = String::from_utf8_lossy(&made.stderr);
            return Err(io::Error::other(format!("{what} of {of}:\n{said}")));
        }
        fs::rename(unfinished, tree)
    }
}

/// As overlayfs takes them.
pub(super) fn colons(trees: &[PathBuf]) -> String {
    let names: Vec<_> = trees.iter().map(|tree| tree.to_string_lossy()).collect();
    names.join(":")
}
