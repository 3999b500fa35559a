//! Sampling as user space sees it: which thresholds the kernel gets, when an API call boosts a signal, from which
//! duration on a test is slow, and totals from what was kept. Pure; times are nanoseconds of CLOCK_MONOTONIC.
//!
//! What the kernel decides by itself at a hit (a boost by anomalies) it decides by [`sidecar_common::Boost`], which
//! [`Boosts`] uses too, so that both sides agree.
mod boosts;
mod estimate;
mod rate;
mod slow;

pub use boosts::{BoostView, Boosts, CAP_PER_HOUR_NS, MOST_BOOST_NS, SamplingError, rules};
pub use estimate::Estimate;
pub use rate::{Thresholds, scaled, thresholds};
pub use slow::{SlowLimit, slow_limit_ns};
