//! Everything that can be wrong with a configuration, in words for the person
//! who has to mend it.

use std::io;
use std::path::{Path, PathBuf};

use crate::MAX_FILE_SIZE;
use crate::{printable, printable_path};

/// What is wrong, where, and how to mend it.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Not TOML, an unknown key, a wrong type or an unusable value.
    #[error("{}:{line}:{column}: {message}", printable_path(file))]
    Invalid {
        /// The configuration file.
        file: PathBuf,
        /// Line, from 1.
        line: usize,
        /// Column in characters, from 1.
        column: usize,
        /// What is wrong and how to mend it, already fit for printing.
        message: String,
    },
    /// A configuration that cannot be written as TOML.
    #[error("the configuration cannot be written as TOML: {0}")]
    Print(#[from] toml::ser::Error),

    /// The file is there, or may be, but cannot be read.
    #[error("{}: {}", printable_path(file), unreadable(source))]
    Unreadable {
        /// The file.
        file: PathBuf,
        /// What the kernel said.
        source: io::Error,
    },
    /// A directory, FIFO, device or socket.
    #[error("{}: not a regular file; put a regular file, or a symlink to one, in its place", printable_path(.0))]
    NotRegular(PathBuf),
    /// Somebody else's file. Not with a `chown` for root to obey: a user may have put
    /// a link there, to what is to be theirs.
    #[error(
        "{}: belongs to uid {found}, not to uid {owner}; remove it, and write it anew as that user",
        printable_path(file)
    )]
    NotOwned {
        /// The file.
        file: PathBuf,
        /// Whose it is.
        found: u32,
        /// Whose it has to be.
        owner: u32,
    },
    /// A file that not only its owner can write.
    #[error(
        "{}: group or others may write it (mode {mode:04o}); `chmod go-w {}`",
        printable_path(file),
        printable_path(file)
    )]
    WritableByOthers {
        /// The file.
        file: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// More than a configuration can need.
    #[error("{}: larger than {MAX_FILE_SIZE} bytes; a configuration file must not be", printable_path(.0))]
    TooLarge(PathBuf),
    /// Not text.
    #[error(
        "{}:{line}:{column}: not UTF-8 from here on; save the file as UTF-8",
        printable_path(file)
    )]
    NotUtf8 {
        /// The file.
        file: PathBuf,
        /// Line of the first bad byte, from 1.
        line: usize,
        /// Column of the first bad byte, from 1.
        column: usize,
    },
    /// A symlink into the store that this very file is to make available.
    #[error(
        "{}: {} is a symlink into /nix ({}), which is not there before your session has it: \
         keep this one file outside the store, as a regular file",
        printable_path(file),
        printable_path(link),
        printable_path(target)
    )]
    LinkIntoNix {
        /// The configuration file.
        file: PathBuf,
        /// The symlink: the file itself or a directory above it.
        link: PathBuf,
        /// Where it leads.
        target: PathBuf,
    },
    /// A symlink that leads nowhere.
    #[error(
        "{}: {} is a symlink to {}, which is not there; make the target or remove the link",
        printable_path(file),
        printable_path(link),
        printable_path(target)
    )]
    DanglingLink {
        /// The configuration file.
        file: PathBuf,
        /// The symlink: the file itself or a directory above it.
        link: PathBuf,
        /// Where it leads.
        target: PathBuf,
    },
    /// A directory in which someone other than root could put another site
    /// configuration.
    #[error(
        "{}: the directory {} must be root's and writable by nobody else (it is uid {owner}'s, \
         mode {mode:04o}); `chown root {}` and `chmod go-w {}`",
        printable_path(file),
        printable_path(directory),
        printable_path(directory),
        printable_path(directory)
    )]
    UntrustedDirectory {
        /// The site configuration.
        file: PathBuf,
        /// The directory on its path.
        directory: PathBuf,
        /// Whose it is.
        owner: u32,
        /// Its permission bits.
        mode: u32,
    },

    /// A directory or a link on the way to a user configuration that somebody
    /// else could exchange.
    #[error(
        "{}: others can change {} (owner uid {found}, mode {mode:04o}), and with it this file; {}",
        printable_path(file),
        printable_path(way),
        mend_of_way(way, found == owner)
    )]
    ForeignWay {
        /// The configuration file.
        file: PathBuf,
        /// The directory or link on its path, or on that of a link's target.
        way: PathBuf,
        /// Whose it is.
        found: u32,
        /// Whose it should be.
        owner: u32,
        /// Its permission bits.
        mode: u32,
    },

    /// A path of no characters.
    #[error("the path is empty; leave the key out for the default")]
    EmptyPath,
    /// A path no system call takes.
    #[error("the path is longer than {} bytes", crate::specifier::MAX_PATH)]
    PathTooLong,
    /// NUL, newline and the like.
    #[error("the path \"{}\" has a control character in it", printable(.0))]
    ControlCharacter(String),
    /// `%x` for an `x` that means nothing.
    #[error(
        "`%{}` in \"{}\" means nothing; there are %u (user name), %U (uid), %h (home directory), \
         %H (host name) and %% (a percent sign)",
        printable(specifier),
        printable(path)
    )]
    UnknownSpecifier {
        /// The path as written.
        path: String,
        /// What follows the percent sign; empty at the end of the path.
        specifier: String,
    },
    /// `..`, which would lead out of a root.
    #[error("`..` in \"{}\": write the path without it", printable(.0))]
    ParentComponent(String),
    /// `.`, which means nothing inside a path.
    #[error("`.` as a directory name in \"{}\": leave it out", printable(.0))]
    DotComponent(String),
    /// `~bob`.
    #[error("\"{}\": only one's own home can be meant, write `~/`, `%h/` or an absolute path", printable(.0))]
    OtherHome(String),
    /// A root that would depend on the working directory.
    #[error("the root \"{}\" is not absolute; begin it with `/`, `~` or `%h`", printable(.0))]
    RelativeRoot(String),
    /// A path that has to be absolute and is not.
    #[error("the path \"{}\" is not absolute", printable_path(.0))]
    NotAbsolute(PathBuf),

    /// `%` in a bind.
    #[error("\"{}\": a bind is the same for everybody and has no `%` in its paths", printable(.0))]
    BindSpecifier(String),
    /// A bind that would cover what is not to be covered.
    #[error(
        "{} cannot be the target of a bind: it would cover something of {}; choose an empty \
         directory of root's elsewhere, such as /run/opengl-driver",
        printable_path(path),
        printable_path(place)
    )]
    BindTarget {
        /// The target.
        path: PathBuf,
        /// What it is in, or above.
        place: PathBuf,
    },
    /// A bind of what is no directory to show.
    #[error(
        "{} cannot be the source of a bind: nothing of {} can; name a directory on a disk",
        printable_path(path),
        printable_path(place)
    )]
    BindSource {
        /// The source.
        path: PathBuf,
        /// What it is in.
        place: PathBuf,
    },
    /// A bind that would need what another one covers.
    #[error(
        "{} is below {}, which is the target of a bind itself; choose places beside each other",
        printable_path(below),
        printable_path(above)
    )]
    BindBelowBind {
        /// The target above.
        above: PathBuf,
        /// The target below.
        below: PathBuf,
    },

    /// A user or host name that would be more or less than one directory name.
    #[error(
        "`%{specifier}` cannot be used in a path here: the {what} is \"{}\"",
        printable(value)
    )]
    SpecifierValue {
        /// The specifier's letter.
        specifier: char,
        /// What it stands for.
        what: &'static str,
        /// Its value.
        value: String,
    },
    /// A home directory no path can start with.
    #[error("the home directory \"{}\" cannot be used: it must be an absolute path without `..`, and not /", printable_path(.0))]
    UnusableHome(PathBuf),
    /// A store directory where the site does not allow one.
    #[error(
        "the store directory {} is not below {}; choose a `source_path` below it",
        printable_path(path),
        any_of(roots)
    )]
    OutsideRoots {
        /// The wished path.
        path: PathBuf,
        /// Where the site allows store directories.
        roots: Vec<PathBuf>,
    },
    /// A store directory in a place that is never one.
    #[error(
        "the store directory {} is in {}, where none can be; choose another `source_path`",
        printable_path(path),
        printable_path(place)
    )]
    ForbiddenPlace {
        /// The wished path.
        path: PathBuf,
        /// The place it is in.
        place: PathBuf,
    },
}

fn unreadable(error: &io::Error) -> String {
    match error.raw_os_error() {
        Some(libc::EACCES) => String::from(
            "permission denied; its owner must be able to read it and to search every directory above it",
        ),
        Some(libc::ENOTDIR) => String::from("something above it is not a directory"),
        Some(libc::ELOOP) => String::from("its symlinks lead in a circle, or are too many"),
        Some(libc::ENXIO) => {
            String::from("not a regular file (a socket or a device without a driver)")
        }
        _ => error.to_string(),
    }
}

/// Only the permissions of one's own are one's own to change.
fn mend_of_way(way: &Path, is_owners: bool) -> String {
    if is_owners {
        format!("`chmod go-w {}`", printable_path(way))
    } else {
        String::from("keep it below directories of your own")
    }
}

fn any_of(roots: &[PathBuf]) -> String {
    if roots.is_empty() {
        return String::from("any root (the site allows none)");
    }
    // Cut as one: a site may have many.
    let roots = roots.iter().map(|root| root.to_string_lossy());
    printable(&roots.collect::<Vec<_>>().join(" or "))
}
