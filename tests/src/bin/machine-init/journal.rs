//! What programs of the machine say to syslog.

use std::fs::{self, File, Permissions};
use std::io::{self, ErrorKind, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixDatagram;

/// Where the library reads it.
const LOG: &str = "/run/machine-log";
/// Where syslog(3) sends it.
const SOCKET: &str = "/dev/log";
/// systemd's own bound for one message is far below.
const LONGEST: usize = 64 * 1024;

/// The receiving end of `/dev/log` and the file it is written down in.
pub struct Journal {
    socket: UnixDatagram,
    log: File,
}

impl Journal {
    /// Opens the socket to every user, as syslog daemons do.
    pub fn open() -> io::Result<Self> {
        let socket = UnixDatagram::bind(SOCKET)?;
        fs::set_permissions(SOCKET, Permissions::from_mode(0o666))?;
        socket.set_nonblocking(true)?;
        Ok(Self {
            socket,
            log: File::create(LOG)?,
        })
    }

    /// Writes down every message that has arrived, a line each.
    pub fn write_down(&mut self) -> io::Result<()> {
        let mut message = vec![0; LONGEST];
        loop {
            match self.socket.recv(&mut message) {
                Ok(length) => self.log.write_all(&line(&message[..length]))?,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            }
        }
    }
}

impl AsFd for Journal {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// Keeps a message on one line, so that a test sees a newline or an escape
/// sequence that a user smuggled into it.
fn line(message: &[u8]) -> Vec<u8> {
    let mut line = Vec::new();
    for &byte in message {
        match byte {
            b'\\' => line.extend(b"\\\\"),
            b' '..=b'~' => line.push(byte),
            _ => line.extend(byte.escape_ascii()),
        }
    }
    line.push(b'\n');
    line
}
