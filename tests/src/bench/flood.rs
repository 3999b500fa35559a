//! A flood of tests, and what it makes of an agent: its cost, memory and step of the ladder over time.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use serde_json::{Value, json};

use super::agent::Agent;
use super::{load, usage};
use crate::kernel::raw;

/// One test in so many fails.
pub const FAILS: u64 = 1_000;
/// Different ids of passing tests.
const PASSING: u64 = 1_000;
/// Between two looks at the agent.
pub const EVERY: Duration = Duration::from_millis(250);
/// Looks for which the agent is asked once: what it tells changes once a second.
const TELLS: usize = 4;
/// `passed` and `failed`, as the markers of sidecar say it.
const STATUS: [u64; 2] = [1, 2];

/// Tests that were fired: each has a start and an end.
#[derive(Debug, Default)]
pub struct Fired {
    tests: AtomicU64,
    /// No more are fired.
    over: AtomicBool,
}

impl Fired {
    /// Tests so far.
    #[must_use]
    pub fn tests(&self) -> u64 {
        self.tests.load(Ordering::Acquire)
    }

    /// How many of so many tests fail.
    #[must_use]
    pub fn failures(&self) -> u64 {
        self.tests() / FAILS
    }

    /// Whether the flood is over.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.over.load(Ordering::Acquire)
    }

    /// Fires tests, `rate` hits a second for some time.
    pub fn flood(&self, rate: u32, time: Duration) {
        let run = c"run-2026-11-24T04:30:00Z-0000001".as_ptr() as u64;
        let ids: Vec<String> = (0..PASSING).map(|i| format!("checkout::cart::adds_twice_{i:05}\0")).collect();
        let id = |test: u64| ids[(test % PASSING) as usize].as_ptr() as u64;
        let mut failing = String::new();
        load::paced(rate / 2, time, |test| {
            let fails = test % FAILS == FAILS - 1;
            if fails {
                failing = format!("{}\0", failing_id(test));
            }
            // The key decides what is kept: spread over all values.
            let key = (test + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
            let id = if fails { failing.as_ptr() as u64 } else { id(test) };
            raw::start(key, id, run, 0, 0, 0);
            raw::end(key, id, run, STATUS[usize::from(fails)], 1_000_000, 1);
            self.tests.fetch_add(1, Ordering::Release);
        });
        self.over.store(true, Ordering::Release);
    }
}

fn failing_id(test: u64) -> String {
    format!("checkout::fails::{test:012}")
}

/// The agent at one time.
#[derive(Clone, Copy, Debug, Default)]
pub struct Look {
    /// Seconds since the flood began; negative before.
    pub seconds: f64,
    /// Processor time of one core: the agent's own since the look before, and that of its BPF programs as it tells.
    pub cpu_percent: f64,
    /// Resident memory.
    pub rss_mb: f64,
    /// The step of the ladder.
    pub step: f64,
    /// Hits a second.
    pub hits: f64,
}

/// The course of the agent over time.
pub struct Course<'a> {
    agent: &'a Agent,
    start: Instant,
    before: (Instant, usage::Usage),
    /// What its metrics said last: when, hits, and what follows for a look. They change once a second.
    told: (Instant, f64, Look),
    /// All looks so far.
    pub looks: Vec<Look>,
}

impl<'a> Course<'a> {
    /// Begins now; the flood begins `after` from now.
    ///
    /// # Errors
    /// When the agent does not answer.
    pub fn new(agent: &'a Agent, after: Duration) -> Result<Self> {
        let now = Instant::now();
        let told = (now, agent.metrics()?.sum("sidecar_hits_total"), Look::default());
        let before = (now, usage::of_process(agent.pid())?);
        Ok(Self { agent, start: now + after, before, told, looks: Vec::new() })
    }

