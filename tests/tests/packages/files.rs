//! What is in the packages, and what those say who look at packages.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use tests::package::{deb, rpms, workspace};

#[test]
fn lintian_finds_nothing() {
    let changes = deb().with_extension("changes");
    let said = tool(
        "lintian",
        &["--allow-root", "--fail-on", "error,warning"],
        &[changes],
    );
    assert_eq!(said.trim(), "");
}

#[test]
fn rpmlint_finds_nothing() {
    let filters = workspace().join("packaging/rpm/nix-ns.rpmlintrc");
    let options = ["--rpmlintrc", filters.to_str().expect("of this project")];
    let said = tool("rpmlint", &options, &rpm_files());
    assert!(
        said.contains("3 packages and 0 specfiles checked; 0 errors, 0 warnings"),
        "{said}"
    );
}

/// But for where distributions want them, and what each has of its own.
#[test]
fn both_packages_have_the_same_files() {
    let listed = tool("dpkg-deb", &["--fsys-tarfile"], &[deb().to_owned()]);
    assert!(!listed.is_empty());
    // The changelog and the licences are where each distribution has them.
    let is_its_own = |file: &str| {
        file.contains("lintian")
            || file.starts_with("/usr/share/pam-configs/")
            || file.starts_with("/usr/share/licenses/")
            || file.contains("nix-ns-pam")
            || file.contains("nix-ns-setuid")
            || [
                "CHANGELOG.md",
                "changelog.gz",
                "changelog.Debian.gz",
                "copyright",
                "README.Debian",
                "third-party-licences.txt.gz",
            ]
            .iter()
            .any(|name| file.strip_prefix("/usr/share/doc/nix-ns/") == Some(name))
    };
    let sorted = |listed: String| -> BTreeSet<String> {
        let files = listed.lines().filter(|file| !is_its_own(file));
        files.map(common_name).collect()
    };
    let of_deb = sorted(shell(&format!(
        "dpkg-deb --fsys-tarfile {} | tar -t | grep -v '/$' | sed 's/^[.]//'",
        deb().display()
    )));
    let format = "[%{FILEMODES:perms} %{FILENAMES}\n]";
    let listed = tool(
        "rpm",
        &["--query", "--queryformat", format, "--package"],
        &rpm_files(),
    );
    let files = listed.lines().filter(|line| !line.starts_with('d'));
    let of_rpm = sorted(
        files
            .filter_map(|line| Some(format!("{}\n", line.split_once(' ')?.1)))
            .collect(),
    );
    assert_eq!(of_deb, of_rpm);
    assert!(of_deb.len() > 15, "{of_deb:?}");
}

/// But for the manual, which is where manuals are, and what only whoever has the
/// sources looks at.
#[test]
fn what_the_documents_name_is_installed() {
    let directory = tempfile::tempdir().expect("there is room");
    let root = directory.path();
    shell(&format!(
        "dpkg-deb --extract {} {}",
        deb().display(),
        root.display()
    ));
    let documents = root.join("usr/share/doc/nix-ns");
    let listed = shell(&format!(
        "cd {} && find README.md SECURITY.md docs tests -name '*.md'",
        documents.display()
    ));
    let elsewhere = ["docs/man", "CHANGELOG.md", "packaging/debian/README.Debian"];
    let mut named = 0;
    for document in listed.lines() {
        let text = fs::read_to_string(documents.join(document)).expect("not compressed");
        let links = text.split("](").skip(1);
        for link in links.filter_map(|rest| rest.split([')', '#']).next()) {
            if link.is_empty() || link.contains("://") {
                continue;
            }
            let beside = documents.join(document).with_file_name(link);
            let is_elsewhere = elsewhere.iter().any(|it| link.ends_with(it));
            assert!(is_elsewhere || beside.exists(), "{document}: {link}");
            named += 1;
        }
    }
    assert!(named > 40, "{named}");
}

/// Where the file would be in the other package.
fn common_name(file: &str) -> String {
    file.replace("/usr/lib/x86_64-linux-gnu/security", "/usr/lib64/security")
        .replace("/zsh/site-functions/", "/zsh/vendor-completions/")
}

