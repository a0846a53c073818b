//! The log of this program's sessions: takes the machine's place at `/dev/log`.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixDatagram;

const SOCKET: &str = "/dev/log";

/// The receiving end.
#[derive(Debug)]
pub struct Log(UnixDatagram);

impl Log {
    /// In the place of whatever was there.
    pub fn open() -> io::Result<Self> {
        fs::rename(SOCKET, "/dev/log.before").or_else(|error| match error.kind() {
            io::ErrorKind::NotFound => Ok(()),
            _ => Err(error),
        })?;
        let socket = UnixDatagram::bind(SOCKET)?;
        fs::set_permissions(SOCKET, fs::Permissions::from_mode(0o666))?;
        socket.set_nonblocking(true)?;
        Ok(Self(socket))
    }

    /// What the module said since the last call.
    pub fn lines(&self) -> Vec<String> {
        let mut lines = Vec::new();
        let mut message = [0; 8192];
        while let Ok(length) = self.0.recv(&mut message) {
            let line = String::from_utf8_lossy(&message[..length]).into_owned();
            if let Some((_, said)) = line.split_once("pam_nixns(") {
                lines.push(format!("pam_nixns({said}"));
            }
        }
        lines
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        let _ = fs::rename("/dev/log.before", SOCKET);
    }
}
