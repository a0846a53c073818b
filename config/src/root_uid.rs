//! Which uid root has. In a user namespace that does not have root, everybody it
//! does not have shows as `nobody`; and nobody who has that uid themselves can
//! be told from them.

use std::fs;

use crate::directories::ROOT;

/// What is shown instead (`kernel.overflowuid`).
const OVERFLOW: u32 = 65_534;

/// Whether a file with this owner is root's, as far as this user namespace shows
/// it. Where root is shown, that is uid 0 and no other.
#[must_use]
pub fn is_root(uid: u32) -> bool {
    uid == ROOT || (uid == OVERFLOW && is_root_hidden())
}

/// Whether this user namespace has no root. Without procfs it has: the strict
/// answer.
pub(crate) fn is_root_hidden() -> bool {
    fs::read_to_string("/proc/self/uid_map").is_ok_and(|map| lacks_root(&map))
}

/// A line is the first uid inside, the first outside, how many.
fn lacks_root(map: &str) -> bool {
    let first = |line: &str| line.split_whitespace().next().map(str::to_owned);
    map.lines().filter_map(first).all(|uid| uid != "0")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn root_is_shown_in_a_map_that_begins_with_it() {
        for map in [
            "         0          0 4294967295\n",
            "1001 1001 1\n0 100000 1\n",
            "0 1001 1\n",
        ] {
            assert!(!lacks_root(map), "{map}");
        }
        assert!(lacks_root("      1001       1001          1\n"));
        assert!(lacks_root("1001 1001 1\n165536 165536 65536\n"));
    }

    #[test]
    fn nobody_is_not_root_where_root_is_shown() {
        assert!(is_root(0) && !is_root(1001));
        let map = fs::read_to_string("/proc/self/uid_map").unwrap();
        assert_eq!(is_root(OVERFLOW), lacks_root(&map));
    }
}
