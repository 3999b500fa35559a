//! The ABI between the kernel programs and the agent.
//!
//! Every type here is `repr(C)`, has explicit padding and a const-asserted size, and holds only
//! integers and arrays of integers, so that both sides read the same bytes on every architecture.
//! Imports `core` only (and `aya::Pod` under the feature `user`).
#![cfg_attr(not(feature = "user"), no_std)]

mod boost;
mod control;
mod counters;
mod frame;
mod held;
mod image;
mod record;
mod spec;
mod status;

pub use boost::{BoostState, HOUR_NS, MAX_ANOMALIES};
pub use control::{
    Control, READER_AWAKE, READER_IDLE, READER_LINGERING, SCOPE_NODE, SCOPE_TREE, SignalState,
};
pub use counters::{Counters, HISTOGRAM_BUCKETS, Histogram, bucket_bound_ns, bucket_of};
pub use frame::{FRAME_BUSY, FRAME_FREE, FRAME_WAYS, FrameSet, MAX_FRAMES};
pub use held::{
    HELD_BUSY, HELD_BYTES, HELD_FREE, HELD_STRING, HELD_WAYS, HeldSet, HeldStart, MAX_HELD, OPEN_BUCKETS,
};
pub use image::{ImageKey, ImageOffsets, MAX_KNOWN, QUIET_NS};
pub use record::{
    EXIT_OOM, RECORD_ABORT, RECORD_CLASSES, RECORD_EXEC, RECORD_EXIT, RECORD_HIT, RECORD_KNOWN,
    RECORD_PRECIOUS, RecordHeader, STRING_LIMITS, VALUE_LEN, padded,
};
pub use spec::{
    ArgSpec, EVENT_ANOMALY, EVENT_EXTERNAL, EVENT_GENERIC, EVENT_TEST_END, EVENT_TEST_START,
    FLAG_EMPTY_IS_ZERO, FLAG_LEAST_OF_ALL, FLAG_NULL_IS_ZERO, FLAG_SIGNED, FRAME_ENTRY, FRAME_NONE,
    FRAME_RETURN, KIND_BYTES, KIND_INTEGER, KIND_STRING, LOC_CONSTANT, LOC_ELAPSED, LOC_INDEXED, LOC_MEMORY,
    LOC_POINTED, LOC_REGISTER, LOC_UNREAD, MAX_ELEMENTS, NO_ARG, NO_HISTOGRAM, Spec, StatusEntry,
    StatusTable,
};
pub use status::Status;

/// Version of this ABI. The agent refuses a BPF object whose `ABI_VERSION` map value differs.
pub const ABI_VERSION: u32 = 6;

/// Most arguments that one site can have (the stapsdt limit).
pub const MAX_ARGS: usize = 12;

/// Longest string or byte block that a record carries, in bytes, the terminating NUL included.
pub const MAX_STRING: u32 = 1024;

/// Number of signals: the built-in ones and the user's own.
pub const MAX_SIGNALS: usize = 64;

/// Rows of a [`StatusTable`].
pub const STATUS_ROWS: usize = 16;

/// A sampling threshold that keeps everything. A test whose 32-bit hash is below the threshold is kept,
/// so a rate `r` is the threshold `r * 2^32`.
pub const RATE_ONE: u64 = 1 << 32;

/// The seed of FNV-1a, 64 bit (<http://www.isthe.com/chongo/tech/comp/fnv/>).
pub const FNV_OFFSET: u64 = 0xcbf2_9ce4_8422_2325;
/// The multiplier of FNV-1a, 64 bit.
pub const FNV_PRIME: u64 = 0x0000_0100_0000_01b3;

/// One FNV-1a step.
#[inline(always)]
#[must_use]
pub const fn fnv1a_step(hash: u64, byte: u8) -> u64 {
    (hash ^ byte as u64).wrapping_mul(FNV_PRIME)
}

/// FNV-1a over `bytes`.
#[must_use]
pub const fn fnv1a(bytes: &[u8]) -> u64 {
    let mut hash = FNV_OFFSET;
    let mut i = 0;
    while i < bytes.len() {
        hash = fnv1a_step(hash, bytes[i]);
        i += 1;
    }
    hash
}

/// Longest status word or signal name, in bytes without NUL, that the kernel programs hash; a longer one is unknown.
pub const STATUS_WORD_LEN: usize = 31;

/// Spreads a key over all 64 bits (the finalizer of MurmurHash3), so that consecutive keys sample evenly.
#[inline(always)]
#[must_use]
pub const fn mix(key: u64) -> u64 {
    let mut h = key;
    h ^= h >> 33;
    h = h.wrapping_mul(0xff51_afd7_ed55_8ccd);
    h ^= h >> 33;
    h = h.wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    h ^= h >> 33;
    h
}

/// Whether a key is kept under a threshold (see [`RATE_ONE`]).
#[inline(always)]
#[must_use]
pub const fn keeps(key: u64, threshold: u64) -> bool {
    (mix(key) >> 32) < threshold
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rate_one_keeps_and_rate_zero_drops_every_key() {
        for key in [0, 1, u64::MAX, 0xdead_beef] {
            assert!(keeps(key, RATE_ONE));
            assert!(!keeps(key, 0));
        }
    }

    #[test]
    fn a_tenth_of_consecutive_keys_is_kept_at_a_rate_of_a_tenth() {
        let threshold = RATE_ONE / 10;
        let kept = (0..100_000u64).filter(|&key| keeps(key, threshold)).count();
        assert!((9_700..10_300).contains(&kept), "{kept}");
    }

    #[test]
    fn fnv1a_matches_the_published_vectors() {
        assert_eq!(fnv1a(b""), 0xcbf2_9ce4_8422_2325);
        assert_eq!(fnv1a(b"a"), 0xaf63_dc4c_8601_ec8c);
        assert_eq!(fnv1a(b"foobar"), 0x8594_4171_f739_67e8);
    }
}