/// Those that an administrator may edit, and no upgrade writes over.
#[test]
fn configuration_is_the_administrators() {
    let conffiles = tool("dpkg-deb", &["--info"], &[deb().to_owned()]);
    assert!(conffiles.contains("conffiles"), "{conffiles}");
    let of_deb = shell(&format!("dpkg-deb --info {} conffiles", deb().display()));
    let of_rpm = tool(
        "rpm",
        &["--query", "--configfiles", "--package"],
        &rpm_files(),
    );
    let sorted = |text: &str| text.lines().map(str::to_owned).collect::<BTreeSet<_>>();
    let expected = "/etc/nix-ns/config.toml\n/etc/profile.d/nix-ns.sh\n\
                    /etc/xdg/autostart/nix-ns-notice.desktop";
    assert_eq!(sorted(&of_deb), sorted(expected));
    assert_eq!(sorted(&of_rpm), sorted(expected));
}

#[test]
fn the_version_is_that_of_the_crates() {
    let version = env!("CARGO_PKG_VERSION");
    let of_deb = shell(&format!("dpkg-deb --field {} Version", deb().display()));
    assert_eq!(of_deb.trim(), version);
    let of_rpms = tool(
        "rpm",
        &["--query", "--queryformat", "%{VERSION}\n", "--package"],
        &rpm_files(),
    );
    assert_eq!(of_rpms, format!("{version}\n").repeat(3));
    assert_eq!(
        shell(&format!("{}/packaging/version", workspace().display())).trim(),
        version
    );
}

#[test]
fn every_crate_in_the_programs_is_named_with_its_licence() {
    let notices = workspace().join("target/third-party-licences.txt");
    deb();
    let notices = fs::read_to_string(notices).expect("made with the package");
    for (name, licence) in [
        ("landlock", "MIT OR Apache-2.0"),
        ("pam-sys", "MIT OR Apache-2.0"),
    ] {
        let named = notices
            .lines()
            .any(|line| line.starts_with(name) && line.ends_with(licence));
        assert!(named, "{name}");
    }
    for text in [
        "Permission is hereby granted, free of charge",
        "Apache License",
        "LGPL-2.1",
    ] {
        assert!(notices.contains(text), "{text}");
    }
    assert!(!notices.contains("proptest"), "only in tests");
}

#[test]
fn what_make_installs_make_uninstalls() {
    let directory = tempfile::tempdir().expect("there is room");
    let root = directory.path().display();
    shell(&format!(
        "install -d -m 0700 {root}/nix && echo mine >{root}/nix/file"
    ));
    let make = |target: &str| {
        shell(&format!(
            "make --silent --directory {} {target} DESTDIR={root} PREFIX=/opt/nix-ns PAM_DIR=/lib/security \
             BUILT={} 2>&1",
            workspace().display(),
            tests::package::built_programs().display(),
        ))
    };
    make("selinux install install-docs install-pam-auth-update install-authselect install-selinux");
    let found = shell(&format!("cd {root} && find . ! -type d | sort"));
    for file in [
        "./lib/security/pam_nixns.so",
        "./opt/nix-ns/bin/nix-ns",
        "./opt/nix-ns/share/man/man1/nix-ns.1",
    ] {
        assert!(found.lines().any(|line| line == file), "{file}: {found}");
    }
    assert_eq!(shell(&format!("stat -c %a {root}/nix")).trim(), "700");
    make("uninstall");
    let left = shell(&format!("cd {root} && find . ! -type d | sort"));
    assert_eq!(left, "./etc/nix-ns/config.toml\n./nix/file\n");
}

fn rpm_files() -> Vec<PathBuf> {
    let version = env!("CARGO_PKG_VERSION");
    let of = |directory: &Path| -> Vec<PathBuf> {
        let entries = fs::read_dir(directory).expect("it is built");
        let mut files: Vec<PathBuf> = entries
            .map(|entry| entry.expect("readable").path())
            .filter(|file| {
                let name = file
                    .file_name()
                    .unwrap_or_default()
                    .to_string_lossy()
                    .into_owned();
                name.ends_with(".rpm") && name.contains(version)
            })
            .collect();
        files.sort();
        files
    };
    of(rpms())
}

#[track_caller]
fn tool(program: &str, options: &[&str], files: &[PathBuf]) -> String {
    let output = Command::new(program)
        .args(options)
        .args(files)
        .env("LC_ALL", "C.UTF-8")
        .output()
        .unwrap_or_else(|error| panic!("{program}: {error}"));
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let complained = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program}: {said}{complained}");
    said
}

#[track_caller]
fn shell(script: &str) -> String {
    let output = Command::new("sh")
        .args(["-c", script])
        .env_remove("MAKEFLAGS")
        .output();
    let output = output.expect("there is a shell");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let complained = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{script}: {said}{complained}");
    said
}
