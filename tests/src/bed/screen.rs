//! What is shown on the screens of a bed, and who sits in front of them.

use std::fs;
use std::io;
use std::path::Path;

use super::Bed;
use crate::{Output, User};

/// Stands in for the X server of hardware: it is started with the same words,
/// of which it knows most, and keeps its picture to itself.
const SERVER: &str = r#"#!/bin/bash
words=()
while [ $# -gt 0 ]; do
    case $1 in
    vt*|-novtswitch|-sharevts|-keeptty|-core) ;;
    -seat|-background|-verbose|-logverbose|-logfile|-config) shift ;;
    *) words+=("$1") ;;
    esac
    shift
done
exec /usr/bin/Xvfb "${words[@]}" -screen 0 1024x768x24 +extension GLX +extension RANDR
"#;

/// Where gdm looks for the X server, and the others are told to.
pub const X_SERVER: &str = "/usr/bin/Xorg";

/// An X server of a bed: a screen, a keyboard and a mouse.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Screen {
    /// What programs call it: `:0`.
    pub display: String,
    authority: Option<String>,
    /// Its process.
    pub process: u32,
}

impl Bed {
    /// Puts the X server there.
    #[track_caller]
    pub(super) fn install_x_server(&self) {
        self.write(X_SERVER, SERVER, 0o755, &User::root());
    }

    /// All that there are at the moment, the first started first.
    #[must_use]
    pub fn screens(&self) -> Vec<Screen> {
        // Not by its lock: with -displayfd it has none.
        let found = self.run(
            "ss -Hxlp | sed -n 's|.* /tmp/.X11-unix/X\\([0-9]*\\) .*pid=\\([0-9]*\\),.*|\\1 \\2|p' | \
             while read -r number pid; do
                 printf '%s %s ' $number $pid
                 tr '\\0' '\\n' </proc/$pid/cmdline | \
                     sed -n \"/^-auth$/{n;s|^[^/]|/proc/$pid/cwd/&|;p}\" | tr -d '\\n'
                 echo
             done",
        );
        let mut screens: Vec<Screen> = found.stdout.lines().filter_map(screen).collect();
        screens.sort_by_key(|screen| screen.process);
        screens
    }

    /// Runs a program that wants a screen, as root.
    pub fn on_screen(&self, screen: &Screen, command: &str) -> Output {
        let authority = screen.authority.as_deref().unwrap_or("/dev/null");
        let display = &screen.display;
        self.run(&format!(
            "export DISPLAY={display} XAUTHORITY='{authority}'; {command}"
        ))
    }

    /// Whether anything was drawn on a screen yet, which begins all black.
    #[must_use]
    pub fn shows_something(&self, screen: &Screen) -> bool {
        let colours = "xwd -root -silent | tr -d '\\0' | head -c 100000 | wc -c";
        self.on_screen(screen, colours).stdout.trim() == "100000"
    }

    /// Types text at the keyboard.
    #[track_caller]
    pub fn type_at(&self, screen: &Screen, text: &str) {
        self.on_screen(screen, &format!("xdotool type --delay 30 '{text}'"))
            .ok();
    }

    /// Presses keys, each of them a word of `xdotool(1)`.
    #[track_caller]
    pub fn press_at(&self, screen: &Screen, keys: &str) {
        self.on_screen(screen, &format!("xdotool key --delay 30 {keys}"))
            .ok();
    }

    /// Takes a picture of what is seen, as PNG, to a file of the host.
    ///
    /// # Errors
    ///
    /// When there is none.
    pub fn picture(&self, screen: &Screen, file: &Path) -> io::Result<()> {
        let taken = "/run/picture.png";
        self.on_screen(screen, &format!("scrot --overwrite {taken}"))
            .ok();
        let from = format!("/proc/{}/root{taken}", self.init());
        fs::copy(from, file)?;
        Ok(())
    }
}

/// `NUMBER PROCESS AUTHORITY`.
fn screen(line: &str) -> Option<Screen> {
    let mut words = line.split(' ');
    let (number, process) = (words.next()?, words.next()?);
    let authority = words.next().filter(|word| !word.is_empty());
    Some(Screen {
        display: format!(":{number}"),
        process: process.parse().ok()?,
        authority: authority.map(str::to_owned),
    })
}
