//! From a configured rate, a boost and the governor's factor to the thresholds that the kernel gets.

use sidecar_common::RATE_ONE;

/// Thresholds of one signal, in units of [`RATE_ONE`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Thresholds {
    /// While nothing raises the rate.
    pub normal: u64,
    /// While anomalies raise it.
    pub boosted: u64,
}

/// A threshold times a factor: never above [`RATE_ONE`], and not 0 unless the threshold or the factor is. A factor
/// that is no number, or negative, counts as 0.
#[must_use]
pub fn scaled(threshold: u64, factor: f64) -> u64 {
    let threshold = threshold.min(RATE_ONE);
    // RATE_ONE is 2^32, so the threshold is exact in a float.
    let product = threshold as f64 * factor;
    if product > 0.0 { (product.round() as u64).clamp(1, RATE_ONE) } else { 0 }
}

/// The thresholds of a signal whose configured one is `threshold`.
///
/// A boost, whether anomalies or an operator (`manual`, 1 for none) asked for it, multiplies the configured rate;
/// the larger of two boosts counts, not their product. `governor` multiplies what comes of it: a boost is kept
/// within the budget too. 0 stays 0: a signal that is off is not turned on.
#[must_use]
pub fn thresholds(threshold: u64, boost_factor: f64, manual: f64, governor: f64) -> Thresholds {
    let manual = manual.max(1.0);
    // A rate is at most 1 before the governor's factor, so that it bites on a saturated boost.
    let kept = |factor: f64| scaled(scaled(threshold, factor), governor);
    Thresholds { normal: kept(manual), boosted: kept(boost_factor.max(manual)) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn boosts_multiply_and_the_governor_halves_what_comes_of_it() {
        let tenth = RATE_ONE / 10;
        let plain = thresholds(tenth, 5.0, 1.0, 1.0);
        assert_eq!(plain, Thresholds { normal: tenth, boosted: tenth * 5 });
        let manual = thresholds(tenth, 5.0, 8.0, 1.0);
        assert_eq!(manual, Thresholds { normal: tenth * 8, boosted: tenth * 8 });
        let saturated = thresholds(RATE_ONE / 2, 5.0, 1.0, 0.25);
        assert_eq!(saturated, Thresholds { normal: RATE_ONE / 8, boosted: RATE_ONE / 4 });
    }

    #[test]
    fn off_stays_off_and_a_small_rate_stays_a_rate() {
        assert_eq!(thresholds(0, 1000.0, 1000.0, 1.0), Thresholds { normal: 0, boosted: 0 });
        assert_eq!(scaled(1, 0.0625), 1);
        assert_eq!(thresholds(RATE_ONE, 5.0, 1.0, 0.0), Thresholds { normal: 0, boosted: 0 });
        for bad in [f64::NAN, -1.0, f64::NEG_INFINITY] {
            assert_eq!(scaled(RATE_ONE, bad), 0, "{bad}");
        }
        assert_eq!(scaled(u64::MAX, f64::INFINITY), RATE_ONE);
    }

    proptest! {
        #[test]
        fn thresholds_are_in_range_and_a_boost_never_lowers(
            threshold in 0..=RATE_ONE, boost in 1.0..1000.0f64, manual in 0.0..1000.0f64, governor in 0.0..=1.0f64,
        ) {
            let found = thresholds(threshold, boost, manual, governor);
            prop_assert!(found.normal <= found.boosted);
            prop_assert!(found.boosted <= RATE_ONE);
            prop_assert!(found.boosted as f64 <= RATE_ONE as f64 * governor + 1.0);
        }
    }
}
