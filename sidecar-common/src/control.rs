//! What the agent tells the kernel programs: switches, sampling rates, and how the reader sleeps.

/// Every process on the node is watched.
pub const SCOPE_NODE: u32 = 0;
/// Only the processes in the map `TREE` are watched.
pub const SCOPE_TREE: u32 = 1;

/// The reader is draining: do not wake it.
pub const READER_AWAKE: u64 = 0;
/// The reader sleeps on a short timer: wake it when the ring has filled to the watermark.
pub const READER_LINGERING: u64 = 1;
/// The reader sleeps until something comes: wake it for the next record.
pub const READER_IDLE: u64 = 2;

/// Switches for all programs. 48 bytes.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Control {
    /// 1: on; 0: every hit counts as disabled.
    pub enabled: u32,
    /// `SCOPE_NODE` or `SCOPE_TREE`.
    pub scope: u32,
    /// Ring bytes at which a lingering reader is woken.
    pub watermark: u32,
    /// 1: the exec tracepoint writes records.
    pub exec_records: u32,
    /// Byte offset of `tgid` in the running kernel's `struct task_struct` (from its BTF).
    pub task_tgid: u32,
    /// Byte offset of `signal` in `struct task_struct`.
    pub task_signal: u32,
    /// Byte offset of `live` in `struct signal_struct`.
    pub signal_live: u32,
    /// 1: the exit tracepoint writes records.
    pub exit_records: u32,
    /// Execs, exits and forks that found no room: in the ring, or in the map `TREE`.
    pub process_lost: u64,
    /// Zero.
    pub reserved: u64,
}

/// Sampling of one signal. 16 bytes.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SignalState {
    /// Keep a test whose mixed key is below this ([`crate::keeps`]); [`crate::RATE_ONE`] keeps all.
    pub threshold: u64,
    /// Zero.
    pub reserved: u64,
}

const _: () = assert!(size_of::<Control>() == 48);
const _: () = assert!(size_of::<SignalState>() == 16);

#[cfg(feature = "user")]
mod pod {
    // SAFETY: repr(C), integers only, no implicit padding (the sizes are asserted above).
    unsafe impl aya::Pod for super::Control {}
    // SAFETY: as above.
    unsafe impl aya::Pod for super::SignalState {}
}
