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

/// Switches for all programs. Only the agent writes them. 72 bytes.
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
    /// 1: starts that are sampled out are held until their test's end is known.
    pub hold_starts: u32,
    /// 1: records go without the arguments in [`crate::Spec::payload_args`].
    pub drop_payloads: u32,
    /// Ring bytes up to which records find room that are kept by their rate only; the rest is for the precious ones
    /// ([`crate::RECORD_PRECIOUS`]).
    pub sampled_room: u32,
    /// Sets of slots for held starts ([`crate::HeldSet`]).
    pub held_sets: u32,
    /// Sets of slots for calls whose returns are watched ([`crate::FrameSet`]).
    pub frame_sets: u32,
    /// 1: tests end with their process, so that every start is held until its test's end.
    pub follow_exits: u32,
    /// Byte offset of `exit_code` in `struct task_struct`.
    pub task_exit_code: u32,
    /// Byte offset of `oom_mm` in `struct signal_struct`; 0: not known.
    pub signal_oom_mm: u32,
    /// CLOCK_MONOTONIC since when every test's end is seen, in nanoseconds: what became of tests that started before is
    /// not known.
    pub watched_since_ns: u64,
}

/// Sampling of one signal, as the agent wants it. The kernel programs only read it. 64 bytes.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SignalState {
    /// Keep a test whose mixed key is below this ([`crate::keeps`]); [`crate::RATE_ONE`] keeps all.
    pub threshold: u64,
    /// The threshold while anomalies boost the signal.
    pub boosted: u64,
    /// The threshold until `forced_until_ns`, for a boost that somebody asked for.
    pub forced: u64,
    /// CLOCK_MONOTONIC in nanoseconds; 0: nobody asked.
    pub forced_until_ns: u64,
    /// Anomalies within this time boost the signal, in nanoseconds.
    pub anomaly_window_ns: u64,
    /// How long a boost lasts, in nanoseconds.
    pub boost_duration_ns: u64,
    /// How many anomalies: 1 to [`crate::MAX_ANOMALIES`]; 0: anomalies boost nothing.
    pub anomaly_threshold: u32,
    /// Most boosts that begin within an hour: up to [`crate::MAX_ANOMALIES`].
    pub boosts_per_hour: u32,
    /// Zero.
    pub reserved: u64,
}

const _: () = assert!(size_of::<Control>() == 72);
const _: () = assert!(size_of::<SignalState>() == 64);

#[cfg(feature = "user")]
mod pod {
    // SAFETY: repr(C), integers only, no implicit padding (the sizes are asserted above).
    unsafe impl aya::Pod for super::Control {}
    // SAFETY: as above.
    unsafe impl aya::Pod for super::SignalState {}
}
