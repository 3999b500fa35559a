//! Boosts that user space asks for: anomalies that come through the API, and an operator's own. The same rules
//! as in the kernel decide, so this also serves where there is no kernel side.

use sidecar_common::{Boost, BoostRules};

use super::rate::{Thresholds, thresholds};
use crate::config::Adaptive;

/// Boosted time that anomalies can cause in any hour: 15 minutes.
pub const CAP_PER_HOUR_NS: u64 = 900_000_000_000;
/// Longest boost that an operator can ask for at a time: a day.
pub const MOST_BOOST_NS: u64 = 86_400_000_000_000;

/// The rules of a config. With adaptive sampling off, no anomaly raises a rate.
#[must_use]
pub fn rules(adaptive: &Adaptive) -> BoostRules {
    // Ranges are checked when the config is read; a cast of what is out of range saturates.
    let ns = |seconds: f64| (seconds * 1e9) as u64;
    let threshold = if adaptive.enabled { adaptive.anomaly_threshold } else { 0 };
    BoostRules::new(threshold, ns(adaptive.anomaly_window), ns(adaptive.boost_duration), CAP_PER_HOUR_NS)
}

/// Why a signal can't be boosted.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum SamplingError {
    /// No signal has this index.
    #[error("there is no signal {0}")]
    Signal(usize),
    /// The factor is no number from 1 to 1000.
    #[error("the factor {0} is not from 1 to 1000")]
    Factor(f64),
    /// The duration is 0, or more than a day.
    #[error("a boost of {0} s: it has to be above 0 and at most 86400")]
    Duration(f64),
}

/// An operator's boost.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Manual {
    factor: f64,
    until: u64,
}

#[derive(Clone, Copy, Debug, Default)]
struct Signal {
    boost: Boost,
    manual: Option<Manual>,
}

/// What is boosted, for people and for the API.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BoostView {
    /// Anomalies within the window, through the kernel and through the API.
    pub anomalies: u64,
    /// Anomalies ever.
    pub total: u64,
    /// What the configured rate is multiplied by now; 1 for no boost.
    pub factor: f64,
    /// When the last of the boosts ends, in nanoseconds of CLOCK_MONOTONIC; `None` for no boost.
    pub until: Option<u64>,
    /// Boosted time in nanoseconds that anomalies can still cause now.
    pub left_ns: u64,
}

/// The boosts of all signals, by the signals' indices.
#[derive(Clone, Debug)]
pub struct Boosts {
    rules: BoostRules,
    factor: f64,
    signals: Vec<Signal>,
}

impl Boosts {
    /// No boosts, for this number of signals.
    #[must_use]
    pub fn new(adaptive: &Adaptive, signals: usize) -> Self {
        Self {
            rules: rules(adaptive),
            factor: adaptive.boost_factor.max(1.0),
            signals: vec![Signal::default(); signals],
        }
    }

    /// Takes a new config over. Boosts in progress and what they have used stay.
    pub fn reconfigure(&mut self, adaptive: &Adaptive, signals: usize) {
        self.rules = rules(adaptive);
        self.factor = adaptive.boost_factor.max(1.0);
        self.signals.resize(signals, Signal::default());
    }

    /// The rules, as the kernel gets them.
    #[must_use]
    pub fn rules(&self) -> &BoostRules {
        &self.rules
    }

    fn signal(&mut self, index: usize) -> Result<&mut Signal, SamplingError> {
        self.signals.get_mut(index).ok_or(SamplingError::Signal(index))
    }

    /// An anomaly that the kernel has not seen. True if it raised the rate, or prolonged that.
    ///
    /// # Errors
    /// No such signal.
    pub fn report_anomaly(&mut self, signal: usize, now_ns: u64) -> Result<bool, SamplingError> {
        let rules = self.rules;
        Ok(self.signal(signal)?.boost.on_anomaly(&rules, now_ns))
    }

    /// An operator's boost; it takes the place of one that is on. It counts against no cap, and ends by itself.
    ///
    /// # Errors
    /// No such signal, or a factor or a duration that is out of range.
    pub fn boost(
        &mut self,
        signal: usize,
        factor: f64,
        duration_ns: u64,
        now_ns: u64,
    ) -> Result<(), SamplingError> {
        if !(1.0..=1000.0).contains(&factor) {
            return Err(SamplingError::Factor(factor));
        }
        if duration_ns == 0 || duration_ns > MOST_BOOST_NS {
            return Err(SamplingError::Duration(duration_ns as f64 / 1e9));
        }
        self.signal(signal)?.manual = Some(Manual { factor, until: now_ns.saturating_add(duration_ns) });
        Ok(())
    }

    /// Forgets the anomalies of a signal and ends its boosts, the operator's too.
    ///
    /// # Errors
    /// No such signal.
    pub fn clear_anomalies(&mut self, signal: usize, now_ns: u64) -> Result<(), SamplingError> {
        let rules = self.rules;
        let signal = self.signal(signal)?;
        signal.boost.clear_anomalies();
        signal.boost.end(&rules, now_ns);
        signal.manual = None;
        Ok(())
    }

    /// What user space multiplies a signal's rate by now.
    #[must_use]
    pub fn factor(&self, signal: usize, now_ns: u64) -> f64 {
        let Some(signal) = self.signals.get(signal) else { return 1.0 };
        let manual = signal.manual.filter(|manual| now_ns < manual.until).map_or(1.0, |manual| manual.factor);
        let anomalies = if signal.boost.is_boosted(now_ns) { self.factor } else { 1.0 };
        manual.max(anomalies)
    }

