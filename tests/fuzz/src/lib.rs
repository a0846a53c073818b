//! What holds for every input that somebody else wrote: one function for each
//! kind of input, which panics where it does not hold.
//!
//! The fuzzer calls them with inputs it makes up, and an ordinary test
//! (`tests/tests/seeds.rs`) with every file in `seeds`.

use std::cell::OnceCell;
use std::ffi::{CString, OsStr};
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};

use config::{Account, Answer, Site, User};
use namespace::mount_table::MountTable;
use namespace::reader::{Finding, Reply};
use namespace::record::{LONGEST_PATH, Record};
use namespace::references::Scan;

#[path = "../../../pam_nixns/src/arguments.rs"]
mod arguments;

const ORIGIN: &str = "config.toml";
const HOST: &str = "host";

/// The site configuration: root's, but read in every login.
pub fn site(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    match Site::parse(text, Path::new(ORIGIN)) {
        Err(error) => is_one_line_with_a_place(&error.to_string()),
        Ok(site) => {
            let printed = site.to_toml().expect("what was parsed can be printed");
            let again = Site::parse(&printed, Path::new(ORIGIN)).expect("and parsed again");
            assert_eq!(again, site, "{printed}");
            for user in [None, Some(&User::default()), Some(&a_users_own_path())] {
                every_answer_is_below_a_root(&site, user);
            }
        }
    }
}

/// The user configuration: as hostile as the user.
pub fn user(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    match User::parse(text, Path::new(ORIGIN)) {
        Err(error) => is_one_line_with_a_place(&error.to_string()),
        Ok(user) => {
            let printed = user.to_toml().expect("what was parsed can be printed");
            let again = User::parse(&printed, Path::new(ORIGIN)).expect("and parsed again");
            assert_eq!(again, user, "{printed}");
            for site in sites() {
                every_answer_is_below_a_root(&site, Some(&user));
            }
        }
    }
}

/// Foreign text on its way into a log.
pub fn printable(bytes: &[u8]) {
    is_printable(&config::printable(&String::from_utf8_lossy(bytes)));
}

/// A record, in the marker or in the registry.
pub fn record(bytes: &[u8]) {
    let Some(record) = Record::parse(OsStr::from_bytes(bytes)) else {
        return;
    };
    let text = record.to_text();
    // One text for each record, in every number of it: no sign, no zero, no blank.
    assert_eq!(text.as_bytes(), bytes, "{record:?}");
    assert!((1..=LONGEST_PATH).contains(&record.path.as_os_str().len()));
    assert!(text.len() < 4095, "a symbolic link would not hold it");
}

/// The kernel's mount table, with paths that users chose: whatever stands in
/// the lines before and in the path itself, a line is read as it was written.
pub fn mount_table(bytes: &[u8]) {
    const ID: u64 = u64::MAX;
    let path = Path::new(OsStr::from_bytes(bytes));
    let written = as_the_kernel_writes(bytes);
    let line = [
        format!("\n{ID} 1 8:1 ").as_bytes(),
        &written,
        b" ",
        &written,
        b" rw,nosuid shared:1 master:2 - fuse.x src rw,user_id=1001\n",
    ]
    .concat();
    let table = MountTable::parse(&[bytes, &line].concat());
    let mount = table.by_id(ID).expect("a line that the kernel wrote");
    if MountTable::parse(bytes).by_id(ID).is_some() {
        return;
    }
    assert_eq!(mount.point, path);
    assert_eq!(mount.root, path);
    assert!(mount.flags.no_suid && !mount.flags.no_dev);
    assert_eq!(mount.fuse_user(), Some(1001));
    assert_eq!(mount.root_of(&path.join("a/b")), Some(path.join("a/b")));
}

/// `seq_path` with `" \t\n\\"`.
fn as_the_kernel_writes(path: &[u8]) -> Vec<u8> {
    path.iter()
        .flat_map(|byte| match byte {
            b' ' | b'\t' | b'\n' | b'\\' => format!("\\{byte:03o}").into_bytes(),
            byte => vec![*byte],
        })
        .collect()
}

/// What a process of the user's answers.
pub fn reply(bytes: &[u8]) {
    // As much as is received.
    let bytes = bytes.get(..8192).unwrap_or(bytes);
    let Some(reply) = Reply::parse(bytes) else {
        return;
    };
    let again = reply.to_bytes();
    if let Finding::Refused(why) = &reply.finding {
        is_one_line(why);
        assert!(why.chars().count() <= 2048);
        // What is said may be escaped, and what comes before it not be otherwise.
        let head = |bytes: &[u8]| bytes.iter().position(|byte| *byte == b'\n');
        let (head, again_head) = (head(bytes), head(&again));
        assert_eq!(
            head.and_then(|end| bytes.get(..end)),
            again_head.and_then(|end| again.get(..end))
        );
        assert_eq!(Reply::parse(&again), Some(reply));
    } else {
        assert_eq!(again, bytes);
    }
}

/// The words after the module's name in `/etc/pam.d`, one a line.
pub fn arguments(bytes: &[u8]) {
    let words: Vec<CString> = bytes
        .split(|byte| *byte == b'\n')
        .filter_map(|word| CString::new(word).ok())
        .collect();
    let words: Vec<_> = words.iter().map(CString::as_c_str).collect();
    let arguments = arguments::Arguments::parse(&words);
    assert_eq!(arguments.leave, words.contains(&c"leave"));
    assert_eq!(arguments.debug, words.contains(&c"debug"));
    assert!(arguments.site_file.is_absolute());
    assert!(arguments.unknown.len() <= words.len());
    for word in &arguments.unknown {
        is_printable(word);
    }
}

