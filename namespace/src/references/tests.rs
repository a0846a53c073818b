mod files;
mod leads;
mod state;
mod unknown;
mod ways;
mod whose;

use super::reach::{LARGEST, MOST_LINKS};
use super::*;

/// A system with these files.
fn system(files: &[(&str, &str)]) -> tempfile::TempDir {
    let root = tempfile::tempdir().unwrap();
    for (file, content) in files {
        let file = below(root.path(), Path::new(file));
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, content).unwrap();
    }
    root
}

fn found(files: &[(&str, &str)]) -> Vec<(String, usize)> {
    let root = system(files);
    let scan = Scan::read(root.path());
    scan.references
        .into_iter()
        .map(|it| {
            let file = it
                .file
                .strip_prefix("/")
                .unwrap()
                .to_string_lossy()
                .into_owned();
            (file, it.line)
        })
        .collect()
}

/// What a way on that system comes to.
fn there(root: &tempfile::TempDir, path: &str, whose: Whose) -> io::Result<There> {
    let system = System::below(root.path()).unwrap();
    system
        .reach(Path::new(path), whose)
        .map(|reached| reached.there)
}

/// Links as `(file, target)`.
fn linked(root: &tempfile::TempDir, links: &[(&str, &str)]) {
    for (link, target) in links {
        let link = below(root.path(), Path::new(link));
        std::fs::create_dir_all(link.parent().unwrap()).unwrap();
        std::os::unix::fs::symlink(target, link).unwrap();
    }
}

/// Makes it a user's, or everybody's.
fn given_away(root: &tempfile::TempDir, path: &str, how: &str) {
    let path = below(root.path(), Path::new(path));
    match how {
        "everybody's" => {
            let mode = std::os::unix::fs::PermissionsExt::from_mode(0o1777);
            std::fs::set_permissions(path, mode).unwrap();
        }
        _ => std::os::unix::fs::lchown(path, Some(12345), None).unwrap(),
    }
}

#[test]
fn a_reference_is_shown_in_one_line_with_its_place() {
    let reference = |line| Reference {
        file: "/etc/a\nb".into(),
        line,
        text: "x\u{1b}".to_owned(),
    };
    assert_eq!(reference(7).to_string(), r"/etc/a\u{a}b:7: x\u{1b}");
    assert_eq!(reference(0).to_string(), r"/etc/a\u{a}b x\u{1b}");
}
