//! Calls of functions whose returns are watched: when each was entered, until it returns.
//!
//! A call is known by its process, its function and its place on the stack, which no two live calls share. It has its place
//! in one of a few slots, which these decide. So a call that never returns (longjmp, an exception, a process that is killed)
//! keeps a slot until another call needs it, and nothing grows.

/// Calls that are remembered by default where returns are watched. Where all slots of a call are taken, the oldest call
/// in them is forgotten.
pub const MAX_FRAMES: u32 = 32_768;
/// Slots in which a call can be.
pub const FRAME_WAYS: usize = 8;

/// In [`FrameSet::owners`]: nobody's.
pub const FRAME_FREE: u64 = 0;
/// In [`FrameSet::owners`]: a processor is writing the slot.
pub const FRAME_BUSY: u64 = 1;

/// The slots of one set. 128 bytes.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FrameSet {
    /// For each slot a tag of its call, [`FRAME_FREE`] or [`FRAME_BUSY`].
    pub owners: [u64; FRAME_WAYS],
    /// CLOCK_MONOTONIC of each call's entry, in nanoseconds.
    pub since_ns: [u64; FRAME_WAYS],
}

const _: () = assert!(size_of::<FrameSet>() == 128);
