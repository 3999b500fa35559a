//! From which duration on a test is slow, learnt from the exact histogram of its spec.
//!
//! The limit is twice the bound below which 99 in 100 tests end, held between 4 and 64 times the bound below which
//! 3 in 4 end. So no constant has to be guessed; fewer than one test in 100 is slow while nothing changes; and who
//! controls less than a quarter of the tests can move the limit only within what the other tests set.

use sidecar_common::{HISTOGRAM_BUCKETS, Histogram, bucket_bound_ns};

/// Fewer durations than this say nothing.
const LEAST: u128 = 100;
/// No limit is lower: below it a test is slow because the processor was busy.
const LOWEST_NS: u64 = bucket_bound_ns(13);
/// Durations that are remembered in full; beyond, old ones weigh half.
const MEMORY: u128 = 20_000;

fn total(buckets: &[u64; HISTOGRAM_BUCKETS]) -> u128 {
    buckets.iter().map(|count| u128::from(*count)).sum()
}

/// The first bucket with which `share` of 100 durations are counted.
fn quantile(buckets: &[u64; HISTOGRAM_BUCKETS], total: u128, share: u128) -> Option<usize> {
    let wanted = total * share;
    let mut below = 0u128;
    for (index, count) in buckets.iter().enumerate() {
        below += u128::from(*count);
        if below * 100 >= wanted {
            return Some(index);
        }
    }
    None
}

/// The limit in nanoseconds; a longer test is slow. `None` while there are too few durations, and where tests take
/// so long that the histogram doesn't tell them apart.
#[must_use]
pub fn slow_limit_ns(buckets: &[u64; HISTOGRAM_BUCKETS]) -> Option<u64> {
    let total = total(buckets);
    if total < LEAST {
        return None;
    }
    let most = quantile(buckets, total, 75)?;
    let nearly_all = quantile(buckets, total, 99)?;
    // Buckets double, so a factor of 2 is one bucket.
    let limit = (nearly_all + 1).clamp(most + 2, most + 6);
    // The last bucket has no bound.
    (limit < HISTOGRAM_BUCKETS - 1).then(|| bucket_bound_ns(limit).max(LOWEST_NS))
}

/// The limit of one spec as it follows the kernel's histogram: recent durations weigh more.
#[derive(Clone, Debug)]
pub struct SlowLimit {
    /// The histogram as it was.
    seen: [u64; HISTOGRAM_BUCKETS],
    recent: [u64; HISTOGRAM_BUCKETS],
}

impl Default for SlowLimit {
    fn default() -> Self {
        Self { seen: [0; HISTOGRAM_BUCKETS], recent: [0; HISTOGRAM_BUCKETS] }
    }
}

impl SlowLimit {
    /// Takes the kernel's histogram, as it is now, in, and gives the limit. A histogram that counts less than
    /// before was set to zero: it is learnt from the beginning.
    pub fn learn(&mut self, histogram: &Histogram) -> Option<u64> {
        let now = histogram.buckets;
        if now.iter().zip(&self.seen).any(|(now, seen)| now < seen) {
            *self = Self::default();
        }
        for ((recent, now), seen) in self.recent.iter_mut().zip(&now).zip(&self.seen) {
            *recent = recent.saturating_add(now - seen);
        }
        self.seen = now;
        while total(&self.recent) > MEMORY {
            self.recent.iter_mut().for_each(|count| *count /= 2);
        }
        self.limit_ns()
    }

    /// The limit as learnt so far.
    #[must_use]
    pub fn limit_ns(&self) -> Option<u64> {
        slow_limit_ns(&self.recent)
    }
}

#[cfg(test)]
#[path = "slow_tests.rs"]
mod tests;
