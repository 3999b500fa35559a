//! Run time of the BPF programs. The kernel's statistics read the clock twice a run, which the tests pay for; so they
//! are on for a short window at a time, and hits, which are counted exactly, tell how often what was measured there
//! happened in between.

use std::{
    collections::{HashMap, VecDeque},
    io,
};

use super::{ProgramCost, SECOND, Source};
use crate::bpf::ProgramStats;

/// How long statistics are on, and how often: 2 % of the time.
const WINDOW: u64 = SECOND / 10;
const EVERY: u64 = 5 * SECOND;
/// How often, and for how many windows, after what a run costs has changed: one window may have seen something else.
const SOON: u64 = SECOND;
const SOON_WINDOWS: u32 = 5;
/// What a run is taken for while none was measured, in nanoseconds: above what any was seen to take.
const ASSUMED_NS: f64 = 2_000.0;

/// Whether a window is open.
#[derive(Clone, Debug)]
enum Phase {
    /// None, until then.
    Closed { next_ns: u64 },
    /// Since then, with the statistics as they were.
    Open { since_ns: u64, before: Vec<(&'static str, ProgramStats)> },
}

/// What windows told of one program. Of time, older windows weigh half as much as the one after.
#[derive(Clone, Debug, Default)]
struct Measured {
    run_time_ns: f64,
    window_ns: f64,
    /// Nanoseconds a run in each of the last windows that had one.
    means: VecDeque<f64>,
}

/// Windows of which the middle one tells what a run costs. In one of them a thread may have been kept from its processor
/// within a run, and a millisecond of that is as much as a thousand runs.
const MEANS: usize = 3;

impl Measured {
    /// The middle one of the last windows; of two, the lower.
    fn mean_ns(&self) -> Option<f64> {
        let mut means: Vec<f64> = self.means.iter().copied().collect();
        means.sort_by(f64::total_cmp);
        means.get(means.len().saturating_sub(1) / 2).copied()
    }
}

/// Opens and closes windows, and knows what they told.
#[derive(Clone, Debug)]
pub(super) struct Meter {
    phase: Phase,
    /// In the order in which the source names them.
    programs: Vec<&'static str>,
    measured: HashMap<&'static str, Measured>,
    /// What a run costs may have changed: what windows told so far stands only until the next has been closed.
    stale: bool,
    /// Windows that come sooner.
    soon: u32,
    failure: Option<String>,
}

impl Default for Meter {
    fn default() -> Self {
        Self {
            phase: Phase::Closed { next_ns: 0 },
            programs: Vec::new(),
            measured: HashMap::new(),
            stale: false,
            soon: 0,
            failure: None,
        }
    }
}

impl Meter {
    /// What the programs do has changed, and so has what a run costs: a new window is due, which tells of nothing else.
    pub(super) fn renew(&mut self, source: &mut dyn Source) {
        if matches!(self.phase, Phase::Open { .. }) {
            source.close();
        }
        self.stale = true;
        self.soon = SOON_WINDOWS;
        self.phase = Phase::Closed { next_ns: 0 };
    }

    /// Opens or closes what is due, and says when the next is.
    pub(super) fn tick(&mut self, source: &mut dyn Source, now_ns: u64) -> u64 {
        match &self.phase {
            Phase::Closed { next_ns } if now_ns < *next_ns && *next_ns - now_ns <= EVERY => {}
            Phase::Open { since_ns, .. } if (*since_ns..since_ns + WINDOW).contains(&now_ns) => {}
            Phase::Closed { .. } => {
                // Read first: another window, of somebody else, may be open.
                let opened = source.programs().and_then(|before| source.open().map(|()| before));
                self.phase = match opened {
                    Ok(before) => Phase::Open { since_ns: now_ns, before },
                    Err(error) => {
                        self.fail(&error);
                        Phase::Closed { next_ns: now_ns + EVERY }
                    }
                };
            }
            Phase::Open { since_ns, before } => {
                let (span_ns, before) = (now_ns.checked_sub(*since_ns), before.clone());
                source.close();
                match (source.programs(), span_ns) {
                    (Ok(now), Some(span_ns)) => self.learn(&before, &now, span_ns),
                    (Ok(_), None) => {}
                    (Err(error), _) => self.fail(&error),
                }
                let every = if self.soon > 0 { SOON } else { EVERY };
                self.soon = self.soon.saturating_sub(1);
                self.phase = Phase::Closed { next_ns: now_ns + every - WINDOW };
            }
        }
        match &self.phase {
            Phase::Closed { next_ns } => *next_ns,
            Phase::Open { since_ns, .. } => since_ns + WINDOW,
        }
    }

    fn fail(&mut self, error: &io::Error) {
        self.failure = Some(error.to_string());
    }

    fn learn(
        &mut self,
        before: &[(&'static str, ProgramStats)],
        now: &[(&'static str, ProgramStats)],
        span_ns: u64,
    ) {
        self.failure = None;
        if std::mem::take(&mut self.stale) {
            self.measured.clear();
        }
        self.programs = now.iter().map(|(name, _)| *name).collect();
        for ((name, now), (_, before)) in now.iter().zip(before) {
            let measured = self.measured.entry(name).or_default();
            let runs = now.runs.saturating_sub(before.runs) as f64;
            // A window without runs tells how rare they are, but not what one costs.
            measured.window_ns = measured.window_ns / 2.0 + span_ns as f64;
            let run_time_ns = now.run_time_ns.saturating_sub(before.run_time_ns) as f64;
            measured.run_time_ns = measured.run_time_ns / 2.0 + run_time_ns;
            if runs > 0.0 {
                if measured.means.len() >= MEANS {
                    measured.means.pop_front();
                }
                measured.means.push_back(run_time_ns / runs);
            }
        }
    }

    /// What a hit costs: the mean nanoseconds of a run of the program that hits run.
    pub(super) fn hit_ns(&self) -> Option<f64> {
        self.programs.first().and_then(|name| self.measured.get(name)?.mean_ns())
    }

    /// The cost of each program over a span in which `hits` hits ran the first. Empty, with a reason, before the
    /// first window has been closed.
    pub(super) fn costs(
        &self,
        hits: Option<u64>,
        span_ns: f64,
        unmeasured: &mut Vec<String>,
    ) -> Vec<ProgramCost> {
        if let Some(failure) = &self.failure {
            unmeasured.push(format!("run time of BPF programs: {failure}"));
        }
        if self.programs.is_empty() {
            if self.failure.is_none() {
                unmeasured.push("run time of BPF programs: not measured yet".to_owned());
            }
            let cpu_percent = hits.map(|hits| hits as f64 * ASSUMED_NS / span_ns * 100.0);
            return vec![ProgramCost { name: "probe_hit", cpu_percent, mean_ns: None }];
        }
        let cost = |(index, name): (usize, &&'static str)| {
            let measured = self.measured.get(*name).cloned().unwrap_or_default();
            let mean_ns = measured.mean_ns();
            let by_hits = hits.filter(|_| index == 0).map(|hits| hits as f64 * mean_ns.unwrap_or(ASSUMED_NS));
            let by_time = || measured.run_time_ns / measured.window_ns.max(1.0) * span_ns;
            let run_time_ns = by_hits.unwrap_or_else(by_time);
            ProgramCost { name, cpu_percent: Some(run_time_ns / span_ns * 100.0), mean_ns }
        };
        self.programs.iter().enumerate().map(cost).collect()
    }
}
