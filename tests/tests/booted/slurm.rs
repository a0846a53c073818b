//! Jobs of a real Slurm, on the node that also schedules them: `UsePAM=1`, and
//! with a mount namespace of Slurm's making for every job.
//!
//! Control groups are left out: Slurm takes either version alone, and a host that
//! has both (systemd's hybrid layout) shows that in every bed.

use std::fs;
use std::path::Path;
use std::thread;

use nix::sched::{CloneFlags, CpuSet, sched_setaffinity, unshare};
use nix::unistd::Pid;

use tests::whereabouts::{COMMON, PROBE};
use tests::{ENTER, LEAVE, Output, Status, User};

use crate::cell::Tried;
use crate::household::Household;

const CONFIGURATION: &str = "\
ClusterName=cluster
SlurmctldHost=cluster
SlurmUser=slurm
StateSaveLocation=/var/spool/slurmctld
SlurmdSpoolDir=/var/spool/slurmd
SlurmdSyslogDebug=info
NodeName=cluster CPUs=8
PartitionName=all Nodes=ALL Default=YES State=UP
SlurmdParameters=config_overrides
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SchedulerParameters=batch_sched_delay=0,sched_min_interval=0
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
LaunchParameters=use_interactive_step
PrologFlags=contain
UsePAM=1
";
const OWN_NAMESPACE: &str = "JobContainerType=job_container/tmpfs\n";
const CONTAINER: &str = "AutoBasePath=true\nBasePath=/var/spool/containers\n";

pub fn srun(home: &mut Household) -> Tried {
    joins(home, |home, probe| home.bed.ssh("alice", &srun_of(probe)))
}

pub fn sbatch(home: &mut Household) -> Tried {
    joins(home, |home, probe| home.bed.ssh("alice", &batch(probe)))
}

pub fn job_array(home: &mut Household) -> Tried {
    with_cluster(home, Jobs::InTheHosts, |home| {
        let anchor = home.anchor();
        for found in home.array() {
            home.is_with(&anchor, &home.reported(&found));
        }
    })
}

pub fn interactive(home: &mut Household) -> Tried {
    joins(home, Household::at_a_prompt)
}

/// A login to a node, which Slurm's module lets in because there is a job.
pub fn adopted_login(home: &mut Household) -> Tried {
    with_cluster(home, Jobs::InTheHosts, |home| {
        let anchor = home.anchor();
        home.only_with_a_job();
        let found = home.behind(|probe| home.bed.ssh("alice", probe));
        home.is_with(&anchor, &found);
    })
}

pub fn srun_in_own_namespace(home: &mut Household) -> Tried {
    has_both(home, |home, probe| home.bed.ssh("alice", &srun_of(probe)))
}

pub fn sbatch_in_own_namespace(home: &mut Household) -> Tried {
    has_both(home, |home, probe| home.bed.ssh("alice", &batch(probe)))
}

pub fn job_array_in_own_namespace(home: &mut Household) -> Tried {
    with_cluster(home, Jobs::InTheirOwn, |home| {
        for found in home.array() {
            home.is_alices(&home.reported(&found));
        }
    })
}

pub fn interactive_in_own_namespace(home: &mut Household) -> Tried {
    has_both(home, Household::at_a_prompt)
}

pub fn adopted_login_in_own_namespace(home: &mut Household) -> Tried {
    with_cluster(home, Jobs::InTheirOwn, |home| {
        home.only_with_a_job();
        home.bed.run("touch /tmp/of-the-host").ok();
        let found = home.behind(|probe| {
            home.bed
                .ssh("alice", &format!("test ! -e /tmp/of-the-host && {probe}"))
        });
        home.is_alices(&found);
    })
}

/// What a site gets that has both: jobs that do not start, and a reason.
pub fn lines_that_keep_jobs_from_starting(home: &mut Household) -> Tried {
    with_cluster(home, Jobs::InTheirOwn, |home| {
        home.stack_of_slurm(&[LEAVE, ENTER]);
        let job = home.bed.ssh("alice", "srun true");
        assert_ne!(job.status, Status::Exited(0), "{job}");
        let doctor = home.bed.run("nix-ns doctor");
        let why = "jobs of users with a /nix do not start";
        assert!(doctor.stdout.contains(why), "{doctor}");
        home.stack_of_slurm(&[]);
        home.bed.ssh("alice", "srun true").ok();
        let doctor = home.bed.run("nix-ns doctor");
        assert!(!doctor.stdout.contains(why), "{doctor}");
    })
}

