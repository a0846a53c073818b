//! The mount table: what the kernel itself says is mounted where
//! (`/proc/PID/mountinfo`, `proc(5)`). Unlike a question to the mounted file
//! system, it cannot be forged by a FUSE server, and cannot hang.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

use crate::kernel::{MountFlags, parse_decimal};

/// One line of the table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mount {
    /// Number of the mount, reused after it is gone.
    pub id: u64,
    /// Number of the file system's device, as the table writes it: `254:0`.
    pub device: String,
    /// Which directory of the file system is the root of the mount.
    pub root: PathBuf,
    /// Where it is mounted.
    pub point: PathBuf,
    /// Its flags.
    pub flags: MountFlags,
    /// Whether mounts below it travel to and from other namespaces.
    pub shared: bool,
    /// Type of the file system, with its subtype: `ext4`, `fuse.sshfs`.
    pub file_system: String,
    /// What is mounted: a device, a server's directory.
    pub source: String,
    /// Options of the file system.
    pub options: String,
}

/// The mounts of one namespace, in the order they are listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MountTable(Vec<Mount>);

impl MountTable {
    /// Reads the kernel's text. A line that is not understood is left out: a
    /// mount that is looked for and not found is an error of its own.
    #[must_use]
    pub fn parse(text: &[u8]) -> Self {
        Self(
            text.split(|byte| *byte == b'\n')
                .filter_map(Mount::parse)
                .collect(),
        )
    }

    /// Every mount, in that order.
    #[must_use]
    pub fn mounts(&self) -> &[Mount] {
        &self.0
    }

    /// The mount with this number.
    #[must_use]
    pub fn by_id(&self, id: u64) -> Option<&Mount> {
        self.0.iter().find(|mount| mount.id == id)
    }

    /// The topmost mount at this place.
    #[must_use]
    pub fn at(&self, point: &Path) -> Option<&Mount> {
        self.0.iter().rfind(|mount| mount.point == point)
    }
}

impl Mount {
    /// The mount with this number, of the kernel's text: a first session looks for
    /// one, and the others may be ten thousand.
    pub(crate) fn find(text: &[u8], id: u64) -> Option<Self> {
        let number = format!("{id} ");
        text.split(|byte| *byte == b'\n')
            .filter(|line| line.starts_with(number.as_bytes()))
            .find_map(Self::parse)
    }

    fn parse(line: &[u8]) -> Option<Self> {
        let fields: Vec<&[u8]> = line.split(|byte| *byte == b' ').collect();
        // A variable number of propagation fields ends with a lone dash.
        let (mount, file_system) = fields.split_at_checked(
            fields
                .iter()
                .skip(6)
                .position(|field| *field == b"-")?
                .checked_add(6)?,
        )?;
        let [id, _parent, device, root, point, flags, propagation @ ..] = mount else {
            return None;
        };
        let [_dash, kind, source, options, ..] = file_system else {
            return None;
        };
        let root = match *kind {
            b"nfs" | b"nfs4" => directory_of_server(source).unwrap_or(root),
            _ => root,
        };
        Some(Self {
            id: parse_decimal(std::str::from_utf8(id).ok()?)?,
            device: String::from_utf8_lossy(device).into_owned(),
            root: unescape(root),
            point: unescape(point),
            flags: parse_flags(flags),
            shared: propagation
                .iter()
                .any(|field| field.starts_with(b"shared:")),
            file_system: String::from_utf8_lossy(kind).into_owned(),
            source: unescape(source).to_string_lossy().into_owned(),
            options: String::from_utf8_lossy(options).into_owned(),
        })
    }

    /// The path, from the root of the file system, of a file that this mount
    /// shows at `path`.
    #[must_use]
    pub fn root_of(&self, path: &Path) -> Option<PathBuf> {
        let rest = path.strip_prefix(&self.point).ok()?;
        Some(if rest.as_os_str().is_empty() {
            self.root.clone()
        } else {
            self.root.join(rest)
        })
    }

    /// For a FUSE file system: the user whose program answers for it.
    #[must_use]
    pub fn fuse_user(&self) -> Option<u32> {
        let fuse = ["fuse", "fuseblk"].contains(&self.file_system.as_str())
            || self.file_system.starts_with("fuse.")
            || self.file_system.starts_with("fuseblk.");
        let user = || {
            self.options
                .split(',')
                .find_map(|option| option.strip_prefix("user_id="))
        };
        // A FUSE file system that does not say whose it is may be anybody's.
        fuse.then(|| {
            user()
                .and_then(|user| user.parse().ok())
                .unwrap_or(u32::MAX)
        })
    }
}

