//! What the kernel programs know of a signal's anomalies and boosts.

/// Anomalies, and boosts, whose times are remembered; so the most that a boost can wait for.
pub const MAX_ANOMALIES: usize = 64;

/// An hour in nanoseconds: the time in which boosts are limited.
pub const HOUR_NS: u64 = 3_600_000_000_000;

/// Anomalies and boosts of one signal. Only the kernel programs write it, by atomic instructions. 1,056 bytes.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BoostState {
    /// CLOCK_MONOTONIC at which the boost ends, in nanoseconds; 0 or past: there is none.
    pub until_ns: u64,
    /// Anomalies so far.
    pub anomalies: u64,
    /// Boosts that began so far.
    pub boosts: u64,
    /// Boosts that did not begin because the hour's were used up.
    pub refused: u64,
    /// Times of the last anomalies: number `i` is at `i % MAX_ANOMALIES`.
    pub anomaly_at: [u64; MAX_ANOMALIES],
    /// Times at which the last boosts began, likewise.
    pub boost_at: [u64; MAX_ANOMALIES],
}

impl Default for BoostState {
    fn default() -> Self {
        Self {
            until_ns: 0,
            anomalies: 0,
            boosts: 0,
            refused: 0,
            anomaly_at: [0; MAX_ANOMALIES],
            boost_at: [0; MAX_ANOMALIES],
        }
    }
}

const _: () = assert!(MAX_ANOMALIES.is_power_of_two());
const _: () = assert!(size_of::<BoostState>() == 8 * (4 + 2 * MAX_ANOMALIES));

#[cfg(feature = "user")]
mod pod {
    // SAFETY: repr(C), u64 only, so there is no padding and every bit pattern is a value.
    unsafe impl aya::Pod for super::BoostState {}
}
