//! What the process gives up before it looks at anything of the user's. Both
//! ways are as good as the kernel has them: what it reads belongs to the user,
//! and so do the rights it reads with.

use std::io;
use std::path::PathBuf;

use config::printable;
use landlock::{
    ABI, AccessFs, PathBeneath, PathFd, PathFdError, Ruleset, RulesetAttr, RulesetCreatedAttr,
    RulesetError,
};
use seccompiler::{BpfProgram, SeccompAction, SeccompFilter, TargetArch, apply_filter};

/// Nothing is written or run; directories are made below the site's roots only;
/// and only the calls that reading takes get through. Says which roots could not
/// be looked at: nothing can be made below them.
pub(super) fn confine(roots: &[PathBuf]) -> Vec<String> {
    let mut missed = Vec::new();
    let mut rules = Vec::new();
    for root in roots {
        match PathFd::new(root) {
            Ok(root) => rules.push(PathBeneath::new(root, AccessFs::MakeDir)),
            // An answer: it is not there, or not for this user.
            Err(PathFdError::OpenCall { source, .. }) if is_an_answer(&source) => {}
            Err(error) => missed.push(printable(&error.to_string())),
        }
    }
    // Errors are kernels without the one or the other.
    let _ = confine_files(rules);
    let _ = confine_calls();
    missed
}

fn is_an_answer(error: &io::Error) -> bool {
    use io::ErrorKind::{NotADirectory, NotFound, PermissionDenied};
    matches!(error.kind(), NotFound | NotADirectory | PermissionDenied)
}

fn confine_files(rules: Vec<PathBeneath<PathFd>>) -> Result<(), RulesetError> {
    Ruleset::default()
        .handle_access(AccessFs::from_write(ABI::V3) | AccessFs::Execute)?
        .create()?
        .add_rules(rules.into_iter().map(Ok::<_, RulesetError>))?
        .restrict_self()
        .map(drop)
}

fn confine_calls() -> Result<(), Box<dyn std::error::Error>> {
    let rules = ALLOWED.iter().map(|call| (*call, Vec::new())).collect();
    let refuse = SeccompAction::Errno(libc::EPERM.unsigned_abs());
    let architecture = TargetArch::try_from(std::env::consts::ARCH)?;
    let filter = SeccompFilter::new(rules, refuse, SeccompAction::Allow, architecture)?;
    let program: BpfProgram = filter.try_into()?;
    apply_filter(&program)?;
    Ok(())
}

/// Opening, looking, listing, reading, making a directory, one message, memory, the end.
const ALLOWED: &[i64] = &[
    libc::SYS_openat,
    libc::SYS_openat2,
    libc::SYS_read,
    libc::SYS_getdents64,
    libc::SYS_lseek,
    libc::SYS_close,
    libc::SYS_fcntl,
    libc::SYS_fstat,
    libc::SYS_newfstatat,
    libc::SYS_statx,
    libc::SYS_readlinkat,
    libc::SYS_mkdirat,
    libc::SYS_sendmsg,
    libc::SYS_brk,
    libc::SYS_mmap,
    libc::SYS_munmap,
    libc::SYS_mremap,
    libc::SYS_mprotect,
    libc::SYS_madvise,
    libc::SYS_futex,
    libc::SYS_getrandom,
    libc::SYS_geteuid,
    libc::SYS_sigaltstack,
    libc::SYS_rt_sigaction,
    libc::SYS_rt_sigprocmask,
    libc::SYS_rt_sigreturn,
    libc::SYS_exit,
    libc::SYS_exit_group,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_open,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_stat,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_lstat,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_readlink,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_mkdir,
];