/// Of a directory on NFS the kernel prints `/` as the root of its mount
/// (`nfs_show_path`, fs/nfs/super.c), and which directory it is after the name of
/// the server (`nfs_show_devname`): `[fd00::1]:/srv/homes/alice`.
fn directory_of_server(source: &[u8]) -> Option<&[u8]> {
    let colon = source.windows(2).position(|pair| pair == b":/")?;
    source.get(colon.checked_add(1)?..)
}

fn parse_flags(text: &[u8]) -> MountFlags {
    let mut flags = MountFlags::default();
    for flag in text.split(|byte| *byte == b',') {
        match flag {
            b"ro" => flags.read_only = true,
            b"nosuid" => flags.no_suid = true,
            b"nodev" => flags.no_dev = true,
            b"noexec" => flags.no_exec = true,
            b"noatime" => flags.no_atime = true,
            b"nodiratime" => flags.no_diratime = true,
            b"relatime" => flags.relatime = true,
            b"nosymfollow" => flags.no_symfollow = true,
            _ => {}
        }
    }
    flags
}

/// Undoes `\040` and its like: the kernel writes blank, tab, newline and
/// backslash in octal (`seq_path` with `" \t\n\\"`).
fn unescape(field: &[u8]) -> PathBuf {
    let mut path = Vec::with_capacity(field.len());
    let mut rest = field;
    while let Some((&byte, tail)) = rest.split_first() {
        let escaped = if byte == b'\\' { octal(tail) } else { None };
        let (byte, tail) = escaped.unwrap_or((byte, tail));
        path.push(byte);
        rest = tail;
    }
    PathBuf::from(OsString::from_vec(path))
}

