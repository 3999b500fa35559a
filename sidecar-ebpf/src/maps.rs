//! The maps. The sizes here are the least that is useful: the agent resizes them when it loads the object.

use aya_ebpf::{
    macros::map,
    maps::{Array, HashMap, LruHashMap, RingBuf},
};
use sidecar_common::{
    BoostState, Control, Counters, FrameSet, HeldSet, HeldStart, Histogram, ImageKey, ImageOffsets,
    MAX_KNOWN, MAX_SIGNALS, OPEN_BUCKETS, SignalState, Spec, StatusTable,
};

/// Kept records on their way to the agent.
#[map]
pub static RECORDS: RingBuf = RingBuf::with_byte_size(1 << 18, 0);

/// What to do at each site, by the attach cookie.
#[map]
pub static SPECS: Array<Spec> = Array::with_max_entries(64, 0);

/// Exact counts, by the same index.
#[map]
pub static COUNTERS: Array<Counters> = Array::with_max_entries(64, 0);

/// Durations, by `Spec::histogram`.
#[map]
pub static HISTOGRAMS: Array<Histogram> = Array::with_max_entries(16, 0);

/// Which status values mean which status, by `Spec::status_table`.
#[map]
pub static STATUS_TABLES: Array<StatusTable> = Array::with_max_entries(256, 0);

/// Sampling, by `Spec::signal`.
#[map]
pub static SIGNALS: Array<SignalState> = Array::with_max_entries(MAX_SIGNALS as u32, 0);

/// Anomalies and boosts, by `Spec::signal`. Only the programs write it.
#[map]
pub static BOOSTS: Array<BoostState> = Array::with_max_entries(MAX_SIGNALS as u32, 0);

/// Signals by the hash of their name, for the marker that reports an anomaly of one.
#[map]
pub static SIGNAL_NAMES: HashMap<u64, u32> = HashMap::with_max_entries(MAX_SIGNALS as u32, 0);

/// Durations in nanoseconds above which a test's end is an anomaly, by spec; 0: none is known yet.
#[map]
pub static SLOW_LIMITS: Array<u64> = Array::with_max_entries(64, 0);

/// Starts of tests until the test's end: `HELD_WAYS` for each of `HELD_SETS`.
#[map]
pub static HELD: Array<HeldStart> = Array::with_max_entries(64, 0);

/// Whose the slots of `HELD` are.
#[map]
pub static HELD_SETS: Array<HeldSet> = Array::with_max_entries(8, 0);

/// Calls of functions that have not returned yet, where returns are watched.
#[map]
pub static FRAMES: Array<FrameSet> = Array::with_max_entries(1, 0);

/// Number of held starts, by process id modulo its length.
#[map]
pub static OPEN: Array<u64> = Array::with_max_entries(OPEN_BUCKETS, 0);

/// Switches for all programs.
#[map]
pub static CONTROL: Array<Control> = Array::with_max_entries(1, 0);

/// Execs, exits and forks that found no room: in the ring, or in `TREE`.
#[map]
pub static PROCESS_LOST: Array<u64> = Array::with_max_entries(1, 0);

/// How the reader sleeps: one of the `READER_` constants. Apart from `CONTROL` because it is written often.
#[map]
pub static READER: Array<u64> = Array::with_max_entries(1, 0);

/// Process ids (thread groups) that are watched when the scope is a tree.
#[map]
pub static TREE: HashMap<u32, u32> = HashMap::with_max_entries(64, 1 /* BPF_F_NO_PREALLOC */);

/// How images are told apart.
#[map]
pub static IMAGE_OFFSETS: Array<ImageOffsets> = Array::with_max_entries(1, 0);

/// Images of which the agent wants to hear no more at once. Only the agent writes it.
#[map]
pub static KNOWN: LruHashMap<ImageKey, u32> = LruHashMap::with_max_entries(MAX_KNOWN, 0);

/// When the reader was last woken for a process that executed a known image: CLOCK_MONOTONIC in nanoseconds.
#[map]
pub static LAST_QUIET: Array<u64> = Array::with_max_entries(1, 0);
