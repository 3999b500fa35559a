//! What the kernel programs cost, by the kernel's own statistics.
//!
//! Statistics read the clock twice a run, which tests would pay for. So they are on for short windows only; the
//! mean of a window times the exact number of hits is the estimate.

use std::{io, os::fd::OwnedFd};

use super::sys;

/// Run time of a program, over the windows in which it was measured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ProgramStats {
    /// Nanoseconds.
    pub run_time_ns: u64,
    /// Runs in that time.
    pub runs: u64,
}

impl ProgramStats {
    /// Estimated seconds that `hits` runs took, or `None` if nothing was measured yet.
    #[must_use]
    pub fn estimate_seconds(&self, hits: u64) -> Option<f64> {
        (self.runs > 0).then(|| self.run_time_ns as f64 / self.runs as f64 * hits as f64 / 1e9)
    }
}

/// While this lives the kernel keeps statistics.
#[derive(Debug)]
pub struct StatsWindow {
    _descriptor: OwnedFd,
}

impl StatsWindow {
    /// Opens a window.
    ///
    /// # Errors
    /// When the kernel refuses (CAP_SYS_ADMIN is needed, or the kernel is older than 5.8).
    pub fn open() -> io::Result<Self> {
        sys::enable_stats().map(|descriptor| Self { _descriptor: descriptor })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_estimate_is_the_mean_times_the_hits() {
        let stats = ProgramStats { run_time_ns: 5_000, runs: 10 };
        assert_eq!(stats.estimate_seconds(2_000_000), Some(1.0));
        assert_eq!(ProgramStats::default().estimate_seconds(5), None);
    }
}
