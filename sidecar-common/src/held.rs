//! Starts of tests, held until the test's end, or the end of its process. One that was sampled out or found no room in
//! the ring is sent then if it matters.
//!
//! A start has its place in one of a few slots, which its test decides: so it costs no list, no lock and no allocation,
//! and a slot belongs to one processor at a time.

/// Bytes for a held start's record.
pub const HELD_BYTES: usize = 1024;
/// Longest string in a held start; a longer one is cut.
pub const HELD_STRING: u32 = 256;
/// Starts that are held by default. Where all slots of a test are taken, the oldest start in them gives way.
pub const MAX_HELD: u32 = 4096;
/// Slots in which a test's start can be.
pub const HELD_WAYS: usize = 16;
/// Counts of held starts, by process id modulo this: whose count is zero has none.
pub const OPEN_BUCKETS: u32 = 8192;

/// In [`HeldSet::owners`]: nobody's.
pub const HELD_FREE: u64 = 0;
/// In [`HeldSet::owners`]: a processor is writing or reading the slot.
pub const HELD_BUSY: u64 = 1;

/// Whose the slots of one set are. 256 bytes.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HeldSet {
    /// For each slot a tag of its test, [`HELD_FREE`] or [`HELD_BUSY`].
    pub owners: [u64; HELD_WAYS],
    /// CLOCK_MONOTONIC of each slot's start, in nanoseconds.
    pub since_ns: [u64; HELD_WAYS],
}

/// A start's record. 1,048 bytes.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeldStart {
    /// The record, which begins with its header; what lies behind its length is noise.
    pub record: [u8; HELD_BYTES],
    /// The key by which the test is sampled.
    pub key: u64,
    /// Process id (thread group): no process can call up another's start.
    pub tgid: u32,
    /// Index of the start's spec.
    pub spec: u32,
    /// 1: the record was sent when the test started.
    pub sent: u32,
    /// Zero.
    pub reserved: u32,
}

const _: () = assert!(size_of::<HeldSet>() == 256);
const _: () = assert!(size_of::<HeldStart>() == 1048);
