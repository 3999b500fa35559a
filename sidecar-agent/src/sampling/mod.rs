//! Sampling as user space sees it: what the kernel gets of each signal, from which duration on a test is slow, and
//! totals from what was kept. Pure; times are nanoseconds of CLOCK_MONOTONIC.
mod boosts;
mod by_type;
mod estimate;
mod rate;
mod slow;

pub use boosts::{BoostError, MOST_BOOST_NS, Manual, Rate, in_force, signal_state};
pub use by_type::{BY_TYPE_BYTES, ByType, LONGEST_TYPE, MOST_TYPES};
pub use estimate::Estimate;
pub use rate::scaled;
pub use slow::{SlowLimit, slow_limit_ns};
