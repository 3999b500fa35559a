//! What the agent itself costs: processor time, memory, threads, descriptors; now, and over a window.
//!
//! Counted is the agent's own process, its helper processes (the gate) and the run time of its BPF programs in the
//! tests' threads; memory is what is resident plus what its maps pin. Commands that handlers run are the user's and
//! not counted. What can't be measured is `None`, and [`Snapshot::unmeasured`] says why; never 0.
mod history;
mod own;
mod programs;
mod source;
mod threads;

use std::collections::HashMap;

use serde::Serialize;

pub use history::{MOST_SAMPLES, OverBudget, Summary};
pub use own::{CpuSource, MemorySource};
pub use source::Source;
pub use threads::ThreadCost;

use history::{History, Sample};
use own::Own;
use programs::Meter;

const SECOND: u64 = 1_000_000_000;

/// How to measure.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Settings {
    /// Nanoseconds between two measurements.
    pub interval_ns: u64,
    /// Measure each thread and each BPF program.
    pub deep: bool,
}

impl Settings {
    /// The settings of a config.
    #[must_use]
    pub fn of(profiling: &crate::config::Profiling) -> Self {
        // The range is checked when the config is read.
        let interval_ns = (profiling.sampling_interval * SECOND as f64) as u64;
        Self { interval_ns: interval_ns.max(SECOND / 10), deep: profiling.deep_profiling }
    }
}

/// What processor time went into, in percent of one core.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct CpuParts {
    /// User and system time of the agent's own threads.
    pub own: Option<f64>,
    /// Of its helper processes.
    pub helpers: Option<f64>,
    /// Run time of its BPF programs, in the threads of the tests.
    pub programs: Option<f64>,
}

/// What memory goes into, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct MemoryParts {
    /// Resident, without the mapping of the ring.
    pub resident: Option<u64>,
    /// Resident memory of helper processes.
    pub helpers: Option<u64>,
    /// Pinned by BPF maps, the ring included.
    pub maps: Option<u64>,
}

/// Cost of a BPF program.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ProgramCost {
    /// Its name.
    pub name: &'static str,
    /// Percent of one core.
    pub cpu_percent: Option<f64>,
    /// Mean nanoseconds a run, over the windows measured last.
    pub mean_ns: Option<f64>,
}

/// One measurement.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Snapshot {
    /// When, in nanoseconds of CLOCK_MONOTONIC.
    #[serde(skip)]
    pub now_ns: u64,
    /// When, in seconds since 1970 UTC.
    pub timestamp: f64,
    /// Percent of one core since the measurement before, over all parts that are known.
    pub cpu_percent: Option<f64>,
    /// Megabytes (10^6 bytes) now, over all parts that are known.
    pub memory_mb: Option<f64>,
    /// The same in bytes.
    pub memory_bytes: Option<u64>,
    /// Threads of the agent.
    pub thread_count: Option<u64>,
    /// Descriptors it has open.
    pub open_fds: Option<u64>,
    /// Hits a second since the measurement before.
    pub hits_per_second: Option<f64>,
    /// What processor time went into.
    pub cpu: CpuParts,
    /// What memory goes into.
    pub memory: MemoryParts,
    /// Where the agent's own processor time comes from.
    pub cpu_source: CpuSource,
    /// Where its resident memory comes from.
    pub memory_source: MemorySource,
    /// What is missing in the figures, and why.
    pub unmeasured: Vec<String>,
    /// Each thread; only if the profile is deep.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub threads: Vec<ThreadCost>,
    /// Each BPF program; only if the profile is deep.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub programs: Vec<ProgramCost>,
}

/// What a tick came to.
#[derive(Clone, Debug, PartialEq)]
pub struct Tick {
    /// A measurement, if one was due.
    pub snapshot: Option<Snapshot>,
    /// When to tick next, in nanoseconds of CLOCK_MONOTONIC.
    pub next_ns: u64,
}

/// Counters as they were at a measurement.
#[derive(Clone, Debug, Default)]
struct Before {
    now_ns: u64,
    own_ns: Option<u64>,
    helpers_ns: HashMap<u32, u64>,
    hits: Option<u64>,
}

/// Measures when it is told to. It reads /proc and asks the kernel, but no wall clock: time is passed in.
pub struct Profiler {
    settings: Settings,
    own: Own,
    source: Option<Box<dyn Source>>,
    meter: Meter,
    helpers: Vec<u32>,
    threads: threads::Threads,
    before: Option<Before>,
    due_ns: u64,
    history: History,
    current: Option<Snapshot>,
    clock_jumps: u64,
}

impl Profiler {
    /// A profiler of this process. `source` is the kernel side; `None` where nothing is loaded.
    #[must_use]
    pub fn new(settings: Settings, source: Option<Box<dyn Source>>) -> Self {
        Self::reading(Own::default(), settings, source)
    }

    fn reading(own: Own, settings: Settings, source: Option<Box<dyn Source>>) -> Self {
        Self {
            settings,
            own,
            source,
            meter: Meter::default(),
            helpers: Vec::new(),
            threads: threads::Threads::default(),
            before: None,
            due_ns: 0,
            history: History::default(),
            current: None,
            clock_jumps: 0,
        }
    }

    /// Other settings, from the next measurement on.
    pub fn configure(&mut self, settings: Settings) {
        self.settings = settings;
        self.due_ns = 0;
    }

    /// The kernel side came or went.
    pub fn set_source(&mut self, source: Option<Box<dyn Source>>) {
        self.meter = Meter::default();
        self.source = source;
    }

    /// The rates have changed, and with them what a hit costs: it is measured anew at the next tick.
    pub fn rates_changed(&mut self) {
        if let Some(source) = &mut self.source {
            self.meter.renew(source.as_mut());
        }
    }

