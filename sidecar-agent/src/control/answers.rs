//! The answers. Their comments are the descriptions in docs/openapi.json.

use std::collections::BTreeMap;

use super::Durations;
use serde::{Deserialize, Serialize};

macro_rules! answers {
    ($($(#[$meta:meta])* pub struct $name:ident { $($(#[$field_meta:meta])* pub $field:ident: $type:ty,)* })*) => {$(
        $(#[$meta])*
        #[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
        #[cfg_attr(test, derive(schemars::JsonSchema))]
        pub struct $name { $($(#[$field_meta])* pub $field: $type,)* }
    )*};
}

answers! {
/// What the agent counted since its start.
pub struct Stats {
    /// Events that came out of the ring.
    pub events_received: u64,
    /// Hits whose record was sampled out by choice of rate, in the kernel.
    pub events_sampled_out: u64,
    /// Events that the agent dropped, for any reason.
    pub events_dropped: u64,
    /// Events handed to sinks, handlers and streams.
    pub events_processed: u64,
    /// Failures of any part: decoding, sinks, handlers.
    pub errors: u64,
    /// The last of these failures; null if none occurred.
    pub last_error: Option<String>,
    /// Events that wait in the agent's queue.
    pub queue_size: u64,
    /// Most events that can wait there.
    pub queue_capacity: u64,
    /// `queue_size` of `queue_capacity`, 0 to 1.
    pub queue_utilization_ratio: f64,
    /// Whether anything is watched now.
    pub running: bool,
    /// Time since the agent's start, in seconds.
    pub uptime_seconds: f64,
    /// The accounting from hit to event.
    pub balance: Balance,
    /// Clients of the stream of events.
    pub streams: u64,
    /// What became of the events at each sink.
    pub sinks: Vec<Account>,
    /// What became of the events at each handler.
    pub handlers: Vec<Account>,
    /// What became of the events of all clients of the stream, each counted for each client.
    pub stream_events: Account,
    /// How many events of each type programs fired that are neither starts nor ends of tests.
    pub event_types: EventTypes,
}

/// What became of the events that somebody was handed:
/// `received = done + waiting + in_flight + not done` by each reason.
pub struct Account {
    /// The name.
    pub name: String,
    /// Events handed to it.
    pub received: u64,
    /// Events written, handled or sent.
    pub done: u64,
    /// Events that wait in its queue.
    pub waiting: u64,
    /// Events that it is at work on.
    pub in_flight: u64,
    /// Events that were dropped or failed, by reason.
    pub not_done: Drops,
}

/// Events by type, estimated from those that were kept: each stands for as many as its sampling rate says. What was
/// lost in the ring or dropped in the agent is not in it; see `balance`.
pub struct EventTypes {
    /// The types, the most frequent first, at most 100.
    pub types: Vec<EventType>,
    /// Events of all further types together.
    pub others: EventCount,
}

/// Events of one type. Its name is what a program on this node said; it is not to be trusted.
pub struct EventType {
    /// The type, cut at 128 characters.
    pub event_type: String,
    /// How many there were.
    #[serde(flatten)]
    pub count: EventCount,
}

/// A number of events, estimated.
pub struct EventCount {
    /// Events that were kept.
    pub kept: u64,
    /// Events that there were, about: exact where all were kept.
    pub estimate: f64,
    /// Standard error of the estimate: the truth is within two of it 19 times of 20.
    pub standard_error: f64,
}

/// The accounting from hit to event: `hits = kept + sampled_out + lost + disabled`,
/// `kept + recalled + aborted = received + not_yet_read`, and `received = processed + queued + dropped` by each reason.
pub struct Balance {
    /// Hits in scope, counted in the kernel.
    pub hits: u64,
    /// Hits whose record went into the ring.
    pub kept: u64,
    /// Of the sampled-out hits, starts whose record was sent after all, because their test's end was kept.
    pub recalled: u64,
    /// Tests that ended with their process, and whose record of that went into the ring.
    pub aborted: u64,
    /// Hits whose record was left out by choice of rate.
    pub sampled_out: u64,
    /// Hits whose record found no room in the ring.
    pub lost: u64,
    /// Hits while the signal or the agent was switched off.
    pub disabled: u64,
    /// Records that the agent read from the ring.
    pub received: u64,
    /// Records in the ring that the agent has not read yet.
    pub not_yet_read: u64,
    /// Events taken from the agent's queue, to be handed on to sinks, handlers and streams.
    pub processed: u64,
    /// Of these, events that are just being handed on.
    pub in_flight: u64,
    /// Events that wait in the agent's queue.
    pub queued: u64,
    /// Dropped events by reason.
    pub dropped: Drops,
    /// Whether the three equations hold now. While events come in, the parts are read one after the other, so that a
    /// busy agent can show false for a moment.
    pub balanced: bool,
}

/// Dropped events by reason.
pub struct Drops {
    /// The count of each reason; the reasons are a closed set, see docs/metrics.md.
    #[serde(flatten)]
    pub by_reason: BTreeMap<String, u64>,
}

/// The rates of every signal.
pub struct Sampling {
    /// False: everything is kept, whatever the rates say.
    pub enabled: bool,
    /// Whether anomalies raise rates.
    pub adaptive: bool,
    /// The signals by name.
    pub signals: BTreeMap<String, SignalState>,
}

/// The rate of one signal.
pub struct SignalState {
    /// The rate as configured or set, 0 to 1.
    pub configured_rate: f64,
    /// The rate in force, with boost and budget, 0 to 1.
    pub effective_rate: f64,
    /// Whether a boost is in force.
    pub has_boost: bool,
    /// By how much the boost multiplies the rate; null without a boost.
    pub boost_factor: Option<f64>,
    /// When the boost ends, as RFC 3339 in UTC; null without a boost.
    pub boosted_until: Option<String>,
    /// Time that is left of the boost, in seconds; null without a boost.
    pub boost_remaining_seconds: Option<f64>,
    /// Boosts since the start.
    pub boosts: u64,
    /// Anomalies within the window.
    pub anomalies_in_window: u64,
    /// Hits of the signal.
    pub total_signals: u64,
    /// Hits whose record was kept.
    pub sampled_signals: u64,
    /// Hits whose record was sampled out.
    pub dropped_signals: u64,
}

/// What the agent itself uses.
pub struct Profile {
    /// The last measurement; null before the first.
    pub current: Option<Current>,
    /// Over the window; null when it holds no measurement.
    pub summary: Option<Summary>,
}

/// One measurement.
pub struct Current {
    /// When, as RFC 3339 in UTC.
    pub timestamp: String,
    /// User and system time of the agent and run time of its BPF programs, in percent of one core.
    pub cpu_percent: f64,
    /// The part of `cpu_percent` that its BPF programs took.
    pub bpf_cpu_percent: f64,
    /// Memory in RAM and memory of the kernel's maps, in bytes.
    pub memory_bytes: u64,
    /// The part of `memory_bytes` that the kernel's maps pin.
    pub map_memory_bytes: u64,
    /// Threads of the agent.
    pub thread_count: u64,
    /// What is missing in the figures, and why.
    pub unmeasured: Vec<String>,
}

/// Measurements of a window put together.
pub struct Summary {
    /// The window, in seconds.
    pub window_seconds: f64,
    /// Measurements in it.
    pub sample_count: u64,
    /// Mean of `cpu_percent`.
    pub cpu_avg: f64,
    /// Peak of `cpu_percent`.
    pub cpu_max: f64,
    /// Mean of `memory_bytes`.
    pub memory_avg_bytes: f64,
    /// Peak of `memory_bytes`.
    pub memory_max_bytes: u64,
    /// Growth of `memory_bytes` from the window's first measurement to its last, in bytes; negative if it shrank.
    pub memory_growth_bytes: i64,
}

/// The budget, and what the governor does to keep it.
pub struct Budget {
    /// What the agent may use.
    pub limits: BudgetLimits,
    /// What it uses; null before the first measurement.
    pub current: Option<BudgetUse>,
    /// The CPU budget is exceeded.
    pub cpu_over_budget: bool,
    /// The memory budget is exceeded.
    pub memory_over_budget: bool,
    /// The step of the ladder, from 0 (everything as configured).
    pub level: u32,
    /// The name of the step.
    pub step: String,
    /// Why the agent is on this step.
    pub reason: String,
    /// When it went there, as RFC 3339 in UTC; null if it never moved.
    pub since: Option<String>,
}

/// What the agent may use.
pub struct BudgetLimits {
    /// CPU in percent of one core.
    pub cpu_percent: f64,
    /// Memory in bytes.
    pub memory_bytes: u64,
}

/// What the agent uses.
pub struct BudgetUse {
    /// CPU in percent of one core.
    pub cpu_percent: f64,
    /// Memory in bytes.
    pub memory_bytes: u64,
}

/// The watched markers and functions, and where functions return.
pub struct Probes {
    /// Each probe.
    pub probes: Vec<Probe>,
}

/// A marker or function that is watched.
pub struct Probe {
    /// The marker's provider, or what the function's file is called.
    pub provider: String,
    /// The marker's or function's name; `NAME%return` is where a function returns.
    pub name: String,
    /// What it is on: `marker`, `function` or `return`.
    pub kind: String,
    /// The signal whose rate applies.
    pub signal: String,
    /// Sites that it is attached to.
    pub sites: u64,
    /// Hits in scope.
    pub hits: u64,
    /// Hits whose record was kept.
    pub kept: u64,
    /// Hits whose record was sampled out.
    pub sampled_out: u64,
    /// Hits whose record found no room.
    pub lost: u64,
    /// Hits while it was switched off.
    pub disabled: u64,
    /// Arguments that could not be read.
    pub read_faults: u64,
    /// Run time that its hits took in the kernel program, in seconds: hits times the mean of a run, as measured in windows
    /// over all probes; the trap comes on top. Null while not measured.
    pub cost_seconds: Option<f64>,
    /// A test that takes longer is an anomaly, in seconds, as learnt from the durations so far; null while too few are
    /// known, and where there is no duration.
    pub slow_limit_seconds: Option<f64>,
    /// Calls of a function that are not in its durations: their entry was forgotten, or had no return before another call
    /// lay at its place, or, for a return, is not known.
    pub untimed: u64,
    /// How long tests or calls took, of all of them, whatever was sampled; null where nothing says so.
    pub durations: Option<Durations>,
}

/// The files with probes.
pub struct Images {
    /// Each image, at most 1,000.
    pub images: Vec<Image>,
    /// Images beyond these.
    pub omitted: u64,
}

/// A file with probes.
pub struct Image {
    /// A path that leads to it, as it was seen first.
    pub path: String,
    /// Its build id as hexadecimal digits; null if it has none.
    pub build_id: Option<String>,
    /// Sites that are attached.
    pub sites: u64,
    /// Sites that were refused a probe.
    pub refused: u64,
    /// Why, for the first of these; null if there are none.
    pub reason: Option<String>,
}

/// Tests that run now or ended lately.
pub struct Tests {
    /// Each test, those that run first, at most 1,000.
    pub tests: Vec<Test>,
    /// Tests beyond these.
    pub omitted: u64,
}

/// A test. Its names are what a program on this node said; they are not to be trusted.
pub struct Test {
    /// Its id, unique within a run.
    pub test_id: String,
    /// The run; null if not known.
    pub run_id: Option<String>,
    /// The suite; null if not known.
    pub suite: Option<String>,
    /// The attempt, from 1; null if not known.
    pub attempt: Option<u32>,
    /// The process, in the initial pid namespace.
    pub pid: u32,
    /// Whether it runs now.
    pub running: bool,
    /// The outcome; null while it runs.
    pub status: Option<String>,
    /// When it began, as RFC 3339 in UTC; null if its start was not seen.
    pub started: Option<String>,
    /// How long it took, or has run so far, in seconds; null if not known.
    pub duration_seconds: Option<f64>,
}

/// The configuration in force.
pub struct ConfigReport {
    /// The file; null if there is none.
    pub file: Option<String>,
    /// When it was last taken over, as RFC 3339 in UTC.
    pub loaded: String,
    /// Reloads that succeeded.
    pub reloads: u64,
    /// Reloads that were refused.
    pub reloads_refused: u64,
    /// Why the last reload was refused; null if it succeeded or there was none.
    pub last_refusal: Option<String>,
    /// Each key with its value.
    pub values: Vec<ConfigValue>,
}

/// A key's value.
pub struct ConfigValue {
    /// The dotted key below the section.
    pub key: String,
    /// The value as text; `(set)` for a secret.
    pub value: String,
    /// Where it came from: `default`, FILE:LINE, `environment NAME`, `flag NAME` or `api`.
    pub source: String,
}

/// A reload that succeeded.
pub struct ReloadReport {
    /// The keys whose value changed; empty if nothing did.
    pub changed: Vec<String>,
    /// How long it took, in seconds.
    pub duration_seconds: f64,
}

/// An anomaly that was counted.
pub struct Anomaly {
    /// The signal.
    pub signal: String,
    /// The kind.
    pub kind: String,
    /// Anomalies within the window, this one included.
    pub anomalies_in_window: u64,
    /// Whether the signal's rate is raised now.
    pub has_boost: bool,
}
}
