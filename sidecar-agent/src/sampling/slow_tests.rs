//! Tests of the slow limit: few, many, hostile, changed and endless durations.

use proptest::prelude::*;
use sidecar_common::bucket_of;

use super::*;

const MS: u64 = 1_000_000;

fn histogram(durations: impl IntoIterator<Item = (u64, u64)>) -> Histogram {
    let mut histogram = Histogram::default();
    for (ns, count) in durations {
        histogram.buckets[bucket_of(ns)] += count;
    }
    histogram
}

fn limit(durations: impl IntoIterator<Item = (u64, u64)>) -> Option<u64> {
    slow_limit_ns(&histogram(durations).buckets)
}

#[test]
fn too_few_durations_give_no_limit() {
    assert_eq!(limit([]), None);
    assert_eq!(limit([(50 * MS, 99)]), None);
    assert!(limit([(50 * MS, 100)]).is_some());
}

#[test]
fn equal_tests_are_slow_at_four_times_their_bucket() {
    // 50 ms is in the bucket up to 67 ms.
    assert_eq!(limit([(50 * MS, 1000)]), Some(268_435_456));
}

#[test]
fn an_honest_long_tail_is_not_slow() {
    let found = limit([(10 * MS, 950), (300 * MS, 50)]).unwrap();
    assert!(found > 2 * 300 * MS, "{found}");
}

#[test]
fn short_tests_are_not_slow_because_a_processor_was_busy() {
    assert_eq!(limit([(1000, 1000)]), Some(8_388_608));
}

#[test]
fn tests_beyond_the_last_bound_have_no_limit() {
    assert_eq!(limit([(u64::MAX, 1000)]), None);
    // Nor do counts as large as they get overflow.
    assert_eq!(slow_limit_ns(&[u64::MAX; HISTOGRAM_BUCKETS]), Some(bucket_bound_ns(31)));
}

#[test]
fn a_change_is_followed_and_a_reset_forgets() {
    let mut learner = SlowLimit::default();
    let mut kernel = histogram([(10 * MS, 1_000_000)]);
    let fast = learner.learn(&kernel).unwrap();
    assert_eq!(learner.learn(&kernel), Some(fast));
    kernel.buckets[bucket_of(1000 * MS)] += 40_000;
    let slow = learner.learn(&kernel).unwrap();
    assert!(slow > 1000 * MS && fast < 1000 * MS, "{fast} {slow}");
    assert_eq!(learner.learn(&histogram([(10 * MS, 5)])), None);
    assert_eq!(learner.learn(&histogram([(10 * MS, 500)])), Some(fast));
}

proptest! {
    #[test]
    fn a_hostile_minority_moves_the_limit_only_within_what_the_others_set(
        honest in proptest::collection::vec(MS..10_000 * MS, 400..600),
        hostile in proptest::collection::vec(any::<u64>(), 0..130),
    ) {
        let share = hostile.len() * 4 < honest.len() + hostile.len();
        prop_assume!(share);
        let found = limit(honest.iter().chain(&hostile).map(|ns| (*ns, 1))).unwrap();
        let mut sorted = honest.clone();
        sorted.sort_unstable();
        let median = bucket_bound_ns(bucket_of(sorted[sorted.len() / 2]));
        let longest = bucket_bound_ns(bucket_of(*sorted.last().unwrap()));
        prop_assert!(found >= 4 * median, "{found} {median}");
        prop_assert!(found <= 64 * longest, "{found} {longest}");
    }

    #[test]
    fn fewer_than_one_in_a_hundred_is_slow_unless_the_tail_is_cut(
        counts in proptest::collection::vec(0u64..1000, HISTOGRAM_BUCKETS),
    ) {
        let mut buckets = [0; HISTOGRAM_BUCKETS];
        buckets.copy_from_slice(&counts);
        if let Some(found) = slow_limit_ns(&buckets) {
            let total: u64 = counts.iter().sum();
            let slow: u64 = (0..HISTOGRAM_BUCKETS).filter(|i| bucket_bound_ns(*i) > found).map(|i| counts[i]).sum();
            let most = quantile(&buckets, total.into(), 75).unwrap();
            prop_assert!(slow * 100 <= total || found == bucket_bound_ns(most + 6).max(LOWEST_NS));
        }
    }
}