/// Three octal digits, and what comes after them.
fn octal(text: &[u8]) -> Option<(u8, &[u8])> {
    let (digits, rest) = text.split_at_checked(3)?;
    let plain = digits.iter().all(|digit| (b'0'..=b'7').contains(digit));
    let digits = std::str::from_utf8(digits).ok().filter(|_| plain)?;
    let byte = u8::from_str_radix(digits, 8).ok()?;
    Some((byte, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &[u8] = b"\
22 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw,discard\n\
30 22 0:30 / /home/a\\040b rw,nosuid,nodev,noexec,relatime master:3 shared:9 propagate_from:2 - fuse.sshfs sshfs rw,user_id=1001,group_id=1001\n\
31 22 254:0 /srv/x /nix ro,nosuid - ext4 /dev/vda rw\n\
not a line\n";

    #[test]
    fn reads_the_kernels_lines_and_skips_the_rest() {
        let table = MountTable::parse(TABLE);
        assert_eq!(table.mounts().len(), 3);
        let home = table.by_id(30).unwrap();
        assert_eq!(home.point, Path::new("/home/a b"));
        assert_eq!(home.device, "0:30");
        assert!(home.flags.no_exec && home.flags.no_suid && !home.flags.read_only);
        assert_eq!(home.fuse_user(), Some(1001));
        assert!(home.shared && table.by_id(22).unwrap().shared);
        assert_eq!(home.source, "sshfs");
        assert!(!table.by_id(31).unwrap().shared);
        assert!(table.by_id(31).unwrap().flags.read_only);
        assert_eq!(table.by_id(31).unwrap().fuse_user(), None);
    }

    #[test]
    fn one_mount_is_found_as_it_is_in_the_whole_table() {
        let table = MountTable::parse(TABLE);
        for id in [1, 2, 22, 30, 31, 3, 310] {
            assert_eq!(Mount::find(TABLE, id).as_ref(), table.by_id(id), "{id}");
        }
    }

    #[test]
    fn the_last_mount_at_a_place_is_the_topmost() {
        let table = MountTable::parse(b"8 1 0:9 / /x rw - a b rw\n9 8 0:9 / /x rw - a b rw\n");
        assert_eq!(table.at(Path::new("/x")).unwrap().id, 9);
        assert_eq!(table.at(Path::new("/y")), None);
    }

    #[test]
    fn a_fuse_that_hides_its_user_is_nobodys() {
        let table = MountTable::parse(b"9 1 0:9 / /x rw - fuse x rw,user_id=junk\n");
        assert_eq!(table.by_id(9).unwrap().fuse_user(), Some(u32::MAX));
    }

    #[test]
    fn a_root_below_the_mount_is_found() {
        let table = MountTable::parse(TABLE);
        let nix = table.by_id(31).unwrap();
        assert_eq!(
            nix.root_of(Path::new("/nix/store")),
            Some("/srv/x/store".into())
        );
        assert_eq!(nix.root_of(Path::new("/nix")), Some("/srv/x".into()));
        assert_eq!(nix.root_of(Path::new("/nixos")), None);
    }

    #[test]
    fn the_root_of_a_mount_of_nfs_is_the_servers_directory() {
        let table = b"7 1 0:9 / /net/homes rw - nfs4 10.9.0.2:/srv/homes rw\n\
                      8 1 0:9 / /nix rw - nfs4 10.9.0.2:/srv/homes/a\\040b/nix rw\n\
                      9 1 0:9 / /x rw - nfs [fd00::1]:/ rw\n";
        let table = MountTable::parse(table);
        let store = table
            .by_id(7)
            .unwrap()
            .root_of(Path::new("/net/homes/a b/nix"));
        assert_eq!(store.as_ref(), Some(&table.by_id(8).unwrap().root));
        assert_eq!(
            table.by_id(8).unwrap().root,
            Path::new("/srv/homes/a b/nix")
        );
        assert_eq!(table.by_id(9).unwrap().root, Path::new("/"));
    }

    #[test]
    fn octal_escapes_are_undone_and_a_lone_backslash_stays() {
        assert_eq!(unescape(br"/a\040b\134c"), Path::new(r"/a b\c"));
        assert_eq!(unescape(br"/a\0"), Path::new(r"/a\0"));
        assert_eq!(unescape(br"/a\999"), Path::new(r"/a\999"));
    }

    #[test]
    fn every_flag_is_read_as_itself_alone() {
        let none = MountFlags::default();
        for (text, flags) in [
            (
                "ro",
                MountFlags {
                    read_only: true,
                    ..none
                },
            ),
            (
                "nosuid",
                MountFlags {
                    no_suid: true,
                    ..none
                },
            ),
            (
                "nodev",
                MountFlags {
                    no_dev: true,
                    ..none
                },
            ),
            (
                "noexec",
                MountFlags {
                    no_exec: true,
                    ..none
                },
            ),
            (
                "noatime",
                MountFlags {
                    no_atime: true,
                    ..none
                },
            ),
            (
                "nodiratime",
                MountFlags {
                    no_diratime: true,
                    ..none
                },
            ),
            (
                "relatime",
                MountFlags {
                    relatime: true,
                    ..none
                },
            ),
            (
                "nosymfollow",
                MountFlags {
                    no_symfollow: true,
                    ..none
                },
            ),
            ("rw", none),
            ("nosuidx", none),
        ] {
            assert_eq!(parse_flags(text.as_bytes()), flags, "{text}");
            assert_eq!(parse_flags(format!("rw,{text},x").as_bytes()), flags);
        }
    }

    #[test]
    fn only_fuse_has_a_user_and_every_fuse_has_one() {
        let user = |kind: &str, options: &str| {
            let line = format!("9 1 0:9 / /x rw - {kind} x {options}\n");
            MountTable::parse(line.as_bytes())
                .by_id(9)
                .unwrap()
                .fuse_user()
        };
        for kind in ["fuse", "fuseblk", "fuse.sshfs", "fuseblk.ntfs"] {
            assert_eq!(user(kind, "rw,user_id=0,group_id=0"), Some(0), "{kind}");
            assert_eq!(user(kind, "rw,user_id=1001"), Some(1001), "{kind}");
            assert_eq!(user(kind, "rw"), Some(u32::MAX), "{kind}");
            assert_eq!(user(kind, "rw,xuser_id=0"), Some(u32::MAX), "{kind}");
        }
        for kind in ["ext4", "fusectl", "fuser", "xfuse", "nfs4"] {
            assert_eq!(user(kind, "rw,user_id=1001"), None, "{kind}");
        }
    }

    #[test]
    fn a_line_needs_all_its_fields() {
        let whole = "9 1 0:9 / /x rw - ext4 src rw";
        assert!(MountTable::parse(whole.as_bytes()).by_id(9).is_some());
        let fields: Vec<&str> = whole.split(' ').collect();
        for end in 0..fields.len() {
            let table = MountTable::parse(fields[..end].join(" ").as_bytes());
            assert!(table.0.is_empty(), "{end}: {table:?}");
        }
        // A dash where a path stands is no end of the fields.
        let dash = MountTable::parse(b"9 1 0:9 - - rw - ext4 - rw\n");
        assert_eq!(dash.by_id(9).unwrap().point, Path::new("-"));
    }

    #[test]
    fn what_the_kernel_escapes_is_read_back_whatever_it_is() {
        for first in 0..=u8::MAX {
            for second in [first, b'0', b'4', b'\\', b' ', b'\n', b'x'] {
                let path = [b'/', first, second, b'0', b'4', b'0'];
                let written: Vec<u8> = path
                    .iter()
                    .flat_map(|byte| match byte {
                        b' ' | b'\t' | b'\n' | b'\\' => format!("\\{byte:03o}").into_bytes(),
                        byte => vec![*byte],
                    })
                    .collect();
                assert_eq!(unescape(&written).into_os_string().into_vec(), path);
            }
        }
    }
}
