//! What the kernel programs count, exactly, whatever is sampled.

use crate::Status;

/// Counters of one spec. `hits = kept + sampled_out + lost + disabled`; the ring has `kept + recalled + aborted`
/// records of them. 216 bytes.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// The probe fired in a process that is watched.
    pub hits: u64,
    /// A record was submitted.
    pub kept: u64,
    /// No record, by choice of the rate.
    pub sampled_out: u64,
    /// No record, because the ring had no room.
    pub lost: u64,
    /// No record, because the spec or the agent is disabled.
    pub disabled: u64,
    /// The probe fired in a process that is not watched; not in `hits`.
    pub out_of_scope: u64,
    /// Arguments that could not be read from the program's memory.
    pub read_faults: u64,
    /// Strings that were cut at the limit.
    pub truncated: u64,
    /// Bytes of the submitted records, as used.
    pub bytes: u64,
    /// Outcomes by [`Status`] number; only of specs with a status argument.
    pub statuses: [u64; Status::COUNT],
    /// Starts that were sampled out or found no room, and whose record was sent after all, because their test's end
    /// was kept.
    pub recalled: u64,
    /// Starts that were to be sent after all and found no room in the ring.
    pub recall_lost: u64,
    /// Starts that were sampled out or found no room, and were held until their test's end.
    pub held: u64,
    /// Returns of a function whose entry is not known, so that they are in no histogram.
    pub unmatched: u64,
    /// Entries at which an earlier call was still remembered that had lain at the same place of the stack: it ended without
    /// a return (longjmp, an exception), or one that the kernel did not see.
    pub overwritten: u64,
    /// Entries at which the oldest other call was forgotten, because there was no room.
    pub evicted: u64,
    /// Tests of these starts that ended with their process, and whose record of that was submitted.
    pub aborted: u64,
    /// The same, and the ring had no room for the record.
    pub abort_lost: u64,
    /// Starts that gave way to others before their test's end, so that the end of their process tells nothing of it.
    pub gave_way: u64,
}

/// Number of buckets of a [`Histogram`].
pub const HISTOGRAM_BUCKETS: usize = 34;

/// Durations by powers of two. Bucket `i` counts values up to and including [`bucket_bound_ns`]`(i)`
/// that no lower bucket counts; the last one has no bound.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Histogram {
    /// Sum of all durations in nanoseconds, wrapping.
    pub sum_ns: u64,
    /// Counts; not cumulative.
    pub buckets: [u64; HISTOGRAM_BUCKETS],
}

impl Default for Histogram {
    fn default() -> Self {
        Self { sum_ns: 0, buckets: [0; HISTOGRAM_BUCKETS] }
    }
}

/// Power of two of the first bucket's bound: 2^10 ns is about 1 us.
const FIRST_BOUND_LOG2: u32 = 10;

/// Upper bound of bucket `i` in nanoseconds: 2^(10 + i).
#[must_use]
pub const fn bucket_bound_ns(i: usize) -> u64 {
    1 << (FIRST_BOUND_LOG2 + i as u32)
}

/// Index of the bucket that counts `ns`.
#[inline(always)]
#[must_use]
pub const fn bucket_of(ns: u64) -> usize {
    // The number of bits of ns - 1 is the least k with ns <= 2^k. Written without leading_zeros, which the
    // BPF target has no instruction for.
    let mut v = ns.saturating_sub(1) >> FIRST_BOUND_LOG2;
    let mut bits = 0;
    if v >= 1 << 32 {
        return HISTOGRAM_BUCKETS - 1;
    }
    if v >= 1 << 16 {
        v >>= 16;
        bits += 16;
    }
    if v >= 1 << 8 {
        v >>= 8;
        bits += 8;
    }
    if v >= 1 << 4 {
        v >>= 4;
        bits += 4;
    }
    if v >= 1 << 2 {
        v >>= 2;
        bits += 2;
    }
    if v >= 1 << 1 {
        v >>= 1;
        bits += 1;
    }
    bits + v as usize
}

const _: () = assert!(size_of::<Counters>() == 216);
const _: () = assert!(size_of::<Histogram>() == 8 * (1 + HISTOGRAM_BUCKETS));

#[cfg(feature = "user")]
mod pod {
    // SAFETY: repr(C), u64 only, so there is no padding and every bit pattern is a value.
    unsafe impl aya::Pod for super::Counters {}
    // SAFETY: as above.
    unsafe impl aya::Pod for super::Histogram {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_bound_belongs_to_its_bucket_and_the_next_value_to_the_next() {
        for i in 0..HISTOGRAM_BUCKETS - 1 {
            assert_eq!(bucket_of(bucket_bound_ns(i)), i);
            assert_eq!(bucket_of(bucket_bound_ns(i) + 1), (i + 1).min(HISTOGRAM_BUCKETS - 1));
        }
        assert_eq!(bucket_of(0), 0);
        assert_eq!(bucket_of(u64::MAX), HISTOGRAM_BUCKETS - 1);
    }
}
