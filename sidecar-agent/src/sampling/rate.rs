//! A threshold times a boost's or the governor's factor.

use sidecar_common::RATE_ONE;

/// A threshold times a factor: never above [`RATE_ONE`], and not 0 unless the threshold or the factor is. A factor
/// that is no number, or negative, counts as 0.
#[must_use]
pub fn scaled(threshold: u64, factor: f64) -> u64 {
    let threshold = threshold.min(RATE_ONE);
    // RATE_ONE is 2^32, so the threshold is exact in a float.
    let product = threshold as f64 * factor;
    if product > 0.0 { (product.round() as u64).clamp(1, RATE_ONE) } else { 0 }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn zero_stays_zero_and_a_small_rate_stays_a_rate() {
        assert_eq!(scaled(0, 1000.0), 0);
        assert_eq!(scaled(1, 0.0625), 1);
        assert_eq!(scaled(RATE_ONE, 0.0), 0);
        for bad in [f64::NAN, -1.0, f64::NEG_INFINITY] {
            assert_eq!(scaled(RATE_ONE, bad), 0, "{bad}");
        }
        assert_eq!(scaled(u64::MAX, f64::INFINITY), RATE_ONE);
    }

    proptest! {
        #[test]
        fn a_factor_keeps_the_range_and_the_order(
            threshold in 0..=RATE_ONE, less in 0.0..1000.0f64, more in 0.0..1000.0f64,
        ) {
            let (less, more) = (less.min(more), less.max(more));
            prop_assert!(scaled(threshold, less) <= scaled(threshold, more));
            prop_assert!(scaled(threshold, more) <= RATE_ONE);
        }
    }
}
