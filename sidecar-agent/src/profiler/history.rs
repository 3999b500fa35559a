//! Measurements of the past, up to a number, and what they come to over a window.

use std::collections::VecDeque;

use serde::Serialize;

use super::megabytes;

/// Measurements that are remembered: an hour's, at one a second.
pub const MOST_SAMPLES: usize = 3600;

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Sample {
    pub(super) now_ns: u64,
    pub(super) cpu_percent: Option<f64>,
    pub(super) memory_bytes: Option<u64>,
}

#[derive(Clone, Debug, Default)]
pub(super) struct History(VecDeque<Sample>);

/// Measurements over a window. A figure is `None` where nothing was measured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Summary {
    /// Mean of the processor time, in percent of one core.
    pub cpu_avg: Option<f64>,
    /// The most of it between two measurements.
    pub cpu_max: Option<f64>,
    /// Mean of the memory in megabytes.
    pub memory_avg: Option<f64>,
    /// The most of it.
    pub memory_max: Option<f64>,
    /// What it grew by from the first to the last measurement of the window; negative if it shrank.
    pub memory_growth_mb: Option<f64>,
    /// Number of measurements.
    pub sample_count: usize,
}

/// What is over its budget.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct OverBudget {
    /// Processor time.
    pub cpu_over_budget: bool,
    /// Memory.
    pub memory_over_budget: bool,
}

impl History {
    pub(super) fn push(&mut self, sample: Sample) {
        // A window is a span of time, so times of before the clock went back are of no use.
        while self.0.back().is_some_and(|last| last.now_ns > sample.now_ns) {
            self.0.pop_back();
        }
        if self.0.len() >= MOST_SAMPLES {
            self.0.pop_front();
        }
        self.0.push_back(sample);
    }

    pub(super) fn summary(&self, window_seconds: f64) -> Summary {
        let Some(last) = self.0.back() else { return Summary::default() };
        // Casts saturate: a negative window or NaN is none, an endless one is everything.
        let from_ns = last.now_ns.saturating_sub((window_seconds * 1e9) as u64);
        let window = || self.0.iter().filter(move |sample| sample.now_ns >= from_ns);
        let cpu: Vec<f64> = window().filter_map(|sample| sample.cpu_percent).collect();
        let memory: Vec<f64> = window().filter_map(|sample| sample.memory_bytes).map(megabytes).collect();
        let mean =
            |values: &[f64]| (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64);
        let most = |values: &[f64]| values.iter().copied().reduce(f64::max);
        Summary {
            cpu_avg: mean(&cpu),
            cpu_max: most(&cpu),
            memory_avg: mean(&memory),
            memory_max: most(&memory),
            memory_growth_mb: memory.last().zip(memory.first()).map(|(last, first)| last - first),
            sample_count: window().count(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn history(samples: impl IntoIterator<Item = (u64, f64, u64)>) -> History {
        let mut history = History::default();
        for (second, cpu, mb) in samples {
            history.push(Sample {
                now_ns: second * 1_000_000_000,
                cpu_percent: Some(cpu),
                memory_bytes: Some(mb * 1_000_000),
            });
        }
        history
    }

    #[test]
    fn an_empty_window_is_a_summary_of_none() {
        assert_eq!(History::default().summary(60.0), Summary::default());
        assert_eq!(History::default().summary(f64::NAN).sample_count, 0);
    }

    #[test]
    fn a_window_has_mean_most_and_growth() {
        let history = history([(1, 90.0, 10), (10, 1.0, 30), (11, 2.0, 50), (12, 6.0, 40)]);
        let found = history.summary(2.0);
        assert_eq!((found.cpu_avg, found.cpu_max, found.sample_count), (Some(3.0), Some(6.0), 3));
        assert_eq!((found.memory_avg, found.memory_max), (Some(40.0), Some(50.0)));
        assert_eq!(found.memory_growth_mb, Some(10.0));
        assert_eq!(history.summary(f64::INFINITY).sample_count, 4);
        assert_eq!(history.summary(-1.0).sample_count, 1);
        assert_eq!(history.summary(f64::NAN).sample_count, 1);
    }

    #[test]
    fn what_is_unknown_is_left_out() {
        let mut history = history([(1, 4.0, 10)]);
        history.push(Sample { now_ns: 2_000_000_000, cpu_percent: None, memory_bytes: None });
        let found = history.summary(60.0);
        assert_eq!((found.cpu_avg, found.memory_growth_mb, found.sample_count), (Some(4.0), Some(0.0), 2));
    }

    #[test]
    fn the_number_is_bounded_and_a_clock_that_goes_back_drops_what_is_ahead() {
        let mut history = history((0..10_000).map(|second| (second, 1.0, 1)));
        assert_eq!(history.summary(1e9).sample_count, MOST_SAMPLES);
        history.push(Sample { now_ns: 9_000_000_000_000, cpu_percent: None, memory_bytes: None });
        // Those of the seconds 6400 to 9000, and the new one.
        assert_eq!(history.summary(1e9).sample_count, 2602);
    }
}
