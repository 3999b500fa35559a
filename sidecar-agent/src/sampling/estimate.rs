//! Totals from what was kept: each kept event stands for `1 / rate` events (the estimator of Horvitz and Thompson).
//!
//! Unbiased whatever the rates were and however they changed, because a record carries the rate under which it was
//! kept. Whether something is kept is decided per test: all events of a test stand and fall together. So the standard
//! error of [`Estimate::add`] is right for what occurs once a test (ends, durations); for what a test has many of there
//! is [`Estimate::add_again`].

/// The estimate of a sum over all events, kept or not.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Estimate {
    kept: u64,
    count: f64,
    count_variance: f64,
    sum: f64,
    sum_variance: f64,
}

impl Estimate {
    /// Takes a kept event in: the rate under which it was kept, and a value that is to be summed (1 if only the
    /// number of events matters). A rate that is none (0, negative, above 1, no number) is refused: false.
    pub fn add(&mut self, rate: f64, value: f64) -> bool {
        if !(rate > 0.0 && rate <= 1.0 && value.is_finite()) {
            return false;
        }
        let weight = 1.0 / rate;
        let variance = (1.0 - rate) * weight * weight;
        self.kept += 1;
        self.count += weight;
        self.count_variance += variance;
        self.sum += value * weight;
        self.sum_variance += value * value * variance;
        true
    }

    /// Takes a kept event in of which only the number matters, and of whose test `before` were kept already.
    pub fn add_again(&mut self, rate: f64, before: u64) -> bool {
        let added = self.add(rate, 1.0);
        if added {
            // The variance of n events that stand and fall together is n^2 times that of one, and add() has put 1 in.
            let more = (1.0 - rate) / (rate * rate) * 2.0 * before as f64;
            self.count_variance += more;
            self.sum_variance += more;
        }
        added
    }

    /// Adds what another estimate has seen, of other events.
    pub fn merge(&mut self, other: &Self) {
        self.kept += other.kept;
        self.count += other.count;
        self.count_variance += other.count_variance;
        self.sum += other.sum;
        self.sum_variance += other.sum_variance;
    }

    /// Events that were kept.
    #[must_use]
    pub fn kept(&self) -> u64 {
        self.kept
    }

    /// Estimated number of events.
    #[must_use]
    pub fn count(&self) -> f64 {
        self.count
    }

    /// Standard error of [`Estimate::count`].
    #[must_use]
    pub fn count_error(&self) -> f64 {
        self.count_variance.sqrt()
    }

    /// Estimated sum of the values of all events.
    #[must_use]
    pub fn sum(&self) -> f64 {
        self.sum
    }

    /// Standard error of [`Estimate::sum`].
    #[must_use]
    pub fn sum_error(&self) -> f64 {
        self.sum_variance.sqrt()
    }

    /// Estimated mean of the values; `None` if nothing was kept.
    #[must_use]
    pub fn mean(&self) -> Option<f64> {
        (self.count > 0.0).then(|| self.sum / self.count)
    }
}

#[cfg(test)]
mod tests {
    use sidecar_common::{RATE_ONE, keeps};

    use super::*;

    #[test]
    fn at_a_rate_of_one_it_is_the_count_and_has_no_error() {
        let mut estimate = Estimate::default();
        (0..10).for_each(|i| assert!(estimate.add(1.0, f64::from(i))));
        assert_eq!((estimate.kept(), estimate.count(), estimate.sum()), (10, 10.0, 45.0));
        assert_eq!((estimate.count_error(), estimate.sum_error()), (0.0, 0.0));
        assert_eq!(estimate.mean(), Some(4.5));
    }

    #[test]
    fn what_is_no_rate_is_refused() {
        let mut estimate = Estimate::default();
        for rate in [0.0, -0.5, 1.1, f64::NAN, f64::INFINITY] {
            assert!(!estimate.add(rate, 1.0), "{rate}");
        }
        assert!(!estimate.add(0.5, f64::NAN));
        assert_eq!((estimate, estimate.mean()), (Estimate::default(), None));
    }

    #[test]
    fn by_the_kernels_own_decision_the_totals_are_right_while_rates_change() {
        // Tests 0 to 100,000; one in 200 fails and is kept for certain; the rate changes three times.
        let rates = [0.1, 0.5, 0.02, 0.2];
        let (mut all, mut parts) = (Estimate::default(), [Estimate::default(); 4]);
        let mut truth = 0.0;
        for test in 0..100_000u64 {
            let duration = (test % 97) as f64;
            truth += duration;
            let part = (test / 25_000) as usize;
            let rate = if test % 200 == 0 { 1.0 } else { rates[part] };
            if keeps(test, (rate * RATE_ONE as f64) as u64) {
                all.add(rate, duration);
                parts[part].add(rate, duration);
            }
        }
        assert!((all.count() - 100_000.0).abs() < 3.0 * all.count_error(), "{all:?}");
        assert!((all.sum() - truth).abs() < 3.0 * all.sum_error(), "{all:?}");
        let mut merged = Estimate::default();
        parts.iter().for_each(|part| merged.merge(part));
        assert!((merged.sum() - all.sum()).abs() < 1e-3 && merged.kept() == all.kept());
        // Without the rates the kept share would be taken for the whole.
        assert!((all.kept() as f64) < 25_000.0);
    }

    #[test]
    fn over_many_runs_the_estimate_is_unbiased_and_its_error_honest() {
        let mut within = 0;
        let mut mean = 0.0;
        for run in 0..400u64 {
            let mut estimate = Estimate::default();
            for test in 0..1000u64 {
                if keeps(run * 1_000_003 + test, RATE_ONE / 20) {
                    estimate.add(0.05, 1.0);
                }
            }
            mean += estimate.count() / 400.0;
            within += u32::from((estimate.count() - 1000.0).abs() <= 2.0 * estimate.count_error());
        }
        assert!((mean - 1000.0).abs() < 25.0, "{mean}");
        assert!(within > 360, "{within} of 400 within two standard errors");
    }
}