/// A privileged file of the host. The first byte says which one; nothing that
/// the file holds hides a line that comes after it.
pub fn references(bytes: &[u8]) {
    let Some((which, content)) = bytes.split_first() else {
        return;
    };
    // The scan would follow such a path out of the throw-away system.
    if content.windows(2).any(|two| two == b"..") {
        return;
    }
    let files = [
        ("etc/profile", &b"\n. /nix/x\n"[..]),
        ("etc/sudoers", b"\n@include /nix/x\n"),
        ("etc/pam.d/sshd", b"\nsession optional /nix/x.so\n"),
        ("etc/ld.so.conf", b"\n/nix/lib\n"),
        ("etc/ld.so.cache", b"\0/nix/lib/x.so\0"),
        ("etc/passwd", b"\nx:x:1:1::/:/nix/sh\n"),
    ];
    let (file, mention) = files[usize::from(*which) % files.len()];
    on_a_throw_away_system(|root| {
        let file = root.join(file);
        fs::write(&file, content).expect("a file in a temporary directory");
        let before = Scan::read(root).references;
        for reference in &before {
            assert!(!reference.to_string().contains(char::is_control));
        }
        fs::write(&file, [content, mention].concat()).expect("the same file");
        let after = Scan::read(root).references;
        fs::remove_file(&file).expect("the same file");
        assert!(!after.is_empty() && after.len() >= before.len());
    });
}

/// Made once for each thread: making directories costs more than all the rest.
fn on_a_throw_away_system(then: impl FnOnce(&Path)) {
    thread_local! {
        static SYSTEM: OnceCell<tempfile::TempDir> = const { OnceCell::new() };
    }
    SYSTEM.with(|system| {
        let system = system.get_or_init(|| {
            let system = tempfile::tempdir().expect("a temporary directory");
            fs::create_dir_all(system.path().join("etc/pam.d")).expect("a directory in it");
            system
        });
        then(system.path());
    });
}

fn is_one_line_with_a_place(message: &str) {
    let place = message
        .strip_prefix("config.toml:")
        .expect("the file is named");
    let mut numbers = place.splitn(3, ':').map(str::parse::<usize>);
    for _ in ["line", "column"] {
        let number = numbers
            .next()
            .and_then(Result::ok)
            .expect("a place is named");
        assert!(number > 0);
    }
    assert!(!message.contains(char::is_control), "{message:?}");
}

fn is_printable(text: &str) {
    is_one_line(text);
    assert!(text.chars().count() <= 512);
}

fn is_one_line(text: &str) {
    assert!(!text.contains(char::is_control), "{text:?}");
    // Right-to-left and left-to-right overrides and isolates.
    let bidi = ['\u{202a}'..='\u{202e}', '\u{2066}'..='\u{2069}'];
    assert!(
        !text.contains(|it| bidi.iter().any(|range| range.contains(&it))),
        "{text:?}"
    );
}

fn every_answer_is_below_a_root(site: &Site, user: Option<&User>) {
    for account in accounts() {
        let roots: Vec<PathBuf> = site
            .roots
            .iter()
            .filter_map(|root| root.expand(&account, HOST).ok())
            .collect();
        let answer = config::answer(&site.source_path, site.opt_in, &roots, user, &account, HOST);
        match answer {
            Ok(Answer::Store { path, .. }) => is_below_a_root(path.as_path(), &roots),
            Ok(Answer::NotOptedIn) => assert!(site.opt_in && user.is_none()),
            Ok(Answer::DisabledByUser) => assert!(user.is_some_and(|user| !user.enable)),
            Err(error) => assert!(!error.to_string().contains(char::is_control)),
        }
    }
}

fn is_below_a_root(path: &Path, roots: &[PathBuf]) {
    let plain = |part| matches!(part, Component::RootDir | Component::Normal(_));
    assert!(
        path.is_absolute() && path.components().all(plain),
        "{path:?}"
    );
    let text = path.as_os_str().as_bytes();
    assert!(text.len() <= 4095 && !text.contains(&0), "{path:?}");
    assert!(
        !text.ends_with(b"/") && !text.windows(2).any(|two| two == b"//"),
        "{path:?}"
    );
    assert!(
        roots
            .iter()
            .any(|root| path != root && path.starts_with(root)),
        "{path:?}"
    );
    for place in ["/nix", "/proc", "/sys", "/dev", "/run/nix-ns"] {
        assert!(!path.starts_with(place), "{path:?}");
    }
}

fn sites() -> [Site; 2] {
    let cluster = r#"
        opt_in = false
        source_path = "/scratch/%u/nix"
        roots = ["%h", "/scratch/%u", "/srv/%H"]
    "#;
    [
        Site::default(),
        Site::parse(cluster, Path::new(ORIGIN)).expect("a site configuration"),
    ]
}

fn a_users_own_path() -> User {
    User::parse("source_path = \"/scratch/%u/nix\"", Path::new(ORIGIN))
        .expect("a user configuration")
}

/// One as it should be, and two that an account database might hold.
fn accounts() -> [Account; 3] {
    [
        ("alice", "/home/alice"),
        ("../../etc", "/"),
        ("..", "/home/../etc"),
    ]
    .map(|(name, home)| Account {
        name: name.to_owned(),
        uid: 1001,
        gid: 1001,
        groups: Vec::new(),
        home: home.into(),
    })
}