/// In which mount namespace jobs run.
#[derive(PartialEq, Eq)]
enum Jobs {
    /// The host's, or their user's.
    InTheHosts,
    /// One that Slurm makes for each.
    InTheirOwn,
}

#[track_caller]
fn with_cluster(home: &mut Household, jobs: Jobs, body: impl FnOnce(&Household)) -> Tried {
    home.start_slurm(&jobs);
    body(home);
    home.stop_slurm();
    Ok(())
}

#[track_caller]
fn joins(home: &mut Household, open: impl FnOnce(&Household, &str) -> Output) -> Tried {
    with_cluster(home, Jobs::InTheHosts, |home| {
        let anchor = home.anchor();
        let found = home.behind(|probe| open(home, probe));
        home.is_with(&anchor, &found);
    })
}

/// The user's `/nix`, and the job's own `/tmp`.
#[track_caller]
fn has_both(home: &mut Household, open: impl FnOnce(&Household, &str) -> Output) -> Tried {
    with_cluster(home, Jobs::InTheirOwn, |home| {
        let anchor = home.anchor();
        home.bed.run("touch /tmp/of-the-host").ok();
        let probe = "/usr/local/bin/in-own";
        let script = format!("#!/bin/sh\ntest ! -e /tmp/of-the-host && exec {PROBE} \"$@\"\n");
        home.bed.write(probe, script, 0o755, &User::root());
        let found = home.behind(|command| open(home, &command.replace(PROBE, probe)));
        home.is_alices(&found);
        assert_ne!(found.namespace, anchor.namespace);
    })
}

/// Slurm keeps a namespace by mounting its file, which the kernel allows to an
/// older namespace alone, by number. Linux 6.18 counts these on each processor by
/// itself, in batches (`COOKIE_LOCAL_BATCH`, for namespaces of all kinds), so that
/// a new one can have a smaller number than the bed's; 6.19 does not.
fn pass_the_numbers_of_all_processors() {
    const BATCH: usize = 4096;
    let pass = |processor| {
        let mut one = CpuSet::new();
        let own = Pid::from_raw(0);
        if one
            .set(processor)
            .and_then(|()| sched_setaffinity(own, &one))
            .is_ok()
        {
            (0..=BATCH).for_each(|_| unshare(CloneFlags::CLONE_NEWUTS).unwrap());
        }
    };
    let processors = thread::available_parallelism().unwrap().get();
    thread::scope(|scope| {
        for processor in 0..processors {
            scope.spawn(move || pass(processor));
        }
    });
}

fn srun_of(probe: &str) -> String {
    format!("srun {probe} || :")
}

fn batch(probe: &str) -> String {
    format!("sbatch --wait --output=/dev/null --wrap '{probe}' || :")
}

impl Household {
    /// As docs/guides/cluster.md tells, on one node.
    #[track_caller]
    fn start_slurm(&self, jobs: &Jobs) {
        let root = User::root();
        // No name is looked up where there is only a loopback device.
        let network = "ip link add node type veth peer name wire && ip link set wire up && \
                       ip link set node up && ip addr add 10.1.0.1/24 dev node && \
                       echo 10.1.0.1 cluster >>/etc/hosts";
        self.bed.run(network).ok();
        let own = *jobs == Jobs::InTheirOwn;
        let namespace = if own { OWN_NAMESPACE } else { "" };
        let configuration = format!("{CONFIGURATION}{namespace}");
        self.bed
            .write("/etc/slurm/slurm.conf", configuration, 0o644, &root);
        let version = "CgroupPlugin=cgroup/v1\n";
        self.bed
            .write("/etc/slurm/cgroup.conf", version, 0o644, &root);
        if own {
            pass_the_numbers_of_all_processors();
            let file = "/etc/slurm/job_container.conf";
            self.bed.write(file, CONTAINER, 0o644, &root);
            self.stack_of_slurm(&[]);
            self.install_plugin();
        } else {
            self.stack_of_slurm(&[LEAVE, ENTER]);
        }
        let spool = "install -d -o slurm /var/spool/slurmctld && install -d /var/spool/slurmd && \
                     systemctl start munge slurmctld slurmd";
        self.bed.run(spool).ok();
        let idle = || self.bed.run("sinfo -h -o %T").stdout.trim() == "idle";
        self.bed.wait_until("the node to be idle", idle);
    }

