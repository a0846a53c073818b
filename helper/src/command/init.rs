//! `nix-ns init`: everything that a user does before the first session with a
//! `/nix`, the store of another tool included.

use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use config::{OwnedFile, USER_EXAMPLE, USER_FILE, User, printable_path};
use namespace::NIX;
use nix::sys::statvfs::{FsFlags, fstatvfs};

use super::Error;
use super::own_store::Own;
use crate::progress::Screen;
use crate::reader::{furnish, open_store};
use crate::store_tree::{self, COPYING, Found, TakenOver, processes_on, take_over, tidy_up};

/// Make your store directory and a commented configuration.
///
/// What is there already is kept. From the next session on, the store directory
/// is /nix. Can be interrupted at any time; the same command goes on.
#[derive(Debug, clap::Args)]
pub struct Init {
    /// Take over a store: the directory that holds its store/ and var/, such as
    /// ~/.nix-portable/nix, ~/.nix, or ~/.local/share/nix/root/nix
    #[arg(long, value_name = "PATH")]
    from: Option<PathBuf>,
}

impl Init {
    /// Makes what is missing, and writes to `output` what to do next.
    pub(super) fn run(&self, output: &mut dyn Write) -> Result<(), Vec<Error>> {
        self.make(&mut Screen::stdout(output))
            .map_err(|error| vec![error])
    }

    fn make(&self, screen: &mut Screen) -> Result<(), Error> {
        let own = Own::read()?;
        own.must_take_part()?;
        let source = match &self.from {
            Some(from) => Some(open_source(from, &own)?),
            None => None,
        };
        let (path, allow_symlinks) = own.store()?;
        let store = open_store(&path, allow_symlinks)?;
        let reference = store;
        let store = Found::own(&reference, &own.account.home)?;
        store.must_be_closed()?;
        match source {
            Some(source) if is_same(&source, &store)? => {
                screen.say(format_args!(
                    "{}: is the store directory already",
                    printable_path(&store.path)
                ))?;
            }
            Some(source) => {
                let taken = take_over(&source, &store, screen)?;
                report(&taken, &source, &store, screen)?;
            }
            None => {
                furnish(&reference);
                screen.say(format_args!(
                    "{}: the store directory",
                    printable_path(&store.path)
                ))?;
            }
        }
        configure(&own, screen)?;
        tidy_up(&store, screen)?;
        warn(&store, screen)?;
        say_what_is_next(&store, screen)
    }
}

fn open_source(from: &Path, own: &Own) -> Result<Found, Error> {
    let source = Found::open(from, &own.account.home)?;
    let processes = processes_on(&source.directory, &source.path)?;
    if processes.is_empty() {
        return Ok(source);
    }
    let path = source.path;
    Err(store_tree::Error::InUse { path, processes }.into())
}

fn is_same(source: &Found, store: &Found) -> Result<bool, Error> {
    let identity = |found: &Found| {
        let stat = fs::File::from(found.directory.try_clone()?).metadata()?;
        Ok::<_, std::io::Error>((
            std::os::unix::fs::MetadataExt::dev(&stat),
            std::os::unix::fs::MetadataExt::ino(&stat),
        ))
    };
    Ok(identity(source)? == identity(store)?)
}

fn report(
    taken: &TakenOver,
    source: &Found,
    store: &Found,
    screen: &mut Screen,
) -> Result<(), Error> {
    let (from, to) = (printable_path(&source.path), printable_path(&store.path));
    match taken {
        TakenOver::Moved => {
            screen.say(format_args!("{to}: the store directory, moved from {from}"))?
        }
        TakenOver::Copied { amount, left_out } => {
            screen.say(format_args!(
                "{to}: the store directory, copied from {from}"
            ))?;
            if let Some(amount) = amount {
                screen.say(format_args!("  {amount}"))?;
            }
            for path in left_out {
                screen.say(format_args!("  not copied, a socket or device: {path}"))?;
            }
            screen.say(format_args!(
                "{from}: untouched; when all is well, remove it with\n  nix-ns purge {from}"
            ))?;
        }
    }
    Ok(())
}

/// Keeps a configuration that is there, which was read and found right.
fn configure(own: &Own, screen: &mut Screen) -> Result<(), Error> {
    let file = &own.file;
    if own.user.is_some() {
        screen.say(format_args!("{}: kept as it is", printable_path(file)))?;
        return Ok(());
    }
    let denied = |source| Error::NotMade {
        file: file.clone(),
        source,
    };
    if let Some(directory) = file.parent() {
        // 0700 as the XDG Base Directory Specification has it, whatever the umask:
        // what others can write in is no place for this file.
        let mut private = fs::DirBuilder::new();
        private.recursive(true).mode(0o700);
        private.create(directory).map_err(denied)?;
    }
    let mut options = OpenOptions::new();
    let made = options.write(true).create_new(true).mode(0o644).open(file);
    match made {
        Ok(mut made) => {
            if let Err(error) = made.write_all(USER_EXAMPLE.as_bytes()) {
                // Any part of it, nothing included, would pass for all of it.
                let _ = fs::remove_file(file);
                return Err(denied(error));
            }
        }
        // Made by somebody else just now: kept, and checked.
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
        Err(error) => return Err(denied(error)),
    }
    if let Some(read) = OwnedFile::read_below(&own.account.home, USER_FILE, own.account.uid)? {
        User::parse(&read.text, file)?;
    }
    screen.say(format_args!(
        "{}: made; every key of it is commented out",
        printable_path(file)
    ))?;
    Ok(())
}

fn warn(store: &Found, screen: &mut Screen) -> Result<(), Error> {
    let flags = fstatvfs(&store.directory).map(|system| system.flags());
    if flags.is_ok_and(|flags| flags.contains(FsFlags::ST_NOEXEC)) {
        screen.say(format_args!(
            "warning: {} is on a file system from which no program can be run (noexec): choose \
             another source_path",
            printable_path(&store.path)
        ))?;
    }
    if store.has(COPYING) {
        let copy = printable_path(store.path.join(COPYING));
        screen.say(format_args!(
            "warning: {copy} is an interrupted copy: go on with `nix-ns init --from`, or remove it \
             with `nix-ns purge {copy}`"
        ))?;
    }
    Ok(())
}

fn say_what_is_next(store: &Found, screen: &mut Screen) -> Result<(), Error> {
    let me = std::process::id();
    let processes = processes_on(&store.directory, &store.path)?;
    if processes.iter().any(|process| process.id == me) {
        screen.say(format_args!(
            "{NIX} is this directory in this session already."
        ))?;
    } else {
        screen.say(format_args!(
            "Next: log out and in again, or run `nix-ns enter`; then {NIX} is this directory."
        ))?;
    }
    match store.nix() {
        Some(nix) => screen.say(format_args!(
            "Nix is in it: PATH={NIX}/store/{}/bin:$PATH",
            printable_path(&nix)
        ))?,
        None if store.has("store") => {}
        None => screen.say(format_args!(
            "Then install Nix, as if the machine were yours alone: its installer with --no-daemon."
        ))?,
    }
    Ok(())
}
