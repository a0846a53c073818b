//! Runs a program that cannot make user namespaces, and neither can anything
//! it starts: `without-user-namespaces PROGRAM [ARGUMENT...]`.
//!
//! A stand-in for a host where they are switched off, which leaves the host
//! alone: a filter like Docker's refuses the calls. Setuid programs stay what
//! they are, as root sets the filter without giving up new privileges.

use std::error::Error;
use std::os::unix::process::CommandExt;
use std::process::Command;

fn main() -> Result<(), Box<dyn Error>> {
    let mut words = std::env::args_os().skip(1);
    let program = words.next().ok_or("which program?")?;
    filter::set()?;
    Err(Command::new(program).args(words).exec().into())
}

mod filter {
    #![allow(unsafe_code, reason = "a call that takes a pointer to a program")]

    use std::io;
    use std::mem::offset_of;

    use libc::{
        BPF_ABS, BPF_JEQ, BPF_JMP, BPF_JSET, BPF_K, BPF_LD, BPF_RET, BPF_W, SECCOMP_RET_ALLOW,
        SECCOMP_RET_ERRNO, seccomp_data, sock_filter, sock_fprog,
    };

    const LOAD: u32 = BPF_LD | BPF_W | BPF_ABS;
    const EQUAL: u32 = BPF_JMP | BPF_JEQ | BPF_K;
    const HAS: u32 = BPF_JMP | BPF_JSET | BPF_K;
    const RETURN: u32 = BPF_RET | BPF_K;

    /// Refuses user namespaces to this process from here on.
    pub fn set() -> io::Result<()> {
        let number = offset_of!(seccomp_data, nr) as u32;
        // The lower half, where these machines, all little-endian, have it.
        let flags = offset_of!(seccomp_data, args) as u32;
        let fail = |errno: i32| SECCOMP_RET_ERRNO | errno as u32;
        // Jumps count the instructions between.
        let mut program = [
            step(LOAD, number, 0, 0),
            // Its flags are in memory, which a filter cannot read; with this
            // answer the C library takes clone.
            step(EQUAL, libc::SYS_clone3 as u32, 5, 0),
            step(EQUAL, libc::SYS_clone as u32, 1, 0),
            step(EQUAL, libc::SYS_unshare as u32, 0, 2),
            step(LOAD, flags, 0, 0),
            step(HAS, libc::CLONE_NEWUSER as u32, 2, 0),
            step(RETURN, SECCOMP_RET_ALLOW, 0, 0),
            step(RETURN, fail(libc::ENOSYS), 0, 0),
            step(RETURN, fail(libc::EPERM), 0, 0),
        ];
        let program = sock_fprog {
            len: program.len() as u16,
            filter: program.as_mut_ptr(),
        };
        // SAFETY: the program and its length are valid; the kernel copies it.
        let set = unsafe {
            libc::prctl(
                libc::PR_SET_SECCOMP,
                libc::SECCOMP_MODE_FILTER,
                &raw const program,
            )
        };
        if set == 0 {
            Ok(())
        } else {
            Err(io::Error::last_os_error())
        }
    }

    fn step(code: u32, k: u32, jt: u8, jf: u8) -> sock_filter {
        sock_filter {
            code: code as u16,
            jt,
            jf,
            k,
        }
    }
}
