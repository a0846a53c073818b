//! Time on a machine that is slower than usual, as an emulated one is.

use std::sync::LazyLock;
use std::time::Duration;

/// How many times slower, as whoever runs the tests says.
static SLOWER: LazyLock<u32> = LazyLock::new(|| {
    let told = std::env::var("NIX_NS_SLOWER").ok();
    told.map_or(1, |times| times.parse().expect("NIX_NS_SLOWER is a number"))
});

/// How long something may take here that takes so long at most on a usual machine.
#[must_use]
pub fn at_this_pace(usual: Duration) -> Duration {
    usual * *SLOWER
}
