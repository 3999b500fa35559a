//! The records in the ring: a header, then one entry an argument.
//!
//! Each argument takes 8 bytes: an integer's value (sign- or zero-extended to 64 bits), or the length of
//! the bytes that follow. A string's bytes come without their NUL and are padded with anything to a
//! multiple of 8. An argument whose bit is set in `unread`, `faults` or `dropped` has its 8 bytes (zero) and
//! no bytes behind them.

/// A hit of a probe.
pub const RECORD_HIT: u16 = 1;
/// A process executed a new program. No arguments.
pub const RECORD_EXEC: u16 = 2;
/// A process ended. No arguments.
pub const RECORD_EXIT: u16 = 3;
/// A test's process ended, and so did the test. The record is that of the test's start, but for its `time_ns`, its
/// `rate` and its `exit_code`.
pub const RECORD_ABORT: u16 = 4;

/// In [`RecordHeader::flags`]: a test's end that did not simply pass, that test's start if it was held, or an anomaly
/// that a program reports. What is kept by its rate only gives way to it.
pub const RECORD_PRECIOUS: u16 = 1;
/// A flag of a [`RECORD_EXEC`]: the program's image is known ([`crate::ImageKey`]), so that only what its process maps
/// later is worth a look.
pub const RECORD_KNOWN: u16 = 2;

/// In [`RecordHeader::exit_code`]: the kernel had run out of memory, in all or in the process's cgroup, and chose it to end.
pub const EXIT_OOM: u32 = 1 << 31;

/// Bytes of an argument's fixed part.
pub const VALUE_LEN: u32 = 8;

/// Ring bytes that one record takes, by class. A record that does not fit is built again in the next class.
pub const RECORD_CLASSES: [u32; 3] = [512, 4096, 16384];
/// Longest string that a class holds before the next class is tried.
pub const STRING_LIMITS: [u32; 3] = [160, 1024, 1024];

/// What each record begins with. 80 bytes.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RecordHeader {
    /// Bytes in use, this header included; what lies behind them is noise.
    pub len: u32,
    /// One of the `RECORD_` constants.
    pub kind: u16,
    /// Number of arguments that follow.
    pub argc: u8,
    /// The [`crate::Status`] as the kernel classified it.
    pub status: u8,
    /// Index of the spec.
    pub spec: u32,
    /// The spec's generation.
    pub generation: u32,
    /// CLOCK_MONOTONIC at the hit, in nanoseconds.
    pub time_ns: u64,
    /// Process id (thread group) in the initial pid namespace.
    pub pid: u32,
    /// Thread id in the initial pid namespace.
    pub tid: u32,
    /// Id of the thread's cgroup (v2 hierarchy).
    pub cgroup_id: u64,
    /// The threshold under which the hit was kept ([`crate::RATE_ONE`] for everything). Of a [`RECORD_ABORT`], which is
    /// always kept, CLOCK_MONOTONIC at the test's start.
    pub rate: u64,
    /// Bit i: argument i is a string or byte block.
    pub strings: u16,
    /// Bit i: argument i could not be read from the program's memory.
    pub faults: u16,
    /// Bit i: argument i was longer than the limit and is cut.
    pub truncated: u16,
    /// Bit i: argument i is NULL, or its place is not understood.
    pub unread: u16,
    /// Bit i: argument i is a payload that was left out to stay inside the agent's budget.
    pub dropped: u16,
    /// [`RECORD_PRECIOUS`], [`RECORD_KNOWN`] or 0.
    pub flags: u16,
    /// Of a [`RECORD_ABORT`], how the process ended, as `wait` tells it, and [`EXIT_OOM`]; else zero.
    pub exit_code: u32,
    /// Name of the thread, padded with NUL.
    pub comm: [u8; 16],
}

impl RecordHeader {
    /// Size of the header in bytes.
    pub const LEN: u32 = size_of::<Self>() as u32;
}

const _: () = assert!(size_of::<RecordHeader>() == 80);

/// `len` rounded up to a multiple of 8.
#[inline(always)]
#[must_use]
pub const fn padded(len: u32) -> u32 {
    (len + 7) & !7
}
