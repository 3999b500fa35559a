//! The maps. The sizes here are the least that is useful: the agent resizes them when it loads the object.

use aya_ebpf::{
    macros::map,
    maps::{Array, HashMap, RingBuf},
};
use sidecar_common::{Control, Counters, Histogram, MAX_SIGNALS, SignalState, Spec, StatusTable};

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

/// Switches for all programs.
#[map]
pub static CONTROL: Array<Control> = Array::with_max_entries(1, 0);

/// How the reader sleeps: one of the `READER_` constants. Apart from `CONTROL` because it is written often.
#[map]
pub static READER: Array<u64> = Array::with_max_entries(1, 0);

/// Process ids (thread groups) that are watched when the scope is a tree.
#[map]
pub static TREE: HashMap<u32, u32> = HashMap::with_max_entries(64, 1 /* BPF_F_NO_PREALLOC */);
