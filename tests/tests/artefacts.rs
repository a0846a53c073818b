//! The built files themselves: what a login program would load, and what is
//! installed beside it.

use std::collections::BTreeSet;
use std::env;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

const MODULE: &str = "libpam_nixns.so";
const PROGRAMS: [&str; 3] = ["nix-ns", "nix-ns-enter", "nix-ns-reader"];

// ---- the module

/// More would be hooks for line types the module has no answer to, or names
/// that clash with the application's.
#[test]
fn the_module_exports_the_two_session_hooks_and_nothing_else() {
    let symbols = tool("nm", &["-D", "--defined-only", "--format=posix"], MODULE);
    let names: BTreeSet<&str> = symbols
        .lines()
        .filter_map(|line| line.split(' ').next())
        .collect();
    let hooks = ["pam_sm_close_session", "pam_sm_open_session"];
    assert_eq!(names, hooks.into());
}

/// It is loaded by sshd and sudo: whatever is missing there locks people out.
#[test]
fn the_module_needs_only_what_every_pam_application_has() {
    for library in needed(MODULE) {
        let known = ["libpam.so.0", "libc.so.6", "libgcc_s.so.1"].contains(&&*library)
            || library.starts_with("ld-linux");
        assert!(known, "{library}");
    }
    assert!(needed(MODULE).contains("libpam.so.0"));
}

/// Lazy binding would leave a missing symbol to be found in mid-login.
#[test]
fn the_module_can_be_loaded_with_every_symbol_bound() {
    let loaded = Command::new("/bin/true")
        .env("LD_PRELOAD", built(MODULE))
        .env("LD_BIND_NOW", "1")
        .output()
        .expect("it starts");
    let complaints = String::from_utf8_lossy(&loaded.stderr);
    assert!(
        loaded.status.success() && complaints.is_empty(),
        "{complaints}"
    );
}

// ---- the programs

/// An environment cannot make a static program load anything, and a broken
/// system library cannot keep it from starting.
#[test]
fn the_programs_are_static() {
    for program in PROGRAMS {
        assert_eq!(needed(program), BTreeSet::new(), "{program}");
        let segments = tool("readelf", &["-Wl"], program);
        assert!(!segments.contains("INTERP"), "{program}:\n{segments}");
    }
}

#[test]
fn the_programs_are_loaded_at_a_random_address() {
    for program in PROGRAMS {
        let header = tool("readelf", &["-Wh"], program);
        assert!(header.contains("DYN ("), "{program}:\n{header}");
        let flags = dynamic(program, "FLAGS_1");
        assert!(
            flags.iter().any(|it| it.contains("PIE")),
            "{program}: {flags:?}"
        );
    }
}

/// A static glibc that looks up an account loads whatever library
/// `nsswitch.conf` names, and crashes: how those libraries are called is in every
/// program that could. (So is the name of that file, which `nix-ns doctor` reads
/// itself.)
#[test]
fn the_programs_cannot_look_up_accounts() {
    let trace = "libnss_";
    for program in PROGRAMS {
        assert!(!contains(&built(program), trace), "{program} has {trace}");
    }
    // Else nothing would ever be found.
    assert!(contains(&c_library(), trace));
}

/// What reads a caller's words with root's rights is to be read in one sitting.
#[test]
fn the_setuid_program_has_no_argument_parser() {
    let words = "unexpected argument";
    assert!(!contains(&built("nix-ns-enter"), words));
    assert!(contains(&built("nix-ns"), words), "else it proves nothing");
}

#[test]
fn a_program_started_without_an_environment_still_starts() {
    let version = Command::new(built("nix-ns"))
        .env_clear()
        .arg("--help")
        .output();
    assert!(version.expect("it starts").status.code().is_some());
}

// ---- what is generated from the command line

/// Every subcommand has its man page, and the shell offers it.
#[test]
fn every_subcommand_is_documented_and_completed() {
    let subcommands = subcommands();
    assert!(subcommands.contains("enter") && subcommands.contains("check"));
    let offered = bash_offers("");
    for subcommand in &subcommands {
        let page = documents().join(format!("man/nix-ns-{subcommand}.1"));
        assert!(page.is_file(), "{}", page.display());
        assert!(offered.contains(subcommand), "{offered:?}");
    }
    assert_eq!(bash_offers("ent"), BTreeSet::from(["enter".to_owned()]));
    for shell in ["completions/_nix-ns", "completions/nix-ns.fish"] {
        let script = fs::read_to_string(documents().join(shell)).expect("readable");
        let named = |subcommand: &String| script.contains(subcommand.as_str());
        assert!(subcommands.iter().all(named), "{shell}");
    }
}

#[test]
fn the_man_pages_are_well_formed() {
    for page in fs::read_dir(documents().join("man")).expect("`make build` made it") {
        let page = page.expect("readable").path();
        let output = Command::new("man")
            .args(["--local-file", "--warnings=all", "--encoding=utf8"])
            .arg(&page)
            .env("MANWIDTH", "80")
            .output()
            .expect("man-db is installed");
        let complaints = String::from_utf8_lossy(&output.stderr);
        assert!(
            output.status.success() && complaints.is_empty(),
            "{complaints}"
        );
    }
}

