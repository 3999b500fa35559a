//! What a scrape reads: plain data, filled in one go by whoever knows it.

use sidecar_common::{Counters, Histogram};

use crate::sinks::{QueueStats, SinkStats};

/// Gives the state for one scrape.
///
/// It runs on a thread where it may block, but while it does, `/metrics` answers 503: it should copy counters
/// and hold no lock that the path of events waits for longer than the copy takes.
pub trait Source: Send + Sync {
    /// The state now. Counters never go down from one call to the next.
    fn snapshot(&self) -> Snapshot;
}

/// One probe: a marker of one provider as one mapping reads it, over all its sites, past ones included.
#[derive(Clone, Debug, Default)]
pub struct ProbeStats {
    /// The marker's provider.
    pub provider: String,
    /// The marker's name.
    pub marker: String,
    /// The type that its events have.
    pub event_type: String,
    /// The type that its events have when the status is a failure, where that differs.
    pub failure_type: Option<String>,
    /// The marker has a status argument, so `counters.statuses` says how its hits ended.
    pub has_status: bool,
    /// Sums over all specs of the probe, retired ones included.
    pub counters: Counters,
    /// Durations, if the marker carries one.
    pub histogram: Option<Histogram>,
}

/// The state of the agent at one moment.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    /// The probes in any order; entries with the same names are added up.
    pub probes: Vec<ProbeStats>,
    /// Files that have probes on them now.
    pub attached_images: u64,
    /// Sites that have a probe on them now.
    pub attached_sites: u64,
    /// Files and sites that got no probe, ever, by reason (a closed set of words).
    pub attach_refusals: Vec<(&'static str, u64)>,
    /// Bytes of the ring between kernel and agent.
    pub ring_bytes: u64,
    /// Sampling rate of each signal, 0 to 1.
    pub sampling_rates: Vec<(String, f64)>,
    /// Times the reader woke up.
    pub reader_wakeups: u64,
    /// Records taken out of the ring.
    pub records_received: u64,
    /// Records that could not be decoded, by reason (a closed set of words).
    pub decode_errors: Vec<(&'static str, u64)>,
    /// Execs, exits and forks that the kernel programs could not tell the agent of.
    pub process_lost: u64,
    /// The queue between decoding and the rest.
    pub queue: QueueStats,
    /// The sinks, each with its queue.
    pub sinks: Vec<SinkStats>,
    /// Errors of other components, by component (a closed set of words). Decoding and sinks are added from
    /// the fields above.
    pub errors: Vec<(&'static str, u64)>,
}
