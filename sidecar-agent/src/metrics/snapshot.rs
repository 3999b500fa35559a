//! What a scrape reads: plain data, filled in one go by whoever knows it.

use sidecar_common::{Counters, Histogram};

use crate::attach::ProbeKind;
use crate::governor;
use crate::handlers::HandlerStats;
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
    /// What it is on. Of a function, provider and marker are its file and its name.
    pub kind: ProbeKind,
    /// The signal whose rate applies.
    pub signal: String,
    /// Sites that have a probe now.
    pub sites: u64,
    /// The type that its events have.
    pub event_type: String,
    /// The type that its events have when the status is a failure, where that differs.
    pub failure_type: Option<String>,
    /// A hit is a test's start, so `counters.aborted` and `abort_lost` say how many ended with their process.
    pub is_start: bool,
    /// The marker has a status argument, so `counters.statuses` says how its hits ended.
    pub has_status: bool,
    /// Sums over all specs of the probe, retired ones included.
    pub counters: Counters,
    /// Durations, if the marker carries one.
    pub histogram: Option<Histogram>,
    /// A test that takes longer is slow; 0 until enough is known.
    pub slow_limit_ns: u64,
}

/// Anomalies and boosts of one signal.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SignalBoost {
    /// The signal.
    pub signal: String,
    /// Anomalies ever.
    pub anomalies: u64,
    /// Boosts that anomalies began.
    pub boosts: u64,
    /// Boosts that did not begin because the hour's were used up.
    pub refused: u64,
    /// Whether a boost is on, by anomalies or on request.
    pub boosted: bool,
}

/// What the agent itself costs, as measured last. `None` is not known.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Usage {
    /// Percent of one core, its BPF programs included.
    pub cpu_percent: Option<f64>,
    /// The part that its BPF programs took.
    pub bpf_cpu_percent: Option<f64>,
    /// Bytes in RAM and in the kernel's maps.
    pub memory_bytes: Option<u64>,
    /// The part in the kernel's maps.
    pub map_bytes: Option<u64>,
    /// Threads.
    pub threads: Option<u64>,
}

/// Events of the stream: `offered = taken + lost + left + waiting`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StreamEvents {
    /// Events that passed a client's filter.
    pub offered: u64,
    /// Events that were taken to be sent.
    pub taken: u64,
    /// Events that a slow client lost.
    pub lost: u64,
    /// Events that still waited when their client left.
    pub left: u64,
    /// Events that wait now.
    pub waiting: u64,
}

/// Whether programs are held until their probes are on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GateState {
    /// They are.
    Holding,
    /// They never were, and why.
    Missing(String),
    /// They are no longer, and why.
    Ended(String),
}

/// The gate. Execs that it was asked for are the sum of `outcomes` and those that wait now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GateFigures {
    /// Whether it holds.
    pub state: GateState,
    /// Execs by what became of them (a closed set of words).
    pub outcomes: Vec<(&'static str, u64)>,
    /// Execs that wait now.
    pub waiting: u64,
    /// Execs of which first events may be missing.
    pub missed: u64,
    /// The longest wait in nanoseconds.
    pub longest_ns: u64,
    /// Filesystems on which programs are held.
    pub filesystems: u64,
    /// Filesystems on which they are not.
    pub left_out: u64,
}

/// The runtime around an observer.
#[derive(Clone, Debug)]
pub struct RuntimeFigures {
    /// Its cost.
    pub usage: Usage,
    /// The governor.
    pub governor: governor::View,
    /// The handlers.
    pub handlers: Vec<HandlerStats>,
    /// Reloads that succeeded.
    pub reloads: u64,
    /// Reloads that were refused.
    pub reloads_refused: u64,
    /// Whether the last one succeeded; true if there was none.
    pub last_reload_succeeded: bool,
    /// When the configuration in force was loaded, in nanoseconds since 1970 UTC.
    pub last_reload_ns: i64,
    /// Clients of the stream of events.
    pub streams: u64,
    /// What became of their events, each counted for each of them.
    pub stream_events: StreamEvents,
    /// Whether the configuration wants anything watched.
    pub enabled: bool,
    /// The gate, if one is wanted.
    pub gate: Option<GateFigures>,
}

/// Folders that are watched for files that appear.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FolderStats {
    /// Folders that are watched now.
    pub watched: u64,
    /// Times that one could not be watched.
    pub unwatched: u64,
    /// Times that all were read again, because the kernel had no room for what happened in them.
    pub rescans: u64,
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
    /// Folders that are watched for files that appear.
    pub folders: FolderStats,
    /// Bytes of the ring between kernel and agent.
    pub ring_bytes: u64,
    /// Sampling rate of each signal, 0 to 1.
    pub sampling_rates: Vec<(String, f64)>,
    /// Anomalies and boosts of each signal.
    pub boosts: Vec<SignalBoost>,
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
    /// Events taken from it that are just being handed on.
    pub in_flight: u64,
    /// The sinks, each with its queue.
    pub sinks: Vec<SinkStats>,
    /// What the runtime around the observer knows; none for `exec`.
    pub runtime: Option<RuntimeFigures>,
    /// Errors of other components, by component (a closed set of words). Decoding and sinks are added from
    /// the fields above.
    pub errors: Vec<(&'static str, u64)>,
}

impl Snapshot {
    /// Records that were received and not handed on, by reason.
    pub fn record_drops(&self) -> impl Iterator<Item = (&'static str, u64)> {
        self.decode_errors.iter().copied().chain(self.queue.drops())
    }
}
