//! Tests of the boost: the window, the end, the cap in any hour, and clocks that differ.

use super::*;

const S: u64 = 1_000_000_000;

fn rules() -> BoostRules {
    BoostRules::new(5, 60 * S, 60 * S, 900 * S)
}

/// A small generator, so that the tests need no crate: Marsaglia's xorshift64.
struct Random(u64);

impl Random {
    fn below(&mut self, n: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % n
    }
}

#[test]
fn the_last_of_the_anomalies_raises_the_rate_and_time_ends_it() {
    let (rules, mut boost) = (rules(), Boost::default());
    for i in 0..4 {
        assert!(!boost.on_anomaly(&rules, 1000 * S + i));
        assert!(!boost.is_boosted(1000 * S + i));
    }
    assert!(boost.on_anomaly(&rules, 1000 * S + 4));
    assert!(boost.is_boosted(1000 * S + 4));
    assert!(boost.is_boosted(1060 * S));
    assert!(!boost.is_boosted(1060 * S + 4));
    assert_eq!(boost.total, 5);
}

#[test]
fn anomalies_within_the_window_are_always_seen_together_wherever_slots_begin() {
    let rules = rules();
    let mut random = Random(7);
    for _ in 0..20_000 {
        let start = random.below(1 << 60);
        let mut times: Vec<u64> = (0..5).map(|_| start + random.below(60 * S)).collect();
        times.sort_unstable();
        let mut boost = Boost::default();
        let raised: Vec<bool> = times.iter().map(|&now| boost.on_anomaly(&rules, now)).collect();
        assert_eq!(raised, [false, false, false, false, true], "{times:?}");
    }
}

#[test]
fn anomalies_spread_over_more_than_eight_sevenths_of_the_window_raise_nothing() {
    let rules = rules();
    let mut boost = Boost::default();
    for i in 0..1000u64 {
        assert!(!boost.on_anomaly(&rules, 17 * S + i * 18 * S), "{i}");
    }
}

#[test]
fn a_threshold_of_one_raises_at_once_and_none_never() {
    let mut boost = Boost::default();
    assert!(boost.on_anomaly(&BoostRules::new(1, S, S, 900 * S), 5));
    let mut boost = Boost::default();
    let off = BoostRules::new(0, S, S, 900 * S);
    assert!((0..100).all(|i| !boost.on_anomaly(&off, i)));
    assert!((0..100).all(|i| !Boost::default().on_anomaly(&BoostRules::new(1, S, S, 0), i)));
    // What a map holds before it is written.
    assert!((0..100).all(|i| !Boost::default().on_anomaly(&BoostRules::default(), i)));
}

/// The most boosted time in any hour, given the boosted intervals.
fn most_in_an_hour(intervals: &[(u64, u64)]) -> u64 {
    let inside = |from: u64| -> u64 {
        let to = from + HOUR_NS;
        intervals.iter().map(|&(a, b)| b.min(to).saturating_sub(a.max(from))).sum()
    };
    let starts = intervals.iter().flat_map(|&(a, b)| [a, b.saturating_sub(HOUR_NS)]);
    starts.map(inside).max().unwrap_or(0)
}

#[test]
fn no_hour_is_boosted_for_longer_than_the_cap_whatever_a_test_does() {
    let mut random = Random(99);
    // Seconds each.
    for (duration, cap) in [(60, 900), (1, 10), (3000, 900), (86_400, 7), (60, 3599), (600, 1200)] {
        let rules = BoostRules::new(2, 60 * S, duration * S, cap * S);
        let mut boost = Boost::default();
        let mut intervals: Vec<(u64, u64)> = Vec::new();
        let mut now = 77 * S;
        for _ in 0..20_000 {
            // Now and then a pause, so that what was earned back is taken at once.
            now += if random.below(1000) == 0 { random.below(HOUR_NS) } else { random.below(3 * S) };
            if boost.on_anomaly(&rules, now) {
                match intervals.last_mut() {
                    Some((_, end)) if *end >= now => *end = boost.boosted_until,
                    _ => intervals.push((now, boost.boosted_until)),
                }
            }
        }
        let most = most_in_an_hour(&intervals);
        assert!(most <= cap * S, "cap {cap} s, boosted {most} ns");
        assert!(most >= cap * S / 3, "cap {cap} s, boosted {most} ns only");
    }
}

#[test]
fn an_hour_as_the_cap_is_no_cap() {
    let rules = BoostRules::new(1, 60 * S, 60 * S, HOUR_NS);
    let mut boost = Boost::default();
    for i in 0..10_000u64 {
        boost.on_anomaly(&rules, i * S);
        assert!(boost.is_boosted(i * S + S / 2), "{i}");
    }
}

#[test]
fn a_clock_that_is_behind_counts_and_one_that_jumped_ahead_does_not_bring_old_anomalies() {
    let rules = rules();
    let mut boost = Boost::default();
    for now in [1000 * S, 999 * S, 1000 * S, 998 * S] {
        assert!(!boost.on_anomaly(&rules, now));
    }
    assert!(boost.on_anomaly(&rules, 999 * S));
    let mut boost = Boost::default();
    for _ in 0..4 {
        boost.on_anomaly(&rules, 1000 * S);
    }
    assert!(!boost.on_anomaly(&rules, 100_000 * S));
    assert_eq!(boost.anomalies(rules.epoch(100_000 * S)), 1);
}

#[test]
fn ended_early_a_boost_costs_only_what_it_lasted() {
    let rules = rules();
    let mut boost = Boost::default();
    let now = 1000 * S;
    (0..5).for_each(|_| _ = boost.on_anomaly(&rules, now));
    assert_eq!(rules.left_ns(now, boost.repaid_at), 390 * S);
    boost.end(&rules, now + 10 * S);
    assert!(!boost.is_boosted(now + 10 * S));
    // Of 450 s, 10 s were used, and 1 s in 8 was earned back.
    assert_eq!(rules.left_ns(now + 10 * S, boost.repaid_at), 441 * S + S / 4);
    boost.clear_anomalies();
    assert_eq!(boost.anomalies(rules.epoch(now + 10 * S)), 0);
}

#[test]
fn counts_do_not_wrap_and_extreme_times_do_not_panic() {
    assert_eq!(slot_after(0x5_ffff_ffff, 5), 0x5_ffff_ffff);
    let mut random = Random(3);
    let mut boost = Boost::default();
    for _ in 0..10_000 {
        let rules = BoostRules {
            threshold: random.below(3),
            slot_ns: random.below(u64::MAX),
            duration_ns: random.below(u64::MAX),
            burst_ns: random.below(u64::MAX),
            ratio: random.below(u64::MAX),
            reserved: 0,
        };
        boost.on_anomaly(&rules, random.below(u64::MAX));
    }
    boost.on_anomaly(&BoostRules::new(1, u64::MAX, u64::MAX, u64::MAX), u64::MAX);
}
