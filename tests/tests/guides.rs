//! README and the guides, followed to the letter on booted systems as they are
//! after their installation.

use std::fs;
use std::process::Command;

use tests::User;
use tests::bed::{Bed, CLUSTER, SUITES, Suite};
use tests::guide::{How, Step, is_shown, pages, steps};
use tests::package::{deb, workspace};

macro_rules! suites {
    ($($suite:ident),*; $guides:tt) => { $(
        mod $suite {
            guides! { $guides }
        }
    )* };
}

macro_rules! guides {
    ({ $($guide:ident),* }) => { $(
        #[test]
        fn $guide() {
            let suite = module_path!().rsplit("::").next().unwrap();
            if tests::root_or_skip(concat!(module_path!(), "::", stringify!($guide))) {
                crate::$guide(&crate::boot(suite));
            }
        }
    )* };
}

suites! { bookworm, trixie; { readme, company_server, lab, by_hand } }

fn readme(bed: &Bed) {
    hand_out_package(bed);
    bed.follow("README.md");
    assert_eq!(bed.ssh("alice", "stat -c %U /nix").ok(), "alice");
    assert_eq!(bed.ssh("bob", "stat -c %U /nix").ok(), "root");
    let doctor = bed.run("nix-ns doctor");
    let well = |line: &&str| line.starts_with("ok ") || line.starts_with("note ");
    let lines = doctor.ok().lines().filter(|line| !line.starts_with(' '));
    let odd = lines.filter(|line| !well(line) && !line.contains(" pam.lines "));
    // Debian's runuser, in both of its forms, includes nothing.
    assert_eq!(odd.collect::<Vec<_>>(), ["all well, with 2 warnings"]);
}

fn company_server(bed: &Bed) {
    hand_out_package(bed);
    bed.follow("docs/guides/company-server.md");
    assert_eq!(
        bed.ssh("alice", "ls -d ~/.local/share/nix").ok(),
        "/home/alice/.local/share/nix"
    );
}

fn lab(bed: &Bed) {
    hand_out_package(bed);
    bed.follow("docs/guides/lab.md");
    assert_eq!(bed.ssh("bob", "stat -c %U /scratch/bob").ok(), "bob");
}

fn by_hand(bed: &Bed) {
    bed.make_install();
    bed.follow("docs/pam.md");
    bed.ssh("alice", "nix-ns init").ok();
    assert_eq!(bed.ssh("alice", "stat -c %U /nix").ok(), "alice");
    assert_eq!(bed.ssh("alice", "sudo stat -c %U /nix").ok(), "root");
    let doctor = bed.run("nix-ns doctor");
    let lines = doctor.ok().lines().filter(|line| line.contains(" pam."));
    let odd: Vec<&str> = lines
        .filter(|line| !line.starts_with("ok") && !line.contains("runuser"))
        .collect();
    assert_eq!(odd, [""; 0]);
}

/// On a node that has Slurm already, and nothing of this.
#[test]
fn cluster() {
    if !tests::root_or_skip("cluster") {
        return;
    }
    let bed = boot_bed(CLUSTER);
    hand_out_package(&bed);
    start_slurm(&bed);
    bed.follow("docs/guides/cluster.md");
    let batch = "sbatch --wait --output=job.out --wrap 'stat -c %U /nix' >/dev/null; cat job.out";
    assert_eq!(bed.ssh("alice", batch).ok(), "alice");
    assert_eq!(bed.ssh("bob", "srun stat -c %U /nix").ok(), "root");
    bed.run("scancel --user=alice; systemctl stop slurmd slurmctld munge")
        .ok();
}

const SLURM: &str = "\
ClusterName=cluster
SlurmctldHost=cluster
SlurmUser=slurm
StateSaveLocation=/var/spool/slurmctld
SlurmdSpoolDir=/var/spool/slurmd
NodeName=cluster CPUs=8
PartitionName=all Nodes=ALL Default=YES State=UP
SlurmdParameters=config_overrides
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
ReturnToService=2
";

fn start_slurm(bed: &Bed) {
    let root = User::root();
    bed.write("/etc/slurm/slurm.conf", SLURM, 0o644, &root);
    bed.write(
        "/etc/slurm/cgroup.conf",
        "CgroupPlugin=cgroup/v1\n",
        0o644,
        &root,
    );
    // No name is looked up where there is only a loopback device.
    let network = "ip link add node type veth peer name wire && ip link set wire up && \
                   ip link set node up && ip addr add 10.1.0.1/24 dev node && \
                   echo 10.1.0.1 cluster >>/etc/hosts";
    bed.run(network).ok();
    let start = "install -d -o slurm /var/spool/slurmctld && install -d /var/spool/slurmd && \
                 systemctl start munge slurmctld slurmd";
    bed.run(start).ok();
    let idle = || bed.run("sinfo -h -o %T").stdout.trim() == "idle";
    bed.wait_until("the node to be idle", idle);
}

