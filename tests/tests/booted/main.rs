//! Every door of a booted system, in every bed: Debian's own packages, started
//! by its own systemd, with the README's installation in its PAM stacks.
//!
//! The kernel is the host's in each of them. `make matrix` runs all of them and
//! prints doors by beds; a door that a suite does not have passes, and is named
//! with the reason there.

mod applications;
mod cell;
mod desktop;
mod household;

mod accounts;
mod console;
mod containers;
mod gdm;
mod helper;
mod homes;
mod jobs;
mod lightdm;
mod nix_program;
mod remote;
mod sddm;
mod session;
mod slurm;
mod ssh;
mod su;
mod sudo;
mod system;
mod user_manager;
mod wayland;

/// A test for every door and bed: `bookworm::ssh::command`.
macro_rules! beds {
    ($($bed:ident),*; $doors:tt) => { $(
        mod $bed {
            doors! { $doors }
        }
    )* };
}

macro_rules! doors {
    ({ $($group:ident: $($door:ident),*;)* }) => { $(
        mod $group { $(
            #[test]
            fn $door() {
                crate::cell::try_door(module_path!(), stringify!($door), crate::$group::$door);
            }
        )* }
    )* };
}

beds! {
    bookworm, trixie, sid;
    {
        ssh: command, shell_with_terminal, sftp, multiplexed;
        console: login, login_of_root;
        containers: that_may_not_mount;
        su: su, su_login, su_to_root, su_login_to_root, runuser;
        sudo: sudo_to_root, sudo_i_to_root, sudo_u, sudo_i_u, pkexec_to_root, pkexec_to_another;
        helper: runuser, service_with_user, dropbear, by_sudo;
        jobs: cron, cron_of_root, at;
        system: service_with_pam_name, service_with_user, service_with_private_tmp,
            service_with_private_tmp_alone, service_with_sandboxing, service_that_is_hardened, machinectl_shell, run0,
            run0_to_root, system_account;
        user_manager: manager_itself, unit, scope, timer, service_by_dbus, unit_by_dbus,
            lingering_at_boot, lingering_between_logins;
        session: known_to_logind, terminated, runtime_directory, fuse, mounts_of_the_host, journal,
            kill_user_processes, left_running, back_at_once, second_login, many_at_once, reboot;
        homes: comes_after_a_lingering_manager, made_by_pam_mkhomedir,
            made_by_pam_mkhomedir_after_the_manager_started, mounted_by_pam_mount, mounted_by_pam_mount_for_su,
            activated_by_homed;
        lightdm: autologin, greeter, log_in_again, lock_and_unlock, switch_user, second_seat, applications, broken_configuration,
            nix_program;
        sddm: autologin, greeter, lock_and_unlock, broken_configuration, nix_program;
        wayland: by_lightdm, by_sddm, by_gdm;
        remote: vnc, xrdp;
        gdm: autologin, password, terminal_by_the_shell, lock_and_unlock, broken_configuration, nix_program;
    }
}

beds! {
    cluster;
    {
        slurm: srun, sbatch, job_array, interactive, adopted_login, srun_in_own_namespace,
            sbatch_in_own_namespace, job_array_in_own_namespace, interactive_in_own_namespace,
            adopted_login_in_own_namespace, lines_that_keep_jobs_from_starting;
        homes: mounted_by_autofs;
        accounts: from_ldap_by_nslcd, from_ldap_by_sssd, from_ldap_that_is_slow_and_then_gone;
    }
}
