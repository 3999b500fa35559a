//! The signal table: which classes of events have a rate, and the rate in the kernel's units.

use sidecar_common::RATE_ONE;

use super::Config;

/// The built-in signals in the order of their indices.
pub const BUILTIN_SIGNALS: [&str; 6] =
    ["events", "traces", "profiling", "test_events", "perf_metrics", "debug_logs"];

/// One signal. Its place in [`Config::signals`] is its index in the kernel.
#[derive(Clone, Debug, PartialEq)]
pub struct Signal {
    /// Its name.
    pub name: String,
    /// The share of tests that is kept, 0 to 1.
    pub rate: f64,
    /// The rate in units of [`RATE_ONE`].
    pub threshold: u64,
}

/// A rate in units of [`RATE_ONE`]: 1 is `RATE_ONE` exactly, 0 is 0, and a rate above 0 is at least 1.
/// `None` for what is no rate (NaN, below 0, above 1).
#[must_use]
pub fn threshold(rate: f64) -> Option<u64> {
    if !(0.0..=1.0).contains(&rate) {
        return None;
    }
    // RATE_ONE is 2^32, so the product is exact and fits.
    let threshold = (rate * RATE_ONE as f64).round() as u64;
    Some(if rate > 0.0 { threshold.max(1) } else { threshold })
}

/// A threshold as the rate that people wrote: without the digits that 32 bits can't hold, and never 0 for a threshold
/// above 0. At most 1.
#[must_use]
pub fn rate_of(threshold: u64) -> f64 {
    let rate = threshold.min(RATE_ONE) as f64 / RATE_ONE as f64;
    let round = (rate * 1e9).round() / 1e9;
    if round > 0.0 { round } else { rate }
}

impl Config {
    /// The built-in signals in their order, then the user's. With `sampling.enabled: false` every rate is 1.
    #[must_use]
    pub fn signals(&self) -> Vec<Signal> {
        let sampling = &self.sampling;
        let rates = [
            sampling.events,
            sampling.traces,
            sampling.profiling,
            sampling.test_events,
            sampling.perf_metrics,
            sampling.debug_logs,
        ];
        let builtin = BUILTIN_SIGNALS.into_iter().zip(rates);
        let user = sampling.user.iter().map(|(name, rate)| (name.as_str(), *rate));
        let signal = |(name, rate): (&str, f64)| {
            let rate = if sampling.enabled { rate } else { 1.0 };
            // Rates out of range are refused when the configuration is read.
            Signal { name: name.to_owned(), rate, threshold: threshold(rate).unwrap_or(RATE_ONE) }
        };
        builtin.chain(user).map(signal).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thresholds_are_exact_at_both_ends_and_refuse_what_is_no_rate() {
        assert_eq!(threshold(1.0), Some(RATE_ONE));
        assert_eq!(threshold(0.0), Some(0));
        assert_eq!(threshold(-0.0), Some(0));
        assert_eq!(threshold(0.5), Some(RATE_ONE / 2));
        assert_eq!(threshold(0.1), Some(429_496_730));
        assert_eq!(threshold(1e-300), Some(1));
        for rate in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -0.1, 1.000_000_1] {
            assert_eq!(threshold(rate), None, "{rate}");
        }
    }

    #[test]
    fn rates_are_told_as_they_were_written() {
        for written in [0.0, 1e-6, 0.01, 0.05, 0.1, 0.123_456_789, 0.2, 0.333, 0.5, 1.0] {
            assert!(threshold(written).map(rate_of) == Some(written), "{written}");
        }
        assert!(rate_of(1) > 0.0);
        assert_eq!(rate_of(u64::MAX), 1.0);
    }

    #[test]
    fn the_table_has_the_built_in_signals_first() {
        let mut config = Config::default();
        config.sampling.user.push(("flaky".to_owned(), 0.5));
        let names: Vec<_> = config.signals().into_iter().map(|signal| signal.name).collect();
        assert_eq!(names[..6], BUILTIN_SIGNALS);
        assert_eq!(names[6..], ["flaky"]);
        assert_eq!(config.signals()[3].rate, 0.2);
        config.sampling.enabled = false;
        assert!(config.signals().iter().all(|signal| signal.threshold == RATE_ONE));
    }
}
