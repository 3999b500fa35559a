//! What the agent itself costs, through /proc.

use procfs::{WithCurrentSystemInfo as _, process::Process};

/// Own use of the machine so far.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct OwnCost {
    /// User and system time of all own threads in seconds, in clock ticks (usually 10 ms).
    pub cpu_seconds: f64,
    /// Resident memory in bytes, the mapped ring included.
    pub rss_bytes: u64,
}

/// Reads /proc/self/stat. Zero where it can't be read.
#[must_use]
pub fn own_cost() -> OwnCost {
    let Ok(stat) = Process::myself().and_then(|process| process.stat()) else { return OwnCost::default() };
    OwnCost {
        cpu_seconds: (stat.utime + stat.stime) as f64 / procfs::ticks_per_second() as f64,
        rss_bytes: stat.rss_bytes().get(),
    }
}