    /// Process ids of the helpers, as this process sees them: children that have not been waited for.
    pub fn set_helpers(&mut self, pids: Vec<u32>) {
        self.helpers = pids;
    }

    /// Measures what is due. Call it at the time that the tick before named; later is no harm. `hits` are all hits
    /// of all probes so far (those out of scope as well), `None` if they are not known.
    pub fn tick(&mut self, now_ns: u64, utc_ns: i64, hits: Option<u64>) -> Tick {
        let window_ns = match &mut self.source {
            Some(source) => self.meter.tick(source.as_mut(), now_ns),
            None => u64::MAX,
        };
        if self.before.as_ref().is_some_and(|before| now_ns < before.now_ns) {
            self.clock_jumps += 1;
            self.before = None;
            self.due_ns = 0;
        }
        let mut snapshot = None;
        if now_ns >= self.due_ns {
            self.due_ns = now_ns.saturating_add(self.settings.interval_ns);
            snapshot = self.measure(now_ns, utc_ns, hits);
        }
        Tick { snapshot, next_ns: self.due_ns.min(window_ns) }
    }

    /// The first measurement has nothing to compare with and is no snapshot.
    fn measure(&mut self, now_ns: u64, utc_ns: i64, hits: Option<u64>) -> Option<Snapshot> {
        let mut unmeasured = Vec::new();
        let own = self.own.read(&mut unmeasured);
        let (helpers_ns, helpers_bytes) = self.own.helpers(&self.helpers, &mut unmeasured);
        let maps = self.source.as_mut().and_then(|source| match source.maps() {
            Ok(memory) => Some(memory),
            Err(error) => {
                unmeasured.push(format!("memory of maps: {error}"));
                None
            }
        });
        let now = Before { now_ns, own_ns: own.cpu_ns, helpers_ns, hits };
        let before = self.before.replace(now.clone());
        let threads = if self.settings.deep {
            self.threads.read(&self.own, now_ns, &mut unmeasured)
        } else {
            Vec::new()
        };
        let before = before?;
        let span_ns = now_ns.checked_sub(before.now_ns).filter(|span| *span > 0)? as f64;
        let percent = |ns: u64| ns as f64 / span_ns * 100.0;

        let hits = hits.zip(before.hits).map(|(now, before)| now.saturating_sub(before));
        let programs = match &self.source {
            Some(_) => self.meter.costs(hits, span_ns, &mut unmeasured),
            None => Vec::new(),
        };
        let of_helpers =
            |(pid, ns): (&u32, &u64)| ns.saturating_sub(before.helpers_ns.get(pid).copied().unwrap_or(*ns));
        let cpu = CpuParts {
            own: own.cpu_ns.zip(before.own_ns).map(|(now, before)| percent(now.saturating_sub(before))),
            helpers: (now.helpers_ns.len() == self.helpers.len())
                .then(|| percent(now.helpers_ns.iter().map(of_helpers).sum())),
            programs: programs.iter().map(|program| program.cpu_percent).sum(),
        };
        let mapped = maps.map_or(0, |maps| maps.mapped);
        let memory = MemoryParts {
            resident: own.resident.map(|bytes| bytes.saturating_sub(mapped)),
            helpers: helpers_bytes,
            maps: if self.source.is_some() { maps.map(|maps| maps.pinned) } else { Some(0) },
        };
        let cpu_percent = cpu.own.map(|own| own + cpu.helpers.unwrap_or(0.0) + cpu.programs.unwrap_or(0.0));
        let memory_bytes =
            memory.resident.map(|own| own + memory.helpers.unwrap_or(0) + memory.maps.unwrap_or(0));
        let snapshot = Snapshot {
            now_ns,
            timestamp: utc_ns as f64 / SECOND as f64,
            cpu_percent,
            memory_mb: memory_bytes.map(megabytes),
            memory_bytes,
            thread_count: own.threads,
            open_fds: own.open_fds,
            hits_per_second: hits.map(|hits| hits as f64 / span_ns * SECOND as f64),
            cpu,
            memory,
            cpu_source: own.cpu_source,
            memory_source: own.memory_source,
            unmeasured,
            threads,
            programs: if self.settings.deep { programs } else { Vec::new() },
        };
        self.history.push(Sample { now_ns, cpu_percent, memory_bytes });
        self.current = Some(snapshot.clone());
        Some(snapshot)
    }

    /// The last measurement.
    #[must_use]
    pub fn get_current(&self) -> Option<&Snapshot> {
        self.current.as_ref()
    }

    /// The last `window_seconds` before the last measurement. Without a measurement in them, a summary of none.
    #[must_use]
    pub fn get_summary(&self, window_seconds: f64) -> Summary {
        self.history.summary(window_seconds)
    }

    /// Whether the last measurement is over a budget. What is not known is not over.
    #[must_use]
    pub fn is_over_budget(&self, cpu_budget: f64, memory_budget_mb: f64) -> OverBudget {
        let over = |value: Option<f64>, budget: f64| value.is_some_and(|value| value > budget);
        let current = self.current.as_ref();
        OverBudget {
            cpu_over_budget: over(current.and_then(|now| now.cpu_percent), cpu_budget),
            memory_over_budget: over(current.and_then(|now| now.memory_mb), memory_budget_mb),
        }
    }

    /// What a hit takes in the kernel program, in nanoseconds: the mean over all probes; `None` until it was measured.
    #[must_use]
    pub fn hit_ns(&self) -> Option<f64> {
        self.meter.hit_ns()
    }

    /// How often the clock had gone back.
    #[must_use]
    pub fn clock_jumps(&self) -> u64 {
        self.clock_jumps
    }
}

fn megabytes(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}

#[cfg(test)]
mod tests;
