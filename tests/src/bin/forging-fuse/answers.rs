//! What the server says: `include/uapi/linux/fuse.h`, as far as a directory that
//! lies about its owner takes.

use std::num::ParseIntError;
use std::path::PathBuf;

const LOOKUP: u32 = 1;
const FORGET: u32 = 2;
const GETATTR: u32 = 3;
const READLINK: u32 = 5;
const OPEN: u32 = 14;
const READ: u32 = 15;
const STATFS: u32 = 17;
const RELEASE: u32 = 18;
const FLUSH: u32 = 25;
const INIT: u32 = 26;
const OPENDIR: u32 = 27;
const READDIR: u32 = 28;
const RELEASEDIR: u32 = 29;
const ACCESS: u32 = 34;
const INTERRUPT: u32 = 36;
const DESTROY: u32 = 38;
const BATCH_FORGET: u32 = 42;

const DIRECTORY: u32 = 0o040_755;
const PROGRAM: u32 = 0o100_755;

/// Numbers of files: whatever else has a number is a directory.
const WHOSE: u64 = 2;
const PAYLOAD: u64 = 3;
const FIRST_DIRECTORY: u64 = 4;

const LONGEST_HEADER: usize = 40;

/// Answers for a file system whose files all belong to one user.
pub struct Server {
    owner: u32,
    /// Once this is there, it says nothing any more.
    gag: Option<PathBuf>,
}

impl Server {
    /// From the words on the command line.
    pub fn new(owner: &str) -> Result<Self, ParseIntError> {
        let (owner, gag) = match owner.split_once(':') {
            Some((owner, gag)) => (owner, Some(gag.into())),
            None => (owner, None),
        };
        Ok(Self {
            owner: owner.parse()?,
            gag,
        })
    }

    /// Whether it answers at all by now.
    pub fn speaks(&self) -> bool {
        !self.gag.as_ref().is_some_and(|gag| gag.exists())
    }

    /// What to write back, if there is an answer to such a question.
    pub fn answer(&self, question: &[u8]) -> Option<Vec<u8>> {
        let kind = u32_at(question, 4)?;
        let unique = u64_at(question, 8)?;
        let node = u64_at(question, 16)?;
        let body = question.get(LONGEST_HEADER..)?;
        let said = match kind {
            FORGET | BATCH_FORGET | INTERRUPT | DESTROY => return None,
            INIT => Ok(self.init()),
            LOOKUP => Ok(self.entry(node, body)),
            GETATTR => Ok(self.attributes_of(node)),
            OPEN | OPENDIR => Ok(vec![0; 16]),
            READ => Ok(content(node, body)),
            READLINK => Ok(b"/etc".to_vec()),
            STATFS => Ok(vec![0; 80]),
            READDIR | RELEASE | RELEASEDIR | FLUSH | ACCESS => Ok(Vec::new()),
            _ => Err(libc::ENOSYS),
        };
        Some(message(unique, said))
    }

    /// `struct fuse_init_out`.
    fn init(&self) -> Vec<u8> {
        let numbers: [u32; 4] = [7, 31, 1 << 16, 0];
        let mut out: Vec<u8> = numbers.iter().flat_map(|n| n.to_ne_bytes()).collect();
        out.extend(16_u16.to_ne_bytes());
        out.extend(12_u16.to_ne_bytes());
        out.extend(4096_u32.to_ne_bytes());
        out.extend(1_u32.to_ne_bytes());
        out.resize(64, 0);
        out
    }

    /// `struct fuse_entry_out`.
    fn entry(&self, parent: u64, name: &[u8]) -> Vec<u8> {
        let node = match name {
            b"whose\0" => WHOSE,
            b"payload\0" => PAYLOAD,
            _ => directory(parent, name),
        };
        let mut out = Vec::new();
        for number in [node, 0, 1, 1] {
            out.extend(number.to_ne_bytes());
        }
        out.extend([0; 8]);
        out.extend(self.attributes(node));
        out
    }

    /// `struct fuse_attr_out`.
    fn attributes_of(&self, node: u64) -> Vec<u8> {
        let mut out = Vec::new();
        out.extend(1_u64.to_ne_bytes());
        out.extend([0; 8]);
        out.extend(self.attributes(node));
        out
    }

    /// `struct fuse_attr`.
    fn attributes(&self, node: u64) -> Vec<u8> {
        let text = text_of(node);
        let mode = if text.is_empty() { DIRECTORY } else { PROGRAM };
        let mut out = Vec::new();
        for number in [node, text.len() as u64, 1, 0, 0, 0] {
            out.extend(number.to_ne_bytes());
        }
        for number in [0, 0, 0, mode, 2, self.owner, self.owner, 0, 4096, 0] {
            out.extend(number.to_ne_bytes());
        }
        out
    }
}

/// `struct fuse_out_header` and what comes after it.
fn message(unique: u64, said: Result<Vec<u8>, i32>) -> Vec<u8> {
    let (error, body) = match said {
        Ok(body) => (0, body),
        Err(errno) => (-errno, Vec::new()),
    };
    let length = u32::try_from(16 + body.len()).expect("answers are short");
    let mut out = length.to_ne_bytes().to_vec();
    out.extend(error.to_ne_bytes());
    out.extend(unique.to_ne_bytes());
    out.extend(body);
    out
}

/// One number a path: the kernel lets no directory be in itself.
fn directory(parent: u64, name: &[u8]) -> u64 {
    let number = name.iter().fold(parent, |number, byte| {
        number.wrapping_mul(31).wrapping_add(u64::from(*byte))
    });
    number.max(FIRST_DIRECTORY)
}

fn text_of(node: u64) -> &'static [u8] {
    match node {
        WHOSE => b"fuse\n",
        PAYLOAD => b"#!/bin/sh\nexec whose-nix payload\n",
        _ => b"",
    }
}

/// `struct fuse_read_in`: the file's handle, then where to begin.
fn content(node: u64, body: &[u8]) -> Vec<u8> {
    let begin = u64_at(body, 8).unwrap_or(0);
    let begin = usize::try_from(begin).unwrap_or(usize::MAX);
    text_of(node).get(begin..).unwrap_or_default().to_vec()
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_ne_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_ne_bytes(bytes.get(at..at + 8)?.try_into().ok()?))
}
