//! The console of a bed: what its login prompt is on.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use nix::pty::openpty;

/// The end of the console that a person sits at.
#[derive(Debug)]
pub struct Console {
    keyboard: File,
    screen: Arc<Mutex<Vec<u8>>>,
    /// How much of the screen was waited for.
    seen: AtomicUsize,
}

impl Console {
    /// The console and its other end, which the bed is started on.
    pub fn open() -> io::Result<(Self, OwnedFd)> {
        let pty = openpty(None, None)?;
        let keyboard = File::from(pty.master);
        let screen = Arc::new(Mutex::new(Vec::new()));
        // Read all the time: a full console stops whoever writes to it.
        let (from, to) = (keyboard.try_clone()?, Arc::clone(&screen));
        thread::spawn(move || show(from, &to));
        let console = Self {
            keyboard,
            screen,
            seen: AtomicUsize::new(0),
        };
        Ok((console, pty.slave))
    }

    /// Types a line.
    pub fn enter(&self, line: &str) -> io::Result<()> {
        (&self.keyboard).write_all(format!("{line}\n").as_bytes())
    }

    /// Whether a text is shown after what was seen before; then it is seen, too.
    pub fn shows(&self, text: &str) -> bool {
        let screen = self.text();
        let new = screen
            .get(self.seen.load(Ordering::Relaxed)..)
            .unwrap_or_default();
        let found = new.find(text);
        if let Some(place) = found {
            self.seen.fetch_add(place + text.len(), Ordering::Relaxed);
        }
        found.is_some()
    }

    /// What was shown so far.
    pub fn text(&self) -> String {
        let screen = self.screen.lock().unwrap_or_else(PoisonError::into_inner);
        String::from_utf8_lossy(&screen).into_owned()
    }
}

/// Until the bed is gone: then reading fails.
fn show(mut from: File, to: &Mutex<Vec<u8>>) {
    let mut bytes = [0; 4096];
    while let Ok(count @ 1..) = from.read(&mut bytes) {
        let mut screen = to.lock().unwrap_or_else(PoisonError::into_inner);
        screen.extend(bytes.iter().take(count));
    }
}
