//! Starts of tests that were sampled out or found no room in the ring, held until the test's end tells whether they matter.

/// Bytes for a held start's record.
pub const HELD_BYTES: usize = 1024;
/// Longest string in a held start; a longer one is cut.
pub const HELD_STRING: u32 = 256;
/// Starts that are held by default; the least recently used give way.
pub const MAX_HELD: u32 = 2048;

/// Which test: its sampling key, within the process that fires its markers, so that no process can call up
/// another's.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HeldKey {
    /// The key by which the test is sampled.
    pub key: u64,
    /// Process id (thread group).
    pub tgid: u32,
    /// Zero.
    pub reserved: u32,
}

/// A start's record. 1,040 bytes.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeldStart {
    /// The record, which begins with its header.
    pub record: [u8; HELD_BYTES],
    /// The test's key, written when the record is complete: an element that another test has taken over meanwhile
    /// shows another.
    pub key: u64,
    /// Index of the start's spec.
    pub spec: u32,
    /// Zero.
    pub reserved: u32,
}

const _: () = assert!(size_of::<HeldKey>() == 16);
const _: () = assert!(size_of::<HeldStart>() == 1040);
