use super::*;
use crate::files::system;

fn stack(files: &[(&str, &str)]) -> Stack {
    Stack::read(system(files).path(), "sshd").unwrap()
}

fn modules(stack: &Stack) -> Vec<(&str, usize)> {
    let lines = stack.lines.iter();
    lines
        .map(|line| (line.module.as_str(), line.place.line))
        .collect()
}

#[test]
fn lines_are_put_together_and_comments_left_out() {
    let stack = stack(&[(
        "/etc/pam.d/sshd",
        "#%PAM-1.0\n\nauth required pam_unix.so\n\
         session  required \\\n  pam_a.so x y # z\n\
         -session [success=ok \\\n default=ignore] /lib/security/pam_b.so [a b\\]c] d # e\n\
         SESSION optional pam_c.so",
    )]);
    assert_eq!(modules(&stack), [("pam_a", 4), ("pam_b", 6), ("pam_c", 8)]);
    assert_eq!(stack.lines[1].arguments, ["a b]c", "d"]);
    assert!(stack.problems.is_empty(), "{:?}", stack.problems);
}

#[test]
fn included_files_are_where_they_are_included() {
    let stack = stack(&[
        (
            "/etc/pam.d/sshd",
            "session include one\nsession substack two\n@include three\nauth include four\n",
        ),
        (
            "/etc/pam.d/one",
            "session required pam_1.so\nauth required pam_x.so\n",
        ),
        (
            "/usr/lib/pam.d/two",
            "session required pam_2.so\nsession include one\n",
        ),
        ("/usr/share/pam.d/three", "session required pam_3.so\n"),
        ("/usr/share/pam.d/one", "session required pam_never.so\n"),
    ]);
    let lines: Vec<_> = stack
        .lines
        .iter()
        .map(|line| (line.module.as_str(), line.level))
        .collect();
    assert_eq!(
        lines,
        [("pam_1", 0), ("pam_2", 1), ("pam_1", 1), ("pam_3", 0)]
    );
}

#[test]
fn what_libpam_complains_of_is_found() {
    let stack = stack(&[(
        "/etc/pam.d/sshd",
        "session include gone\nsession\nsession required\nsession requird pam_a.so\nsession include sshd\n",
    )]);
    let lines: BTreeSet<usize> = stack.problems.iter().map(|(place, _)| place.line).collect();
    assert_eq!(lines, BTreeSet::from([1, 2, 3, 4, 5]));
}

#[test]
fn brackets_and_a_minus_may_be_anywhere() {
    let stack = stack(&[
        (
            "/etc/pam.d/sshd",
            "[session] optional [pam_a.so] [x y]\n-[session] optional pam_never.so\n\
             [-session] optional pam_b.so\nsession [include] one\n-@include two\n[@include] [three]\n",
        ),
        ("/etc/pam.d/one", "session required pam_1.so\n"),
        ("/etc/pam.d/two", "session required pam_2.so\n"),
        ("/etc/pam.d/three", "session required pam_3.so\n"),
    ]);
    let names: Vec<_> = stack.lines.iter().map(|it| it.module.as_str()).collect();
    assert_eq!(names, ["pam_a", "pam_b", "pam_1", "pam_2", "pam_3"]);
    assert_eq!(stack.lines[0].arguments, ["x y"]);
}

#[test]
fn a_jump_takes_a_substack_for_one_line() {
    let stack = stack(&[
        (
            "/etc/pam.d/sshd",
            "session [success=2 default=ignore] pam_0.so\nsession substack two\nsession required pam_3.so\nsession required pam_4.so\n",
        ),
        (
            "/etc/pam.d/two",
            "session required pam_1.so\nsession required pam_2.so\n",
        ),
    ]);
    assert_eq!(stack.skipped(0, 1), 1..3);
    assert_eq!(stack.skipped(0, 2), 1..4);
    assert_eq!(stack.skipped(0, 9), 1..5);
    assert_eq!(stack.skipped(1, 9), 2..3);
}

#[test]
fn files_that_include_each_other_again_and_again_come_to_an_end() {
    let twice = "session include sshd\nsession include sshd\n".repeat(8);
    let stack = stack(&[("/etc/pam.d/sshd", &twice)]);
    assert!(stack.problems.len() < 2 * MOST_LINES);
}
