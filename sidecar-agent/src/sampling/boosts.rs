//! What the kernel gets of a signal: its rate, what anomalies make of it, and a boost that an operator asked for. The
//! kernel programs decide by it at each hit; a boost ends there by itself.

use sidecar_common::{MAX_ANOMALIES, SignalState};

use super::rate::scaled;
use crate::config::Adaptive;

/// Longest boost that an operator can ask for at a time: a day.
pub const MOST_BOOST_NS: u64 = 86_400_000_000_000;

/// Why a signal can't be boosted.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
pub enum BoostError {
    /// The factor is no number from 1 to 1000.
    #[error("the factor {0} is not from 1 to 1000")]
    Factor(f64),
    /// The duration is 0, or more than a day.
    #[error("a boost of {0} s: it has to be above 0 and at most 86400")]
    Duration(f64),
}

/// An operator's boost. It counts against no cap, and ends by itself.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Manual {
    /// What the configured rate is multiplied by.
    pub factor: f64,
    /// When it ends, in nanoseconds of CLOCK_MONOTONIC.
    pub until_ns: u64,
}

impl Manual {
    /// A boost from `now_ns` on.
    ///
    /// # Errors
    /// The factor or the duration is out of range.
    pub fn new(factor: f64, duration_ns: u64, now_ns: u64) -> Result<Self, BoostError> {
        if !(1.0..=1000.0).contains(&factor) {
            return Err(BoostError::Factor(factor));
        }
        if duration_ns == 0 || duration_ns > MOST_BOOST_NS {
            return Err(BoostError::Duration(duration_ns as f64 / 1e9));
        }
        Ok(Self { factor, until_ns: now_ns.saturating_add(duration_ns) })
    }

    /// Whether it is on.
    #[must_use]
    pub const fn is_on(&self, now_ns: u64) -> bool {
        now_ns < self.until_ns
    }
}

/// How a signal is to be sampled.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rate {
    /// The configured threshold, or the one that was set since, in units of [`sidecar_common::RATE_ONE`].
    pub threshold: u64,
    /// The operator's boost.
    pub manual: Option<Manual>,
}

/// What the kernel gets. A boost multiplies the configured rate; of two the larger counts. `governor` multiplies what
/// comes of it: a boost is kept within the budget too. A signal that is off stays off.
#[must_use]
pub fn signal_state(adaptive: &Adaptive, rate: &Rate, governor: f64) -> SignalState {
    let kept = |factor: f64| scaled(scaled(rate.threshold, factor), governor);
    let most = MAX_ANOMALIES as u64;
    // Ranges are checked when the config is read; a cast of what is out of range saturates.
    let ns = |seconds: f64| (seconds * 1e9) as u64;
    let boosts = adaptive.max_boost_seconds_per_hour / adaptive.boost_duration;
    SignalState {
        threshold: kept(1.0),
        boosted: kept(adaptive.boost_factor),
        forced: rate.manual.map_or(0, |manual| kept(manual.factor)),
        forced_until_ns: rate.manual.map_or(0, |manual| manual.until_ns),
        anomaly_window_ns: ns(adaptive.anomaly_window),
        boost_duration_ns: ns(adaptive.boost_duration.min(adaptive.max_boost_seconds_per_hour)),
        anomaly_threshold: if adaptive.enabled { adaptive.anomaly_threshold.min(most) as u32 } else { 0 },
        boosts_per_hour: (boosts as u64).clamp(1, most) as u32,
        ..SignalState::default()
    }
}

/// The threshold that the kernel programs go by at a time of CLOCK_MONOTONIC, where anomalies boost the signal until
/// `boosted_until_ns`.
#[must_use]
pub fn in_force(state: &SignalState, boosted_until_ns: u64, now_ns: u64) -> u64 {
    let boosted = if now_ns < boosted_until_ns { state.boosted } else { 0 };
    let forced = if now_ns < state.forced_until_ns { state.forced } else { 0 };
    state.threshold.max(boosted).max(forced)
}

#[cfg(test)]
mod tests {
    use sidecar_common::RATE_ONE;

    use super::*;
    use crate::config::Config;

    const S: u64 = 1_000_000_000;

    fn adaptive() -> Adaptive {
        Config::default().sampling.adaptive
    }

    #[test]
    fn the_defaults_are_what_the_kernel_gets() {
        let state = signal_state(&adaptive(), &Rate { threshold: RATE_ONE / 10, manual: None }, 1.0);
        assert_eq!((state.threshold, state.boosted), (RATE_ONE / 10, RATE_ONE / 10 * 5));
        assert_eq!((state.forced, state.forced_until_ns), (0, 0));
        assert_eq!((state.anomaly_window_ns, state.boost_duration_ns), (60 * S, 60 * S));
        assert_eq!((state.anomaly_threshold, state.boosts_per_hour), (5, 10));
    }

    #[test]
    fn the_governor_bites_on_boosts_and_on_saturated_ones() {
        let manual = Manual::new(8.0, S, 0).unwrap();
        let rate = Rate { threshold: RATE_ONE / 2, manual: Some(manual) };
        let state = signal_state(&adaptive(), &rate, 0.25);
        assert_eq!(
            (state.threshold, state.boosted, state.forced),
            (RATE_ONE / 8, RATE_ONE / 4, RATE_ONE / 4)
        );
        let nothing = signal_state(&adaptive(), &rate, 0.0);
        assert_eq!((nothing.threshold, nothing.boosted, nothing.forced), (0, 0, 0));
    }

    #[test]
    fn off_no_anomaly_boosts_and_the_hours_cap_is_kept() {
        let off = Adaptive { enabled: false, ..adaptive() };
        let rate = Rate { threshold: 1, manual: None };
        assert_eq!(signal_state(&off, &rate, 1.0).anomaly_threshold, 0);
        for (duration, most, boosts, each) in
            [(60.0, 600.0, 10, 60), (7.0, 600.0, 64, 7), (900.0, 600.0, 1, 600), (1.0, 3600.0, 64, 1)]
        {
            let adaptive =
                Adaptive { boost_duration: duration, max_boost_seconds_per_hour: most, ..adaptive() };
            let state = signal_state(&adaptive, &rate, 1.0);
            assert_eq!((state.boosts_per_hour, state.boost_duration_ns), (boosts, each * S), "{duration}");
            assert!(f64::from(state.boosts_per_hour) * each as f64 <= most);
        }
    }

    #[test]
    fn the_highest_threshold_that_is_on_is_in_force() {
        let state =
            SignalState { threshold: 1, boosted: 2, forced: 3, forced_until_ns: 10, ..Default::default() };
        let at = |boosted_until_ns, now_ns| in_force(&state, boosted_until_ns, now_ns);
        assert_eq!((at(0, 9), at(20, 9), at(20, 10), at(20, 19), at(20, 20)), (3, 3, 2, 2, 1));
    }

    #[test]
    fn an_operators_boost_ends_by_itself_and_bad_ones_are_refused() {
        let manual = Manual::new(20.0, 10 * S, 5 * S).unwrap();
        assert!(manual.is_on(15 * S - 1) && !manual.is_on(15 * S));
        for factor in [0.5, -1.0, 1001.0, f64::INFINITY] {
            assert_eq!(Manual::new(factor, S, 0), Err(BoostError::Factor(factor)));
        }
        assert!(matches!(Manual::new(f64::NAN, S, 0), Err(BoostError::Factor(_))));
        for duration in [0, MOST_BOOST_NS + 1] {
            assert!(matches!(Manual::new(2.0, duration, 0), Err(BoostError::Duration(_))));
        }
    }
}
