//! From samples to readings of about a second, and how long readings have said the same.

use super::{Budget, Sample};

pub(super) const SECOND: u64 = 1_000_000_000;
/// A reading is made of samples over at least this; a tick may come a little early.
const READING: u64 = SECOND * 9 / 10;
/// A reading counts for at most this: what happened between samples that are missing is not known.
const LONGEST: u64 = 10 * SECOND;
/// Clearly within the budget of processor time: at most this share of it.
pub(super) const CALM_CPU: f64 = 0.7;
/// Clearly within the budget of memory.
const CALM_MEMORY: f64 = 0.85;

/// The mean over some samples.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Reading {
    /// What it counts for.
    pub(super) span_ns: u64,
    pub(super) cpu_percent: Option<f64>,
    pub(super) memory_bytes: Option<u64>,
    pub(super) hits_per_second: Option<f64>,
}

/// The mean over time of what is known at times only.
#[derive(Clone, Copy, Debug, Default)]
struct Mean {
    known_ns: u64,
    sum: f64,
}

impl Mean {
    fn add(&mut self, value: Option<f64>, span_ns: u64) {
        if let Some(value) = value.filter(|value| value.is_finite() && *value >= 0.0) {
            self.known_ns = self.known_ns.saturating_add(span_ns);
            self.sum += value * span_ns as f64;
        }
    }

    fn get(&self) -> Option<f64> {
        (self.known_ns > 0).then(|| self.sum / self.known_ns as f64)
    }
}

/// Collects samples until they make a reading.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Collector {
    last_ns: Option<u64>,
    span_ns: u64,
    cpu: Mean,
    hits: Mean,
}

/// What a sample came to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Collected {
    /// Nothing yet.
    More,
    /// A reading.
    Reading(Reading),
    /// Nothing: the clock did not go forward.
    ClockJump,
}

impl Collector {
    pub(super) fn add(&mut self, sample: &Sample) -> Collected {
        let Some(last_ns) = self.last_ns.replace(sample.now_ns) else { return Collected::More };
        let Some(span_ns) = sample.now_ns.checked_sub(last_ns) else {
            *self = Self { last_ns: Some(sample.now_ns), ..Self::default() };
            return Collected::ClockJump;
        };
        self.span_ns = self.span_ns.saturating_add(span_ns);
        self.cpu.add(sample.cpu_percent, span_ns);
        self.hits.add(sample.hits_per_second, span_ns);
        if self.span_ns < READING {
            return Collected::More;
        }
        let reading = Reading {
            span_ns: self.span_ns.min(LONGEST),
            cpu_percent: self.cpu.get(),
            memory_bytes: sample.memory_bytes,
            hits_per_second: self.hits.get(),
        };
        *self = Self { last_ns: self.last_ns, ..Self::default() };
        Collected::Reading(reading)
    }
}

/// For how long what has been the case, in nanoseconds. An unknown cost neither prolongs nor ends anything.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Streaks {
    pub(super) cpu_over: u64,
    pub(super) memory_over: u64,
    /// Both clearly within.
    pub(super) calm: u64,
    /// Both within.
    pub(super) within: u64,
}

impl Streaks {
    pub(super) fn add(&mut self, reading: &Reading, budget: &Budget) {
        let run = |streak: &mut u64, holds: bool| {
            *streak = if holds { streak.saturating_add(reading.span_ns) } else { 0 };
        };
        let cpu = reading.cpu_percent.map(|percent| percent / budget.cpu_percent);
        let memory = reading.memory_bytes.map(|bytes| bytes as f64 / budget.memory_bytes.max(1) as f64);
        if let Some(cpu) = cpu {
            run(&mut self.cpu_over, cpu > 1.0);
        }
        if let Some(memory) = memory {
            run(&mut self.memory_over, memory > 1.0);
        }
        if cpu.is_some() {
            let below = |cpu_share: f64, memory_share: f64| {
                cpu.is_none_or(|cpu| cpu <= cpu_share) && memory.is_none_or(|memory| memory <= memory_share)
            };
            run(&mut self.calm, below(CALM_CPU, CALM_MEMORY));
            run(&mut self.within, below(1.0, 1.0));
        }
    }

    /// Memory is past the share up to which it is calm.
    pub(super) fn memory_presses(reading: &Reading, budget: &Budget) -> bool {
        reading.memory_bytes.is_some_and(|bytes| bytes as f64 > budget.memory_bytes as f64 * CALM_MEMORY)
    }
}