    /// With these lines of the module's around what the guide has, where `other`
    /// denies everything, as on Fedora.
    #[track_caller]
    fn stack_of_slurm(&self, ours: &[&str]) {
        let mut lines = vec![
            "auth required pam_permit.so",
            "account required pam_unix.so",
            "session required pam_limits.so",
        ];
        if let [leave, enter] = ours {
            lines.insert(0, leave);
            lines.push(enter);
        }
        let stack = lines.join("\n") + "\n";
        self.bed
            .write("/etc/pam.d/slurm", stack, 0o644, &User::root());
        let deny = ["auth", "account", "password", "session"]
            .map(|it| format!("{it} required pam_deny.so\n"));
        self.bed
            .write("/etc/pam.d/other", deny.concat(), 0o644, &User::root());
    }

    /// Built on the node, against its Slurm.
    #[track_caller]
    fn install_plugin(&self) {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../packaging/slurm");
        for file in ["Makefile", "nix_ns_spank.c", "slurm-task"] {
            let text = fs::read(source.join(file)).unwrap();
            self.bed
                .write(&format!("/root/spank/{file}"), text, 0o644, &User::root());
        }
        let line = "required /usr/lib/slurm/nix_ns.so\n";
        let made = self
            .bed
            .run("make --silent -C /root/spank CFLAGS='-Wall -Wextra -Werror' install");
        made.ok();
        let file = "/etc/slurm/plugstack.conf.d/nix-ns.conf";
        self.bed.write(file, line, 0o644, &User::root());
    }

    #[track_caller]
    fn stop_slurm(&self) {
        let none = || {
            self.bed
                .run("scancel --user=alice; squeue -h")
                .stdout
                .is_empty()
        };
        self.bed.wait_until("the jobs to end", none);
        let ended = || self.bed.run("pgrep slurmstepd").stdout.is_empty();
        self.bed.wait_until("their steps to end", ended);
        self.bed.run("systemctl stop slurmd slurmctld munge").ok();
    }

    /// Types a command into the shell of an interactive job.
    fn at_a_prompt(&self, probe: &str) -> Output {
        self.bed.run(&format!(
            "echo '{probe}; exit' | ssh -tt alice@localhost salloc"
        ))
    }

    /// The reports of two tasks.
    #[track_caller]
    fn array(&self) -> [String; 2] {
        let task = format!("{PROBE} {COMMON}/task.$SLURM_ARRAY_TASK_ID");
        let submit = format!("sbatch --wait --output=/dev/null --array=1-2 --wrap '{task}' || :");
        self.bed.ssh("alice", &submit).ok();
        ["1", "2"].map(|task| format!("{COMMON}/task.{task}"))
    }

    /// Nobody may log in who has no job here; alice has one.
    #[track_caller]
    fn only_with_a_job(&self) {
        let job = "sbatch --output=/dev/null --wrap 'sleep 1000'";
        self.bed.ssh("alice", job).ok();
        let runs = || self.bed.run("squeue -h -o %T").stdout.trim() == "RUNNING";
        self.bed.wait_until("the job to run", runs);
        let adopt = "account required pam_slurm_adopt.so action_adopt_failure=deny";
        let stack = self.bed.read("/etc/pam.d/sshd");
        let stack = format!("{stack}{adopt}\n");
        self.bed
            .write("/etc/pam.d/sshd", stack, 0o644, &User::root());
        let refused = self.bed.ssh("bob", "true");
        assert_ne!(refused.status, Status::Exited(0), "{refused}");
    }
}