/// A system with somebody who may do everything, and two who may not.
fn boot(suite: &str) -> Bed {
    boot_bed(SUITES.into_iter().find(|it| it.name == suite).unwrap())
}

fn boot_bed(suite: Suite) -> Bed {
    let bed = Bed::boot(suite).unwrap_or_else(|error| panic!("{error}"));
    for user in ["admin", "alice", "bob"] {
        bed.user(user);
    }
    let rules = "admin ALL=(ALL:ALL) NOPASSWD: ALL\nalice ALL=(root) NOPASSWD: /usr/bin/stat\n";
    bed.write("/etc/sudoers.d/people", rules, 0o440, &User::root());
    bed
}

/// Copies the package to where the administrator is.
fn hand_out_package(bed: &Bed) {
    let name = deb().file_name().unwrap().to_str().unwrap();
    let package = fs::read(deb()).unwrap();
    bed.write(
        &format!("/home/admin/{name}"),
        package,
        0o644,
        &User::root(),
    );
}

/// What `make demo` runs when everything is built.
#[test]
fn demo() {
    if !tests::root_or_skip("demo") {
        return;
    }
    let demo = Command::new(env!("CARGO_BIN_EXE_demo")).output().unwrap();
    let shown = String::from_utf8_lossy(&demo.stdout);
    assert!(demo.status.success(), "{shown}");
    assert!(shown.ends_with("All of it is so.\n"), "{shown}");
}

// ---- that it would be seen

/// Every block of what people follow says what is done with it.
#[test]
fn every_block_is_accounted_for() {
    let mut tried = 0;
    let followed = |page: &String| {
        page.starts_with("docs/guides/") || ["README.md", "docs/pam.md"].contains(&page.as_str())
    };
    for page in pages().into_iter().filter(followed) {
        let markdown = fs::read_to_string(workspace().join(&page)).unwrap();
        let steps = steps(&markdown).unwrap_or_else(|error| panic!("{page}, {error}"));
        tried += steps
            .iter()
            .filter(|step| !matches!(step.how, How::NotTried(_)))
            .count();
    }
    assert!(tried > 20, "{tried}");
}

#[test]
fn a_block_that_says_nothing_is_seen() {
    let alone = "text\n\n```sh\ntrue\n```\n";
    assert_eq!(steps(alone), Err("line 3: after \"\"".to_owned()));
    assert!(steps("<!-- tried: by alice -->\n```sh\ntrue\n```\n").is_err());
    assert_eq!(steps("```\nan illustration\n```\n"), Ok(Vec::new()));
    let told = Step {
        line: 2,
        text: "true".to_owned(),
        how: How::As("alice".to_owned()),
    };
    assert_eq!(
        steps("<!-- tried: as alice -->\n```sh\ntrue\n```\n"),
        Ok(vec![told])
    );
}

#[test]
fn a_text_that_is_not_shown_is_seen() {
    assert!(is_shown("a  b\n\nc\n", "a b\nc\n"));
    assert!(is_shown("a\nb\nc\n", "...\nc") && is_shown("c", "...\nc"));
    assert!(!is_shown("a\n", "b") && !is_shown("a\nb\n", "a") && !is_shown("a\n", "a\nb"));
    assert!(!is_shown("a\nb\n", "...\na"));
}

/// No link within the project leads nowhere, to a heading neither.
#[test]
fn every_link_leads_somewhere() {
    for page in pages() {
        let markdown = fs::read_to_string(workspace().join(&page)).unwrap();
        let folder = workspace().join(&page);
        let folder = folder.parent().unwrap();
        for link in links(&markdown).filter(|link| !link.starts_with("http")) {
            let (file, heading) = link.split_once('#').unwrap_or((link, ""));
            let file = match file {
                "" => workspace().join(&page),
                file => folder.join(file),
            };
            assert!(file.exists(), "{link} in {page}");
            if !heading.is_empty() {
                let there = headings(&fs::read_to_string(file).unwrap());
                assert!(
                    there.contains(&heading.to_owned()),
                    "{link} in {page}: {there:?}"
                );
            }
        }
    }
}

fn links(markdown: &str) -> impl Iterator<Item = &str> {
    let after = markdown.split("](").skip(1);
    after
        .filter_map(|rest| rest.split_once(')'))
        .map(|(link, _)| link)
}

/// As GitHub and others name them.
fn headings(markdown: &str) -> Vec<String> {
    let titles = markdown.lines().filter_map(|line| line.strip_prefix('#'));
    let titles = titles.map(|title| title.trim_start_matches('#').trim().to_lowercase());
    let kept = |letter: &char| letter.is_alphanumeric() || [' ', '-'].contains(letter);
    titles
        .map(|title| {
            title
                .chars()
                .filter(kept)
                .collect::<String>()
                .replace(' ', "-")
        })
        .collect()
}
