//! The packages: what is in them, and what they do to a system.

mod debian;
mod desktop;
mod files;
mod house;
mod rpm;

use tests::bed::{Bed, SUITES};
use tests::root_or_skip;

/// A test in every suite, of a bed that is booted for it.
macro_rules! in_beds {
    ($name:ident: $($suite:ident),*; $tests:tt) => {
        mod $name { $(
            mod $suite {
                tests! { $name $tests }
            }
        )* }
    };
}

macro_rules! tests {
    ($name:ident { $($test:ident),* $(,)? }) => { $(
        #[test]
        fn $test() {
            crate::try_in(module_path!(), stringify!($test), crate::$name::$test);
        }
    )* };
}

/// Boots what a test is about in the suite that its module is named for.
fn try_in(module: &str, test: &str, body: fn(&Bed)) {
    let names: Vec<&str> = module.split("::").collect();
    let [.., group, suite] = names[..] else {
        panic!("{module} is no group in a suite")
    };
    let test = format!("{module}::{test}");
    if !root_or_skip(&test) {
        return;
    }
    let suite = SUITES.into_iter().find(|it| it.name == suite).unwrap();
    let bed = match group {
        "desktop" => desktop::boot(suite, &test),
        _ => Some(house::boot(suite)),
    };
    if let Some(bed) = bed {
        body(&bed);
    }
}

mod on {
    in_beds! {
        debian: bookworm, trixie, sid;
        {
            whoever_opts_in_has_a_nix_and_nobody_else_notices,
            sessions_live_through_an_upgrade_and_a_purge,
            edits_of_the_administrators_are_left_alone,
            lines_beside_the_marks_stay_and_purge_restores_every_byte,
            a_package_that_is_unpacked_only_does_nothing,
            a_nix_that_was_there_stays_as_it_was,
            choices_of_the_administrators_outlive_an_upgrade,
            programs_of_sshds_run_on_the_host_where_the_site_wants_that,
        }
    }

    in_beds! {
        desktop: bookworm, trixie;
        { whoever_opts_in_has_a_nix_there_too_and_nobody_else_notices }
    }

    in_beds! {
        rpm: bookworm;
        {
            installed_and_enabled_it_gives_a_nix_and_removed_it_leaves_nothing,
            the_setuid_package_makes_it_setuid_as_long_as_it_is_there,
            stacks_that_somebody_has_edited_are_left_alone,
        }
    }
}

/// Where there is a chattr.
mod as_an_image {
    in_beds! {
        debian: bookworm;
        { an_image_gets_its_mount_point_at_boot }
    }
}