// ---- all of them

#[test]
fn nothing_is_setuid() {
    for file in files() {
        let permissions = fs::metadata(built(file)).expect("built").permissions();
        assert_eq!(permissions.mode() & 0o6022, 0, "{file}");
    }
}

#[test]
fn nothing_can_be_overwritten_in_memory_that_need_not_be() {
    for file in files() {
        let segments = tool("readelf", &["-Wl"], file);
        assert!(segments.contains("GNU_RELRO"), "{file}:\n{segments}");
        let stack = segments.lines().find(|line| line.contains("GNU_STACK"));
        let stack = stack.unwrap_or_else(|| panic!("{file} has no word on its stack"));
        assert!(stack.contains(" RW "), "{file}: {stack}");
        let writable_code = segments
            .lines()
            .find(|line| line.contains("LOAD") && line.contains("RWE"));
        assert_eq!(writable_code, None, "{file}");
        assert_eq!(dynamic(file, "TEXTREL"), [""; 0], "{file}");
    }
    // A static program has no symbol left to be bound.
    let bound = [dynamic(MODULE, "FLAGS_1"), dynamic(MODULE, "FLAGS")].concat();
    assert!(bound.iter().any(|flags| flags.contains("NOW")), "{bound:?}");
}

/// Such a path would be searched by sshd, before the system's.
#[test]
fn nothing_names_a_path_to_search() {
    for file in files() {
        for tag in ["RPATH", "RUNPATH"] {
            assert_eq!(dynamic(file, tag), [""; 0], "{file}");
        }
    }
}

// ---- tools

fn files() -> impl Iterator<Item = &'static str> {
    PROGRAMS.into_iter().chain([MODULE])
}

/// A built file, where `Machine::install_module` takes it from.
fn built(name: &str) -> PathBuf {
    let release = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/release");
    let directory = env::var_os("NIX_NS_BUILT").map_or_else(release, PathBuf::from);
    let path = directory.join(name);
    assert!(path.is_file(), "{}: run `make build` first", path.display());
    path
}

/// What a program of the binutils says about a built file.
fn tool(program: &str, options: &[&str], file: &str) -> String {
    let output = Command::new(program)
        .env("LC_ALL", "C")
        .args(options)
        .arg(built(file))
        .output()
        .unwrap_or_else(|error| panic!("{program}: {error}"));
    assert!(output.status.success(), "{program}: {output:?}");
    String::from_utf8(output.stdout).expect("ASCII")
}

fn documents() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/documents")
}

/// What `nix-ns --help` lists.
fn subcommands() -> BTreeSet<String> {
    let help = Command::new(built("nix-ns")).arg("--help").output();
    let help = String::from_utf8(help.expect("it starts").stdout).expect("UTF-8");
    let (_, rest) = help.split_once("Commands:\n").expect("there are some");
    let names = rest.lines().map_while(|line| line.strip_prefix("  "));
    names
        .filter_map(|line| line.split_whitespace().next())
        .filter(|name| *name != "help")
        .map(str::to_owned)
        .collect()
}

/// What bash offers after `nix-ns` and the beginning of a word.
fn bash_offers(beginning: &str) -> BTreeSet<String> {
    let script = format!(
        "source {}/completions/nix-ns.bash && COMP_WORDS=(nix-ns '{beginning}') COMP_CWORD=1 && \
         _nix__ns nix-ns '{beginning}' nix-ns && printf '%s\\n' \"${{COMPREPLY[@]}}\"",
        documents().display()
    );
    let output = Command::new("bash").args(["-c", &script]).output();
    let output = output.expect("bash is installed");
    assert!(output.status.success(), "{output:?}");
    let offered = String::from_utf8(output.stdout).expect("UTF-8");
    offered.lines().map(str::to_owned).collect()
}

fn needed(file: &str) -> BTreeSet<String> {
    let lines = dynamic(file, "NEEDED");
    let names = lines.iter().filter_map(|line| {
        let (_, name) = line.split_once('[')?;
        Some(name.trim_end_matches(']').to_owned())
    });
    names.collect()
}

/// The lines of the dynamic section with a tag.
fn dynamic(file: &str, tag: &str) -> Vec<String> {
    let section = tool("readelf", &["-Wd"], file);
    let tag = format!("({tag})");
    let lines = section.lines().filter(|line| line.contains(&tag));
    lines.map(|line| line.trim().to_owned()).collect()
}

fn contains(file: &Path, text: &str) -> bool {
    let bytes = fs::read(file).expect("readable");
    bytes
        .windows(text.len())
        .any(|window| window == text.as_bytes())
}

/// The C library this test runs with.
fn c_library() -> PathBuf {
    let maps = fs::read_to_string("/proc/self/maps").expect("procfs is mounted");
    let path = maps.lines().find_map(|line| {
        let path = line.split_whitespace().nth(5)?;
        path.contains("/libc").then(|| PathBuf::from(path))
    });
    path.expect("glibc, linked dynamically")
}