    /// Waits for the time of the next look, and looks.
    ///
    /// # Errors
    /// When the agent does not answer.
    pub fn look(&mut self) -> Result<Look> {
        std::thread::sleep((self.before.0 + EVERY).saturating_duration_since(Instant::now()));
        if self.looks.len().is_multiple_of(TELLS) {
            self.ask()?;
        }
        let (now, usage) = (Instant::now(), usage::of_process(self.agent.pid())?);
        let span = (now - self.before.0).as_secs_f64();
        let own = usage.cpu.saturating_sub(self.before.1.cpu).as_secs_f64() / span * 100.0;
        let seconds = match now.checked_duration_since(self.start) {
            Some(since) => since.as_secs_f64(),
            None => -(self.start - now).as_secs_f64(),
        };
        let told = self.told.2;
        let look = Look { seconds, cpu_percent: own + told.cpu_percent, rss_mb: usage.rss_mb, ..told };
        self.before = (now, usage);
        self.looks.push(look);
        Ok(look)
    }

    /// Asks for its metrics: each time costs the agent about a millisecond.
    fn ask(&mut self) -> Result<()> {
        let metrics = self.agent.metrics()?;
        let (now, hits) = (Instant::now(), metrics.sum("sidecar_hits_total"));
        let told = Look {
            cpu_percent: metrics.sum("sidecar_bpf_cpu_usage_ratio") * 100.0,
            step: metrics.sum("sidecar_governor_step"),
            hits: (hits - self.told.1) / (now - self.told.0).as_secs_f64(),
            ..Look::default()
        };
        self.told = (now, hits, told);
        Ok(())
    }

    /// When the mean cost of a second first was within `percent`, seconds after the flood's begin.
    #[must_use]
    pub fn within(&self, percent: f64) -> Option<f64> {
        let flood: Vec<&Look> = self.looks.iter().filter(|look| look.seconds > 0.0).collect();
        let second = (Duration::from_secs(1).as_millis() / EVERY.as_millis()) as usize;
        let mean =
            |looks: &[&Look]| looks.iter().map(|look| look.cpu_percent).sum::<f64>() / looks.len() as f64;
        // The first look in which the flood shows is the first that counts.
        let over = flood.iter().position(|look| look.cpu_percent > percent)?;
        let found = flood[over..].windows(second).find(|looks| mean(looks) <= percent)?;
        found.last().map(|look| look.seconds)
    }

    /// The mean cost between two times.
    #[must_use]
    pub fn mean(&self, from: f64, to: f64) -> f64 {
        let among = |look: &&Look| (from..to).contains(&look.seconds);
        let costs: Vec<f64> = self.looks.iter().filter(among).map(|look| look.cpu_percent).collect();
        costs.iter().sum::<f64>() / costs.len() as f64
    }

    /// As a table of columns.
    #[must_use]
    pub fn columns(&self) -> Value {
        let column = |of: fn(&Look) -> f64| {
            self.looks.iter().map(|look| (of(look) * 1000.0).round() / 1000.0).collect::<Vec<f64>>()
        };
        json!({
            "seconds": column(|look| look.seconds),
            "cpu_percent": column(|look| look.cpu_percent),
            "rss_mb": column(|look| look.rss_mb),
            "step": column(|look| look.step),
            "hits_per_second": column(|look| look.hits),
        })
    }
}

/// How many failing tests a file of events has whole, with start and end, and how many only in part.
///
/// # Errors
/// When it can't be read.
pub fn failures_in(events: &Path) -> Result<[u64; 2]> {
    let mut parts: std::collections::HashMap<String, [bool; 2]> = std::collections::HashMap::new();
    for line in BufReader::new(File::open(events).with_context(|| events.display().to_string())?).lines() {
        let line = line?;
        if !line.contains("checkout::fails::") {
            continue;
        }
        let event: Value = serde_json::from_str(&line)?;
        let id = event["test_id"].as_str().context("an id")?.to_owned();
        let is_end = event["status"].is_string();
        parts.entry(id).or_default()[usize::from(is_end)] = true;
    }
    let whole = parts.values().filter(|parts| **parts == [true, true]).count() as u64;
    Ok([whole, parts.len() as u64 - whole])
}
