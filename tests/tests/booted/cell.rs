//! One door in one bed: tried, and written down for the matrix.

use std::env;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::Path;

use tests::bed::{Bed, CLUSTER, DESKTOPS, Layer, SUITES, Suite, WAYLAND};
use tests::root_or_skip;

use crate::household::Household;

/// Where results are to be left: a file a cell.
const RESULTS: &str = "NIX_NS_MATRIX";

/// What a door needs besides what all beds have.
enum Ground {
    /// Nothing.
    Plain,
    /// Desktops.
    Desktops,
    /// Desktops, and a seat to sit at.
    Seat(&'static [Layer]),
}

impl Ground {
    fn of(group: &str) -> Self {
        match group {
            "lightdm" | "sddm" | "gdm" => Self::Seat(&[DESKTOPS]),
            "wayland" => Self::Seat(&[DESKTOPS, WAYLAND]),
            "remote" => Self::Desktops,
            _ => Self::Plain,
        }
    }

    /// Whose versions matter there.
    fn packages(&self) -> (&'static str, &'static str) {
        match self {
            Self::Plain => (
                "packages",
                "libc6 libpam-runtime openssh-server sudo systemd util-linux",
            ),
            Self::Desktops | Self::Seat(_) => (
                "desktops",
                "flatpak gdm3 gnome-shell lightdm sddm tigervnc-standalone-server xfce4-session xrdp",
            ),
        }
    }
}

/// Where a kernel has virtual terminals.
const TERMINALS: &str = "/dev/tty0";

/// Why there is no such door in a bed.
pub struct NotThere(pub String);

/// What a door came to, if it did not fail.
pub type Tried = Result<(), NotThere>;

/// Opens a door in a fresh bed, and looks whether everything is gone when
/// everybody has left.
pub fn try_door(module: &str, door: &str, body: fn(&mut Household) -> Tried) {
    let mut names = module.split("::").skip(1);
    let (suite, group) = (names.next().unwrap(), names.next().unwrap());
    let test = format!("{suite}::{group}::{door}");
    if !root_or_skip(&test) {
        return;
    }
    let mut beds = SUITES.into_iter().chain([CLUSTER]);
    let suite = beds.find(|it| it.name == suite).unwrap();
    let ground = Ground::of(group);
    let tried = catch_unwind(AssertUnwindSafe(|| try_in(suite, &ground, body)));
    match &tried {
        Ok(Ok(())) => write_down(&test, "passed"),
        Ok(Err(NotThere(reason))) => write_down(&test, &format!("not available: {reason}")),
        Err(panic) => write_down(&test, &format!("failed: {}", first_line(panic.as_ref()))),
    }
    if let Err(panic) = tried {
        resume_unwind(panic);
    }
}

fn try_in(suite: Suite, ground: &Ground, body: fn(&mut Household) -> Tried) -> Tried {
    let bed = match ground {
        Ground::Plain => Bed::boot(suite),
        Ground::Desktops => Bed::boot_with(suite, &[DESKTOPS]),
        Ground::Seat(layers) if Path::new(TERMINALS).exists() => Bed::boot_with_seat(suite, layers),
        Ground::Seat(_) => return Err(NotThere("no virtual terminals on this machine".into())),
    };
    let mut household = Household::move_in(bed.unwrap_or_else(|error| panic!("{error}")));
    let (kind, names) = ground.packages();
    let versions = household.packages(names);
    write_down(&format!("{}::{kind}", suite.name), &versions);
    let tried = body(&mut household);
    if tried.is_ok() {
        household.nothing_is_left();
    }
    tried
}

fn write_down(name: &str, result: &str) {
    let Some(directory) = env::var_os(RESULTS) else {
        return;
    };
    let file = Path::new(&directory).join(name);
    fs::write(&file, format!("{result}\n")).unwrap();
}

fn first_line(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
    let line = text.unwrap_or("it panicked").lines().next();
    line.unwrap_or_default().to_owned()
}