    /// The thresholds that the kernel gets now for a signal's configured one.
    #[must_use]
    pub fn thresholds(&self, signal: usize, configured: u64, governor: f64, now_ns: u64) -> Thresholds {
        thresholds(configured, self.factor, self.factor(signal, now_ns), governor)
    }

    /// When [`Boosts::factor`] changes by itself next: thresholds have to be written again then.
    #[must_use]
    pub fn next_change(&self, now_ns: u64) -> Option<u64> {
        let ends = self.signals.iter().flat_map(|s| [Some(s.boost.boosted_until), s.manual.map(|m| m.until)]);
        ends.flatten().filter(|until| *until > now_ns).min()
    }

    /// What is boosted. `kernel` is the signal's state in the kernel's map.
    #[must_use]
    pub fn view(&self, signal: usize, kernel: Option<&Boost>, now_ns: u64) -> Option<BoostView> {
        let own = self.signals.get(signal)?;
        let states = [Some(&own.boost), kernel];
        let states = || states.into_iter().flatten();
        let epoch = self.rules.epoch(now_ns);
        let by_anomalies = states().any(|state| state.is_boosted(now_ns));
        let ends = states().map(|state| state.boosted_until).chain(own.manual.map(|manual| manual.until));
        Some(BoostView {
            anomalies: states().map(|state| state.anomalies(epoch)).sum(),
            total: states().map(|state| state.total).sum(),
            factor: self.factor(signal, now_ns).max(if by_anomalies { self.factor } else { 1.0 }),
            until: ends.filter(|until| *until > now_ns).max(),
            left_ns: states().map(|state| self.rules.left_ns(now_ns, state.repaid_at)).min().unwrap_or(0),
        })
    }
}

#[cfg(test)]
mod tests {
    use sidecar_common::RATE_ONE;

    use super::*;
    use crate::config::Config;

    const S: u64 = 1_000_000_000;

    fn boosts() -> Boosts {
        Boosts::new(&Config::default().sampling.adaptive, 2)
    }

    #[test]
    fn five_reported_anomalies_raise_one_signal_for_a_minute() {
        let mut boosts = boosts();
        for _ in 0..4 {
            assert_eq!(boosts.report_anomaly(1, 100 * S), Ok(false));
        }
        assert_eq!(boosts.next_change(100 * S), None);
        assert_eq!(boosts.report_anomaly(1, 101 * S), Ok(true));
        assert_eq!((boosts.factor(0, 101 * S), boosts.factor(1, 101 * S)), (1.0, 5.0));
        assert_eq!(boosts.next_change(101 * S), Some(161 * S));
        assert_eq!(boosts.factor(1, 161 * S), 1.0);
        let view = boosts.view(1, None, 101 * S).unwrap();
        assert_eq!((view.anomalies, view.total, view.factor, view.until), (5, 5, 5.0, Some(161 * S)));
        assert_eq!(view.left_ns, 390 * S);
        assert_eq!(boosts.thresholds(1, RATE_ONE / 8, 0.5, 101 * S).normal, RATE_ONE / 16 * 5);
    }

    #[test]
    fn an_operators_boost_ends_by_itself_and_bad_ones_are_refused() {
        let mut boosts = boosts();
        assert_eq!(boosts.boost(0, 20.0, 10 * S, 5 * S), Ok(()));
        assert_eq!((boosts.factor(0, 14 * S), boosts.factor(0, 15 * S)), (20.0, 1.0));
        assert_eq!(boosts.boost(7, 2.0, S, 0), Err(SamplingError::Signal(7)));
        for factor in [0.5, -1.0, 1001.0, f64::INFINITY] {
            assert_eq!(boosts.boost(0, factor, S, 0), Err(SamplingError::Factor(factor)));
        }
        assert!(matches!(boosts.boost(0, f64::NAN, S, 0), Err(SamplingError::Factor(_))));
        for duration in [0, MOST_BOOST_NS + 1] {
            assert!(matches!(boosts.boost(0, 2.0, duration, 0), Err(SamplingError::Duration(_))));
        }
    }

    #[test]
    fn clearing_ends_boosts_and_forgets_anomalies() {
        let mut boosts = boosts();
        (0..5).for_each(|_| _ = boosts.report_anomaly(0, S));
        boosts.boost(0, 9.0, 60 * S, S).unwrap();
        boosts.clear_anomalies(0, 2 * S).unwrap();
        let view = boosts.view(0, None, 2 * S).unwrap();
        assert_eq!((view.anomalies, view.factor, view.until), (0, 1.0, None));
        assert_eq!(boosts.clear_anomalies(2, 0), Err(SamplingError::Signal(2)));
    }

    #[test]
    fn the_view_adds_what_the_kernel_has_seen() {
        let boosts = boosts();
        let mut kernel = Boost::default();
        (0..6).for_each(|_| _ = kernel.on_anomaly(boosts.rules(), 50 * S));
        let view = boosts.view(0, Some(&kernel), 50 * S).unwrap();
        assert_eq!((view.anomalies, view.factor, view.until), (6, 5.0, Some(110 * S)));
        assert_eq!(boosts.view(2, None, 0), None);
    }

    #[test]
    fn off_no_anomaly_raises_a_rate_and_a_reload_keeps_boosts() {
        let mut adaptive = Config::default().sampling.adaptive;
        adaptive.enabled = false;
        let mut boosts = Boosts::new(&adaptive, 1);
        assert!((0..100).all(|i| boosts.report_anomaly(0, i) == Ok(false)));
        boosts.boost(0, 3.0, 60 * S, 0).unwrap();
        adaptive.enabled = true;
        boosts.reconfigure(&adaptive, 2);
        assert_eq!((boosts.factor(0, S), boosts.factor(1, S)), (3.0, 1.0));
    }
}
